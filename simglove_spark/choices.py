"""Options of functions that are one of a few words."""

import re
from collections.abc import Iterable

from simglove_spark.errors import ConfigError


def check_choice(name: str, value: object, choices: Iterable[str], hint: str = "Name one of them.") -> None:
    """Raise a `ConfigError` when a value is none of the choices."""
    known = tuple(choices)
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(known)}; got {value!r}. {hint}")


def is_tokenizer(value: object) -> bool:
    """Whether it names a tokenizer: one of ours, or MODULE:FUNCTION."""
    return isinstance(value, str) and bool(re.fullmatch(r"whitespace|words|jieba|[\w.]+:\w+", value))


def check_tokenizer(name: str, value: object) -> None:
    """Raise a `ConfigError` when a value names no tokenizer."""
    if not is_tokenizer(value):
        rule = "be whitespace, words, jieba or MODULE:FUNCTION"
        raise ConfigError(f"{name} must {rule}; got {value}. Leave it out for words between blanks.")
