"""How good vectors are: word similarity and analogies, by one protocol.

Everything is put into lower case. Similarity: cosine against human scores, Spearman over the pairs whose two words are
in the vocabulary. Analogies (a is to b as c is to d): on unit vectors, the word nearest b - a + c among the most
frequent words less the three of the question; a question with a word outside them is skipped. Coverage stands with every score.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simglove_spark import output
from simglove_spark.errors import InputError
from simglove_spark.vectors import Vectors, unit_rows

BATCH_QUESTIONS = 512


@dataclass(frozen=True)
class SimilarityResult:
    """Spearman's rank correlation on one file; ``score`` is None when no order can be told."""

    file: str
    found: int
    total: int
    score: float | None
    vocabulary_size: int

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        setting = {"metric": "cosine", "correlation": "spearman", "lowercase": True, "words": self.vocabulary_size}
        return {"kind": "similarity", "file": self.file, **_scored(self), "setting": setting}


@dataclass(frozen=True)
class Accuracy:
    """Right answers among the questions whose words are known; ``score`` is None when there is none."""

    name: str
    correct: int
    found: int
    total: int

    @property
    def score(self) -> float | None:
        """Share of right answers among the questions found."""
        return self.correct / self.found if self.found else None


@dataclass(frozen=True)
class AnalogyResult:
    """Accuracy on one file: of all questions, of the semantic and the syntactic ones, and of each section.

    ``semantic`` and ``syntactic`` are None when no section's name starts with "gram". ``words`` is how many of the
    most frequent words were searched.
    """

    file: str
    all: Accuracy
    semantic: Accuracy | None
    syntactic: Accuracy | None
    sections: tuple[Accuracy, ...]
    words: int

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        groups = [group for group in (self.semantic, self.syntactic) if group is not None]
        return {
            "kind": "analogies",
            "file": self.file,
            **_scored(self.all),
            "correct": self.all.correct,
            **{group.name: {**_scored(group), "correct": group.correct} for group in groups},
            "sections": [{"name": part.name, **_scored(part), "correct": part.correct} for part in self.sections],
            "setting": {"metric": "cosine of b - a + c", "lowercase": True, "words": self.words},
        }


def _scored(result: SimilarityResult | Accuracy) -> dict[str, Any]:
    coverage = result.found / result.total if result.total else 0.0
    return {"score": result.score, "found": result.found, "total": result.total, "coverage": coverage}


def similarity(vectors: Vectors, path: str | Path) -> SimilarityResult:
    """Spearman's correlation of cosines with human scores.

    Parameters
    ----------
    vectors
        Vectors to be judged.
    path
        Lines of word, tab, word, tab, score.

    Raises
    ------
    InputError
        When the file is missing, empty or malformed; the message has the line.
    """
    path = output.local_path(path)
    pairs = list(_similarity_lines(path))
    ids = [(_known(vectors, first), _known(vectors, second)) for first, second, _ in pairs]
    rows = [row for row, both in enumerate(ids) if None not in both]
    score = None
    if rows:
        found = np.array([ids[row] for row in rows], dtype=np.intp)
        cosines = np.einsum("ij,ij->i", _units(vectors, found[:, 0]), _units(vectors, found[:, 1]), dtype=np.float64)
        score = spearman(cosines, [pairs[row][2] for row in rows])
    return SimilarityResult(path.name, len(rows), len(pairs), score, len(vectors))


def _known(vectors: Vectors, word: str) -> int | None:
    """Id of a word with a vector; zeros, of a vocabulary's word that the corpus lacks, point nowhere."""
    found = vectors.words.find(word)
    return found if found is not None and vectors.matrix[found].any() else None


def spearman(first: ArrayLike, second: ArrayLike) -> float | None:
    """Pearson's correlation of ranks; values in a tie share their mean rank. None when one side is all ties."""
    x, y = (_ranks(np.asarray(values, dtype=np.float64)) for values in (first, second))
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return min(1.0, max(-1.0, float(x @ y) / scale)) if scale > 0 else None


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2)[group]


def _units(vectors: Vectors, ids: NDArray[np.intp]) -> NDArray[np.float32]:
    return unit_rows(vectors.matrix[ids])


