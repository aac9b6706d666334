"""Rows of text in Arrow columns, as spans of words that the kernels read in place.

In: Arrow arrays of text (string or binary) or of lists of words, which a tokenizer may have made of text. Out: blocks of spans, a few ten thousand at a time,
so that a line of any length needs no more memory than its own bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from simglove_spark.cleaning import Cleaning, clean, offsets_of
from simglove_spark.errors import InputError
from simglove_spark.kernels import tokens
from simglove_spark.memory import show_size

SPANS_PER_BLOCK = 1 << 16
LONGEST_WORD = 64 << 20  # bytes; what is longer is not text, and would take a worker's memory


class Places(NamedTuple):
    """Where text stands: byte positions[k] of the data (int64, ascending) has the place places[k] (uint64), see `subsampling`."""

    positions: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Spans:
    """Words and row ends: word k is data[starts[k]:ends[k]]; starts[k] == `tokens.END_OF_ROW` marks a row's end."""

    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    size: int
    places: Places | None = None


class Origin(NamedTuple):
    """What a piece was before it was cleaned: ``rows`` of text, from byte ``begin`` on of a file of ``size`` bytes."""

    path: str
    size: int
    begin: int
    rows: pa.Array
    cleaning: Cleaning


@dataclass(frozen=True)
class Piece:
    """Rows of text as a worker gets them.

    Attributes
    ----------
    column : pyarrow.Array
        As `clean` made it.
    rows : int
        Rows that end in it; of documents (`row_breaks`) those whose last word is in it and its file's range.
    bad : int
        Words that were not UTF-8.
    is_open : bool
        Whether the last row goes on in the next piece.
    ahead : Iterator of Piece, optional
        What follows in an open row that another task counts: words here and there are a pair, and it is counted here.
    origin : Origin, optional
        Where it was read, when that is known.
    is_cut : bool
        Whether another task counts what stands before in the first row.
    """

    column: pa.Array
    rows: int
    bad: int
    is_open: bool = False
    ahead: "Iterator[Piece] | None" = None
    origin: Origin | None = None
    is_cut: bool = False


def pieces(batches: Iterator[pa.RecordBatch], cleaning: Cleaning) -> Iterator[Piece]:
    """Rows of batches whose one column is text or lists of words."""
    for batch in batches:
        column, bad = clean(batch.column(0), cleaning)
        yield Piece(column, batch.num_rows, bad)


def too_long(where: str) -> InputError:
    """The refusal of a word beyond `LONGEST_WORD`."""
    return InputError(
        f"words must be shorter than {show_size(LONGEST_WORD)}; got more bytes without white space ({where}). Give text."
    )


def spans(column: pa.Array, is_open: bool = False, places: Places | None = None) -> Iterator[Spans]:
    """Blocks of spans of a cleaned column, in order; the same two arrays are filled again for each block.

    With ``is_open`` the last row's end is left out, since it goes on; ``places`` go along.
    """
    starts, ends = np.empty(SPANS_PER_BLOCK, np.int64), np.empty(SPANS_PER_BLOCK, np.int64)
    rows = offsets_of(column)
    if pa.types.is_large_list(column.type):
        words = column.values
        data, source, split = bytes_of(words), offsets_of(words), tokens.list_rows
    else:
        data = source = bytes_of(column)
        split = tokens.split_rows
    row, position = 0, rows[0]
    while row < rows.size - 1:
        size, row, position = split(source, rows, row, position, starts, ends)
        yield Spans(data, starts, ends, size - (is_open and row == rows.size - 1), places)


def bytes_of(column: pa.Array) -> np.ndarray:
    """Bytes that a string or binary array's offsets point into (uint8)."""
    buffer = column.buffers()[2]
    return np.frombuffer(buffer, np.uint8) if buffer is not None else np.empty(0, np.uint8)
