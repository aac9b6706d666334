"""What is made of text before its words are counted or asked for: valid UTF-8, one form, words of a tokenizer, lower case.

Arrow columns in, Arrow columns out, without a kernel: so text that is asked is cleaned by the same lines as the corpus was.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simglove_spark.tokenizing import load_tokenizer


class Cleaning(NamedTuple):
    """What is made of text: first Unicode's form NFKC, then words by a tokenizer, then lower case.

    The tokenizer comes before lower case: dictionaries know words with capitals.
    """

    lowercase: bool = False
    nfkc: bool = False
    tokenizer: str = "whitespace"


AS_IT_IS = Cleaning()


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


def is_utf8(text: bytes) -> bool:
    """Whether bytes are text."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def offsets_of(column: pa.Array) -> np.ndarray:
    """Offsets of a string, binary or list array as int64[len + 1]."""
    wide = pa.types.is_large_list(column.type) or pa.types.is_large_binary(column.type)
    wide = wide or pa.types.is_large_string(column.type)
    kind = np.int64 if wide else np.int32
    if len(column) == 0:
        return np.zeros(1, np.int64)
    every = np.frombuffer(column.buffers()[1], kind)
    return every[column.offset : column.offset + len(column) + 1].astype(np.int64)
