"""Sentences and documents as sums of their words' vectors."""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simglove_spark.evaluate.lookup import ids_of
from simglove_spark.vectors import Vectors

BLOCK_TEXTS = 1024
SIF = 1e-3  # as published
_WORD = re.compile(r"[^\W_]+")


def cut(text: str) -> list[str]:
    """Words of a text: runs of letters and digits, in lower case."""
    return _WORD.findall(text.lower())


def weightings(vectors: Vectors) -> dict[str, NDArray[np.float64]]:
    """By name, what each word's vector is multiplied with: float64[V].

    ``sum`` takes vectors as they are. ``sif`` multiplies by 0.001 / (0.001 + p(word)) (Arora et al. 2017, without the removal of
    a component, which needs all sentences at once); it is left out where no word has a count.
    """
    found = {"sum": np.ones(len(vectors))}
    if vectors.counts.any():
        found["sif"] = SIF / (SIF + vectors.counts / vectors.counts.sum())
    return found


class Texts:
    """Texts as ids of the words that have vectors.

    Attributes
    ----------
    ids : intp[words]
        Those of all texts, one after another.
    bounds : intp[texts + 1]
        Where each text begins and ends among them.
    covered : float
        Share of all words that have vectors.
    """

    def __init__(self, texts: list[list[str]], vectors: Vectors) -> None:
        every = ids_of(vectors, (word for text in texts for word in text))
        lengths = np.array([len(text) for text in texts], dtype=np.intp)
        known = np.concatenate([[0], np.cumsum(every >= 0)])
        self.bounds = known[np.concatenate([[0], np.cumsum(lengths)])]
        self.ids = every[every >= 0]
        self.covered = len(self.ids) / max(1, len(every))

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """Which texts have a word with a vector: bool[texts]."""
        return np.diff(self.bounds) > 0

    def sums(self, vectors: Vectors, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of the weighted vectors of each text: float64[texts, dim]; zeros for a text without words."""
        sums = np.zeros((len(self.bounds) - 1, vectors.matrix.shape[1]))
        for start in range(0, len(sums), BLOCK_TEXTS):
            bounds = self.bounds[start : start + BLOCK_TEXTS + 1]
            filled = np.flatnonzero(np.diff(bounds))
            if filled.size:
                ids = self.ids[bounds[0] : bounds[-1]]
                weighted = vectors.matrix[ids] * weights[ids, None]
                sums[start + filled] = np.add.reduceat(weighted, bounds[filled] - bounds[0], axis=0)
        return sums

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        for start, end in zip(self.bounds, self.bounds[1:], strict=False):
            yield self.ids[start:end]
