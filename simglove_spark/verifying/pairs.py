"""What must hold of a pair table: whole rows in their shards, sorted, both directions, and sums that are those told."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark import effective_counts
from simglove_spark.kernels.balance import add_balance
from simglove_spark.kernels.hashes import shard_of_words
from simglove_spark.manifest import FileEntry
from simglove_spark.schemas import PAIRS, check
from simglove_spark.shards import CELLS_PER_BATCH, check_cells, shard_number
from simglove_spark.table_files import exact_sum
from simglove_spark.verifying.files import Checked, Work
from simglove_spark.verifying.findings import Findings


def check_pairs(table: Checked, vocabulary_size: int | None, work: Work) -> None:
    """Check a pair table whose vocabulary has so many words (None: as many as its ids tell)."""
    found, folder, manifest = work.found, table.folder, table.manifest
    with found.caught(folder):
        shards, numbers = manifest.details["num_shards"], [shard_number(entry) for entry in manifest.own_files]
        once = len(set(numbers)) == len(numbers) and set(numbers) <= set(range(shards))
        found.require(once, folder, f"have at most one file for each of {shards} shards", f"numbers {sorted(numbers)}")
        size = vocabulary_size or _highest_id(table) + 1
        shard_of = np.empty(size, np.int32)
        shard_of_words(shard_of, shards)
        checks = [_Shard(path, entry, shard_of, work) for path, entry in table.own()]
        totals = list(work.threads.map(_Shard.total, checks))
        if table.is_whole and None not in totals:
            _check_sums(table, sum(total or 0 for total in totals), checks, found)
        effective_counts.read(folder, manifest, size)


def _highest_id(table: Checked) -> int:
    """The highest id that the statistics of the files tell."""
    most = -1
    for path, _ in table.own():
        metadata = pq.read_metadata(path)
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        ids = [group.column(column).statistics for group in groups for column in (0, 1)]
        most = max([most, *(statistics.max for statistics in ids if statistics is not None)])
    return most


def _check_sums(table: Checked, total: int, checks: "list[_Shard]", found: Findings) -> None:
    folder, told = table.folder, table.manifest.details["total_pairs"]
    found.require(total == told, folder, f"hold total_pairs {told:,}", f"{total:,}")
    balance = np.zeros(checks[0].shard_of.size if checks else 0, np.uint64)
    for check_of_shard in checks:
        balance += check_of_shard.balance
    alone = np.flatnonzero(balance)
    where = f"others for {alone.size:,} words, the first with word_id {alone[:1].tolist()}"
    found.require(alone.size == 0, folder, "hold both directions of each pair, with one count", where)


class _Shard:
    """One file, read by one thread."""

    def __init__(self, path: Path, entry: FileEntry, shard_of: NDArray[np.int32], work: Work) -> None:
        self.path, self.entry, self.shard_of, self.work = path, entry, shard_of, work
        self.balance: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def total(self) -> int | None:
        """Sum of its counts; None where something in it is wrong."""
        with self.work.found.caught(self.path):
            try:
                return self._read()
            finally:
                self.work.task.advance(self.entry.bytes)
        return None

    def _read(self) -> int:
        self.balance = np.zeros(self.shard_of.size, np.uint64)
        number, last, total, rows = shard_number(self.entry), (-1, -1), 0, 0
        with pq.ParquetFile(self.path) as file:
            check(file.schema_arrow, PAIRS, self.path)
            self._check_groups(file.metadata)
            for batch in file.iter_batches(CELLS_PER_BATCH, columns=PAIRS.names, use_threads=False):
                if not len(batch):
                    continue
                words, contexts, counts = (column.to_numpy() for column in batch.columns)
                check_cells((words, contexts, counts), last, number, self.shard_of, self.path)
                add_balance(words, contexts, counts, self.balance)
                last, total, rows = (int(words[-1]), int(contexts[-1])), total + exact_sum(counts), rows + len(batch)
        self.work.found.require(rows == self.entry.rows, self.path, f"hold {self.entry.rows:,} cells", f"{rows:,}")
        return total

    def _check_groups(self, metadata: pq.FileMetaData) -> None:
        """No row of a word is cut by two row groups: who looks a word up opens one."""
        columns = [metadata.row_group(group).column(0).statistics for group in range(metadata.num_row_groups)]
        cut = [a.max for a, b in pairwise(columns) if a is not None and b is not None and a.max >= b.min]
        self.work.found.require(not cut, self.path, "hold a word's row in one row group", f"word_id {cut[:1]} in two")
