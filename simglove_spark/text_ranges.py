"""Plain text files read by byte ranges, so that any number of tasks may share a file, even one that is a single line.

A range owns the words that start in it: it begins after a word that an earlier range owns, and reads its own last word to
the end. It owns the pairs whose left word it owns, so it reads on, in the same row, for as many words as a window needs.
"""

import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from simglove_spark.cleaning import Cleaning, clean
from simglove_spark.errors import InputError
from simglove_spark.row_breaks import RowBreaks, rows_between
from simglove_spark.storage.corpora import reading
from simglove_spark.text_rows import LONGEST_WORD, Origin, Piece, bytes_of, too_long
from simglove_spark.tokenizing import needs_whole_rows

BLOCK_BYTES, AHEAD_BYTES = 4 << 20, 1 << 16
MOST_BYTES, LEAST_BYTES = 128 << 20, 1 << 20  # of a task; fewer tasks send fewer cells, for each sends those it met
TASKS_ON_A_CLUSTER, LEAST_BYTES_ON_A_CLUSTER = 256, 16 << 20
_WHITE = re.compile(rb"[ \t-\r]")
Part = tuple[pa.Array, int, bool, int]  # rows, how many end in it, whether the last one goes on, the byte where it ends


class Range(NamedTuple):
    """Bytes ``begin`` to ``end`` of a file that had ``size`` bytes when it was listed; ``breaks``: what ends its rows."""

    path: str
    begin: int
    end: int
    size: int
    breaks: str = "line"


def plan(files: list[dict[str, Any]], slots: int | None, breaks: str = "line") -> list[list[Range]]:
    """Ranges of each task: equal shares of all bytes.

    Parameters
    ----------
    files : list of dict
        path and bytes of each, as `corpus.list_inputs` gives them.
    slots : int or None
        Tasks that run at once; None where a cluster decides.
    breaks : str
        What ends a row (see `row_breaks`).
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
            planned[task].append(Range(file["path"], begin - first, end - first, file["bytes"], breaks))
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

    A row longer than a block comes in several open pieces, one after another; a tokenizer that must see rows whole gets them so.

    Raises
    ------
    InputError
        When the file cannot be read, or is not the one that was listed.
    """
    is_at_once = needs_whole_rows(cleaning.tokenizer)
    with _opened(own) as stream:
        own = _own_rows(stream, own) if whole_rows or is_at_once else _own_words(stream, own)
        breaks = RowBreaks(own.breaks) if whole_rows or is_at_once else _breaks_at_begin(stream, own)
        is_cut = breaks.in_row
        parts = _parts(stream, own, breaks)
        for raw, rows, is_open, end in _unbroken(parts) if is_at_once else parts:
            column, bad = clean(raw, cleaning)
            origin = None if is_at_once else Origin(own.path, own.size, end - bytes_of(raw).size, raw, cleaning)
            ahead = _ahead(stream, own, end, breaks, cleaning) if is_open and end >= own.end else None
            yield Piece(column, rows, bad, is_open, ahead, origin, is_cut)
            is_cut = False


def _parts(stream: BinaryIO, own: Range, breaks: RowBreaks) -> Iterator[Part]:
    for text, end in _blocks(stream, own):
        following = _read(stream, own, end, 1) if end < own.size else b""
        ends = breaks.ends(text, following)
        is_open = breaks.in_row and bool(following)
        if is_open and end >= own.end and own.breaks != "line":  # a blank line is a row itself, and another range's
            is_open = _row_end(stream, own, end, copy(breaks)) is None
        yield rows_between(text, ends), ends.size + (breaks.in_row and not is_open), is_open, end


def _unbroken(parts: Iterator[Part]) -> Iterator[Part]:
    """The same rows, a row that came in many parts in one."""
    held: list[bytes] = []
    for column, rows, is_open, end in parts:
        first, *others = column.to_pylist()
        held.append(first)
        if is_open and not others:
            continue
        texts = [b"".join(held), *others]
        held = [texts.pop()] if is_open else []
        yield pa.array(texts, pa.large_binary()), rows, False, end


def _first_byte(stream: BinaryIO, own: Range) -> int:
    """Where the file's text begins, if not before the range: after a byte-order mark, as Spark's reader has it."""
    stream.seek(0)
    mark = len(BOM_UTF8)
    return mark if own.begin <= mark and stream.read(mark) == BOM_UTF8 else 0


def _own_words(stream: BinaryIO, own: Range) -> Range:
    """The range from the first word on that starts in it."""
    first = _first_byte(stream, own)
    if own.begin <= first:
        return own._replace(begin=first)
    if _WHITE.match(_read(stream, own, own.begin - 1, 1)):
        return own
    return own._replace(begin=own.begin + sum(map(len, _rest_of_word(stream, own, own.begin))))


