"""word2vec's two formats.

    word2vec-text     "V dim", then a line a word: the word and its components, one space between them
    word2vec-binary   "V dim" as text, then for each word: the word, a space, dim little-endian float32, a newline

They carry no counts: loaded vectors have counts of 0, and their order says which word is more frequent.
"""

import mmap
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.formats.decimals import is_number, read_lines, texts
from simglove_spark.formats.numbers import Dtype
from simglove_spark.formats.places import reading
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import AGAIN, refuse_twice, shown, utf8
from simglove_spark.storage.copies import fetched
from simglove_spark.vectors import Vectors
from simglove_spark.vectors_table import first_not_finite

PRINTABLE = frozenset(b"\t\r\n") | frozenset(range(0x20, 0x7F))


def write_text(rows: Rows, path: Path, dtype: Dtype) -> None:
    """Write the text format."""
    with path.open("wb") as out:
        out.write(b"%d %d\n" % rows.shape)
        write_lines(rows, out)


def write_lines(rows: Rows, out: BinaryIO) -> None:
    """Write a line a word."""
    for block in rows.blocks():
        lines = zip(block.words, texts(block.matrix), strict=True)
        out.write("".join(f"{word} {row}\n" for word, row in lines).encode())


def write_binary(rows: Rows, path: Path, dtype: Dtype) -> None:
    """Write the binary format."""
    with path.open("wb") as out:
        out.write(b"%d %d\n" % rows.shape)
        for block in rows.blocks():
            numbers = zip(block.words, block.matrix.astype("<f4"), strict=True)
            out.write(b"".join(b"%s %s\n" % (word.encode(), row.tobytes()) for word, row in numbers))


def load_word2vec(path: str | Path, binary: bool | None = None) -> Vectors:
    """Read word2vec's text or binary format.

    Parameters
    ----------
    path
        File to read.
    binary
        Which of the two it is; None looks at the first word's components.

    Raises
    ------
    InputError
        When the file is missing, cut short or malformed; the message has the line (text) or the word's number (binary).
    """
    path = fetched(path)
    with reading(path) as stream:
        size, dim = _header(stream.readline(), path)
        if binary is None:
            binary = is_binary(stream, path, size, dim)
        words, matrix = _read_binary(stream, path, size, dim) if binary else read_lines(stream, path, 2, dim)
    if len(words) != size:
        raise InputError(f"first line must count the words; got {size:,} for {len(words):,} ({path}). {AGAIN}")
    refuse_twice(words, "word" if binary else "line", 1 if binary else 2, path)
    return Vectors(words, matrix)


def is_header(line: bytes) -> bool:
    """Whether a line is the numbers of words and of dimensions."""
    numbers = line.split()
    return len(numbers) == 2 and all(number.isdigit() and 0 < int(number[:20]) < 2**31 for number in numbers)


def _header(line: bytes, path: Path) -> tuple[int, int]:
    if not is_header(line):
        raise InputError(
            f"first line must be the numbers of words and of dimensions; got {shown(line)} ({path}, line 1). "
            "A file without such a line is glove-text."
        )
    size, dim = line.split()
    return int(size), int(dim)


def recognise(stream: BinaryIO, path: Path) -> str:
    """Which of the two a file is that begins with a `is_header` line."""
    size, dim = _header(stream.readline(), path)
    return "word2vec-binary" if is_binary(stream, path, size, dim) else "word2vec-text"


def is_binary(stream: BinaryIO, path: Path, size: int, dim: int) -> bool:
    """Whether the words after the header come with raw bytes; the stream stays where it is."""
    start = stream.tell()
    record = stream.readline(64 * dim + 4096)
    stream.seek(start)
    columns = record.rstrip().split(b" ")
    if len(columns) == dim + 1 and all(is_number(column) for column in columns[1:]):
        return False
    if not PRINTABLE.issuperset(record.partition(b" ")[2][: 4 * dim]):
        return True
    try:  # a broken line of text, or numbers whose bytes happen to be letters
        _read_binary(stream, path, size, dim)
    except InputError:
        return False
    return True


def _read_binary(stream: BinaryIO, path: Path, size: int, dim: int) -> tuple[list[str], NDArray[np.float32]]:
    words: list[str] = []
    position, end = stream.tell(), path.stat().st_size
    needed = position + size * (4 * dim + 2)  # no word is shorter than one byte and its space
    if end < needed:
        raise InputError(f"{size:,} words must take {needed:,} bytes or more; got {end:,} ({path}). {AGAIN}")
    matrix = np.empty((size, dim), np.float32)
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for row in range(size):
            where = f"{path}, word {row + 1}"
            position += data[position : position + 1] == b"\n"  # some writers end a vector so, others do not
            space = data.find(b" ", position)
            if space <= position or space + 1 + 4 * dim > end:
                raise InputError(f"word must be followed by {dim} numbers; got the file's end ({where}). {AGAIN}")
            words.append(utf8(data[position:space], where))
            position = space + 1 + 4 * dim
            matrix[row] = np.frombuffer(data[space + 1 : position], "<f4")
        if data[position : position + 2] not in (b"", b"\n"):
            raise InputError(f"file must end after {size:,} words; got more bytes ({path}). {AGAIN}")
    bad = first_not_finite(matrix)
    if bad is not None:
        value = matrix[bad][~np.isfinite(matrix[bad])][0]
        raise InputError(f"components must be finite; got {value} ({path}, word {bad + 1}). {AGAIN}")
    return words, matrix
