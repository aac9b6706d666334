"""The pair table as the trainer reads it: shard by shard, as rows of cells in numpy arrays.

As many shards as there is room for are decoded once and kept; the others are decoded again in each pass, ahead of the
solver. The order of shards, rows and cells is the same either way.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.kernels.cells import count_cells, split_held_out
from simglove_spark.kernels.gather import Cells
from simglove_spark.kernels.hashes import shard_of_words
from simglove_spark.manifest import FileEntry, Manifest, checked_source, known_source
from simglove_spark.pmi import Weighing
from simglove_spark.schemas import PAIRS, UNREADABLE, check
from simglove_spark.storage.paths import StorePath

# Arrow uses buffers of this size again; larger ones it gives back, and each new page costs a fault
CELLS_PER_BATCH = 1 << 16
KINDS = np.int32, np.float32, np.float32  # of context, weight and pmi of a cell

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
    room : float
        Bytes of decoded cells that may stay in memory.
    """

    def __init__(
        self, folder: Path, weighing: Weighing, vocabulary_size: int, held_out: float, seed: int, room: float
    ) -> None:
        self.folder, self.weighing, self._room, self._lock = folder, weighing, room, Lock()
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
        self._lent: dict[int, list[np.ndarray]] = {}
        self._spare: list[list[np.ndarray]] = []

    def __len__(self) -> int:
        return int(self.manifest.details["num_shards"])

    def stream(self, order: Sequence[int], threads: int = 1, reuse: bool = False) -> Iterator[tuple[int, Shard]]:
        """The shards in the given order, decoded ahead by ``threads`` threads.

        With ``reuse`` the rows of a shard that does not stay in memory are good until the next shard is asked for: others are then
        decoded into their arrays, since fresh memory costs a third of decoding.
        """
        with ThreadPoolExecutor(threads, thread_name_prefix="shard-reader") as readers:
            waiting = [readers.submit(self.load, shard, reuse) for shard in order[:threads]]
            for place, shard in enumerate(order):
                decoded = waiting.pop(0).result()
                if place + threads < len(order):
                    waiting.append(readers.submit(self.load, order[place + threads], reuse))
                yield shard, decoded
                if reuse and shard in self._lent:
                    self._spare.append(self._lent.pop(shard))

    def load(self, shard: int, reuse: bool = False) -> Shard:
        """One shard, from memory or from its file; ``reuse`` as for `stream`.

        Raises
        ------
        InputError
            When the file is missing, changed, foreign, or its cells are not those of a pair table.
        """
        if shard in self._decoded:
            return self._decoded[shard]
        stays = self._stays(shard)
        decoded = self._decode(shard, reuse and not stays)
        if stays:
            self._decoded[shard] = decoded
        return decoded

    def _stays(self, shard: int) -> bool:
        cells = self._files[shard].rows if shard in self._files else 0
        size = cells * sum(np.dtype(kind).itemsize for kind in KINDS)
        with self._lock:
            stays = size <= self._room
            self._room -= size if stays else 0
        return stays

    def _decode(self, shard: int, reuse: bool) -> Shard:
        entry = self._files.get(shard)
        with self._lock:
            columns = self._spare.pop() if reuse and self._spare else None
        kept = RowsBuilder(self._words[shard], self.weighing, entry.rows if entry else 0, columns)
        held_out = RowsBuilder(self._words[shard], self.weighing)
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
        if reuse:
            self._lent[shard] = kept.columns
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
    columns : list of int32[m], float32[m], float32[m], optional
        To be filled if they have room for as many.
    """

    def __init__(
        self,
        own: NDArray[np.int32],
        weighing: Weighing,
        capacity: int = 0,
        columns: list[np.ndarray] | None = None,
    ) -> None:
        self.own, self.weighing, self.size, self.row = own, weighing, 0, 0
        self.sizes = np.zeros(own.size, np.int64)
        if columns is None or columns[0].size < capacity:
            columns = [np.empty(capacity, kind) for kind in KINDS]
        self.columns = columns

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
        self.row = count_cells(words, self.own, self.row, self.sizes)
        if self.row < 0:  # cells are checked when they are read for the first time
            raise InputError(
                f"shard must stay as it is while it is trained on; got words from {words.min()} to {words.max()} that are not all "
                f"of its {len(self.own):,}. Count the pairs again."
            )
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
