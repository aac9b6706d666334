"""The tables that pass between stages, declared once and checked at both doors.

Leaving a stage a table is written with its schema from here; entering the next one it is checked
against the same schema, so that a foreign Parquet file is an `InputError` and never a wrong vector.
"""

from pathlib import Path

import pyarrow as pa
from numpy.typing import NDArray

from simglove_spark.errors import InputError

WORD_COUNTS = pa.schema([("word", pa.string()), ("count", pa.int64())])
VOCABULARY = pa.schema([("word", pa.string()), ("word_id", pa.int32()), ("count", pa.int64())])
PHRASES = pa.schema(
    [
        ("round", pa.int32()),
        ("first", pa.string()),
        ("second", pa.string()),
        ("word", pa.string()),
        ("count", pa.int64()),
        ("npmi", pa.float64()),
    ]
)
PAIRS = pa.schema([("word_id", pa.int32()), ("context_id", pa.int32()), ("count", pa.int64())])
EFFECTIVE_COUNTS = pa.schema([("word_id", pa.int32()), ("count", pa.int64())])  # beside pairs of subsampled text
#: What pyarrow raises over a broken file; the last where the name of a column is not UTF-8.
UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)


def word_counts_schema(documents: bool) -> pa.Schema:
    """Schema of word_counts, with or without the number of ``documents`` (rows of the corpus) that hold the word."""
    return pa.schema([*WORD_COUNTS, ("documents", pa.int64())]) if documents else WORD_COUNTS


def vectors_schema(dim: int) -> pa.Schema:
    """Schema of the vectors table for vectors of ``dim`` float32 components."""
    return pa.schema([*VOCABULARY, ("vector", pa.list_(pa.float32(), dim))])


def describe(schema: pa.Schema) -> dict[str, str]:
    """Column names and types as they stand in a manifest."""
    return {field.name: str(field.type) for field in schema}


def check_cells(words: NDArray, contexts: NDArray, counts: NDArray, size: int, where: str | Path) -> None:
    """Refuse cells of a pair table that are not of words 0 to ``size`` - 1, or counted less than once.

    Raises
    ------
    InputError
    """
    ids = [end for column in (words, contexts) if column.size for end in (column.min(), column.max())]
    if min(ids, default=0) < 0 or max(ids, default=0) >= size or counts.min(initial=1) < 1:
        raise InputError(
            f"cells must be of words 0 to {size - 1:,}, each counted once or more; got others ({where}). Count the pairs again."
        )


def check(found: pa.Schema, expected: pa.Schema, where: str | Path) -> None:
    """Refuse a file whose columns are not those of the table it claims to be.

    Raises
    ------
    InputError
        When names, order or types differ.
    """
    if describe(found) != describe(expected):
        raise InputError(
            f"columns must be {describe(expected)}; got {describe(found)} ({where}). "
            "Give a table that this tool wrote, of the right kind."
        )
