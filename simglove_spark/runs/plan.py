"""What a command would do and why, without doing it: `--dry-run`.

Each stage is a `Step`, found by the same questions that the stage itself asks. Nothing is written, no lock is taken for long, no
Spark is started. What a stage would make of tables that are not there yet cannot be known, and is told so.
"""

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from simglove_spark.errors import ResourceError, SimgloveError
from simglove_spark.output import hold, retired_table
from simglove_spark.storage.paths import StorePath

Does = Literal["nothing", "build", "restore", "unknown", "refuse", "not reached"]


@dataclass(frozen=True)
class Step:
    """One stage of a plan.

    Attributes
    ----------
    stage : str
        As run.json names it; choosing words is a stage of its own here.
    does : str
        "nothing", since the table is there; "build"; "restore", where a killed --overwrite left a table aside; "unknown", where that
        depends on what an earlier stage makes; "refuse"; or "not reached", after a refusal.
    why : str
    forecast : str
        Memory, disk and time, where they can be told.
    error : SimgloveError or None
        What the command would end with.
    """

    stage: str
    does: Does
    why: str
    forecast: str = ""
    error: SimgloveError | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        told = {"stage": self.stage, "does": self.does, "why": self.why, "forecast": self.forecast}
        return told if self.error is None else {**told, "exit_code": self.error.exit_code}


@dataclass
class Plan:
    """Steps, in order."""

    steps: list[Step] = field(default_factory=list)

    @classmethod
    def refused(cls, stage: str, error: SimgloveError) -> "Plan":
        """A plan that ends before its first table."""
        return cls([Step(stage, "refuse", str(error), error=error)])

    @property
    def error(self) -> SimgloveError | None:
        """The first refusal."""
        return next((step.error for step in self.steps if step.error is not None), None)

    @property
    def is_there(self) -> bool:
        """Whether all that was asked so far is there already."""
        return all(step.does == "nothing" for step in self.steps)

    def ask(
        self,
        stage: str,
        table: Path,
        is_there: Callable[[], bool],
        forecast: Callable[[], str],
        overwrite: bool,
        needs: bool = True,
    ) -> None:
        """Add the step of one table.

        Parameters
        ----------
        stage : str
        table : Path
            Its folder.
        is_there, forecast : callable
            Whether the very table is there, and what building it takes; both may refuse.
        overwrite : bool
        needs : bool
            Whether the tables that it is made from are there, as they will be.
        """
        if self.error is not None:
            step = Step(stage, "not reached", f"{self.steps[-1].stage} comes before.")
        else:
            before = self.steps[-1].stage if self.steps else ""
            try:
                step = _asked(stage, table, is_there, forecast, overwrite, "" if needs else before)
            except SimgloveError as error:
                step = Step(stage, "refuse", str(error), error=error)
        self.steps.append(step)


def _asked(
    stage: str, table: Path, is_there: Callable[[], bool], forecast: Callable[[], str], overwrite: bool, waits_for: str
) -> Step:
    if retired_table(table) is not None:
        return Step(stage, "restore", f"A killed --overwrite left {table} aside; it is brought back, then looked at.")
    refuse_unwritable(table)
    if waits_for and table.exists() and any(table.iterdir()) and not overwrite:
        why = f"{table} is kept if it is of what {waits_for} makes; else refused without --overwrite."
        return Step(stage, "unknown", why)
    if waits_for:
        return Step(stage, "build", f"{table} waits for {waits_for}.")
    if is_there():
        return Step(stage, "nothing", f"{table} is complete, of the same inputs and options.")
    why = f"--overwrite: {table} is built anew beside it." if table.exists() else f"{table} is not there."
    return Step(stage, "build", why, forecast())


def refuse_unwritable(folder: Path) -> None:
    """Refuse a place where nothing can be built, without trying.

    Raises
    ------
    ResourceError
    """
    if isinstance(folder, StorePath):
        return  # only writing would tell
    above = next(parent for parent in folder.parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise ResourceError(
            f"output must be writable; got a place that cannot be written ({above}). Give another --output."
        )


def refuse_held(lock: Path, refusal: str) -> None:
    """Refuse what another process of this machine is writing now; a lock that is not there is not made.

    Raises
    ------
    ConfigError
    """
    if lock.is_file():
        with lock.open("r") as held:
            hold(held, refusal)
            fcntl.flock(held, fcntl.LOCK_UN)
