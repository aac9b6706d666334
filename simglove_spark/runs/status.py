"""What has become of a run, for who is on call: all of it from run.json."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simglove_spark.errors import InputError
from simglove_spark.runs.reading import RUN_JSON, STAGES, State, read_record, state_in

WAITING = "waiting"
#: Exit codes of `simglove status`, apart from those of errors.
CODES: dict[State, int] = {"complete": 0, "running": 10, "died": 11, "failed": 12, "interrupted": 13}


@dataclass(frozen=True)
class Status:
    """A run at one moment.

    Attributes
    ----------
    state : str
        As `reading.state_of` tells it.
    run_id, command, host, pid, started
        As run.json has them.
    seconds : float or None
        From its beginning to its end, or until now; of one that died to its last heartbeat.
    heartbeat_age : float or None
        Seconds since it was last alive.
    stage : str or None
        The one that runs, or in which it ended; None of a complete run, and before the first.
    next : str or None
        The stage that comes then; of a run that ended before its end the one at which the same command goes on.
    exit_code, error
        How it ended; None while it runs, and of one that died.
    stages : dict
        Of each stage its ``status``, "waiting" before it is begun, and ``seconds`` or None.
    """

    state: State
    run_id: Any
    command: Any
    host: Any
    pid: Any
    started: Any
    seconds: float | None
    heartbeat_age: float | None
    stage: str | None
    next: str | None
    exit_code: Any
    error: Any
    stages: dict[str, dict[str, Any]]

    @property
    def code(self) -> int:
        """Exit code of `simglove status`."""
        return CODES[self.state]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def status_of(folder: Path, now: datetime | None = None) -> Status:
    """What run.json of a run folder, here or in a store, says at this moment.

    Raises
    ------
    InputError
        When there is none, or a broken one.
    """
    record, now = read_record(folder), now or datetime.now(UTC)
    if not record:
        raise InputError(
            f"folder must be that of a run, with a {RUN_JSON}; got none ({folder}). The run has not begun, or writes elsewhere."
        )
    state, told = state_in(record, folder, now), record.get("stages", {})
    last = _moment(record.get("heartbeat"))
    end = {"running": now, "died": last}.get(state) or _moment(record.get("ended"))
    stages = {name: _stage(told.get(name, {}), end) for name in STAGES}
    left = [name for name, stage in stages.items() if stage["status"] != "complete" and state != "complete"]
    at = next((name for name in left[:1] if stages[name]["status"] != WAITING), None)
    to_come = left[1:] if state == "running" and at is not None else left
    return Status(
        state=state,
        run_id=record.get("run_id"),
        command=record.get("command"),
        host=record.get("host"),
        pid=record.get("pid"),
        started=record.get("started"),
        seconds=_seconds(record.get("started"), end),
        heartbeat_age=None if last is None else round(max((now - last).total_seconds(), 0.0), 1),
        stage=at,
        next=to_come[0] if to_come else None,
        exit_code=record.get("exit_code"),
        error=record.get("error"),
        stages=stages,
    )


def _stage(told: dict[str, Any], end: datetime | None) -> dict[str, Any]:
    seconds = told.get("seconds", _seconds(told.get("started"), end))
    return {"status": str(told.get("status", WAITING)), "seconds": seconds}


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def _seconds(start: Any, end: datetime | None) -> float | None:
    began = _moment(start)
    return None if began is None or end is None else round(max((end - began).total_seconds(), 0.0), 1)
