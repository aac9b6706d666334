"""Parquet files of a table, as tasks write them and as the driver commits them.

A task writes under a temporary name and renames to one that carries the content's checksum, or puts the file under that name into a
store; then it reports the file. Only reported files enter the manifest, the driver removes all others (but in a store, where they
may be another writer's): a task that ran twice, or died, cannot add a row.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simglove_spark.disk import FULL
from simglove_spark.errors import InputError, ResourceError
from simglove_spark.manifest import FILE_NAME, FileEntry, checked_source, hash_file, known_source
from simglove_spark.schemas import UNREADABLE, check
from simglove_spark.storage.paths import StorePath
from simglove_spark.storage.tables import file_sizes, move_into, scratch_of

#: What a task reports: a file (with the sum of its counts), or a counter (sha256 is null, total its value).
REPORT = pa.schema(
    [("name", pa.string()), ("rows", pa.int64()), ("bytes", pa.int64()), ("sha256", pa.string()), ("total", pa.int64())]
)
COUNTER_SHARD = -1  # rows of this shard carry counters, not a part of the table
REPORT_DDL = "name string, rows long, bytes long, sha256 string, total long"

# Ascending contexts suit deltas; word_id and count repeat, so dictionaries suit them (harmonic counts of 17 M words: 2.1 bytes
# a cell against 2.8 with delta-coded counts). A dictionary that grows over the limit is given up by the writer.
_PAIRS_OPTIONS = {
    "use_dictionary": ["word_id", "count"],
    "column_encoding": {"context_id": "DELTA_BINARY_PACKED"},
    "dictionary_pagesize_limit": 8 << 20,
}


def write_file(folder: Path, stem: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> dict[str, Any]:
    """Write one Parquet file, one row group per table given; returns its row of the report.

    The sum of the ``count`` column is taken on the way.
    """
    temporary = scratch_of(folder) / f".{stem}.{os.getpid()}.{os.urandom(4).hex()}"
    pairs = "context_id" in schema.names
    rows = total = 0
    try:
        with pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            compression_level=1,
            **(_PAIRS_OPTIONS if pairs else {"use_dictionary": False}),
        ) as writer:
            for table in tables:
                writer.write_table(table, row_group_size=max(1, table.num_rows))
                rows += table.num_rows
                total += exact_sum(table["count"].to_numpy())
        if total >= 2**63:
            raise InputError(
                f"counts of one file must sum to less than 2^63; got {total:,} ({stem}). Use more --num-shards."
            )
        checksum = hash_file(temporary)
        size = temporary.stat().st_size
        name = f"{stem}-{checksum[:16]}.parquet"
        move_into(temporary, folder / name)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL:
            raise ResourceError(
                f"disk must have room for the output; got {os.strerror(error.errno)} after {rows:,} rows of {stem} ({temporary.parent}). "
                "Free some, or give another --output."
            ) from error
        raise
    return {"name": name, "rows": rows, "bytes": size, "sha256": checksum, "total": total}


def exact_sum(counts: np.ndarray) -> int:
    """Sum of int64 counts, however large: as of two halves of 32 bits."""
    return (int((counts >> 32).sum()) << 32) + int((counts & 0xFFFFFFFF).sum())


def by_shard(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
    """Rows sorted by their ``shard`` column, as one stream of batches for each shard; take each before the next."""
    return ((shard, (part for _, part in parts)) for shard, parts in groupby(_slices(batches), key=itemgetter(0)))


def _slices(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    for batch in batches:
        shards = batch.column("shard").to_numpy()
        starts = np.flatnonzero(np.diff(shards, prepend=shards[:1] - 1))
        for start, end in pairwise([*starts.tolist(), len(shards)]):
            yield int(shards[start]), batch.slice(start, end - start)


def row_groups(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of ``rows`` rows each, but the last: however they came, so that files have the same bytes."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        while sum(part.num_rows for part in held) >= rows:
            every = pa.concat_tables(held)
            yield every[:rows]
            held = [every[rows:]]
    if sum(part.num_rows for part in held):
        yield pa.concat_tables(held)


def report_batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Rows of a report as a task hands them back."""
    return pa.RecordBatch.from_pylist(rows, schema=REPORT)


def counter(name: str, value: int) -> dict[str, Any]:
    """A counter's row of a report."""
    return {"name": name, "rows": 0, "bytes": 0, "sha256": None, "total": value}


def commit(folder: Path, report: list[Any]) -> tuple[list[FileEntry], int, dict[str, int]]:
    """Keep the reported files and remove all others.

    Returns
    -------
    files : list of FileEntry
    total : int
        Sum of all counts.
    counters : dict
    """
    files = [FileEntry(row["name"], row["rows"], row["bytes"], row["sha256"]) for row in report if row["sha256"]]
    counters: dict[str, int] = {}
    for row in report:
        if not row["sha256"]:
            counters[row["name"]] = counters.get(row["name"], 0) + row["total"]
    kept = {entry.path for entry in files}
    for path in [] if isinstance(folder, StorePath) else list(folder.iterdir()):
        if path.name not in kept and path.name != FILE_NAME:
            path.unlink(missing_ok=True)  # a copy of a task may rename it at this moment
    sizes = file_sizes(folder)
    for entry in files:
        if sizes.get(entry.path) != entry.bytes:
            raise ResourceError(
                f"output must be a folder that driver and workers share; got no {entry.path} of {entry.bytes:,} bytes "
                f"({folder}). Give an --output on a shared file system."
            )
    return files, sum(row["total"] for row in report if row["sha256"]), counters


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What is raised while a file of a table is read, as an `InputError` that names it."""
    try:
        yield
    except UNREADABLE as error:
        told = " ".join(str(error).split())[:300]
        raise InputError(
            f"{path.name} must be whole Parquet; got {told} ({path}). Run the stage that made the folder again."
        ) from error


def read_whole(folder: Path, entry: FileEntry, schema: pa.Schema) -> pa.Table:
    """One file of a table, checked, with the schema that it must have, and text that is UTF-8.

    Raises
    ------
    InputError
    """
    path, source = folder / entry.name, checked_source(folder, entry)
    with readable(path):
        check(pq.read_schema(source), schema, path)
        table = pq.read_table(source)
        table.validate(full=True)
    return table


def read_batches(folder: Path, files: list[FileEntry], rows: int = 1 << 16) -> Iterator[pa.RecordBatch]:
    """Rows of a table's files, so many at a time, in order of the manifest; the caller has checked them."""
    for entry in files:
        with readable(folder / entry.name), pq.ParquetFile(known_source(folder, entry)) as file:
            for batch in file.iter_batches(rows):
                batch.validate(full=True)
                yield batch
