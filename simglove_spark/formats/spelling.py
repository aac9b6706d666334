"""Words on their way in and out: which ones a format can hold, and files that hold any word."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simglove_spark.errors import InputError
from simglove_spark.formats.rows import Rows

#: Characters that end a word or a line for the readers of text and binary formats.
SEPARATORS = " \n\r\t\0"
WORDS = "words.json"
AGAIN = "Get the file again: it is cut short or damaged."
ANY_WORD = "Use --format parquet, npy, safetensors or faiss, which hold any word, or drop them."


def refuse_words(rows: Rows, forbidden: str, name: str) -> None:
    """Raise an `InputError` when a word holds one of the ``forbidden`` characters."""
    bad = [word for word in rows.words() if any(mark in word for mark in forbidden)] if forbidden else []
    if bad:
        spaces = "spaces, " if " " in forbidden else ""
        raise InputError(
            f"words must be free of {spaces}tabs, line breaks and NUL in {name}; got {len(bad):,} that are not, "
            f"such as {bad[0][:40]!r}. {ANY_WORD}"
        )


def utf8(word: bytes, where: str) -> str:
    """A word read from a file, or an `InputError` when it isn't UTF-8."""
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"words must be UTF-8; got {shown(word)} ({where}). Convert the file.") from error


def shown(raw: bytes) -> str:
    """Start of some bytes, for a message."""
    return ascii(raw[:40])[1:]


def refuse_twice(words: list[str], unit: str, first: int, path: Path) -> None:
    """Raise an `InputError` when a word stands there twice; ``unit`` counts the words from ``first``."""
    if len(set(words)) < len(words):
        places: dict[str, int] = {}
        for place, word in enumerate(words, first):
            if places.setdefault(word, place) != place:
                raise InputError(
                    f"words must be unique; got {word!r} in {unit} {places[word]} and again ({path}, {unit} {place}). "
                    "Keep one of the two."
                )


def write_words(path: Path, words: Iterable[str]) -> None:
    """Write words as a JSON array, one a line: no character of a word can break it."""
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.write("[")
        for place, word in enumerate(words):
            out.write(",\n" if place else "\n")
            out.write(json.dumps(word, ensure_ascii=False))
        out.write("\n]\n")


def read_words(path: Path) -> list[str]:
    """Words of a JSON array."""
    words = read_json(path)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(f"{path.name} must be a JSON array of words; got other values ({path}). {AGAIN}")
    return words


def read_json(path: Path) -> Any:
    """Value of a JSON file, or an `InputError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name} must be JSON in UTF-8; got {str(error)[:200]} ({path}). {AGAIN}") from error
