"""Files that workers read themselves, row by row, with Arrow: compressed text, Parquet, ORC and JSON lines.

For Sail, whose own readers pass over a file that is gone, do not check Parquet's checksums, and refuse text that is not UTF-8.
What a file holds is the same as by Spark's readers.
"""

from codecs import BOM_UTF8
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from simglove_spark.cleaning import Cleaning, clean
from simglove_spark.corpus import kind_by_name
from simglove_spark.sampling import json_objects, readable, unpacked
from simglove_spark.text_rows import Piece

BLOCK_BYTES, ROWS_PER_BATCH = 4 << 20, 10_000


class Part(NamedTuple):
    """A file, or of one with columns a row group or stripe."""

    path: str
    number: int | None


def plan_parts(files: list[dict[str, Any]], column: str | None, slots: int) -> list[list[Part]]:
    """What each of ``slots`` tasks reads: parts of all files in turn."""
    parts = [part for file in files for part in _parts(file["path"], column)]
    return [tasks for first in range(slots) if (tasks := parts[first::slots])]


def _parts(path: str, column: str | None) -> list[Part]:
    kind = None if column is None else kind_by_name(path)
    with readable(path):
        if kind == "Parquet":
            return [Part(path, number) for number in range(pq.read_metadata(path).num_row_groups)]
        if kind == "ORC":
            return [Part(path, number) for number in range(orc.ORCFile(path).nstripes)]
    return [Part(path, None)]


def pieces(
    batches: Iterator[pa.RecordBatch], tasks: list[list[Part]], column: str | None, cleaning: Cleaning
) -> Iterator[Piece]:
    """Text of the tasks whose numbers stand in the batches' one column.

    Raises
    ------
    InputError
        When a file cannot be read to its end.
    """
    for batch in batches:
        for task in batch.column(0).to_pylist():
            for part in tasks[task]:
                for rows in _rows(part, column):
                    cleaned, bad = clean(rows, cleaning)
                    yield Piece(cleaned, len(rows), bad)


def _rows(part: Part, column: str | None) -> Iterator[pa.Array]:
    with readable(part.path):
        kind = "text" if column is None else kind_by_name(part.path)
        if kind == "text":
            yield from _lines(part.path)
        elif kind == "JSON":
            yield from _values(part.path, column or "")
        elif kind == "ORC":
            yield orc.ORCFile(part.path).read_stripe(part.number, [column]).column(0)
        else:
            with pq.ParquetFile(part.path, page_checksum_verification=True) as file:
                for batch in file.iter_batches(ROWS_PER_BATCH, row_groups=[part.number], columns=[column]):
                    rows = batch.column(0)
                    yield rows.dictionary_decode() if pa.types.is_dictionary(rows.type) else rows


def _lines(path: str) -> Iterator[pa.Array]:
    # one character a byte: only the ends of lines are looked at, which are \n, \r and \r\n as for Spark
    with unpacked(path) as stream, TextIOWrapper(stream, encoding="latin-1") as text:
        mark = BOM_UTF8
        while lines := text.readlines(BLOCK_BYTES):
            rows = [line.removesuffix("\n").encode("latin-1") for line in lines]
            yield pa.array([rows[0].removeprefix(mark), *rows[1:]], pa.large_binary())
            mark = b""


def _values(path: str, column: str) -> Iterator[pa.Array]:
    kinds: set[type] = set()
    with unpacked(path) as stream, TextIOWrapper(stream, encoding="utf-8-sig") as text:
        values = (row.get(column) for row in json_objects(text))
        while several := list(islice(values, ROWS_PER_BATCH)):
            kinds |= {type(value) for value in several} - {type(None)}
            if kinds - {str, list} or not all(_are_words(value) for value in several if isinstance(value, list)):
                raise ValueError(f"{column!r} that holds neither text nor a list of words")
            if len(kinds) > 1:
                raise ValueError(f"{column!r} that holds text here and a list of words there")
            lists = list in kinds
            kind = pa.list_(pa.binary()) if lists else pa.binary()
            yield pa.array([[_bytes(w) for w in v] if isinstance(v, list) else _bytes(v) for v in several], kind)


def _are_words(values: list[Any]) -> bool:
    return all(value is None or isinstance(value, str) for value in values)


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else value.encode("utf-8", "replace")  # JSON may hold half a surrogate pair
