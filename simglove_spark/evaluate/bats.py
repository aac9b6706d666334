"""The Bigger Analogy Test Set (Gladkova, Drozd & Matsuoka 2016) as published: a folder of four kinds of relation, each a folder
of ten categories, each a file of fifty lines with a word, a tab, and its answers with slashes between them.

Questions and what bars an answer are those of its authors' own tool, vecto.
"""

import re
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from simglove_spark.errors import InputError
from simglove_spark.evaluate.lines import is_numeric, lines, shown

LOOKS = "a folder of .txt files, or of folders of them, with a word, a tab and its answers between slashes (BATS)"
BARRED = "those asked and all answers of the first pair (BATS: any right answer counts)"
HEAD = 5
_NUMBER = re.compile(r"^\d+_")


class Category(NamedTuple):
    """A file: its name, its folder's as people would write it, and each word with its answers."""

    name: str
    group: str | None
    pairs: list[tuple[str, tuple[str, ...]]]


def is_here(folder: Path) -> bool:
    """Whether the folder's first file looks like a category."""
    first = [_columns(line) for path in _files(folder)[:1] for _, line in islice(lines(path), HEAD)]
    return bool(first) and all(len(columns) == 2 and not is_numeric(columns[1]) for columns in first)


def read(folder: Path) -> list[Category]:
    """All categories, in order of their names.

    Raises
    ------
    InputError
        When a line is not a word and answers, or a file is empty or not UTF-8.
    """
    return [
        Category(
            path.stem,
            _NUMBER.sub("", path.parent.name).replace("_", " ") if path.parent != folder else None,
            _pairs(path),
        )
        for path in _files(folder)
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.txt")) or sorted(folder.glob("*.txt"))


def _columns(line: str) -> list[str]:
    return line.lower().split("\t" if "\t" in line else None)


def _pairs(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    pairs = []
    for number, line in lines(path):
        word, *rest = _columns(line.rstrip())
        given = rest[0] if len(rest) == 1 else ""
        answers = tuple(filter(None, (one.strip() for one in given.split("/" if "/" in given else ","))))
        if not word.strip() or not answers:
            rule = "a word, a tab and its answers"
            raise InputError(f"line must be {rule}; got {shown([line])} ({path}, line {number}). Mend it.")
        pairs.append((word.strip(), answers))
    return pairs
