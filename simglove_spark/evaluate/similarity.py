"""Word similarity: cosines against human scores."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.evaluate.lines import Row, is_numeric, lines, number_of, rows, shown, without_classes
from simglove_spark.evaluate.lookup import ids_of
from simglove_spark.evaluate.results import Judged, Measure
from simglove_spark.vectors import Vectors, unit_rows

HEADERS = "word 1", "word1", "word_1", "word"


@dataclass(frozen=True)
class SimilaritySet:
    """Pairs of words with scores: WS-353, SimLex-999, SimVerb, MEN, RG-65, MTurk, Rare Words, wordsim-240 and the like."""

    file: str
    first: list[str]
    second: list[str]
    gold: NDArray[np.float64]

    kind = "similarity"
    looks = "two words and a number, in columns of tabs, commas, semicolons or blanks, with or without a header"

    @staticmethod
    def fits(first: list[Row]) -> bool:
        """Whether the first lines look like such a set."""
        return any(is_numeric(column) for row in first[:2] for column in row.columns[2:])  # the first may be a header

    @classmethod
    def read(cls, path: Path) -> "SimilaritySet":
        """Two words a line; the first number behind them is the score, whatever else stands there.

        Raises
        ------
        InputError
            When the file is missing, empty or malformed; the message has the line.
        """
        found: list[tuple[str, str, float]] = []
        place = -1
        for row in rows(lines(path)):
            numeric = [at for at, column in enumerate(row.columns) if at > 1 and is_numeric(column)]
            is_header = not numeric or row.columns[0].lower() in HEADERS  # which may count its raters
            if not found and is_header and place < 0 and len(row.columns) > 2:
                place = 0  # there is one at most
                continue
            place = numeric[0] if place < 1 and numeric else place
            if place < 1 or len(row.columns) <= place or not row.columns[0] or not row.columns[1]:
                raise InputError(
                    f"line must be word, word, score, separated as the first line is; got {shown(row.columns)} "
                    f"({path}, line {row.number}). Mend it."
                )
            found.append((row.columns[0].lower(), row.columns[1].lower(), _score(row, place, path)))
        if not found:
            raise InputError(f"evaluation set must have pairs of words with scores; got none ({path}). Give another.")
        first, second = [pair[0] for pair in found], [pair[1] for pair in found]
        plain = without_classes(first + second)
        return cls(path.name, plain[: len(first)], plain[len(first) :], np.array([pair[2] for pair in found]))

    def judge(self, vectors: Vectors, seed: int) -> Judged:
        """Spearman's correlation over the pairs whose two words have vectors."""
        first, second = ids_of(vectors, self.first), ids_of(vectors, self.second)
        found = (first >= 0) & (second >= 0)
        values = np.full(len(first), np.nan)
        sides = (unit_rows(vectors.matrix[ids[found]]) for ids in (first, second))
        values[found] = np.einsum("ij,ij->i", *sides, dtype=np.float64)
        setting = f"cosine, Spearman over the pairs found among {len(vectors):,} words"
        return Judged(self.kind, self.file, (Measure("spearman", "all", values, self.gold, "spearman"),), setting)


def _score(row: Row, place: int, path: Path) -> float:
    score = number_of(row.columns[place])
    if score is None:
        raise InputError(
            f"score must be a finite number; got {row.columns[place][:40]!r} ({path}, line {row.number}). Mend the line."
        )
    return score