def analogies(vectors: Vectors, path: str | Path, most_frequent: int = 30_000) -> AnalogyResult:
    """Accuracy on questions "a is to b as c is to what?".

    Parameters
    ----------
    vectors
        Vectors to be judged.
    path
        Lines of four words a b c d, in sections that start with a line ``: name``.
    most_frequent
        Number of most frequent words that are searched; questions with other words are skipped.

    Raises
    ------
    ConfigError
        When ``most_frequent`` is below 1.
    InputError
        When the file is missing, empty or malformed; the message has the line.
    """
    path = output.local_path(path)
    ids = vectors.most_frequent(most_frequent)
    sections, names, questions = _questions(path)
    place_of_id = np.full(len(vectors) + 1, -1, dtype=np.intp)  # the last is for words nowhere in the vocabulary
    place_of_id[ids] = np.arange(len(ids))
    known = {word: _known(vectors, word) for word in {word for question in questions for word in question}}
    asked = [[-1 if (found_id := known[word]) is None else found_id for word in row] for row in questions]
    places = place_of_id[np.array(asked)]
    found = np.asarray((places >= 0).all(axis=1))
    correct = np.zeros(len(questions), dtype=bool)
    correct[found] = _answers(_units(vectors, ids), places[found, :3]) == places[found, 3]
    parts = tuple(_accuracy(name, sections == number, found, correct) for number, name in enumerate(names))
    grammar = np.array([name.startswith("gram") for name in names])[sections]
    semantic = syntactic = None
    if grammar.any():
        semantic = _accuracy("semantic", ~grammar, found, correct)
        syntactic = _accuracy("syntactic", grammar, found, correct)
    everything = _accuracy("all", np.ones(len(questions), dtype=bool), found, correct)
    return AnalogyResult(path.name, everything, semantic, syntactic, parts, len(ids))


def _answers(units: NDArray[np.float32], asked: NDArray[np.intp]) -> NDArray[np.intp]:
    """Row nearest b - a + c for each question (a, b, c), other than the three."""
    answers = np.empty(len(asked), dtype=np.intp)
    for start in range(0, len(asked), BATCH_QUESTIONS):
        batch = asked[start : start + BATCH_QUESTIONS]
        a, b, c = (units[batch[:, column]] for column in range(3))
        scores = (b - a + c) @ units.T
        scores[np.arange(len(batch))[:, None], batch] = -np.inf
        answers[start : start + len(batch)] = scores.argmax(axis=1)
    return answers


def _accuracy(name: str, chosen: NDArray[Any], found: NDArray[Any], correct: NDArray[Any]) -> Accuracy:
    return Accuracy(name, int(correct[chosen].sum()), int(found[chosen].sum()), int(chosen.sum()))


def _similarity_lines(path: Path) -> Iterator[tuple[str, str, float]]:
    for number, line in _lines(path):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 3 or not columns[0] or not columns[1]:
            raise InputError(
                f"line must be word, tab, word, tab, score; got {line!r} ({path}, line {number}). Mend it."
            )
        yield columns[0].lower(), columns[1].lower(), _score(columns[2], f"{path}, line {number}")


def _score(text: str, where: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise InputError(f"score must be a finite number; got {text!r} ({where}). Mend the line.")
    return score


def _questions(path: Path) -> tuple[NDArray[np.intp], list[str], list[Sequence[str]]]:
    """Section number of each question, the sections' names, and the four words of each question."""
    names: list[str] = []
    sections: list[int] = []
    questions: list[Sequence[str]] = []
    for number, line in _lines(path):
        if line.startswith(":"):
            names.append(line[1:].strip())
            continue
        words = line.lower().split()
        if not names or len(words) != 4:
            rule = "four words" if names else "': name' of a section before the first question"
            raise InputError(f"line must be {rule}; got {line!r} ({path}, line {number}). Mend it.")
        sections.append(len(names) - 1)
        questions.append(words)
    if not questions:
        raise InputError(f"analogies must be one question or more; got none ({path}). Give another file.")
    return np.array(sections, dtype=np.intp), names, questions


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise InputError(f"evaluation set must be a file; got {found} ({path}). Give its path.")
    filled = 0
    for number, raw in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode("utf-8").strip(" \r\t")
        except UnicodeDecodeError as error:
            raise InputError(
                f"line must be UTF-8; got {raw[:40]!r} ({path}, line {number}). Convert the file."
            ) from error
        if line:
            filled += 1
            yield number, line
    if not filled:
        raise InputError(f"evaluation set must have lines; got an empty file ({path}). Give another file.")
