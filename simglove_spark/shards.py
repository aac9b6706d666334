"""The pair table as the trainer reads it: shard by shard, as rows of cells in numpy arrays.

Shards that fit the memory budget are decoded once and kept; when they don't, they are decoded again in each pass, one ahead
of the solver. The order of shards, rows and cells is the same either way.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.kernels.cells import split_held_out
from simglove_spark.kernels.gather import Cells
from simglove_spark.kernels.hashes import shard_of_words
from simglove_spark.manifest import FileEntry, Manifest, checked_source, known_source
from simglove_spark.pmi import Weighing
from simglove_spark.schemas import PAIRS, UNREADABLE, check
from simglove_spark.storage.paths import StorePath

# Arrow uses buffers of this size again; larger ones it gives back, and each new page costs a fault
CELLS_PER_BATCH = 1 << 16

Columns = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]  # of a pair table


@dataclass(frozen=True)
class Rows:
    """Rows of cells: word w = words[r] has the cells bounds[r, 0] to bounds[r, 1] of the other arrays.

    ``words`` int32[n], ``bounds`` int64[n, 2], ``contexts`` int32[m], ``weights`` and ``pmis`` float32[m].
    """

    words: NDArray[np.int32]
    bounds: NDArray[np.int64]
    contexts: NDArray[np.int32]
    weights: NDArray[np.float32]
    pmis: NDArray[np.float32]

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(self.contexts.size)

    @property
    def cells(self) -> Cells:
        """The cells' columns, as kernels take them."""
        return Cells(self.contexts, self.weights, self.pmis)

    def word_of_cells(self) -> NDArray[np.int32]:
        """Each cell's word (int32[m])."""
        return np.repeat(self.words, np.diff(self.bounds, axis=1)[:, 0])


@dataclass(frozen=True)
class Shard:
    """One shard: the rows to train on (every word of the shard has one, maybe empty), and its held-out cells i < j."""

    rows: Rows
    held_out: Rows


class PairShards:
    """The shards of a pair table.

    Parameters
    ----------
    folder : Path
        A complete pair table.
    weighing : Weighing
        How counts become pmi and weight.
    vocabulary_size : int
    held_out : float
        Share of the pairs that is kept out.
    seed : int
        Of the hash that decides which.
    keep : bool
        Whether decoded shards stay in memory.
    """

    def __init__(
        self, folder: Path, weighing: Weighing, vocabulary_size: int, held_out: float, seed: int, keep: bool
    ) -> None:
        self.folder, self.weighing, self.keep = folder, weighing, keep
        self.manifest = Manifest.load(folder, "pairs")
        self.seed, self.threshold = np.uint64(seed), np.uint64(int(held_out * 2**64))
        self._files = {shard_number(entry): entry for entry in self.manifest.own_files}
        if len(self._files) < len(self.manifest.own_files) or not set(self._files) <= set(range(len(self))):
            raise InputError(
                f"each of the {len(self)} shards must have one file; got {sorted(self._files)} in {len(self.manifest.own_files)} "
                f"files ({folder}). Count the pairs again."
            )
        shards = np.empty(vocabulary_size, np.int32)
        shard_of_words(shards, len(self))
        self._shard_of = shards
        order = np.argsort(shards, kind="stable")
        self._words = np.split(order.astype(np.int32), np.searchsorted(shards[order], np.arange(1, len(self))))
        self._decoded: dict[int, Shard] = {}
        self._checked: set[int] = set()

    def __len__(self) -> int:
        return int(self.manifest.details["num_shards"])

    def stream(self, order: Sequence[int], threads: int = 1) -> Iterator[tuple[int, Shard]]:
        """The shards in the given order, decoded ahead by ``threads`` threads."""
        with ThreadPoolExecutor(threads, thread_name_prefix="shard-reader") as readers:
            waiting = [readers.submit(self.load, shard) for shard in order[:threads]]
            for place, shard in enumerate(order):
                decoded = waiting.pop(0).result()
                if place + threads < len(order):
                    waiting.append(readers.submit(self.load, order[place + threads]))
                yield shard, decoded

    def load(self, shard: int) -> Shard:
        """One shard, from memory or from its file.

        Raises
        ------
        InputError
            When the file is missing, changed, foreign, or its cells are not those of a pair table.
        """
        if shard not in self._decoded:
            decoded = self._decode(shard)
            if not self.keep:
                return decoded
            self._decoded[shard] = decoded
        return self._decoded[shard]

    def _decode(self, shard: int) -> Shard:
        entry = self._files.get(shard)
        kept = RowsBuilder(self._words[shard], self.weighing, entry.rows if entry else 0)
        held_out = RowsBuilder(self._words[shard], self.weighing, 0)
        for words, contexts, counts in self._batches(shard, entry) if entry else ():
            if not self.threshold:
                kept.add(words, contexts, counts)
                continue
            out = np.empty(words.size, np.bool_)
            split_held_out(words, contexts, self.seed, self.threshold, out)
            once = out & (words < contexts)
            kept.add(*(array[~out] for array in (words, contexts, counts)))
            held_out.add(*(array[once] for array in (words, contexts, counts)))
        self._checked.add(shard)
        return Shard(kept.rows(), held_out.rows())

    def _batches(self, shard: int, entry: FileEntry) -> Iterator[Columns]:
        """The file's columns, a part at a time."""
        path, source = self.folder / entry.name, known_source if shard in self._checked else checked_source
        last = (-1, -1)
        try:
            with pq.ParquetFile(source(self.folder, entry)) as file:
                check(file.schema_arrow, PAIRS, path)
                for batch in file.iter_batches(CELLS_PER_BATCH, columns=PAIRS.names, use_threads=False):
                    words, contexts, counts = (_read_only(column.to_numpy()) for column in batch.columns)
                    if shard not in self._checked and words.size:
                        check_cells((words, contexts, counts), last, shard, self._shard_of, path)
                        last = (int(words[-1]), int(contexts[-1]))
                    yield words, contexts, counts
        except UNREADABLE as error:
            raise InputError(f"shard must be whole Parquet; got {error} ({path}). Count the pairs again.") from error


