"""Evaluation sets as lines and columns of text."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from simglove_spark.errors import InputError

SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas"}
SHOWN = 80
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """Columns of a line, and its number in the file."""

    number: int
    columns: list[str]


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers.

    Raises
    ------
    InputError
        When the file is missing, empty or not UTF-8.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise InputError(f"evaluation set must be a file; got {found} ({path}). Give its path.")
    filled = 0
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = raw.removeprefix(BYTE_ORDER_MARK if number == 1 else b"").decode("utf-8").strip(" \r\n\t")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"line must be UTF-8; got {raw.rstrip()[:40]!r} ({path}, line {number}). Convert the file."
                ) from error
            if line.strip():  # white space of any kind makes no columns
                filled += 1
                yield number, line
    if not filled:
        raise InputError(f"evaluation set must have lines; got an empty file ({path}). Give another file.")


def rows(numbered: Iterable[tuple[int, str]]) -> Iterator[Row]:
    """Columns of each line, separated as in the first one: by tabs, semicolons, commas, or else by white space.

    Lines that begin with # before the first other line are comments.
    """
    separator: str | None = None
    began = False
    for number, line in numbered:
        if not began:
            if line.startswith("#"):
                continue
            separator, began = next((mark for mark in SEPARATORS if mark in line), None), True
        yield Row(number, [column.strip() for column in line.split(separator)])


def number_of(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_numeric(text: str) -> bool:
    """Whether a column is meant as a number, be it nan."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def shown(columns: list[str]) -> str:
    """A line for a message, cut where it is long."""
    text = "\t".join(columns)
    return repr(text[:SHOWN]) + ("..." if len(text) > SHOWN else "")


def without_classes(words: list[str]) -> list[str]:
    """Words without the -n, -v, -j or -a of their word class, which MEN and BLESS have behind every one."""
    marked = all(word[-2:] in ("-n", "-v", "-j", "-a") and len(word) > 2 for word in words)
    return [word[:-2] for word in words] if marked else words
