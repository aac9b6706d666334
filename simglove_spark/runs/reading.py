"""The one reader of run.json: what it says, and whether the run that wrote it still lives."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from simglove_spark.errors import InputError

RUN_JSON, RUN_YAML, LOCK = "run.json", "run.yaml", ".simglove.lock"
STAGES = ("count-words", "count-pairs", "train")
MISSED_BEATS = 4  # after so many a run is taken for dead
FIGURES, MOST = ("seconds", "rows", "bytes"), 2**63

State = Literal["running", "complete", "failed", "interrupted", "died"]


def read_record(folder: Path) -> dict[str, Any]:
    """What run.json of a run folder says; nothing where there is none.

    Raises
    ------
    InputError
        When it is no JSON, or not of the kinds that a run writes.
    """
    path = folder / RUN_JSON
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"run.json must be JSON; got {str(error)[:200]} ({path}). Run the stages again.") from error
    if not _is_record(found):
        raise InputError(f"run.json must hold config and stages as objects; got others ({path}). Run the stages again.")
    return dict(found)


def _is_record(found: Any) -> bool:
    """Whether a value has the parts that are read, of the kinds that `record` writes."""
    if not isinstance(found, dict):
        return False
    stages, config = found.get("stages", {}), found.get("config", {})
    if not (isinstance(config, dict) and isinstance(stages, dict)):
        return False
    return all(isinstance(stage, dict) for stage in stages.values()) and all(
        type(stage[figure]) in (int, float) and 0 <= stage[figure] < MOST
        for stage in stages.values()
        for figure in FIGURES
        if figure in stage
    )


def state_of(folder: Path, now: datetime | None = None) -> State | None:
    """What has become of the run in a folder, as a sensor must know it; None where no run.json is.

    A record that says running is believed as long as its heart beats, wherever it is read.

    Raises
    ------
    InputError
        When run.json is broken, or of a status that no run has.
    """
    record = read_record(folder)
    return state_in(record, folder, now or datetime.now(UTC)) if record else None


def state_in(record: dict[str, Any], folder: Path, now: datetime) -> State:
    """The same of a record that was read from the folder."""
    status = record.get("status")
    if status == "running":
        return "running" if _beats(record, now) else "died"
    if status in ("complete", "failed", "interrupted"):
        return status
    raise InputError(f"run.json must tell a status; got {status!r} ({folder / RUN_JSON}). Run the stages again.")


def _beats(record: dict[str, Any], now: datetime) -> bool:
    try:
        last, every = datetime.fromisoformat(record["heartbeat"]), float(record["heartbeat_seconds"])
        return now - last <= timedelta(seconds=MISSED_BEATS * every)
    except (KeyError, TypeError, ValueError, OverflowError):
        return False  # a record of before there were heartbeats
