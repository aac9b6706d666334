"""Analogies, a is to b as c is to d: which word is nearest, by two ways of putting the three together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.evaluate import bats
from simglove_spark.evaluate.lines import Row, lines, shown
from simglove_spark.evaluate.lookup import ids_of
from simglove_spark.evaluate.results import Judged, Measure
from simglove_spark.vectors import Vectors, unit_rows

MOST_FREQUENT = 30_000
BATCH_QUESTIONS = 512
EPSILON = 1e-3  # of 3CosMul, as published


class Question(NamedTuple):
    """``asked`` (a, b, c): a is to b as c is to any word of ``right``, the first of which must be known; ``barred`` cannot answer."""

    asked: tuple[str, str, str]
    right: tuple[str, ...]
    barred: tuple[str, ...]


class Section(NamedTuple):
    """A part of a set, and the larger part it belongs to, if there is one."""

    name: str
    group: str | None


@dataclass(frozen=True)
class AnalogySet:
    """Questions in sections: Google's questions-words, its Chinese translation, what has their layout, and BATS.

    ``section`` is the place among ``sections`` of each question, ``barred`` tells which words cannot be answers.
    """

    file: str
    sections: list[Section]
    section: NDArray[np.intp]
    questions: list[Question]
    barred: str

    kind = "analogy"
    looks = f"lines ': name' of sections, and questions of four words between blanks; or {bats.LOOKS}"

    @staticmethod
    def fits(first: list[Row]) -> bool:
        """Whether the first lines look like such a set."""
        return first[0].columns[0].startswith(":")

    @classmethod
    def read(cls, path: Path) -> "AnalogySet":
        """Lines of four words a b c d, in sections that start with a line ``: name``; or a folder as `bats` tells.

        Raises
        ------
        InputError
            When the file is missing, empty or malformed; the message has the line.
        """
        found = _categories(path) if path.is_dir() else _sections(path)
        questions = [question for _, own in found for question in own]
        if not questions:
            raise InputError(f"analogies must be one question or more; got none ({path}). Give another file.")
        sections = [section for section, _ in found]
        place = np.repeat(np.arange(len(found)), [len(own) for _, own in found])
        return cls(path.name, sections, place, questions, bats.BARRED if path.is_dir() else "the three asked")

    def judge(self, vectors: Vectors, seed: int) -> Judged:
        """Right answers among the most frequent words less those barred; a question with a word outside is not found.

        3CosAdd: argmax of cos(d, b) - cos(d, a) + cos(d, c), the word nearest b - a + c of unit vectors. 3CosMul (Levy & Goldberg
        2014): argmax of cos'(d, b) cos'(d, c) / (cos'(d, a) + 0.001), with cos' = (cos + 1) / 2.
        """
        ids = vectors.most_frequent(MOST_FREQUENT)
        place_of_id = np.full(len(vectors) + 1, -1, dtype=np.intp)  # the last is for words nowhere in the vocabulary
        place_of_id[ids] = np.arange(len(ids))

        def places(words: Sequence[tuple[str, ...]]) -> NDArray[np.intp]:
            """Of each question's words, as many as the longest has; the first one's again where there are fewer."""
            most = max(map(len, words))
            flat = (word for own in words for word in (*own, *own[:1] * (most - len(own))))
            return place_of_id[ids_of(vectors, flat)].reshape(-1, most)

        asked, right, barred = (places(words) for words in zip(*self.questions, strict=True))
        found = np.asarray((asked >= 0).all(axis=1) & (right[:, 0] >= 0))
        asked, right, barred = asked[found], right[found], barred[found]
        answers = _answers(unit_rows(vectors.matrix[ids]), asked, np.where(barred < 0, asked[:, :1], barred))
        measures: list[Measure] = []
        for name, given in zip(("3CosAdd", "3CosMul"), answers, strict=True):
            values = np.full(len(found), np.nan)
            values[found] = (given[:, None] == right).any(axis=1)
            measures += [Measure(name, part, values[chosen], detail=detail) for part, chosen, detail in self._parts()]
        setting = f"unit vectors, argmax over the {len(ids):,} most frequent words less {self.barred}"
        return Judged(self.kind, self.file, tuple(measures), setting)

    def _parts(self) -> Iterator[tuple[str, NDArray[np.bool_], bool]]:
        """Parts by name, with their questions, and whether they are a detail: all, groups of sections, and sections."""
        yield "all", np.ones(len(self.section), dtype=bool), False
        for group in dict.fromkeys(section.group for section in self.sections if section.group):
            yield group, np.array([section.group == group for section in self.sections])[self.section], False
        for number, section in enumerate(self.sections):
            yield section.name, self.section == number, True


def _sections(path: Path) -> list[tuple[Section, list[Question]]]:
    """Google's layout: semantic and syntactic sections if the names of some start with gram."""
    found: list[tuple[str, list[Question]]] = []
    for number, line in lines(path):
        if line.startswith(":"):
            found.append((line[1:].strip(), []))
            continue
        words = line.lower().split()
        if not found or len(words) != 4:
            rule = "four words" if found else "': name' of a section before the first question"
            raise InputError(f"line must be {rule}; got {shown([line])} ({path}, line {number}). Mend it.")
        a, b, c, d = words
        found[-1][1].append(Question((a, b, c), (d,), (a, b, c)))
    groups = ["syntactic" if name.startswith("gram") else "semantic" for name, _ in found]
    told = groups if "syntactic" in groups else [None] * len(groups)
    return [(Section(name, group), own) for group, (name, own) in zip(told, found, strict=True)]


def _categories(folder: Path) -> list[tuple[Section, list[Question]]]:
    """Every ordered pair of a category's lines; no answer of the first one answers the second."""
    return [
        (
            Section(category.name, category.group),
            [
                Question((a, right_of_a[0], c), right, (a, c, *right_of_a))
                for (c, right), (a, right_of_a) in permutations(category.pairs, 2)
            ],
        )
        for category in bats.read(folder)
    ]


def _answers(units: NDArray[np.float32], asked: NDArray[np.intp], barred: NDArray[np.intp]) -> NDArray[np.intp]:
    """Best row for each question (a, b, c) other than those barred, by 3CosAdd and by 3CosMul: intp[2, questions]."""
    answers = np.empty((2, len(asked)), dtype=np.intp)
    for start in range(0, len(asked), BATCH_QUESTIONS):
        batch = slice(start, start + BATCH_QUESTIONS)
        words, place = np.unique(asked[batch], return_inverse=True)
        cosines = units[words] @ units.T
        a, b, c = (cosines[column] for column in place.reshape(-1, 3).T)
        added = b - a
        added += c
        b += 1
        c += 1
        a += 1 + 2 * EPSILON
        b *= c
        b /= a  # twice the measure
        for row, scores in enumerate((added, b)):
            scores[np.arange(len(scores))[:, None], barred[batch]] = -np.inf
            answers[row, batch] = scores.argmax(axis=1)
    return answers
