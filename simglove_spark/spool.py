"""Cells in any order, sorted a batch at a time and put aside on disk by shard, as runs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import ResourceError
from simglove_spark.memory import show_size
from simglove_spark.pair_counter import runs_by_shard

BYTES_PER_CELL = 96  # held, sorted, summed and encoded
MOST_CELLS = 1 << 24  # sorting more at once gains nothing
LEAST_CELLS = 1 << 16


class Spool:
    """Cells put aside in ``folder`` until all are known.

    Parameters
    ----------
    folder : Path
    size : int
        Words of the vocabulary.
    num_shards : int
    memory : int
        Bytes that may be taken, about.
    """

    def __init__(self, folder: Path, size: int, num_shards: int, memory: int) -> None:
        self.folder, self.size, self.num_shards, self.memory = folder, size, num_shards, memory
        room = max(LEAST_CELLS, min(MOST_CELLS, memory // BYTES_PER_CELL))
        self._keys, self._counts, self._used = np.empty(room, np.uint64), np.empty(room, np.int64), 0

    def add(self, words: NDArray[np.int32], contexts: NDArray[np.int32], counts: NDArray[np.int64]) -> None:
        """Take cells; the same one may come again."""
        keys, first = words.astype(np.uint64) << np.uint64(32) | contexts.astype(np.uint64), 0
        while first < keys.size:
            end = min(keys.size, first + self._keys.size - self._used)
            into = slice(self._used, self._used + end - first)
            self._keys[into], self._counts[into] = keys[first:end], counts[first:end]
            self._used, first = into.stop, end
            if self._used == self._keys.size:
                self._put_aside()

    def shards(self) -> Iterator[tuple[int, list[bytes]]]:
        """Each shard that has cells, ascending, with its runs, for `cooccurrence.merged_tables`.

        Raises
        ------
        ResourceError
            When the runs of a shard do not fit into memory.
        """
        self._put_aside()
        for shard in range(self.num_shards):
            path = self._path(shard)
            if not path.exists():
                continue
            if path.stat().st_size > self.memory:
                raise ResourceError(
                    f"a shard must fit into --memory, {show_size(self.memory)}; got {show_size(path.stat().st_size)}. Raise it."
                )
            yield shard, list(_strings(path))
            path.unlink()

    def _path(self, shard: int) -> Path:
        return self.folder / f".runs-{shard:05d}"

    def _put_aside(self) -> None:
        if self._used == 0:
            return
        keys, counts = self._keys[: self._used], self._counts[: self._used]
        order = np.argsort(keys)
        keys, counts = keys[order], counts[order]
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        keys, counts = keys[starts], np.add.reduceat(counts, starts)
        sizes = np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=self.size)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        contexts = (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)
        for shard, run in runs_by_shard(offsets, contexts, counts, self.num_shards):
            with self._path(shard).open("ab") as out:
                out.write(len(run).to_bytes(8, "little") + run)
        self._used = 0


def _strings(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while head := stream.read(8):
            yield stream.read(int.from_bytes(head, "little"))
