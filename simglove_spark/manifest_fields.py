"""What a manifest's fields may hold: anybody may have written the file, so each is checked before it is believed."""

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from simglove_spark.choices import is_tokenizer
from simglove_spark.errors import InputError

MOST = 2**63
MOST_SHARDS = 2**20

Test = Callable[[Any], bool]


class Details(dict[str, Any]):
    """Details of a table; one that is asked for and not there is an `InputError`."""

    def __missing__(self, key: str) -> NoReturn:
        raise InputError(f"manifest must tell {key} among its details; got {', '.join(self) or 'none'}. Count again.")


def check_record(raw: dict[str, Any]) -> None:
    """Check what stands in latest.json, or in the history beside it.

    Raises
    ------
    ValueError
        When it holds something else than `publish` writes.
    """
    if not RECORD(raw):
        raise ValueError("fields that publish does not write")


def check_fields(raw: dict[str, Any]) -> None:
    """Check what stands in a manifest's JSON, beside ``format_version`` and ``table``.

    Raises
    ------
    ValueError
        With the first field that holds something else than this tool writes.
    """
    json.dumps(raw, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    for values, tests in ((raw, FIELDS), (raw["details"], DETAILS), (raw["config"], CONFIG)):
        for name, test in tests.items():
            if name in values and not test(values[name]):
                raise ValueError(f"{name} is {str(values[name])[:100]}")


def escapes(path: str) -> bool:
    """Whether a file's path could lead out of its folder, on any system."""
    return not path or path.startswith("/") or bool(re.search(r"[\0\\]|^[A-Za-z]:|(^|/)\.\.(/|$)", path))


def is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold, and not a boolean."""
    return _between(-MOST, MOST)(value) or (type(value) is float and math.isfinite(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _between(least: int, most: int) -> Test:
    return lambda value: type(value) is int and least <= value <= most


def _or_none(test: Test) -> Test:
    return lambda value: value is None or test(value)


def _each(test: Test) -> Test:
    return lambda values: isinstance(values, list) and all(map(test, values))


def _named(test: Test) -> Test:
    return lambda value: isinstance(value, dict) and all(map(test, value.values()))


def _with(needed: dict[str, Test], **others: Test) -> Test:
    """An object with the fields that are needed, and others that hold what they must, if they are there."""

    def test(value: Any) -> bool:
        if not isinstance(value, dict) or not needed.keys() <= value.keys():
            return False
        return _all({**needed, **others}.items(), value)

    return test


def _all(tests: Iterable[tuple[str, Test]], value: dict[str, Any]) -> bool:
    return all(test(value[name]) for name, test in tests if name in value)


_whole, _count = _between(-MOST, MOST), _between(0, MOST)
_file = _with({"path": _is_text, "rows": _count, "bytes": _count, "sha256": _is_text}, stored=_is_text)
_input = {"bytes": _or_none(_count), "modified": _or_none(_whole), "weight": _whole}
_reading = {"normalize": lambda value: value in ("none", "nfkc"), "tokenizer": is_tokenizer, "lowercase": _is_bool}
_number = _or_none(is_number)
_pass = _with({}, loss=_number, held_out_loss=_number)

FIELDS: dict[str, Test] = {
    "schema": _named(_is_text),
    "files": _each(_file),
    "config": _is_object,
    "config_hash": _is_text,
    "inputs": _each(_with({"path": _is_text}, **_input)),
    "bad_files": _each(_with({"path": _is_text}, reason=_is_text, **_input)),
    "parents": _each(_with({"table": _is_text, "sha256": _is_text})),
    "seed": _whole,
    "details": _is_object,
    "versions": _named(_is_text),
}
DETAILS: dict[str, Test] = {
    "unit": _between(1, MOST),
    "num_shards": _between(1, MOST_SHARDS),
    "total_pairs": _count,
    "total_words": _count,
    "dim": _between(1, 2**31),
    "vocabulary_size": _count,
    "window_size": _or_none(_between(1, MOST)),
    "weighting": _is_text,
    "counters": _named(_whole),
    "passes": _each(_pass),
    "reading": lambda value: _with({}, **_reading)(value) and value.keys() <= _reading.keys(),
    "imported": _with({"format": _is_text, "files": _each(_file)}),
}
#: Options that a later stage reckons with; of all others it only asks whether they are the same.
CONFIG: dict[str, Test] = {"count_power": _number, "min_count": _whole, "max_vocab": _or_none(_whole)}
#: What readers reckon with of a record of what was published.
_published = {"number": _between(1, 10**6), "path": _is_text, "run_id": _or_none(_is_text)}
RECORD = _with(
    {
        **_published,
        "vectors": _is_text,
        "tables": _with({"vectors": _is_text}),
        "previous": _or_none(_with(_published)),
    }
)
