"""Vectors in the file formats that other tools read, both ways.

    word2vec-text     "V dim", then a line a word: the word and its components, one space between them
    word2vec-binary   "V dim" as text, then for each word: the word, a space, dim little-endian float32, a newline
    glove-text        word2vec-text without its first line

Text components are the shortest decimals that read back as the same float32, bit for bit. These formats carry no counts:
loaded vectors have counts of 0, and their order says which word is more frequent.
"""

import mmap
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simglove_spark import output
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.vectors import Vectors
from simglove_spark.vectors_table import refuse_non_finite

#: Characters that end a word or a line for the readers of these formats.
SEPARATORS = " \n\r\t\0"
BATCH_ROWS = 1024
PRINTABLE = frozenset(b"\t\r\n") | frozenset(range(0x20, 0x7F))


def save_word2vec(vectors: Vectors, path: str | Path, binary: bool = False, overwrite: bool = False) -> None:
    """Write word2vec's text or binary format.

    Raises
    ------
    ConfigError
        When the file exists and ``overwrite`` is False.
    InputError
        When a word holds a space, tab, line break or NUL, which these formats cannot express.
    """
    _save(vectors, path, _binary_rows if binary else _text_rows, overwrite, header=True)


def save_glove_text(vectors: Vectors, path: str | Path, overwrite: bool = False) -> None:
    """Write GloVe's text format; errors as in `save_word2vec`."""
    _save(vectors, path, _text_rows, overwrite, header=False)


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
    path = output.local_path(path)
    with _reading(path) as stream:
        size, dim = _header(stream.readline(), path)
        if binary is None:
            binary = _is_binary(stream, path, size, dim)
        words, matrix = _read_binary(stream, path, size, dim) if binary else _read_text(stream, path, 2, dim)
    if len(words) != size:
        raise InputError(f"first line must count the words; got {size:,} for {len(words):,} ({path}). {_AGAIN}")
    return _vectors(words, matrix, "word" if binary else "line", 1 if binary else 2, path)


def load_glove_text(path: str | Path) -> Vectors:
    """Read GloVe's text format; errors as in `load_word2vec`."""
    path = output.local_path(path)
    with _reading(path) as stream:
        words, matrix = _read_text(stream, path, 1, None)
    return _vectors(words, matrix, "line", 1, path)


class Format(NamedTuple):
    """How one format is written and read."""

    save: Callable[..., None]
    load: Callable[..., Vectors]


FORMATS: dict[str, Format] = {
    "word2vec-text": Format(partial(save_word2vec, binary=False), partial(load_word2vec, binary=False)),
    "word2vec-binary": Format(partial(save_word2vec, binary=True), partial(load_word2vec, binary=True)),
    "glove-text": Format(save_glove_text, load_glove_text),
}

_AGAIN = "Get the file again: it is cut short or damaged."


