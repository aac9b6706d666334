"""Categorisation: do words of one category fall into one cluster?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import ConfigError, InputError
from simglove_spark.evaluate.lines import Row, lines, rows, shown, without_classes
from simglove_spark.evaluate.lookup import ids_of
from simglove_spark.evaluate.results import Judged, Measure
from simglove_spark.vectors import Vectors, unit_rows

STARTS = 10
HEADERS = {"word", "words", "noun", "concept"}, {"category", "class", "label", "cluster"}


@dataclass(frozen=True)
class CategorySet:
    """Words with one category each: AP, BLESS, ESSLLI, Battig and the like."""

    file: str
    words: list[str]
    names: list[str]
    category: NDArray[np.intp]

    kind = "categories"
    looks = "a word and its category, in columns of tabs, commas, semicolons or blanks, without numbers"

    @staticmethod
    def fits(first: list[Row]) -> bool:
        """Whether the first lines look like such a set."""
        same = len({len(row.columns) for row in first}) == 1  # which prose has not
        return same and all(len(row.columns) >= 2 and all(row.columns[:2]) for row in first)

    @classmethod
    def read(cls, path: Path) -> "CategorySet":
        """A word and its category a line; further columns, as BLESS has them, and lines that say the same again do not count.

        Raises
        ------
        InputError
            When the file is missing, empty or malformed, when a word has two categories, or when there is one category only.
        """
        category: dict[str, str] = {}
        for row in rows(lines(path)):
            if len(row.columns) < 2 or not row.columns[0] or not row.columns[1]:
                raise InputError(
                    f"line must be word and category; got {shown(row.columns)} ({path}, line {row.number}). Mend it."
                )
            word, name = row.columns[0].lower(), row.columns[1]
            if not category and all(given.lower() in names for given, names in zip((word, name), HEADERS, strict=True)):
                continue
            if category.setdefault(word, name) != name:
                raise InputError(
                    f"word must have one category; got {category[word][:40]!r} and {name[:40]!r} for {word[:40]!r} "
                    f"({path}, line {row.number}). Keep one."
                )
        names = sorted(set(category.values()))
        if len(names) < 2:
            raise InputError(f"evaluation set must have two categories or more; got {len(names)} ({path}). Add others.")
        number = {name: place for place, name in enumerate(names)}
        numbers = np.array([number[name] for name in category.values()])
        return cls(path.name, without_classes(list(category)), names, numbers)

    def judge(self, vectors: Vectors, seed: int) -> Judged:
        """Purity: the share of words whose category is the most frequent one of their cluster.

        k-means of the unit vectors, as many clusters as categories, the best of 10 starts by its own loss. An interval
        holds the clusters and draws the words again.
        """
        ids = ids_of(vectors, self.words)
        found = ids >= 0
        values, category = np.full(len(ids), np.nan), self.category[found]
        number = len(np.unique(category))
        if number > 1:
            cluster = _clusters(unit_rows(vectors.matrix[ids[found]]), number, seed)
            table = np.zeros((number, len(self.names)), dtype=np.int64)
            np.add.at(table, (cluster, category), 1)
            values[found] = table.argmax(axis=1)[cluster] == category
        setting = f"k-means of unit vectors into {number} clusters, best of {STARTS} starts, seed {seed}"
        return Judged(self.kind, self.file, (Measure("purity", "all", values),), setting)


def _clusters(units: NDArray[np.float32], number: int, seed: int) -> NDArray[np.intp]:
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise ConfigError(
            f"categories must have scikit-learn to be clustered; got {error}. pip install 'simglove-spark[evaluation]'."
        ) from error
    return np.asarray(KMeans(number, n_init=STARTS, random_state=seed).fit_predict(units), dtype=np.intp)
