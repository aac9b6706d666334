"""The words that vectors are known of: ids, counts, norms."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from simglove_spark.asking import passes
from simglove_spark.asking.reading import Reading
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.word_index import WordIndex

SHOWN = 100  # characters of a word in a message
Made = TypeVar("Made")
_making = threading.RLock()  # one for all: vectors with a lock of their own could not be pickled


class KnownWords:
    """Words, counts and vectors by word_id (see `Vectors`), and what is found out of them once."""

    words: WordIndex
    counts: NDArray[np.int64]
    matrix: NDArray[np.float32]
    manifest: Manifest | None
    reading: Reading

    def _set(self, matrix: NDArray[np.float32], counts: NDArray[np.int64], manifest: Manifest | None) -> None:
        self.matrix, self.counts, self.manifest = matrix.view(), counts.view(), manifest
        self.reading = Reading.of(manifest)
        self.matrix.flags.writeable = self.counts.flags.writeable = False
        self._made: dict[str, tuple[Hashable, Any]] = {}

    def _once(self, kind: str, asked: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` gives, made when it is first asked for; of each kind the last one asked for is kept."""
        with _making:
            if kind not in self._made or self._made[kind][0] != asked:
                self._made[kind] = (asked, make())
            made: Made = self._made[kind][1]
            return made

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.words

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """Vector of a word: float32[dim]."""
        return self.matrix[self.word_id(word)]

    def word_id(self, word: str) -> int:
        """Id of a word.

        Raises
        ------
        InputError
            When the word is not in the vocabulary; the message names one spelled like it.
        """
        found = self.words.find(word)
        if found is None:
            near = self.words.nearest(word)
            hint = f"Did you mean {near!r}?" if near else "Upper and lower case are different words."
            raise InputError(f"word must be one of the vocabulary's {len(self):,}; got {word[:SHOWN]!r}. {hint}")
        return found

    def norm(self, word: str) -> float:
        """Euclidean length of a word's vector."""
        return float(self.norms[self.word_id(word)])

    @property
    def norms(self) -> NDArray[np.float32]:
        """Euclidean length of each vector: float32[V]."""
        return self._once("norms", None, lambda: passes.lengths(self.matrix))

    def most_frequent(self, number: int) -> NDArray[np.intp]:
        """Ids of the ``number`` most frequent words (all, if fewer); without counts, and in a tie, the lower id first.

        Words of count 0 are left out when there are others: the corpus lacks them, and nothing was learned of them.
        """
        if number < 1:
            raise ConfigError(f"number of most frequent words must be at least 1; got {number}. Use 30000.")
        seen = np.count_nonzero(self.counts) or len(self)
        return np.argsort(-self.counts, kind="stable")[: min(number, seen)]