def _save(
    vectors: Vectors,
    path: str | Path,
    rows: Callable[[list[str], NDArray[np.float32]], bytes],
    overwrite: bool,
    header: bool,
) -> None:
    """Write beside the path and rename, so that a file under that name is always whole."""
    path = output.local_path(path)
    if path.is_dir() or (path.exists() and not overwrite):
        raise ConfigError(f"output must be a new file; got one that exists ({path}). Give another, or overwrite.")
    _check_words(vectors)
    refuse_non_finite(vectors.matrix, vectors.words)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as out:
            if header:
                out.write(b"%d %d\n" % vectors.matrix.shape)
            for start in range(0, len(vectors), BATCH_ROWS):
                batch = slice(start, start + BATCH_ROWS)
                out.write(rows(vectors.words[batch], vectors.matrix[batch]))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ResourceError(f"output must be writable; got {error.strerror} ({path}). Give another path.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _check_words(vectors: Vectors) -> None:
    bad = [word for word in vectors.words if any(separator in word for separator in SEPARATORS)]
    if bad:
        raise InputError(
            f"words must be free of spaces, tabs, line breaks and NUL in this format; got {len(bad):,} that are not, "
            f"such as {bad[0]!r}. Use the vectors table itself, which holds any word, or drop them."
        )


def _text_rows(words: list[str], matrix: NDArray[np.float32]) -> bytes:
    # Arrow writes the shortest decimal that is the same float32, and reads it with one rounding only
    numbers = pa.array(np.ascontiguousarray(matrix).reshape(-1)).cast(pa.string())
    ends = np.arange(0, matrix.size + 1, matrix.shape[1], dtype=np.int32)
    rows = pc.binary_join(pa.ListArray.from_arrays(ends, numbers), " ").to_pylist()
    return "".join(f"{word} {row}\n" for word, row in zip(words, rows, strict=True)).encode()


def _binary_rows(words: list[str], matrix: NDArray[np.float32]) -> bytes:
    rows = matrix.astype("<f4")
    return b"".join(b"%s %s\n" % (word.encode(), row.tobytes()) for word, row in zip(words, rows, strict=True))


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    if not path.is_file():
        raise InputError(f"vectors must be a file; got {'a folder' if path.is_dir() else 'nothing'} ({path}).")
    if path.stat().st_size == 0:
        raise InputError(f"vectors must be at least one line; got an empty file ({path}). {_AGAIN}")
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise InputError(f"vectors must be readable; got {error.strerror} ({path}).") from error


def _header(line: bytes, path: Path) -> tuple[int, int]:
    numbers = line.split()
    if len(numbers) != 2 or not all(number.isdigit() and 0 < int(number) < 2**31 for number in numbers):
        raise InputError(
            f"first line must be the numbers of words and of dimensions; got {_shown(line)} ({path}, line 1). "
            "A file without such a line is glove-text."
        )
    return int(numbers[0]), int(numbers[1])


def _is_binary(stream: BinaryIO, path: Path, size: int, dim: int) -> bool:
    """Whether the words after the header come with raw bytes; the stream stays where it is."""
    start = stream.tell()
    record = stream.readline(64 * dim + 4096)
    stream.seek(start)
    columns = record.rstrip().split(b" ")
    if len(columns) == dim + 1 and all(_is_number(column) for column in columns[1:]):
        return False
    if not PRINTABLE.issuperset(record.partition(b" ")[2][: 4 * dim]):
        return True
    try:  # a broken line of text, or numbers whose bytes happen to be letters
        _read_binary(stream, path, size, dim)
    except InputError:
        return False
    return True


def _read_text(stream: BinaryIO, path: Path, number: int, dim: int | None) -> tuple[list[str], NDArray[np.float32]]:
    """Words and components from line ``number`` on; without ``dim`` the first line has as many as all."""
    words: list[str] = []
    blocks: list[NDArray[np.float32]] = []
    while lines := list(islice(stream, BATCH_ROWS)):
        rows = [line.rstrip(b" \t\r\n").split(b" ") for line in lines]
        dim = dim or len(rows[0]) - 1
        for place, row in enumerate(rows, number):
            if len(row) != dim + 1 or dim == 0 or not row[0]:
                rule = f"a word and {dim or 'its'} numbers"
                raise InputError(f"line must be {rule}; got {len(row)} columns ({path}, line {place}). {_AGAIN}")
            words.append(_decoded(row[0], f"{path}, line {place}"))
        blocks.append(_numbers(rows, path, number).reshape(-1, dim))
        number += len(rows)
    return words, np.concatenate(blocks) if blocks else np.empty((0, dim or 0), np.float32)


def _numbers(rows: list[list[bytes]], path: Path, number: int) -> NDArray[np.float32]:
    try:
        texts = pa.array([text for row in rows for text in row[1:]], pa.binary()).cast(pa.string())
        values = texts.cast(pa.float32()).to_numpy()
        if np.isfinite(values).all():
            return values
    except pa.ArrowInvalid:
        pass
    place, text = next(
        (place, text) for place, row in enumerate(rows, number) for text in row[1:] if not _is_number(text)
    )
    raise InputError(f"components must be finite numbers; got {_shown(text)} ({path}, line {place}). {_AGAIN}")


def _is_number(text: bytes) -> bool:
    """Whether a component is a finite number, by the same reader that reads all of them."""
    try:
        return bool(np.isfinite(pa.array([text], pa.binary()).cast(pa.string()).cast(pa.float32())[0].as_py()))
    except pa.ArrowInvalid:
        return False


def _read_binary(stream: BinaryIO, path: Path, size: int, dim: int) -> tuple[list[str], NDArray[np.float32]]:
    words: list[str] = []
    position, end = stream.tell(), path.stat().st_size
    needed = position + size * (4 * dim + 2)  # no word is shorter than one byte and its space
    if end < needed:
        raise InputError(f"{size:,} words must take {needed:,} bytes or more; got {end:,} ({path}). {_AGAIN}")
    matrix = np.empty((size, dim), np.float32)
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for row in range(size):
            where = f"{path}, word {row + 1}"
            position += data[position : position + 1] == b"\n"  # some writers end a vector so, others do not
            space = data.find(b" ", position)
            if space <= position or space + 1 + 4 * dim > end:
                raise InputError(f"word must be followed by {dim} numbers; got the file's end ({where}). {_AGAIN}")
            words.append(_decoded(data[position:space], where))
            position = space + 1 + 4 * dim
            matrix[row] = np.frombuffer(data[space + 1 : position], "<f4")
        if data[position : position + 2] not in (b"", b"\n"):
            raise InputError(f"file must end after {size:,} words; got more bytes ({path}). {_AGAIN}")
    bad = np.argwhere(~np.isfinite(matrix))
    if len(bad):
        row, column = bad[0].tolist()
        raise InputError(f"components must be finite; got {matrix[row, column]} ({path}, word {row + 1}). {_AGAIN}")
    return words, matrix


def _vectors(words: list[str], matrix: NDArray[np.float32], unit: str, first: int, path: Path) -> Vectors:
    """Vectors of a file read to its end; its words must be distinct, and ``unit`` counts them from ``first``."""
    if len(set(words)) < len(words):
        places: dict[str, int] = {}
        for place, word in enumerate(words, first):
            if places.setdefault(word, place) != place:
                raise InputError(
                    f"words must be unique; got {word!r} in {unit} {places[word]} and again ({path}, {unit} {place}). "
                    "Keep one of the two."
                )
    return Vectors(words, matrix)


def _decoded(word: bytes, where: str) -> str:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"words must be UTF-8; got {_shown(word)} ({where}). Convert the file.") from error


def _shown(raw: bytes) -> str:
    """Start of some bytes, for a message."""
    return ascii(raw[:40])[1:]
