"""The nearest words of a few, told after each pass: one sees them settle, or sees that nothing sensible is learned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simglove_spark.asking import passes
from simglove_spark.progress import Progress

NEAREST = 6


class WatchedWords:
    """Tells of some words' neighbours.

    Parameters
    ----------
    watch : sequence of str
        Words to tell of; one that is not in the vocabulary is told once and left out.
    words : pa.Array
        The vocabulary, by word_id.
    progress : Progress
    """

    def __init__(self, watch: Sequence[str], words: pa.Array, progress: Progress) -> None:
        self.words, self.progress = words, progress
        asked = list(dict.fromkeys(word.encode("utf-8", "replace").decode() for word in watch))
        found = dict(zip(asked, pc.index_in(pa.array(asked, words.type), words).to_pylist(), strict=True))
        self.ids: dict[str, int] = {word: word_id for word, word_id in found.items() if word_id is not None}
        self._before: dict[str, set[str]] = {}
        for word in (word for word in asked if word not in self.ids):
            progress.note(f"--watch: {word!r} is not in the vocabulary.")

    def tell(self, matrix: NDArray[np.float32], **told: Any) -> None:
        """Tell of the words nearest by cosine in a matrix float32[V, dim], and how many of them were there last time."""
        if not self.ids:
            return
        norms = passes.lengths(matrix)
        norms[norms == 0] = np.inf  # a zero vector is near to nothing
        for word, word_id in self.ids.items():
            scores = passes.dots(matrix, matrix[word_id]) / norms
            scores[word_id] = -np.inf
            best = passes.best(scores, min(NEAREST, len(scores) - 1))
            nearest = self.words.take(pa.array(best)).to_pylist()
            before = self._before.get(word, set())
            self.progress.event("neighbours", **told, word=word, nearest=nearest, stayed=len(before & set(nearest)))
            self._before[word] = set(nearest)
