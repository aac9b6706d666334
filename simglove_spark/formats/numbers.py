"""Smaller numbers for the components of vectors, and what they cost.

float16   a component moves by 2^-11 of itself at most, or by 2^-25 where it is below 2^-14
int8      code = round(component / scale), with scale = the word's largest component / 127: it moves by scale / 2 at most
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.formats.rows import BLOCK_ROWS, Rows

Dtype = Literal["float32", "float16", "int8"]
LITTLE: dict[str, np.dtype] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2"), "int8": np.dtype("i1")}


def coded_blocks(rows: Rows, dtype: Dtype, size: int = BLOCK_ROWS) -> Iterator[NDArray]:
    """Components of all rows, in blocks, as they are written: little-endian, C order.

    Raises
    ------
    InputError
        When a component is too large for float16.
    """
    for block in rows.blocks(size):
        yield int8_codes(block.matrix) if dtype == "int8" else _floats(block.matrix, block.words, dtype)


def _floats(matrix: NDArray[np.float32], words: list[str], dtype: Dtype) -> NDArray:
    with np.errstate(over="ignore"):
        coded = np.ascontiguousarray(matrix, LITTLE[dtype])
    if dtype == "float16" and not np.isfinite(coded).all():
        row, column = np.argwhere(~np.isfinite(coded))[0].tolist()
        raise InputError(
            f"components must be below 65,520 to be float16; got {matrix[row, column]} (word {words[row]!r}, "
            f"component {column}). Use --dtype float32 or int8."
        )
    return coded


def int8_scales(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """What one step of a word's codes is worth: float32[n]; 0 for a word of zeros."""
    return (np.abs(matrix).max(axis=1).astype(np.float64) / 127).astype(np.float32)


def int8_codes(matrix: NDArray[np.float32]) -> NDArray[np.int8]:
    """Codes of rows, int8[n, dim] from -127 to 127."""
    scales = int8_scales(matrix).astype(np.float64)[:, None]
    codes = np.rint(matrix / np.where(scales > 0, scales, np.inf))
    return np.clip(codes, -127, 127).astype(np.int8)


def all_scales(rows: Rows) -> NDArray[np.float32]:
    """Scales of all words: float32[V]."""
    return np.concatenate([int8_scales(block.matrix) for block in rows.blocks()])


def decoded(codes: NDArray, scales: NDArray | None) -> NDArray[np.float32]:
    """Components as float32[V, dim]; what is float32 already stays where it is, in a memory map for instance."""
    if scales is None and codes.dtype == np.float32:
        return codes
    return by_blocks(
        codes, lambda block, part: block if scales is None else block * scales[part, None].astype(np.float32)
    )


def by_blocks(codes: NDArray, decode: Callable[[NDArray, slice], NDArray]) -> NDArray[np.float32]:
    """float32[V, dim] of codes, decoded a block of rows at a time."""
    matrix = np.empty(codes.shape, np.float32)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        for start in range(0, len(codes), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            matrix[part] = decode(codes[part], part)
    return matrix
