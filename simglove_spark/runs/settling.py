"""The nearest words of `--watch` after each pass of training, as run.json keeps them: heard while they are told."""

from typing import Any

from simglove_spark.observing.stages import Stage
from simglove_spark.shown import short_text

NEIGHBOURS = "neighbours"  # in run.json, and the event's name
PASSES = ("sweep", "epoch")


class Settling:
    """Listens to training. What an earlier run of the folder heard is kept as far as training goes on from there.

    Parameters
    ----------
    record : dict
        What run.json said before.

    Attributes
    ----------
    heard : list of dict
        One for each pass and word: ``sweep`` or ``epoch``, ``word``, ``nearest``, and how many of these ``stayed`` since the pass before.
    """

    def __init__(self, record: dict[str, Any]) -> None:
        self.heard = neighbours_of(record)

    def started(self, stage: Stage) -> None:
        """Nothing: only passes count."""

    def ended(self, stage: Stage) -> None:
        """Nothing: only passes count."""

    def told(self, stage: Stage | None, event: str, fields: dict[str, Any]) -> None:
        """Keep the neighbours of a pass, and drop those of passes that are made again."""
        if event in PASSES:
            self.heard[:] = [one for one in self.heard if _number(one) < fields[event]]
        elif event == NEIGHBOURS:
            kept = {name: fields[name] for name in (*PASSES, "stayed") if name in fields}
            nearest = [short_text(word) for word in fields["nearest"]]
            self.heard.append({**kept, "word": short_text(fields["word"]), "nearest": nearest})


def neighbours_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What run.json says of them; nothing where it says something else, since anybody may have written it."""
    told = record.get(NEIGHBOURS, [])
    return [one for one in told if _is_one(one)] if isinstance(told, list) else []


def _is_one(told: Any) -> bool:
    if not isinstance(told, dict) or not isinstance(told.get("word"), str) or not isinstance(told.get("nearest"), list):
        return False
    return (
        _number(told) > 0 and type(told.get("stayed")) is int and all(isinstance(word, str) for word in told["nearest"])
    )


def _number(told: dict[str, Any]) -> int:
    return next((told[name] for name in PASSES if type(told.get(name)) is int), 0)
