"""What must hold of a vectors table: finite, and the same in Parquet and in the arrays to be memory-mapped."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark import vectors_table
from simglove_spark.manifest import Manifest
from simglove_spark.storage.copies import fetched
from simglove_spark.storage.paths import StorePath
from simglove_spark.vectors_table import BLOCK_ROWS, COUNTS, FILES, MATRIX, PARQUET, row_blocks
from simglove_spark.verifying.files import Checked, Work
from simglove_spark.verifying.findings import Findings
from simglove_spark.word_index import WordIndex, open_array


def check_vectors(table: Checked, words: pa.Table | None, work: Work) -> None:
    """Check a vectors table, and that its words are ``words``, those of its vocabulary, where these are known."""
    found, folder = work.found, table.folder
    if not set(FILES) <= table.whole or (isinstance(folder, StorePath) and not table.is_whole):
        return  # what is missing or damaged is told already
    here = fetched(folder)
    dim, size = vectors_table.check_files(here, Manifest.load(here, vectors_table.TABLE), verify=False)
    index = WordIndex.open(here, size)
    matrix, counts = (
        open_array(here / MATRIX, np.float32, (size, dim)),
        open_array(here / COUNTS, np.int64, (size,)),
    )
    found.rows_not_finite += rows_not_finite(matrix)
    names = sorted(table.whole - set(FILES))
    for name in [MATRIX, *names]:
        array = matrix if name == MATRIX else np.load(here / name, mmap_mode="r")
        bad = rows_not_finite(array)
        found.require(bad == 0, folder / name, "be finite", f"NaN or infinity for {bad:,} words")
        found.require(len(array) == size, folder / name, f"have {size:,} rows", f"{len(array):,}")
    ordered = index.is_ordered()
    found.require(ordered, folder / "_word_order.npy", "put the words in order of their bytes", "others")
    found.require(counts.min(initial=0) >= 0, folder / COUNTS, "be 0 and more", f"{counts.min(initial=0)}")
    _compare(here / PARQUET, index, matrix, counts, found)
    if words is not None:
        same = len(words) == size and all(
            _same_words(words, index, counts, start) for start in range(0, size, BLOCK_ROWS)
        )
        found.require(same, folder, "have the words, ids and counts of its vocabulary", "others")


def rows_not_finite(matrix: NDArray[np.float32]) -> int:
    """How many rows have a NaN or an infinite component."""
    return sum(int(np.count_nonzero(~np.isfinite(block).all(axis=1))) for _, block in row_blocks(matrix))


def _same_words(words: pa.Table, index: WordIndex, counts: NDArray[np.int64], start: int) -> bool:
    part = words.slice(start, BLOCK_ROWS)
    stop = start + len(part)
    same = pc.all(pc.equal(part["word"], index.arrow(start, stop))).as_py() is not False
    return same and np.array_equal(part["count"].to_numpy(), counts[start:stop])


def _compare(
    path: Path, index: WordIndex, matrix: NDArray[np.float32], counts: NDArray[np.int64], found: Findings
) -> None:
    """Every row of the Parquet file against the arrays, bit for bit."""
    start = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BLOCK_ROWS):
            stop = start + len(batch)
            vectors = batch["vector"].flatten().to_numpy().view(np.uint32)
            same = stop <= len(index) and (
                np.array_equal(batch["word_id"].to_numpy(), np.arange(start, stop))
                and np.array_equal(batch["count"].to_numpy(), counts[start:stop])
                and batch["word"].equals(index.arrow(start, stop))
                and np.array_equal(vectors, np.ascontiguousarray(matrix[start:stop]).view(np.uint32).ravel())
            )
            if not found.require(
                same, path, "hold what the arrays beside it hold", f"others from word_id {start:,} on"
            ):
                return
            start = stop
    found.require(start == len(index), path, f"hold {len(index):,} rows", f"{start:,}")
