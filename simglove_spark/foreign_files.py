"""Files of other tools, read a few rows at a time: Parquet, CSV, and the binary pair counts of GloVe's C tools."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from simglove_spark.cleaning import is_utf8
from simglove_spark.errors import InputError
from simglove_spark.schemas import UNREADABLE

ROWS = 1 << 16
CSV_BLOCK = 8 << 20  # no row may be longer
CSV_BYTES_PER_ROW = 16  # planned, about

#: A record of `cooccur` and `shuffle`: ids from 1, and a count that may be a fraction.
GLOVE_RECORD = np.dtype([("word", "<i4"), ("context", "<i4"), ("count", "<f8")])


@dataclass(frozen=True)
class Records:
    """Some rows of a file, by columns in the order asked for; ``numbers`` (int64, from 1) tell where they stand."""

    path: str
    numbers: np.ndarray
    columns: list[pa.Array]

    def place(self, row: int) -> str:
        """Where a row stands, for a message."""
        return f"{self.path}, record {self.numbers[row]:,}"

    def filter(self, kept: np.ndarray) -> "Records":
        """The rows for which ``kept`` (bool) is true."""
        return Records(self.path, self.numbers[kept], [column.filter(pa.array(kept)) for column in self.columns])


def rows_of(path: str, size: int, file_format: str) -> int:
    """Rows of a file of ``size`` bytes, about, without reading them."""
    if file_format == "parquet":
        with _readable(path, "Parquet"):
            return int(pq.read_metadata(path).num_rows)
    return size // (GLOVE_RECORD.itemsize if file_format == "glove-binary" else CSV_BYTES_PER_ROW)


def read_records(path: str, file_format: str, columns: list[str]) -> Iterator[Records]:
    """Rows of a file, `ROWS` at a time or fewer.

    Raises
    ------
    InputError
        When the file is cut short, broken, or has no such columns.
    """
    first = 1
    reader = {"parquet": _parquet, "csv": _csv, "glove-binary": _glove}[file_format]
    for arrays in reader(path, columns):
        yield Records(path, np.arange(first, first + len(arrays[0])), arrays)
        first += len(arrays[0])


def texts(records: Records, column: int, name: str) -> pa.StringArray:
    """A column of words: none may be missing, empty or not UTF-8."""
    words = records.columns[column]
    words = words.dictionary_decode() if pa.types.is_dictionary(words.type) else words
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    if not any(test(words.type) for test in kinds):
        raise InputError(f"column {name!r} must hold text; got {words.type} ({records.path}). Cast it.")
    raw = words.cast(pa.binary())
    bad = pc.fill_null(pc.equal(pc.binary_length(raw), 0), True).to_numpy(zero_copy_only=False)
    if not bad.any():
        try:
            return raw.cast(pa.string())
        except pa.ArrowInvalid:
            bad = np.array([not is_utf8(word) for word in raw.to_pylist()])
    row = int(np.flatnonzero(bad)[0])
    found = "nothing" if not raw[row].as_py() else ascii(raw[row].as_py()[:40])[1:]
    raise InputError(f"words must be UTF-8 and not empty; got {found} as {name} ({records.place(row)}). Mend the file.")


def _parquet(path: str, columns: list[str]) -> Iterator[list[pa.Array]]:
    # without buffers ahead: a row group of any size is read a page at a time
    with _readable(path, "Parquet"), pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        _check_columns(columns, file.schema_arrow.names, path)
        for batch in file.iter_batches(batch_size=ROWS, columns=columns, use_threads=False):
            if batch.num_rows:
                yield [batch[name] for name in columns]


def _csv(path: str, columns: list[str]) -> Iterator[list[pa.Array]]:
    """Words as bytes and counts as text: neither is guessed from what stands in the first rows."""
    kinds = {name: pa.string() if name == "count" else pa.binary() for name in columns}
    with _readable(path, "CSV with a header line"):
        reader = csv.open_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=False),
        )
        with reader:
            _check_columns(columns, reader.schema.names, path)
            for batch in reader:
                for start in range(0, batch.num_rows, ROWS):
                    part = batch.slice(start, ROWS)
                    yield [part[name] for name in columns]


def _glove(path: str, columns: list[str]) -> Iterator[list[pa.Array]]:
    size = Path(path).stat().st_size
    if size % GLOVE_RECORD.itemsize:
        raise InputError(
            f"file must be records of {GLOVE_RECORD.itemsize} bytes; got {size % GLOVE_RECORD.itemsize} bytes more after "
            f"{size // GLOVE_RECORD.itemsize:,} ({path}). It is cut short, or not a file of cooccur: get it again."
        )
    with _readable(path, "readable"), Path(path).open("rb") as stream:
        while (records := np.fromfile(stream, GLOVE_RECORD, ROWS)).size:
            yield [pa.array(np.ascontiguousarray(records[name])) for name in columns]


def _check_columns(wanted: list[str], found: list[str], path: str) -> None:
    for name in wanted:
        if found.count(name) != 1:
            raise InputError(
                f"columns must be {', '.join(wanted)}; got {', '.join(found)} ({path}). Rename them, or write a header line."
            )


@contextmanager
def _readable(path: str, what: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        told = " ".join(str(error).split())[:300]
        raise InputError(f"input must be {what}, whole; got {told} ({path}). Mend or replace the file.") from error
