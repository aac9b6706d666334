"""Plain text files read by byte ranges, so that any number of tasks may share a file, even one that is a single line.

A range owns the words that start in it: it begins after a word that an earlier range owns, and reads its own last word to
the end. It owns the pairs whose left word it owns, so it reads on, in the same row, for as many words as a window needs.
"""

import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

from simglove_spark.errors import InputError
from simglove_spark.text_rows import Cleaning, Piece, clean

BLOCK_BYTES, AHEAD_BYTES = 4 << 20, 1 << 16
MOST_BYTES, LEAST_BYTES = 128 << 20, 1 << 20  # of a task; fewer tasks send fewer cells, for each sends those it met
TASKS_ON_A_CLUSTER, LEAST_BYTES_ON_A_CLUSTER = 256, 16 << 20
_WHITE = re.compile(rb"[ \t-\r]")
_LINE_END = re.compile(rb"\r\n?|\n")
_NEWLINE, _RETURN = b"\n"[0], b"\r"[0]


class Range(NamedTuple):
    """Bytes ``begin`` to ``end`` of a file that had ``size`` bytes when it was listed."""

    path: str
    begin: int
    end: int
    size: int


def plan(files: list[dict[str, Any]], slots: int | None) -> list[list[Range]]:
    """Ranges of each task: equal shares of all bytes.

    Parameters
    ----------
    files : list of dict
        path and bytes of each, as `corpus.list_inputs` gives them.
    slots : int or None
        Tasks that run at once; None where a cluster decides.
    """
    total = sum(file["bytes"] for file in files)
    if slots is None:
        tasks = -(-total // min(MOST_BYTES, max(LEAST_BYTES_ON_A_CLUSTER, total // TASKS_ON_A_CLUSTER)))
    else:
        tasks = min(-(-total // MOST_BYTES // slots) * slots, max(1, total // LEAST_BYTES))
    cuts = [total * task // tasks for task in range(tasks + 1)] if tasks else []
    planned: list[list[Range]] = [[] for _ in range(tasks)]
    first = task = 0
    for file in files:
        if file["bytes"] == 0:
            continue
        last = first + file["bytes"]
        while task < tasks and cuts[task] < last:
            begin, end = max(first, cuts[task]), min(last, cuts[task + 1])
            planned[task].append(Range(file["path"], begin - first, end - first, file["bytes"]))
            if cuts[task + 1] > last:
                break
            task += 1
        first = last
    return planned


def pieces(
    batches: Iterator[pa.RecordBatch], tasks: list[list[Range]], cleaning: Cleaning, whole_rows: bool = False
) -> Iterator[Piece]:
    """Text of the tasks whose numbers stand in the batches' one column."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            for own in tasks[task]:
                yield from pieces_of(own, cleaning, whole_rows)


def pieces_of(own: Range, cleaning: Cleaning, whole_rows: bool = False) -> Iterator[Piece]:
    """Text of a range: the words that start in it, or with ``whole_rows`` the rows that begin in it.

    A row longer than a block comes in several open pieces, one after another.

    Raises
    ------
    InputError
        When the file cannot be read, or is not the one that was listed.
    """
    with _opened(own) as stream:
        begin, is_cut = _first_byte(stream, own, whole_rows)
        if whole_rows and begin < own.end:
            own = own._replace(end=_row_begin(stream, own, own.end, own.size))
        for text, end in _blocks(stream, own, begin):
            following = _read(stream, own, end, 1) if end < own.size else b""
            column, rows, is_open = _rows(text, following)
            column, bad = clean(column, cleaning)
            ahead = _ahead(stream, own, end, cleaning) if is_open and end >= own.end else None
            yield Piece(column, rows, bad, is_open, ahead, is_cut)
            is_cut = False


def _first_byte(stream: BinaryIO, own: Range, whole_rows: bool) -> tuple[int, bool]:
    """Where the range's own text begins, at or after its end when it has none; and whether that is within a row."""
    mark = len(BOM_UTF8)  # passed over as Spark's reader does
    if own.begin <= mark:
        stream.seek(0)
        begin = mark if stream.read(mark) == BOM_UTF8 else 0
        if own.begin <= begin:
            return begin, False
    if whole_rows:
        return _row_begin(stream, own, own.begin, own.end), False
    begin = own.begin
    if not _WHITE.match(_read(stream, own, begin - 1, 1)):
        begin += sum(map(len, _rest_of_word(stream, own, begin)))
    return begin, _LINE_END.match(_read(stream, own, begin - 1, 1)) is None


def _row_begin(stream: BinaryIO, own: Range, position: int, limit: int) -> int:
    """First place from ``position`` on where a row begins; ``limit`` or later when there is none before it."""
    position -= 1  # a line may end right before
    while position < limit:
        text = _read(stream, own, position, min(AHEAD_BYTES, own.size - position))
        if found := _LINE_END.search(text):
            position += found.end()
            is_cut = found.end() == len(text) and found[0] == b"\r" and position < own.size
            return position + (is_cut and _read(stream, own, position, 1) == b"\n")
        position += len(text)
    return position


def _blocks(stream: BinaryIO, own: Range, position: int) -> Iterator[tuple[bytes, int]]:
    """Whole words, a few megabytes at a time, and where each block ends; never between the two bytes of a line's end."""
    held: list[bytes] = []
    while position < own.end:
        text = _read(stream, own, position, min(BLOCK_BYTES, own.end - position))
        position += len(text)
        if position == own.end:
            rest = b"" if _WHITE.match(text[-1:]) else b"".join(_rest_of_word(stream, own, position))
            yield b"".join([*held, text, rest]), position + len(rest)
            return
        cut = max(text.rfind(white) for white in (b" ", b"\n", b"\t", b"\v", b"\f")) + 1
        if cut:
            yield b"".join([*held, text[:cut]]), position - len(text) + cut
            held = []
        held.append(text[cut:])


def _rows(text: bytes, following: bytes) -> tuple[pa.Array, int, bool]:
    """Rows of a block, how many end in it, and whether the last one goes on after it; ``following`` is the next byte."""
    data = np.frombuffer(text, np.uint8)
    is_end = data == _NEWLINE
    returns = data == _RETURN
    if returns.any():
        is_end |= returns & (np.append(data[1:], following[0] if following else 0) != _NEWLINE)
    ends = np.flatnonzero(is_end) + 1
    is_whole = ends.size > 0 and ends[-1] == data.size
    bounds = np.concatenate([[0], ends, [] if is_whole else [data.size]]).astype(np.int64)
    column = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), bounds.size - 1, [None, pa.py_buffer(bounds), pa.py_buffer(text)]
    )
    is_open = not is_whole and bool(following)
    return column, bounds.size - 1 - is_open, is_open


def _ahead(stream: BinaryIO, own: Range, position: int, cleaning: Cleaning) -> Iterator[Piece]:
    """What follows in the row that is open at the range's end."""
    is_open, size = True, AHEAD_BYTES
    while is_open and position < own.size:
        further = Range(own.path, position, min(position + size, own.size), own.size)
        text, position = next(_blocks(stream, further, position))
        column, _, more = _rows(text, _read(stream, own, position, 1) if position < own.size else b"")
        is_open = more and len(column) == 1
        yield Piece(clean(column[:1], cleaning)[0], 0, 0, is_open)
        size = BLOCK_BYTES


def _rest_of_word(stream: BinaryIO, own: Range, position: int) -> Iterator[bytes]:
    """Bytes up to the next white space, or the file's end, in parts."""
    while position < own.size:
        text = _read(stream, own, position, min(AHEAD_BYTES, own.size - position))
        white = _WHITE.search(text)
        yield text[: white.start()] if white else text
        if white:
            return
        position += len(text)


@contextmanager
def _opened(own: Range) -> Iterator[BinaryIO]:
    try:
        with open(own.path, "rb") as stream:  # noqa: PTH123 - a file's own open
            size = os.fstat(stream.fileno()).st_size
            if size != own.size:
                raise _changed(own, size)
            yield stream
    except OSError as error:
        raise InputError(
            f"input must be readable to the end; got {error.strerror or error} ({own.path}). "
            "On a cluster every worker must see it under this path."
        ) from error


def _read(stream: BinaryIO, own: Range, position: int, size: int) -> bytes:
    stream.seek(position)
    text = stream.read(size)
    if len(text) < size:
        raise _changed(own, position + len(text))
    return text


def _changed(own: Range, size: int) -> InputError:
    return InputError(
        f"input must stay as it is while it is read; got {size:,} bytes instead of {own.size:,} ({own.path}). "
        "Start again when it is whole."
    )
