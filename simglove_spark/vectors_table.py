"""The vectors table on disk: which files it has, how they are written, and how they are checked.

    vectors.parquet    word, word_id, count, vector: for Spark, SQL and everyone else
    _matrix.npy        float32[V, dim]   the same vectors, to be memory-mapped
    _counts.npy        int64[V]
    _word_*.npy        see `word_index`

With two spaces also _words_alone.npy and _contexts_alone.npy, float32[V, dim], with GloVe _biases.npy, float32[V, 2].

Spark and Arrow pass over names that begin with an underscore, so the folder reads as the table it is.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark import schemas, word_index
from simglove_spark.errors import InputError
from simglove_spark.manifest import FileEntry, Manifest, checked_path, file_entry, inside
from simglove_spark.word_index import WordIndex

TABLE = "vectors"
PARQUET, MATRIX, COUNTS = "vectors.parquet", "_matrix.npy", "_counts.npy"
FILES = (PARQUET, MATRIX, COUNTS, *word_index.FILES)
BLOCK_ROWS = 1 << 14


def write(
    folder: Path,
    words: WordIndex,
    matrix: NDArray[np.float32],
    counts: NDArray[np.int64],
    extra: dict[str, NDArray[np.float32]],
) -> list[FileEntry]:
    """Write all files of the table but the manifest."""
    for name, array in extra.items():
        np.save(folder / f"_{name}.npy", np.ascontiguousarray(array))
    _write_parquet(folder / PARQUET, words, matrix, counts)
    np.save(folder / MATRIX, np.ascontiguousarray(matrix))
    np.save(folder / COUNTS, np.ascontiguousarray(counts))
    words.save(folder)
    names = (*FILES, *(f"_{name}.npy" for name in extra))
    return [file_entry(folder, name, rows=len(words) if name == PARQUET else 0) for name in names]


def _write_parquet(path: Path, words: WordIndex, matrix: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
    schema = schemas.vectors_schema(matrix.shape[1])
    # the list's child keeps its declared name, so that the file reads back with the schema it was written with
    how = {"compression": "zstd", "use_dictionary": False, "use_compliant_nested_type": False}
    with pq.ParquetWriter(path, schema, **how) as writer:
        for start, block in row_blocks(matrix):
            stop = start + len(block)
            ids, numbers = pa.array(np.arange(start, stop, dtype=np.int32)), pa.array(counts[start:stop])
            flat = pa.array(np.ascontiguousarray(block).reshape(-1))
            vector = pa.FixedSizeListArray.from_arrays(flat, type=schema.field("vector").type)
            writer.write_table(pa.table([words.arrow(start, stop), ids, numbers, vector], schema=schema))


def check_files(folder: Path, manifest: Manifest, verify: bool) -> tuple[int, int]:
    """dim and V of a table whose files are those of its manifest."""
    entries = {entry.path: entry for entry in manifest.files}
    dim, size = manifest.details.get("dim"), manifest.details.get("vocabulary_size")
    missing = [name for name in FILES if name not in entries]
    if missing or not isinstance(dim, int) or not isinstance(size, int):
        found = f"no {missing[0]}" if missing else f"dim {dim!r} and vocabulary_size {size!r}"
        raise InputError(f"manifest must name all files, dim and vocabulary_size; got {found} ({folder}). Train again.")
    for entry in entries.values():
        _ = checked_path(folder, entry) if verify else sized_path(folder, entry)
    path = folder / PARQUET
    try:
        schemas.check(pq.read_schema(path), schemas.vectors_schema(dim), path)
        ids = pq.read_table(path, columns=["word_id"])["word_id"].to_numpy() if verify else np.arange(size)
    except schemas.UNREADABLE as error:
        raise InputError(f"{PARQUET} must be Parquet; got {error} ({path}). Train again.") from error
    if not np.array_equal(ids, np.arange(size)):
        raise InputError(f"word_id must be 0, 1, 2, ... to {size - 1:,}; got other ids ({path}). Train again.")
    return dim, size


def sized_path(folder: Path, entry: FileEntry) -> Path:
    """Path of a table's file after checking its size, not its content: what is enough where little of it is read."""
    path = inside(folder, entry)
    size = path.stat().st_size if path.is_file() else 0
    if size != entry.bytes:
        raise InputError(
            f"{entry.path} must have {entry.bytes:,} bytes; got {size:,} ({folder}). "
            "The file is missing or cut short: run the stage that made it again."
        )
    return path


def row_blocks(matrix: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Rows in blocks, each with its first row number: what a step needs of memory stays small."""
    for start in range(0, len(matrix), BLOCK_ROWS):
        yield start, matrix[start : start + BLOCK_ROWS]


def first_not_finite(matrix: NDArray[np.float32]) -> int | None:
    """Number of the first row with a NaN or an infinite component."""
    for start, block in row_blocks(matrix):
        finite = np.isfinite(block)
        if not finite.all():
            return start + int(np.flatnonzero(~finite.all(axis=1))[0])
    return None


def refuse_non_finite(matrix: NDArray[np.float32], words: Sequence[str]) -> None:
    """Raise an `InputError` that names the first word with a NaN or an infinite component."""
    row = first_not_finite(matrix)
    if row is not None:
        column = int(np.flatnonzero(~np.isfinite(matrix[row]))[0])
        raise InputError(
            f"components must be finite; got {matrix[row, column]} (word {words[row]!r}, component {column}). "
            "Train with a lower learning rate, or drop the word."
        )
