"""What is written: the rows of a table, and at most one row more, in blocks, so that no second copy of it is made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simglove_spark.vectors import Vectors

BLOCK_ROWS = 1024


class Block(NamedTuple):
    """Some rows: words, float32[n, dim], and int64[n] counts."""

    words: list[str]
    matrix: NDArray[np.float32]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Words with their vectors and counts, in order of their ids.

    ``more`` is a word after them with its vector of shape (dim,) and count 0; ``reading`` tells, as far as it is known, how
    text became words: options of count-words by their names.
    """

    vectors: Vectors
    more: tuple[str, NDArray[np.float32]] | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of words, and dim."""
        size, dim = self.vectors.matrix.shape
        return size + (self.more is not None), dim

    @property
    def counts(self) -> NDArray[np.int64]:
        """Counts of all words: int64[V]."""
        return self.vectors.counts if self.more is None else np.append(self.vectors.counts, 0)

    def words(self) -> Iterator[str]:
        """All words in order."""
        yield from self.vectors.words
        if self.more is not None:
            yield self.more[0]

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[Block]:
        """All rows, at most ``size`` at a time."""
        known = self.vectors
        for start in range(0, len(known), size):
            part = slice(start, start + size)
            yield Block(known.words[part], known.matrix[part], known.counts[part])
        if self.more is not None:
            yield Block([self.more[0]], self.more[1][None, :], np.zeros(1, np.int64))

    def ending_with(self, word: str, vector: NDArray[np.float32]) -> "Rows":
        """The same rows, with one more."""
        return replace(self, more=(word, vector))
