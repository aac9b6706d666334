"""A stage while it runs, and who hears of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from simglove_spark.errors import SimgloveError, ending
from simglove_spark.manifest import Manifest
from simglove_spark.memory import peak_memory
from simglove_spark.storage.schemes import refuse_credentials

#: Names of tables, and the folders where they lie or will lie.
Tables = Sequence[tuple[str, Path]]


@dataclass
class Stage:
    """A piece of the road: what it reads and writes, told when it begins; and how it ended.

    Attributes
    ----------
    corpus : sequence of str
        What was named as input: files, folders, globs, tables of Spark.
    files : sequence of Path
        Files and folders that it writes and that are no tables.
    reads, writes : sequence of (str, Path)
        Tables and their folders.
    outer : Stage, optional
        The one that this is a part of: the run.

    Raises
    ------
    ConfigError
        When there are credentials in what was named as input.
    """

    name: str
    run_id: str
    corpus: Sequence[str] = ()
    files: Sequence[Path] = ()
    reads: Tables = ()
    writes: Tables = ()
    outer: "Stage | None" = None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "running"
    exit_code: int | None = None
    error: BaseException | None = None
    message: str | None = None
    seconds: float = 0.0
    peak_memory: int = 0
    _start: float = field(default_factory=time.perf_counter, repr=False)

    def __post_init__(self) -> None:
        for text in self.corpus:  # it is told as it was given
            refuse_credentials(text)

    def end(self, error: BaseException | None = None) -> None:
        """Note how it ended: with an error, or well."""
        self.seconds, self.peak_memory = time.perf_counter() - self._start, peak_memory()
        self.status, self.exit_code = "complete", 0
        if error is not None:
            self.error, (self.status, self.exit_code, self.message) = error, ending(error)

    def written(self) -> list[tuple[Path, Manifest]]:
        """The tables that it wrote, or found written already; none before it has ended well."""
        return complete(self.writes) if self.status == "complete" else []

    def figures(self) -> dict[str, Any]:
        """How it ended, as it stands in the log."""
        told = {"status": self.status, "exit_code": self.exit_code, "seconds": round(self.seconds, 3)}
        return {**told, "peak_memory": self.peak_memory} | ({} if self.message is None else {"error": self.message})


class Listener(Protocol):
    """Hears of the stages of a run, on the thread that walks them; errors are told and end nothing but the listening."""

    def started(self, stage: Stage) -> None:
        """A stage begins."""

    def told(self, stage: Stage | None, event: str, fields: dict[str, Any]) -> None:
        """Something happened, with its figures: a sweep, words counted."""

    def ended(self, stage: Stage) -> None:
        """A stage ended, one way or the other; with the outermost one the process may end."""


def complete(tables: Tables) -> list[tuple[Path, Manifest]]:
    """Folders and manifests of those tables that are complete."""
    found = []
    for name, folder in tables:
        try:
            found.append((folder, Manifest.load(folder, name)))
        except SimgloveError:  # the stage itself says what is wrong with what it reads
            continue
    return found
