"""The beginning of a corpus, read on the driver: for forecasts, and to see what JSON lines hold."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from simglove_spark.corpus import COMPRESSED, kind_by_name
from simglove_spark.errors import InputError
from simglove_spark.row_breaks import RowBreaks, rows_between
from simglove_spark.text_rows import Cleaning, clean

SAMPLE_BYTES, SAMPLE_ROWS, PEEKED_ROWS = 4 << 20, 20_000, 100
_COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".zstd": "zstd"}  # the endings that Spark knows


def sample_corpus(
    inputs: list[dict[str, Any]], column: str | None, cleaning: Cleaning, document_break: str = "line"
) -> pa.Array | None:
    """A few megabytes of the first local file: rows as the kernels take them; None where nothing can be sampled."""
    path = next((entry["path"] for entry in inputs if entry["bytes"]), None)
    if path is None:
        return None
    with _readable(path):
        return clean(_sample(path, column, document_break), cleaning)[0]


def first_value(path: str, column: str) -> Any:
    """What the first of a JSON file's first rows that has the column holds there; None when none has it."""
    with _readable(path):
        rows = islice(_json_rows(path), PEEKED_ROWS)
        return next((row[column] for row in rows if row.get(column) is not None), None)


def _sample(path: str, column: str | None, document_break: str) -> pa.Array:
    if column is None:
        head = _head(path)
        return rows_between(head, RowBreaks(document_break).ends(head, b""))
    kind = kind_by_name(path)
    if kind == "JSON":
        return _json_column([row.get(column) for row in islice(_json_rows(path), SAMPLE_ROWS)])
    if kind == "ORC":
        file = orc.ORCFile(path)
        return file.read_stripe(0, [column]).column(0)[:SAMPLE_ROWS] if file.nstripes else pa.array([], pa.binary())
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=SAMPLE_ROWS, columns=[column]), None)
    return pa.array([], pa.binary()) if batch is None else batch.column(0)


def _json_column(values: list[Any]) -> pa.Array:
    """Text and lists of words as Spark takes them; what is neither is as good as nothing to a forecast."""
    if any(isinstance(value, list) for value in values):
        lists = [value for value in values if isinstance(value, list)]
        return pa.array([[_bytes(word) for word in words] for words in lists], pa.list_(pa.binary()))
    return pa.array([_bytes(value) for value in values], pa.binary())


def _bytes(value: Any) -> bytes | None:
    return value.encode("utf-8", "replace") if isinstance(value, str) else None  # JSON may hold half a surrogate pair


def _head(path: str) -> bytes:
    """First megabytes of a file; nothing of one that only Spark can unpack."""
    suffix = Path(path).suffix
    if suffix in COMPRESSED and suffix not in _COMPRESSION:
        return b""
    with pa.input_stream(path, compression=_COMPRESSION.get(suffix)) as stream:
        return bytes(stream.read(SAMPLE_BYTES)).removeprefix(BOM_UTF8)


def _json_rows(path: str) -> Iterator[dict[str, Any]]:
    """Objects of the first megabytes, without a last line that was cut."""
    head = _head(path)
    whole = len(head) if len(head) < SAMPLE_BYTES else head.rfind(b"\n") + 1
    for line in head[:whole].split(b"\n"):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"{type(row).__name__} instead of an object")
            yield row


@contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError, pa.ArrowException) as error:
        is_json = isinstance(error, ValueError) and kind_by_name(path) == "JSON"
        what = "JSON, an object a line" if is_json else "readable to the end"
        raise InputError(f"input must be {what}; got {error} ({path}). Replace the broken file.") from error
