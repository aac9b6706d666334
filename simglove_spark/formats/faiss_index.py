"""An index of FAISS with its words, a folder: exact search by inner product, which is the predicted pmi.

    index.faiss   IndexFlatIP (float32), or IndexScalarQuantizer with fp16 or 8 bits; row i is word i
    words.json    the words in the same order, a JSON array
    counts.npy    int64[V]

The bytes are those of `faiss.write_index`, which would hold the whole index in memory. 8 bits are FAISS's own: a code from 0 to 255
between the least and the largest value of its column, which stand in the index; a component moves by (largest - least) / 510 at most.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.formats.arrays import COUNTS
from simglove_spark.formats.numbers import Dtype, by_blocks, coded_blocks, decoded
from simglove_spark.formats.places import files_of, mapped, reading, refuse_other_size
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import AGAIN, WORDS, read_words, write_words
from simglove_spark.storage.copies import fetched
from simglove_spark.vectors import Vectors

INDEX = "index.faiss"
FILES = (INDEX, WORDS, COUNTS)
HEAD = struct.Struct("<4siqqq?i")  # kind, dim, rows, two that are not used, trained, metric
QUANTIZER = struct.Struct("<iifQQ")  # kind, how the range was found and with what, dim, bytes of a row
LENGTH = struct.Struct("<Q")
FLAT, QUANTIZED = b"IxFI", b"IxSQ"
UNUSED, INNER_PRODUCT = 1 << 20, 0
EIGHT_BIT, FP16 = 0, 4


def write(rows: Rows, folder: Path, dtype: Dtype) -> None:
    """Write the folder."""
    with (folder / INDEX).open("wb") as out:
        _write_index(out, rows, dtype)
    write_words(folder / WORDS, rows.words())
    np.save(folder / COUNTS, rows.counts)


def _write_index(out: BinaryIO, rows: Rows, dtype: Dtype) -> None:
    size, dim = rows.shape
    kind = FLAT if dtype == "float32" else QUANTIZED
    out.write(HEAD.pack(kind, dim, size, UNUSED, UNUSED, True, INNER_PRODUCT))
    if dtype == "float32":
        out.write(LENGTH.pack(size * dim))
    else:
        least, width = _ranges(rows) if dtype == "int8" else np.empty((2, 0), np.float32)
        row_bytes = dim if dtype == "int8" else 2 * dim
        out.write(QUANTIZER.pack(EIGHT_BIT if dtype == "int8" else FP16, 0, 0.0, dim, row_bytes))
        out.write(LENGTH.pack(2 * least.size) + least.tobytes() + width.tobytes() + LENGTH.pack(size * row_bytes))
    blocks = _eight_bits(rows, least, width) if dtype == "int8" else coded_blocks(rows, dtype)
    for block in blocks:
        out.write(block.data)


def _ranges(rows: Rows) -> NDArray[np.float32]:
    """The least value of each column, and how far it is from there to the largest: float32[2, dim]."""
    least = np.full(rows.shape[1], np.inf, np.float32)
    most = -least
    for block in rows.blocks():
        least, most = np.minimum(least, block.matrix.min(axis=0)), np.maximum(most, block.matrix.max(axis=0))
    with np.errstate(over="ignore"):
        ranges = np.stack([least, most - least]).astype("<f4")
    if not np.isfinite(ranges).all():
        raise InputError(
            f"components must lie within 3.4e38 of each other to be 8 bits; got {least.min()} and {most.max()}. "
            "Use --dtype float32."
        )
    return ranges


def _eight_bits(rows: Rows, least: NDArray[np.float32], width: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
    divisor = np.where(width > 0, width, np.float32(1))
    for block in rows.blocks():
        shares = np.clip((block.matrix - least) / divisor, 0, 1, dtype=np.float32)
        yield (np.float32(255) * shares).astype(np.uint8)


def load(path: str | Path) -> Vectors:
    """Read the folder; the index may be a flat one of any metric, or one of fp16 or 8 bits as written here."""
    folder = fetched(path)
    index, names = files_of(folder, (INDEX, WORDS))
    words = read_words(names)
    with reading(index) as stream:
        matrix = _read_index(stream, index)
    refuse_other_size(index, len(matrix), len(words))
    counts = mapped(folder / COUNTS, 1, "i8") if (folder / COUNTS).is_file() else None
    return Vectors(words, matrix, counts)


def _read_index(stream: BinaryIO, path: Path) -> NDArray[np.float32]:
    try:
        kind, dim, size, *_ = HEAD.unpack(stream.read(HEAD.size))
        if kind in (FLAT, b"IxF2") and dim > 0:
            stream.seek(LENGTH.size, 1)
            return _codes(stream, path, "<f4", size, dim)
        if kind == QUANTIZED and dim > 0:
            how = QUANTIZER.unpack(stream.read(QUANTIZER.size))[0]
            (values,) = LENGTH.unpack(stream.read(LENGTH.size))
            trained = np.frombuffer(stream.read(min(4 * values, path.stat().st_size)), "<f4")
            stream.seek(LENGTH.size, 1)
            if how == FP16:
                return decoded(_codes(stream, path, "<f2", size, dim), None)
            if how == EIGHT_BIT and trained.size == 2 * dim:
                codes = _codes(stream, path, "u1", size, dim)
                least, step = trained[:dim], trained[dim:] / np.float32(255)
                return by_blocks(codes, lambda block, _: least + (block + np.float32(0.5)) * step)
    except (struct.error, ValueError, OverflowError) as error:
        raise InputError(f"{path.name} must be an index of FAISS, whole; got {error} ({path}). {AGAIN}") from error
    raise InputError(
        f"{path.name} must be a flat index, or one of fp16 or 8 bits; got {kind!r} ({path}). "
        "Take the vectors out with FAISS (index.reconstruct_n) and give them as npy."
    )


def _codes(stream: BinaryIO, path: Path, kind: str, size: int, dim: int) -> NDArray[Any]:
    """Numbers from here to the file's end, memory-mapped."""
    return np.asarray(np.memmap(path, kind, "r", stream.tell())).reshape(size, dim)
