"""Rows of text in Arrow columns, as spans of words that the kernels read in place.

In: Arrow arrays of text (string or binary) or of lists of words, which a tokenizer may have made of text. Out: blocks of spans, a few ten thousand at a time,
so that a line of any length needs no more memory than its own bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simglove_spark.errors import InputError
from simglove_spark.kernels import tokens
from simglove_spark.memory import show_size
from simglove_spark.tokenizing import load_tokenizer

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


class Cleaning(NamedTuple):
    """What is made of text: first Unicode's form NFKC, then words by a tokenizer, then lower case.

    The tokenizer comes before lower case: dictionaries know words with capitals.
    """

    lowercase: bool = False
    nfkc: bool = False
    tokenizer: str = "whitespace"


AS_IT_IS = Cleaning()


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


def clean(column: pa.Array, cleaning: Cleaning = AS_IT_IS) -> tuple[pa.Array, int]:
    """Make a column valid UTF-8, in the form asked for, and text lists of words where a tokenizer is; nulls are dropped.

    Returns
    -------
    column : pyarrow.Array
        Of string type, or of lists of strings. Bytes that are not UTF-8 become U+FFFD, as Python's "replace" does.
    bad : int
        Words that were not UTF-8.
    """
    column = column.drop_null() if column.null_count else column
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        words, bad = clean(
            column.flatten().fill_null(b"" if pa.types.is_binary(column.type.value_type) else ""), cleaning
        )
        offsets = offsets_of(column)
        words = pc.utf8_trim_whitespace(words) if cleaning.nfkc else words  # a wide blank is an empty word
        return pa.LargeListArray.from_arrays(pa.array(offsets - offsets[0]), words), bad
    column, bad = _decode(column.cast(pa.large_binary()))
    column = pc.utf8_normalize(column, form="NFKC") if cleaning.nfkc else column
    tokenize = load_tokenizer(cleaning.tokenizer)
    column = tokenize(column) if tokenize else column
    return (_lower(column) if cleaning.lowercase else column), bad


def _lower(column: pa.Array) -> pa.Array:
    if pa.types.is_large_list(column.type):
        return pa.LargeListArray.from_arrays(column.offsets, pc.utf8_lower(column.values))
    return pc.utf8_lower(column)


def _decode(column: pa.Array) -> tuple[pa.Array, int]:
    try:
        return column.cast(pa.large_string()), 0
    except pa.ArrowInvalid:
        rows = column.to_pylist()
        bad = sum(not is_utf8(word) for row in rows if not is_utf8(row) for word in row.split())
        return pa.array([row.decode("utf-8", errors="replace") for row in rows], pa.large_string()), bad


def too_long(where: str) -> InputError:
    """The refusal of a word beyond `LONGEST_WORD`."""
    return InputError(
        f"words must be shorter than {show_size(LONGEST_WORD)}; got more bytes without white space ({where}). Give text."
    )


def is_utf8(text: bytes) -> bool:
    """Whether bytes are text."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


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


def offsets_of(column: pa.Array) -> np.ndarray:
    """Offsets of a string, binary or list array as int64[len + 1]."""
    wide = pa.types.is_large_list(column.type) or pa.types.is_large_binary(column.type)
    wide = wide or pa.types.is_large_string(column.type)
    kind = np.int64 if wide else np.int32
    if len(column) == 0:
        return np.zeros(1, np.int64)
    every = np.frombuffer(column.buffers()[1], kind)
    return every[column.offset : column.offset + len(column) + 1].astype(np.int64)


def bytes_of(column: pa.Array) -> np.ndarray:
    """Bytes that a string or binary array's offsets point into (uint8)."""
    buffer = column.buffers()[2]
    return np.frombuffer(buffer, np.uint8) if buffer is not None else np.empty(0, np.uint8)