def check_cells(columns: Columns, last: tuple[int, int], shard: int, shard_of: NDArray[np.int32], path: Path) -> None:
    """Refuse cells that cannot stand in a pair table, or not in this place.

    Parameters
    ----------
    columns : arrays
        The next cells of the shard, at least one.
    last : tuple of int
        Word and context of the cell before them, (-1, -1) at the beginning.
    shard : int
    shard_of : int32[V]
        Each word's shard.
    path : Path
        For the message.

    Raises
    ------
    InputError
    """
    words, contexts, counts = columns
    least = min(int(words.min()), int(contexts.min()))
    most = max(int(words.max()), int(contexts.max()))
    if least < 0 or most >= shard_of.size:
        raise InputError(
            f"word ids must lie in [0, {shard_of.size:,}); got {least} to {most} ({path}). Give the vocabulary they belong to."
        )
    if counts.min() < 1:
        raise InputError(f"counts must be at least 1; got {counts.min()} ({path}). Count the pairs again.")
    own = (shard_of[words[np.flatnonzero(np.diff(words, prepend=-1))]] == shard).all()
    steps, further = np.diff(words, prepend=last[0]), np.diff(contexts, prepend=last[1])
    if not own or (steps < 0).any() or ((steps == 0) & (further <= 0)).any() or (words == contexts).any():
        raise InputError(
            f"cells must be those of shard {shard}, sorted, each once and none of a word with itself; got others "
            f"({path}). Count the pairs again."
        )


class RowsBuilder:
    """Makes rows of the words ``own`` (ascending) from sorted cells that come a part at a time, in place.

    Parameters
    ----------
    own : int32[n]
    weighing : Weighing
    capacity : int
        Cells to make room for at first.
    """

    def __init__(self, own: NDArray[np.int32], weighing: Weighing, capacity: int) -> None:
        self.own, self.weighing, self.size = own, weighing, 0
        self.sizes = np.zeros(own.size, np.int64)
        self.columns: list[np.ndarray] = [np.empty(capacity, kind) for kind in (np.int32, np.float32, np.float32)]

    def add(self, words: np.ndarray, contexts: np.ndarray, counts: np.ndarray) -> None:
        """Take the next cells: three columns of a pair table."""
        words, contexts, counts = (_read_only(array) for array in (words, contexts, counts))
        end = self.size + words.size
        if end > self.columns[0].size:
            self.columns = [
                np.concatenate([column[: self.size], np.empty(end, column.dtype)]) for column in self.columns
            ]
        all_contexts, weights, pmis = (column[self.size : end] for column in self.columns)
        all_contexts[:] = contexts
        self.weighing.weigh(words, contexts, counts, weights, pmis)
        starts = np.flatnonzero(np.diff(words, prepend=-1))
        self.sizes[np.searchsorted(self.own, words[starts])] += np.diff(starts, append=words.size)
        self.size = end

    def rows(self) -> Rows:
        """All of them."""
        ends = np.cumsum(self.sizes)
        bounds = np.column_stack([ends - self.sizes, ends])
        return Rows(self.own, bounds, *(_read_only(column[: self.size]) for column in self.columns))


def _read_only(array: np.ndarray) -> np.ndarray:
    """The array, not to be written: Arrow's are so or not as it happens, and numba compiles anew for the other kind."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def held_files(folder: Path, manifest: Manifest, threads: int) -> int:
    """Bytes of files that ``threads`` readers hold while they decode them: only those of a store, the others are mapped."""
    largest = max((entry.bytes for entry in manifest.own_files), default=0)
    return threads * largest if isinstance(folder, StorePath) else 0


def shard_number(entry: FileEntry) -> int:
    """Number of a shard from its file's name, shard-00007-….parquet."""
    try:
        return int(entry.path.split("-")[1])
    except (IndexError, ValueError) as error:
        raise InputError(
            f"shard files must be named shard-NUMBER-…; got {entry.path!r}. Count the pairs again."
        ) from error
