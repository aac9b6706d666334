"""Questions as people type them: the words of a command, or standard input with one question a line."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TypeVar

from simglove_spark.config import TextConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.vectors import Vectors

STANDARD_INPUT = "-"
Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Line:
    """A line of standard input: its number, and its text without the line's end."""

    number: int
    raw: bytes

    @property
    def text(self) -> str:
        """The text; what is not UTF-8 is shown by U+FFFD."""
        return self.raw.decode("utf-8", "replace")

    def read(self, parse: Callable[[str], Asked]) -> Asked:
        """The question that stands there.

        Raises
        ------
        InputError
            When it is not UTF-8, or not such a question.
        """
        try:
            return parse(self.raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(f"question must be UTF-8; got {self.raw[:40]!r}. Convert the text.") from error


def are_piped(words: Sequence[str]) -> bool:
    """Whether the questions come on standard input: asked for by ``-``, or no words are given and it is no terminal."""
    return tuple(words) == (STANDARD_INPUT,) or (not words and sys.stdin is not None and not sys.stdin.isatty())


def lines() -> Iterator[Line]:
    """Lines of standard input that are not blank, as they come.

    Raises
    ------
    ConfigError
        When there is none.
    """
    stripped = (Line(number, raw.rstrip(b"\r\n")) for number, raw in enumerate(sys.stdin.buffer, 1))
    filled = (line for line in stripped if line.raw.strip())
    first = next(filled, None)
    if first is None:
        raise no_words()
    return chain([first], filled)


def no_words() -> ConfigError:
    """The error of a command without a question."""
    return ConfigError("words must be given; got none. Write for example: simglove similar king --vectors RUN/vectors")


def read_texts_as(options: TextConfig, known: Vectors) -> None:
    """Let the vectors cut texts as the options say, and else as their corpus was; refuses a tokenizer that cannot be had."""
    known.reading = known.reading.over(**asdict(options))
    known.reading.check()


def check_text(words: Sequence[str]) -> None:
    """Refuse words of the command line that are not UTF-8."""
    for word in words:
        try:
            word.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(f"words must be UTF-8; got {word[:40]!r}. Set the terminal to UTF-8.") from error


def tabbed_pair(line: str) -> tuple[str, ...]:
    """Two words or sentences with a tab between them."""
    pair = tuple(line.split("\t"))
    if len(pair) != 2:
        raise InputError(f"line must be two, with a tab between them; got {line[:40]!r}. Mend it.")
    return pair


def plus_and_minus(line: str) -> tuple[list[str], list[str]]:
    """Words to be added and, after a ``-`` that stands alone, words to be subtracted: "king woman - man"."""
    words = line.split()
    cut = words.index(STANDARD_INPUT) if STANDARD_INPUT in words else len(words)
    if cut == 0:
        raise InputError(f"question must begin with words to be added; got {line[:40]!r}. Write: king woman - man")
    return words[:cut], words[cut + 1 :]
