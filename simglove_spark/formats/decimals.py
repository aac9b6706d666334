"""Lines of decimal numbers, both ways: the shortest that read back as the same float32, bit for bit."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.formats.spelling import AGAIN, shown, utf8

READ_BYTES = 4 << 20


def texts(matrix: NDArray[np.float32], separator: str = " ") -> list[str]:
    """A line of numbers for each row."""
    # Arrow writes the shortest decimal that is the same float32, and reads it with one rounding only
    numbers = pa.array(np.ascontiguousarray(matrix).reshape(-1)).cast(pa.string())
    ends = np.arange(0, matrix.size + 1, matrix.shape[1], dtype=np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(ends, numbers), separator).to_pylist()


def read_lines(
    stream: BinaryIO, path: Path, number: int, dim: int | None, separator: bytes = b" ", named: bool = True
) -> tuple[list[str], NDArray[np.float32]]:
    """Words and components of all lines from here on, into one array of the right size.

    Parameters
    ----------
    stream, path
        The file, at the beginning of line ``number``.
    dim
        Numbers in a line; None takes as many as the first line has.
    named
        Whether each line begins with its word. Spaces within a word are understood as long as what stands before the numbers
        is none itself (as in the published 840B file of GloVe).
    """
    lines = _lines_left(stream)
    words: list[str] = []
    matrix: NDArray[np.float32] | None = None
    filled = 0
    while batch := stream.readlines(READ_BYTES):
        rows = [line.rstrip(b" \t\r\n") for line in batch]
        dim = dim or rows[0].count(separator) + 1 - named
        numbers = []
        for place, row in enumerate(rows, number + filled):
            word, rest = _split_word(row, dim, separator, f"{path}, line {place}") if named else (b"", row)
            if rest.count(separator) + 1 != dim:
                raise _other_columns(row, dim, separator, named, f"{path}, line {place}")
            numbers.append(rest)
            if named:
                words.append(utf8(word, f"{path}, line {place}"))
        if matrix is None:  # no line is shorter than its numbers and what stands between them
            matrix = np.empty((min(lines, path.stat().st_size // (2 * dim) + 1), dim), np.float32)
        matrix[filled : filled + len(rows)] = _numbers(numbers, separator, path, number + filled).reshape(-1, dim)
        filled += len(rows)
    return words, np.empty((0, dim or 0), np.float32) if matrix is None else matrix[:filled]


def _lines_left(stream: BinaryIO) -> int:
    start, lines = stream.tell(), 0
    last = b"\n"
    while part := stream.read(READ_BYTES):
        lines, last = lines + part.count(b"\n"), part
    stream.seek(start)
    return lines + (not last.endswith(b"\n"))


def _split_word(row: bytes, dim: int, separator: bytes, where: str) -> tuple[bytes, bytes]:
    """Word of a line, and its numbers."""
    word, _, rest = row.partition(separator)
    if rest.count(separator) >= dim > 0:
        _, before, *numbers = row.rsplit(separator, dim + 1)
        if not is_number(before):  # a part of the word
            word, rest = row[: -len(separator.join(numbers)) - 1], separator.join(numbers)
    if not word or not rest:
        raise _other_columns(row, dim, separator, True, where)
    return word, rest


def _other_columns(row: bytes, dim: int, separator: bytes, named: bool, where: str) -> InputError:
    rule = f"a word and {dim or 'its'} numbers" if named else f"{dim} numbers"
    return InputError(f"line must be {rule}; got {row.count(separator) + 1} columns ({where}). {AGAIN}")


def _numbers(rows: list[bytes], separator: bytes, path: Path, number: int) -> NDArray[np.float32]:
    try:
        texts = pc.split_pattern(pa.array(rows, pa.binary()).cast(pa.string()), separator.decode())
        values = texts.flatten().cast(pa.float32()).to_numpy()
        if np.isfinite(values).all():
            return values
    except pa.ArrowInvalid:
        pass
    every = ((place, text) for place, row in enumerate(rows, number) for text in row.split(separator))
    place, text = next((place, text) for place, text in every if not is_number(text))
    raise InputError(f"components must be finite numbers; got {shown(text)} ({path}, line {place}). {AGAIN}")


def is_number(text: bytes) -> bool:
    """Whether a component is a finite number, by the same reader that reads all of them."""
    try:
        return bool(np.isfinite(pa.array([text], pa.binary()).cast(pa.string()).cast(pa.float32())[0].as_py()))
    except pa.ArrowInvalid:
        return False
