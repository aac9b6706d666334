"""The beginning of a corpus, read on the driver: for forecasts, and to see what JSON lines hold."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from simglove_spark.cleaning import Cleaning, clean
from simglove_spark.corpus import COMPRESSED, kind_by_name
from simglove_spark.errors import InputError
from simglove_spark.row_breaks import RowBreaks, rows_between
from simglove_spark.storage.answers import refuse_away
from simglove_spark.storage.corpora import reading
from simglove_spark.storage.paths import readable as source_of

SAMPLE_BYTES, SAMPLE_ROWS, PEEKED_ROWS = 4 << 20, 20_000, 100
UNKNOWN_EXPANSION = 4.0  # of text that only Spark can unpack
COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".zstd": "zstd"}  # the endings that Spark knows


def sample_corpus(
    inputs: list[dict[str, Any]], column: str | None, cleaning: Cleaning, document_break: str = "line"
) -> pa.Array | None:
    """A few megabytes of the first local file: rows as the kernels take them; None where nothing can be sampled."""
    path = next((entry["path"] for entry in inputs if entry["bytes"]), None)
    if path is None:
        return None
    with readable(path):
        return clean(_sample(path, column, document_break), cleaning)[0]


def text_bytes(inputs: list[dict[str, Any]], column: str | None) -> int:
    """Bytes of text in all files, about: the first of each ending tells what those under it unpack to."""
    total, expansions = 0.0, dict[str, float]()
    for entry in inputs:
        if entry["bytes"]:
            path, suffix = entry["path"], Path(entry["path"]).suffix
            if suffix not in expansions:
                with readable(path):
                    expansions[suffix] = _expansion(path, entry["bytes"], column)
            total += entry["bytes"] * expansions[suffix]
    return int(total)


def _expansion(path: str, size: int, column: str | None) -> float:
    """How many times as large as a file is the text that is read from it."""
    if column is not None and kind_by_name(path) != "JSON":
        sample, rows = _columns(path, column)
        return sample.nbytes * rows / max(1, len(sample)) / size
    if not can_unpack(path):
        return UNKNOWN_EXPANSION
    if Path(path).suffix not in COMPRESSION:
        return 1.0
    with reading(path) as packed, pa.CompressedInputStream(packed, COMPRESSION[Path(path).suffix]) as stream:
        return len(stream.read(SAMPLE_BYTES)) / packed.tell()


def first_value(path: str, column: str) -> Any:
    """What the first of a JSON file's first rows that has the column holds there; None when none has it."""
    with readable(path):
        rows = islice(_json_rows(path), PEEKED_ROWS)
        return next((row[column] for row in rows if row.get(column) is not None), None)


def _sample(path: str, column: str | None, document_break: str) -> pa.Array:
    if column is None:
        head = _head(path)
        return rows_between(head, RowBreaks(document_break).ends(head, b""))
    kind = kind_by_name(path)
    if kind == "JSON":
        return _json_column([row.get(column) for row in islice(_json_rows(path), SAMPLE_ROWS)])
    return _columns(path, column)[0]


def _columns(path: str, column: str) -> tuple[pa.Array, int]:
    """First rows of a column of a Parquet or ORC file, and how many rows the file has."""
    nothing = pa.array([], pa.binary())
    if kind_by_name(path) == "ORC":
        file = orc.ORCFile(source_of(path))
        return file.read_stripe(0, [column]).column(0)[:SAMPLE_ROWS] if file.nstripes else nothing, file.nrows
    with pq.ParquetFile(source_of(path)) as file:
        batch = next(file.iter_batches(batch_size=SAMPLE_ROWS, columns=[column]), None)
        return nothing if batch is None else batch.column(0), file.metadata.num_rows


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
    if not can_unpack(path):
        return b""
    with unpacked(path) as stream:
        return bytes(stream.read(SAMPLE_BYTES)).removeprefix(BOM_UTF8)


def can_unpack(path: str) -> bool:
    """Whether `unpacked` can: some compressions only Spark knows."""
    suffix = Path(path).suffix
    return suffix not in COMPRESSED or suffix in COMPRESSION


def unpacked(path: str) -> pa.NativeFile:
    """A file's bytes, unpacked if its ending says that they are packed."""
    return pa.input_stream(source_of(path), compression=COMPRESSION.get(Path(path).suffix))


def _json_rows(path: str) -> Iterator[dict[str, Any]]:
    """Objects of the first megabytes, without a last line that was cut."""
    head = _head(path)
    whole = len(head) if len(head) < SAMPLE_BYTES else head.rfind(b"\n") + 1
    return json_objects(head[:whole].split(b"\n"))


def json_objects(lines: Iterable[bytes | str]) -> Iterator[dict[str, Any]]:
    """Objects of lines of JSON.

    Raises
    ------
    ValueError
        When a line is something else.
    """
    for line in lines:
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"{type(row).__name__} instead of an object")
            yield row


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Tell in our words, as `InputError`, what goes wrong while a file is read."""
    try:
        yield
    except (ValueError, RecursionError, OSError, pa.ArrowException) as error:
        refuse_away(error)
        is_json = isinstance(error, ValueError) and kind_by_name(path) == "JSON"
        what = "JSON, an object a line" if is_json else "readable to the end"
        raise InputError(f"input must be {what}; got {error} ({path}). Replace the broken file.") from error
