"""What a row is answered with, in a Python worker of Spark that needs neither pyspark nor numba for it."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simglove_spark.asking.neighbours import Measure
from simglove_spark.asking.reading import Reading
from simglove_spark.asking.sentences import Sentence
from simglove_spark.errors import InputError
from simglove_spark.storage.paths import path_of
from simglove_spark.vectors import Vectors

if TYPE_CHECKING:  # its kernels need numba
    from simglove_spark.asking.pair_table import PairTable

#: Words whose neighbours are looked for at once: their number decides the last digits, so it never changes.
ROWS = 1 << 8
#: Words whose ids a process remembers, and their characters at most: a search takes some 20 microseconds.
REMEMBERED, LONGEST = 1 << 17, 64
NEIGHBOURS = pa.schema(
    [("word", pa.string()), ("neighbour", pa.string()), ("score", pa.float32()), ("rank", pa.int32())]
)
Combine = Literal["mean", "sum"]
Text = str | bytes | Sequence[str]


class TableVectors(Vectors):
    """Vectors that answer one row after another: None where a row has no answer, never an error or a warning."""

    def row_vector(self, text: Text | None, *how: str) -> list[float] | None:
        """As `sentence_vector`."""
        sentence = self._row(text)
        return None if sentence is None else self.sentence_vector(sentence, *how).tolist()  # type: ignore[arg-type]

    def row_keywords(self, text: Text | None, *options: Any) -> list[tuple[str, float]] | None:
        """As `keywords`."""
        sentence = self._row(text)
        return None if sentence is None or None in options else self.keywords(sentence, *options)

    def row_pmi(self, first: str | None, second: str | None) -> float | None:
        """As `pmi`'s ``predicted``."""
        ids = self.row_ids(first, second)
        return None if ids is None else self._pmi(*ids, {}, None).predicted

    def row_ids(self, first: str | None, second: str | None) -> tuple[int, int] | None:
        """Ids of two words of which something was learned."""
        ids = self._find(first), self._find(second)
        return None if ids[0] is None or ids[1] is None else (ids[0], ids[1])

    def row_observed(
        self, ids: dict[str, int] | None, units: int | None, pairs: "PairTable"
    ) -> tuple[float | None, float | None, float | None] | None:
        """As `pmi`'s ``predicted``, ``observed`` and ``count``, of two words' ids and what was counted of them, in units."""
        if ids is None:
            return None
        first, second = ids["word_id"], ids["context_id"]
        found = self._pmi(first, second, {} if units is None else {second: units / pairs.unit}, pairs)
        return found.predicted, found.observed, found.count

    def row_combined(self, text: Text | None, combine: Combine) -> list[float] | None:
        """Sum of the known words' vectors, or as Word2VecModel has it: that over the number of all words, known or not."""
        if text is None:
            return None
        words = self._words(text)
        total = self._sum(self._ids(words), weighed=False)
        return (total / max(1, len(words)) if combine == "mean" else total).tolist()

    def block_of_neighbours(self, block: int, topn: int, measure: Measure) -> pa.RecordBatch:
        """Neighbours (`NEIGHBOURS`) of the words of one block, but for those of which nothing was learned."""
        ids = np.arange(block * ROWS, min((block + 1) * ROWS, len(self)))
        ids = ids[self.matrix[ids].any(axis=1)]
        found, scores = self.neighbours(ids, topn, measure)
        each = found.shape[1]
        columns = [
            pa.array([word for word in self._spelled(ids) for _ in range(each)], pa.string()),
            pa.array(self._spelled(found.ravel()), pa.string()),
            pa.array(scores.ravel()),
            pa.array(np.tile(np.arange(1, each + 1, dtype=np.int32), len(ids))),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=NEIGHBOURS)

    def _row(self, text: Text | None) -> Sentence | None:
        ids = np.empty(0, np.intp) if text is None else self._ids(self._words(text))
        return Sentence(ids, ()) if ids.size else None

    def _words(self, text: Text) -> Sequence[str]:
        """Words of a text, cut as the corpus was, or those of an array."""
        if isinstance(text, bytes | bytearray):
            text = text.decode("utf-8", "replace")
        if isinstance(text, str):
            return self.reading.words(text)
        if not isinstance(text, list | tuple | np.ndarray):
            kind = type(text).__name__
            raise InputError(
                f"text must be a string or an array of words; got {kind} (a column's row). Name another column."
            )
        return text

    def _ids(self, words: Sequence[str]) -> NDArray[np.intp]:
        find = self._find
        return np.array([found for word in words if (found := find(word)) is not None], np.intp)

    @property
    def _find(self) -> Callable[[Any], int | None]:
        """Looks ids up and remembers those of words that are not long."""

        def make() -> Callable[[Any], int | None]:
            remembered = lru_cache(REMEMBERED)(self.learned_id)
            return lambda word: (
                remembered(word) if type(word) is str and len(word) <= LONGEST else self.learned_id(word)
            )

        return self._once("find", None, make)

    def _spelled(self, ids: NDArray[np.intp]) -> list[str]:
        return [self.words[int(word)] for word in ids]


@lru_cache(maxsize=4)
def opened(folder: str, content_sha256: str, reading: Reading | None = None) -> TableVectors:
    """The vectors of a folder, opened once a process; ``reading`` as of `Vectors.load`.

    Raises
    ------
    InputError
        When they are not there, or are others than the driver saw.
    """
    if not path_of(folder).is_dir():
        raise InputError(
            f"vectors must lie where every worker can read them; got no such folder ({folder}). "
            "Give a folder on a file system that driver and workers share (for SimplerGlove: setWorkDir)."
        )
    vectors = TableVectors.load(folder, reading=reading)
    found = vectors.manifest.content_sha256 if vectors.manifest else ""
    if found != content_sha256:
        raise InputError(
            f"vectors must be those that the function was made with, {content_sha256[:12]}; got {found[:12]} ({folder}). "
            "Make or register the function again."
        )
    return vectors


def neighbours_of_blocks(
    batches: Iterator[pa.RecordBatch], table: tuple[str, str], topn: int, measure: Measure
) -> Iterator[pa.RecordBatch]:
    """One batch of neighbours for each block number that comes."""
    for batch in batches:
        for block in batch.column(0).to_pylist():
            yield opened(*table).block_of_neighbours(block, topn, measure)