def _breaks_at_begin(stream: BinaryIO, own: Range) -> RowBreaks:
    """What ends rows; ``in_row`` when the range's text goes on with a row that an earlier range began, which has it `ahead`."""
    first, breaks = _first_byte(stream, own), RowBreaks(own.breaks)
    position = (own.begin if own.breaks == "line" else _end_of_word(stream, own, first)) - 1
    while first <= position < own.begin:
        text, following = _read_on(stream, own, position, min(AHEAD_BYTES, own.begin - position))
        breaks.ends(text, following)
        position += len(text)
    has_more = own.breaks == "line" or _row_end(stream, own, own.begin, copy(breaks)) is None
    return breaks if breaks.in_row and has_more else RowBreaks(own.breaks)


def _end_of_word(stream: BinaryIO, own: Range, first: int) -> int:
    """Where the last word before the range ends; ``first`` where there is none."""
    position = own.begin
    while position > first:
        size = min(AHEAD_BYTES, position - first)
        text = _read(stream, own, position - size, size).rstrip()
        position -= size
        if text:
            return position + len(text)
    return first


def _own_rows(stream: BinaryIO, own: Range) -> Range:
    """The range from the first row on that begins in it, and to the end of the last one."""
    first = _first_byte(stream, own)
    begin = first if own.begin <= first else _row_begin(stream, own, own.begin, own.end)
    has_rows = own.end > first and begin < own.size
    return own._replace(begin=begin, end=_row_begin(stream, own, own.end, own.size + 1) if has_rows else begin)


def _row_begin(stream: BinaryIO, own: Range, position: int, limit: int) -> int:
    """First place from ``position`` on where a row begins, if what is before it ends before ``limit``; else the file's end."""
    breaks, position = RowBreaks(own.breaks), position - 1  # a line may end right before
    while position < limit - 1:
        text, following = _read_on(stream, own, position, min(AHEAD_BYTES, limit - 1 - position))
        ends = breaks.ends(text, following)
        if ends.size:
            return position + int(ends[0])
        position += len(text)
    end = _row_end(stream, own, position, breaks)
    return own.size if end is None else end


def _row_end(stream: BinaryIO, own: Range, position: int, breaks: RowBreaks) -> int | None:
    """Where the row ends that has come to ``position``; None when another word of it follows."""
    while position < own.size:
        text, following = _read_on(stream, own, position, AHEAD_BYTES)
        white = text[: len(text) - len(text.lstrip())]
        ends = breaks.ends(white, text[len(white) : len(white) + 1] or following)
        if ends.size:
            return position + int(ends[0])
        if len(white) < len(text):
            return None
        position += len(text)
    return own.size


def _blocks(stream: BinaryIO, own: Range) -> Iterator[tuple[bytes, int]]:
    """Whole words, a few megabytes at a time, and where each block ends; never between the two bytes of a line's end."""
    held: list[bytes] = []
    position = own.begin
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
        if sum(map(len, held)) > LONGEST_WORD:
            raise too_long(own.path)


def _ahead(stream: BinaryIO, own: Range, position: int, breaks: RowBreaks, cleaning: Cleaning) -> Iterator[Piece]:
    """What follows in the row that is open at the range's end."""
    is_open, size = True, AHEAD_BYTES
    while is_open and position < own.size:
        further = own._replace(begin=position, end=min(position + size, own.size))
        text, position = next(_blocks(stream, further))
        following = _read(stream, own, position, 1) if position < own.size else b""
        ends = breaks.ends(text, following)
        is_open = ends.size == 0 and bool(following)
        origin = Origin(own.path, own.size, position - len(text), rows_between(text, ends)[:1], cleaning)
        yield Piece(clean(origin.rows, cleaning)[0], 0, 0, is_open, origin=origin)
        size = BLOCK_BYTES


def _rest_of_word(stream: BinaryIO, own: Range, position: int) -> Iterator[bytes]:
    """Bytes up to the next white space, or the file's end, in parts."""
    first = position
    while position < own.size:
        if position - first > LONGEST_WORD:
            raise too_long(own.path)
        text = _read(stream, own, position, min(AHEAD_BYTES, own.size - position))
        white = _WHITE.search(text)
        yield text[: white.start()] if white else text
        if white:
            return
        position += len(text)


@contextmanager
def _opened(own: Range) -> Iterator[BinaryIO]:
    try:
        with reading(own.path) as stream:
            size = stream.seek(0, os.SEEK_END)
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


def _read_on(stream: BinaryIO, own: Range, position: int, size: int) -> tuple[bytes, bytes]:
    """Up to ``size`` bytes, and the one after them, which the file's end has not."""
    text = _read(stream, own, position, min(size + 1, own.size - position))
    return text[:size], text[size:]


def _changed(own: Range, size: int) -> InputError:
    return InputError(
        f"input must stay as it is while it is read; got {size:,} bytes instead of {own.size:,} ({own.path}). "
        "Start again when it is whole."
    )
