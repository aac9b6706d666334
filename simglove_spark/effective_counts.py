"""The counts of what `subsampling` left of each word: from the workers as bytes, then a file beside the shards of a pair table.

    _effective_counts-HASH.parquet    word_id 0, 1, ..., V - 1 and count, 0 too

Spark and Arrow pass over names that begin with an underscore, so the folder reads as the pairs it holds.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.kernels import runs, subsample
from simglove_spark.manifest import Manifest, checked_source
from simglove_spark.schemas import EFFECTIVE_COUNTS, UNREADABLE, check
from simglove_spark.table_files import counter, write_file

STEM = "_effective_counts"
EFFECTIVE_SHARD = -2  # rows of this shard carry these counts
KEPT_WORDS = "kept_words"  # the counter of their sum
ROWS_PER_GROUP = 1 << 20


def to_bytes(counts: NDArray[np.int64]) -> bytes:
    """Counts of one task (int64[V]), as compact as a row of a run."""
    out = np.empty(2 * runs.MAX_BYTES * np.count_nonzero(counts), np.uint8)
    return out[: subsample.write_counts(counts, out)].tobytes()


def summed(strings: Iterable[bytes], size: int) -> NDArray[np.int64]:
    """Sum of all tasks' counts, int64[size]."""
    counts = np.zeros(size, np.int64)
    for string in strings:
        subsample.add_counts(np.frombuffer(string, np.uint8), counts)
    return counts


def write(folder: Path, counts: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Write the file; returns its rows of the report, where it is no part of the table and adds nothing to its sums."""
    file = write_file(folder, STEM, EFFECTIVE_COUNTS, _row_groups(counts))
    return [{**file, "rows": 0, "total": 0}, counter(KEPT_WORDS, file["total"])]


def _row_groups(counts: NDArray[np.int64]) -> Iterator[pa.Table]:
    for start in range(0, counts.size, ROWS_PER_GROUP):
        part = counts[start : start + ROWS_PER_GROUP]
        yield pa.table([np.arange(start, start + part.size, dtype=np.int32), part], schema=EFFECTIVE_COUNTS)


def read(folder: Path, manifest: Manifest, size: int) -> NDArray[np.int64] | None:
    """Counts int64[size] that lie beside a pair table; None when it was counted without ``subsample``.

    Raises
    ------
    InputError
        When they are missing, damaged, or not those of the table.
    """
    if manifest.config.get("subsample") is None:
        return None
    entries = [entry for entry in manifest.files if entry.path.startswith(STEM)]
    if len(entries) != 1:
        raise InputError(
            f"pairs counted with --subsample must have one file {STEM}-…; got {len(entries)} ({folder}). Count them again."
        )
    path = folder / entries[0].name
    try:
        table = pq.read_table(checked_source(folder, entries[0]))
        check(table.schema, EFFECTIVE_COUNTS, path)
    except UNREADABLE as error:
        raise InputError(f"counts must be whole Parquet; got {error} ({path}). Count the pairs again.") from error
    counts = table["count"].to_numpy()
    total = manifest.details["total_words"]
    fits = np.array_equal(table["word_id"].to_numpy(), np.arange(size)) and counts.min(initial=0) >= 0
    if not fits or counts.sum() != total:
        raise InputError(
            f"effective counts must be of words 0 to {size - 1:,} and add up to {total:,}; got {counts.size:,} that add "
            f"up to {counts.sum():,} ({path}). Count the pairs again."
        )
    return counts
