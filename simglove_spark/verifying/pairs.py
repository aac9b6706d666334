"""What must hold of a pair table: whole rows in their shards, sorted, both directions, and sums that are those told."""

import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark import effective_counts
from simglove_spark.kernels.balance import add_balance
from simglove_spark.kernels.hashes import shard_of_words
from simglove_spark.manifest import FileEntry
from simglove_spark.schemas import PAIRS, check
from simglove_spark.shards import CELLS_PER_BATCH, check_cells, shard_number
from simglove_spark.storage.paths import readable
from simglove_spark.table_files import exact_sum
from simglove_spark.verifying.files import Checked, Work
from simglove_spark.verifying.findings import Findings


def check_pairs(table: Checked, words: pa.Table | None, work: Work) -> None:
    """Check a pair table of the vocabulary ``words`` (None: of as many words as its ids tell)."""
    found, folder, manifest = work.found, table.folder, table.manifest
    shards, numbers = manifest.details["num_shards"], [shard_number(entry) for entry in manifest.own_files]
    once = len(set(numbers)) == len(numbers) and all(0 <= number < shards for number in numbers)
    if not found.require(once, folder, f"have at most one file for each of {shards} shards", f"{sorted(numbers)}"):
        return
    size = _highest_id(table) + 1 if words is None else len(words)
    shard_of = np.empty(size, np.int32)
    shard_of_words(shard_of, shards)
    reading = _Reading(shard_of, work)
    totals = list(work.threads.map(reading.total, table.own()))
    if table.is_whole and None not in totals:
        _check_sums(table, sum(total or 0 for total in totals), reading.balance, found)
    effective_counts.read(folder, manifest, size)


def _highest_id(table: Checked) -> int:
    """The highest id that the statistics of the files tell."""
    most = -1
    for path, _ in table.own():
        metadata = pq.read_metadata(readable(path))
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        ids = [group.column(column).statistics for group in groups for column in (0, 1)]
        most = max([most, *(statistics.max for statistics in ids if statistics is not None)])
    return most


def _check_sums(table: Checked, total: int, balance: NDArray[np.uint64], found: Findings) -> None:
    folder, told = table.folder, table.manifest.details["total_pairs"]
    found.require(total == told, folder, f"hold total_pairs {told:,}", f"{total:,}")
    alone = np.flatnonzero(balance)
    where = f"others for {alone.size:,} words, the first with word_id {alone[:1].tolist()}"
    found.require(alone.size == 0, folder, "hold both directions of each pair, with one count", where)


class _Reading:
    """Files read by several threads, each with a balance (`kernels.balance`) of its own, which are summed."""

    def __init__(self, shard_of: NDArray[np.int32], work: Work) -> None:
        self.shard_of, self.work = shard_of, work
        self.balance, self._lock = np.zeros(shard_of.size, np.uint64), threading.Lock()

    def total(self, own: tuple[Path, FileEntry]) -> int | None:
        """Sum of one file's counts; None where something in it is wrong."""
        path, entry = own
        with self.work.found.caught(path):
            try:
                return self._read(path, entry)
            finally:
                self.work.task.advance(entry.bytes)
        return None

    def _read(self, path: Path, entry: FileEntry) -> int:
        balance = np.zeros(self.shard_of.size, np.uint64)
        number, last, total, rows = shard_number(entry), (-1, -1), 0, 0
        with pq.ParquetFile(readable(path)) as file:
            check(file.schema_arrow, PAIRS, path)
            self._check_groups(path, file.metadata)
            for batch in file.iter_batches(CELLS_PER_BATCH, columns=PAIRS.names, use_threads=False):
                if not len(batch):
                    continue
                words, contexts, counts = (column.to_numpy() for column in batch.columns)
                check_cells((words, contexts, counts), last, number, self.shard_of, path)
                add_balance(words, contexts, counts, balance)
                last, total, rows = (int(words[-1]), int(contexts[-1])), total + exact_sum(counts), rows + len(batch)
        self.work.found.require(rows == entry.rows, path, f"hold {entry.rows:,} cells", f"{rows:,}")
        with self._lock:
            self.balance += balance
        return total

    def _check_groups(self, path: Path, metadata: pq.FileMetaData) -> None:
        """No row of a word is cut by two row groups: who looks a word up opens one."""
        groups = [metadata.row_group(group).column(0).statistics for group in range(metadata.num_row_groups)]
        known = [(a, b) for a, b in pairwise(groups) if a is not None and b is not None]
        cut = [a.max for a, b in known if a.max >= b.min]
        self.work.found.require(not cut, path, "hold a word's row in one row group", f"word_id {cut[:1]} in two")
