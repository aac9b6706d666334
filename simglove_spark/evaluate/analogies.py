"""Analogies, a is to b as c is to d: which word is nearest, by two ways of putting the three together."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.evaluate.lines import Row, lines, shown
from simglove_spark.evaluate.lookup import ids_of
from simglove_spark.evaluate.results import Judged, Measure
from simglove_spark.vectors import Vectors, unit_rows

MOST_FREQUENT = 30_000
BATCH_QUESTIONS = 512
EPSILON = 1e-3  # of 3CosMul, as published


@dataclass(frozen=True)
class AnalogySet:
    """Questions in sections: Google's questions-words, its Chinese translation, and what has their layout."""

    file: str
    sections: list[str]
    section: NDArray[np.intp]
    questions: list[list[str]]

    kind = "analogy"
    looks = "lines ': name' of sections, and questions of four words between blanks"

    @staticmethod
    def fits(first: list[Row]) -> bool:
        """Whether the first lines look like such a set."""
        return first[0].columns[0].startswith(":")

    @classmethod
    def read(cls, path: Path) -> "AnalogySet":
        """Lines of four words a b c d, in sections that start with a line ``: name``.

        Raises
        ------
        InputError
            When the file is missing, empty or malformed; the message has the line.
        """
        names: list[str] = []
        sections: list[int] = []
        questions: list[list[str]] = []
        for number, line in lines(path):
            if line.startswith(":"):
                names.append(line[1:].strip())
                continue
            words = line.lower().split()
            if not names or len(words) != 4:
                rule = "four words" if names else "': name' of a section before the first question"
                raise InputError(f"line must be {rule}; got {shown([line])} ({path}, line {number}). Mend it.")
            sections.append(len(names) - 1)
            questions.append(words)
        if not questions:
            raise InputError(f"analogies must be one question or more; got none ({path}). Give another file.")
        return cls(path.name, names, np.array(sections, dtype=np.intp), questions)

    def judge(self, vectors: Vectors, seed: int) -> Judged:
        """Right answers among the most frequent words less the three asked; a question with a word outside is not found.

        3CosAdd: argmax of cos(d, b) - cos(d, a) + cos(d, c), the word nearest b - a + c of unit vectors. 3CosMul (Levy & Goldberg
        2014): argmax of cos'(d, b) cos'(d, c) / (cos'(d, a) + 0.001), with cos' = (cos + 1) / 2.
        """
        ids = vectors.most_frequent(MOST_FREQUENT)
        place_of_id = np.full(len(vectors) + 1, -1, dtype=np.intp)  # the last is for words nowhere in the vocabulary
        place_of_id[ids] = np.arange(len(ids))
        asked = ids_of(vectors, (word for question in self.questions for word in question)).reshape(-1, 4)
        places = place_of_id[asked]
        found = np.asarray((places >= 0).all(axis=1))
        answers = _answers(unit_rows(vectors.matrix[ids]), places[found, :3])
        measures: list[Measure] = []
        for name, given in zip(("3CosAdd", "3CosMul"), answers, strict=True):
            values = np.full(len(found), np.nan)
            values[found] = given == places[found, 3]
            measures += [Measure(name, part, values[chosen], detail=detail) for part, chosen, detail in self._parts()]
        setting = f"unit vectors, argmax over the {len(ids):,} most frequent words less the three asked"
        return Judged(self.kind, self.file, tuple(measures), setting)

    def _parts(self) -> Iterator[tuple[str, NDArray[np.bool_], bool]]:
        """Parts by name, with their questions, and whether they are a detail; semantic and syntactic if some names start with gram."""
        yield "all", np.ones(len(self.section), dtype=bool), False
        grammar = np.array([name.startswith("gram") for name in self.sections])[self.section]
        if grammar.any():
            yield "semantic", ~grammar, False
            yield "syntactic", grammar, False
        for number, name in enumerate(self.sections):
            yield name, self.section == number, True


def _answers(units: NDArray[np.float32], asked: NDArray[np.intp]) -> NDArray[np.intp]:
    """Best row for each question (a, b, c) other than the three, by 3CosAdd and by 3CosMul: intp[2, questions]."""
    answers = np.empty((2, len(asked)), dtype=np.intp)
    for start in range(0, len(asked), BATCH_QUESTIONS):
        batch = asked[start : start + BATCH_QUESTIONS]
        words, place = np.unique(batch, return_inverse=True)
        cosines = units[words] @ units.T
        a, b, c = (cosines[column] for column in place.reshape(batch.shape).T)
        added = b - a
        added += c
        b += 1
        c += 1
        a += 1 + 2 * EPSILON
        b *= c
        b /= a  # twice the measure
        for row, scores in enumerate((added, b)):
            scores[np.arange(len(batch))[:, None], batch] = -np.inf
            answers[row, start : start + len(batch)] = scores.argmax(axis=1)
    return answers
