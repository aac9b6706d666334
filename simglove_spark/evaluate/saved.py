"""What `simglove evaluate --json` printed, read again from a file: rows for a report and a model card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from simglove_spark.errors import InputError
from simglove_spark.manifest_fields import is_number

Interval = tuple[float, float]
PRINTED = "what simglove evaluate --json prints"


class Scored(NamedTuple):
    """One measure of one model on one part of a set; ``score`` is None where no order could be told."""

    kind: str
    file: str
    measure: str
    part: str
    score: float | None
    interval: Interval | None
    found: int
    total: int


class Compared(NamedTuple):
    """The same on the words that all models share, and how far the model is ahead of ``against``; both None for the first model."""

    kind: str
    file: str
    measure: str
    part: str
    vectors: str
    score: float | None
    against: str | None
    difference: float | None
    interval: Interval | None
    found: int
    total: int


@dataclass(frozen=True)
class Saved:
    """Rows of each model, in order, under its name; and those of the comparison, if there are several."""

    models: tuple[tuple[str, list[Scored]], ...]
    shared: list[Compared]


def read_saved(path: Path) -> Saved:
    """Read a file of scores.

    Raises
    ------
    InputError
        When it is missing, or something else.
    """
    try:
        document = json.loads(path.read_bytes())
        several = "models" in document
        models = tuple(_model(model) for model in (document["models"] if several else [document]))
        names = [name for name, _ in models]
        return Saved(models, _shared(document["shared"]["results"], names) if several else [])
    except OSError as error:
        raise InputError(f"scores must be a file; got {error.strerror} ({path}). Save {PRINTED}.") from error
    except (ValueError, RecursionError) as error:  # also what is not UTF-8, or not JSON
        raise InputError(f"scores must be {PRINTED}; got {str(error)[:200]} ({path}). Save that in a file.") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"scores must be {PRINTED}; got other JSON ({path}). Save that in a file.") from error


def _model(model: dict[str, Any]) -> tuple[str, list[Scored]]:
    rows = [
        Scored(
            _text(result["kind"]),
            _text(result["file"]),
            _text(one["measure"]),
            _text(one["part"]),
            _number(one["score"]),
            _interval(one["interval"]),
            _whole(one["found"]),
            _whole(one["total"]),
        )
        for result in model["results"]
        for one in result["scores"]
    ]
    return _text(model["vectors"]), rows


def _shared(results: list[dict[str, Any]], names: list[str]) -> list[Compared]:
    rows = []
    for result in results:
        head = _text(result["kind"]), _text(result["file"]), _text(result["measure"]), _text(result["part"])
        counts = _whole(result["found"]), _whole(result["total"])
        first = {"against": None, "difference": None, "interval": None}
        for name, score, told in zip(names, result["scores"], [first, *result["differences"]], strict=True):
            against = None if told["against"] is None else _text(told["against"])
            difference, interval = _number(told["difference"]), _interval(told["interval"])
            rows.append(Compared(*head, name, _number(score), against, difference, interval, *counts))
    return rows


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _number(value: Any) -> float | None:
    if value is not None and not is_number(value):
        raise TypeError
    return None if value is None else float(value)


def _interval(value: Any) -> Interval | None:
    if value is None:
        return None
    least, most = map(_number, value)
    if least is None or most is None:
        raise TypeError
    return least, most
