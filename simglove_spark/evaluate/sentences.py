"""Sentence similarity: cosines of sums of vectors against human scores."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simglove_spark.asking.sentences import How
from simglove_spark.errors import InputError
from simglove_spark.evaluate.lines import Row, is_numeric, number_of, shown
from simglove_spark.evaluate.lines import lines as lines_of
from simglove_spark.evaluate.results import Judged, Measure
from simglove_spark.evaluate.texts import SIF_TOLD, Texts, cut
from simglove_spark.vectors import Vectors, unit_rows

NAMES = (
    {"sentence1", "sentence_a", "sent_1", "text1"},
    {"sentence2", "sentence_b", "sent_2", "text2"},
    {"score", "relatedness_score", "similarity", "label"},
)
WAYS: tuple[How, ...] = ("sum", "sif", "whitened")
WAYS_WITHOUT_COUNTS: tuple[How, ...] = ("sum", "whitened")
STS = 5, 6, 4
PLAIN = 0, 1, 2
Places = tuple[int, int, int]


@dataclass(frozen=True)
class SentenceSet:
    """Pairs of sentences with scores: the STS benchmark in both its layouts, SICK, and plain columns."""

    file: str
    first: list[list[str]]
    second: list[list[str]]
    gold: NDArray[np.float64]

    kind = "sentences"
    looks = (
        "columns between tabs: genre, file, year, id, score, sentence, sentence (STS benchmark); sentence, sentence, score; "
        "or a header with sentence1, sentence2, score"
    )

    @staticmethod
    def fits(first: list[Row]) -> bool:
        """Whether the first lines look like such a set."""
        places, _ = _places(first[0])
        return places is not None

    @classmethod
    def read(cls, path: Path) -> "SentenceSet":
        """Two sentences and a score a line; quotation marks are text.

        Raises
        ------
        InputError
            When the file is missing, empty or malformed; the message has the line.
        """
        found: list[tuple[list[str], list[str], float]] = []
        places: Places | None = None
        for number, line in lines_of(path):
            row = Row(number, [column.strip() for column in line.split("\t")])
            if places is None:
                places, is_header = _places(row)
                if is_header:
                    continue
            score = None
            if places is not None and len(row.columns) > max(places):
                score = number_of(row.columns[places[2]])
            if places is None or score is None:
                raise InputError(
                    f"line must be two sentences and a score between tabs; got {shown(row.columns)} "
                    f"({path}, line {number}). Mend it; known are {cls.looks}."
                )
            found.append((cut(row.columns[places[0]]), cut(row.columns[places[1]]), score))
        if not found:
            raise InputError(f"evaluation set must have pairs of sentences; got none ({path}). Give another file.")
        first, second, gold = zip(*found, strict=True)
        return cls(path.name, list(first), list(second), np.array(gold))

    def judge(self, vectors: Vectors, seed: int) -> Judged:
        """Pearson's and Spearman's correlation over the pairs whose two sentences have a word with a vector."""
        sides = [Texts(texts, vectors) for texts in (self.first, self.second)]
        found = np.logical_and(*(side.is_found for side in sides))
        chosen = [[side.sentences[place] for place in np.flatnonzero(found)] for side in sides]
        measures = []
        for how in WAYS if vectors.counts.any() else WAYS_WITHOUT_COUNTS:
            units = (unit_rows(vectors.sentence_vectors(sentences, how)) for sentences in chosen)
            values = np.full(len(found), np.nan)
            values[found] = np.einsum("ij,ij->i", *units, dtype=np.float64)
            measures += [
                Measure("pearson", how, values, self.gold, "pearson"),
                Measure("spearman", how, values, self.gold, "spearman"),
            ]
        setting = (
            f"runs of letters and digits, cosine of the sums of vectors; {SIF_TOLD}; whitened: as simglove similarity has it; "
            f"{np.mean([side.covered for side in sides]):.1%} of the words have vectors"
        )
        return Judged(self.kind, self.file, tuple(measures), setting)


def _places(row: Row) -> tuple[Places | None, bool]:
    """Where the sentences and the score stand, told by the first line, and whether that is a header."""
    columns = row.columns
    named = [next((at for at, name in enumerate(columns) if name.lower() in names), None) for names in NAMES]
    if None not in named:
        return (named[0], named[1], named[2]), True  # type: ignore[return-value]
    for places in (STS, PLAIN):
        if len(columns) > max(places) and is_numeric(columns[places[2]]):
            sentences = [columns[place] for place in places[:2]]
            if any(" " in text for text in sentences) and not any(map(is_numeric, sentences)):
                return places, False
    return None, False
