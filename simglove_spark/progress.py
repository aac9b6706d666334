"""Progress of long work: bars with rate and time left on a terminal, else one JSON object a line.

    Progress                 writes nothing; the default of all functions
    ├── JsonProgress         for logs: at most one line per task and 5 s, besides its start and end
    └── TerminalProgress     for people: bars of what runs now, below a line for each event and finished task

All of them may be used from any thread, and tell their listeners (`observing`) of stages and events. A log that cannot be
written, or a listener that fails, never ends the work it tells of.
"""

import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.progress import Task as Bar
from rich.table import Column
from rich.text import Text

from simglove_spark.figures import figure, plain, readable
from simglove_spark.observing.stages import Listener, Stage
from simglove_spark.shown import plain_text

REPORT_SECONDS = 5.0
OTHERS_WIDTH = 88  # columns of a bar with name, rate and time left
LEAST_ROOM = 20  # columns for the figures beside it
LEVELS = {"complete": "info", "interrupted": "warning", "failed": "error"}


class Task:
    """Work of which ``done`` of ``total`` units are finished; ``total`` may be unknown."""

    def __init__(self, progress: "Progress", name: str, total: float | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.run_id, self.stage = progress.run_id, progress.stage_name
        self.done: float = 0
        self.figures: dict[str, Any] = {}
        self.started = self.reported = progress.clock()
        self._progress = progress

    @property
    def group(self) -> str:
        """Name of this task's jobs: the stage and the run."""
        return f"simglove {self.stage or self.name} {self.run_id}"

    def advance(self, amount: float = 1) -> None:
        """Tell of ``amount`` more units."""
        with self._progress.lock:
            self.done += amount
            self._progress._moved(self)

    def set(self, done: float, total: float | None = None) -> None:
        """Tell of ``done`` units in all, and of a new total if there is one."""
        with self._progress.lock:
            self.done, self.total = done, self.total if total is None else total
            self._progress._moved(self)

    def tell(self, **figures: Any) -> None:
        """Show these figures beside the task from now on, in place of the ones before."""
        self.figures = figures
        self.set(self.done)

    def seconds(self) -> float:
        """Seconds since the task began."""
        return self._progress.clock() - self.started

    def rate(self) -> float | None:
        """Units per second since the task began."""
        return self.done / seconds if (seconds := self.seconds()) > 0 else None


class Progress:
    """Writes nothing; the others fill in what happens at an event, and when a task starts, moves and ends."""

    writes = False

    def __init__(self, clock: Callable[[], float] = time.monotonic, run_id: str | None = None) -> None:
        self.clock, self.run_id = clock, run_id or new_run_id()
        self.lock = threading.RLock()
        self.listeners: list[Listener] = []
        self.now: Stage | None = None

    @property
    def stage_name(self) -> str | None:
        """Of the innermost stage that runs now."""
        return self.now.name if self.now else None

    @contextmanager
    def stage(self, name: str, **what: Any) -> Iterator[Stage]:
        """Tell of a stage of the road while the block runs: what it reads and writes, and how it ended.

        Parameters
        ----------
        name : str
        **what
            `corpus`, `files`, `reads` and `writes` of a `Stage`.
        """
        stage = self.now = Stage(name, self.run_id, outer=self.now, **what)
        self._stage_started(stage)
        self._hear("started", stage)
        try:
            yield stage
            stage.end()
        except BaseException as error:
            stage.end(error)
            raise
        finally:
            for folder, table in stage.written():
                size = {"rows": table.rows, "bytes": table.bytes, "sha256": table.content_sha256}
                self.event("table", table=table.table, path=str(folder), **size)
            self._event("stage", LEVELS[stage.status], stage.figures())
            self._hear("ended", stage)
            self.now = stage.outer

    @contextmanager
    def task(self, name: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        """Show a piece of work while the block runs."""
        task = Task(self, name, total, unit)
        with self.lock:
            self._started(task)
        complete = False
        try:
            yield task
            complete = True
        finally:
            with self.lock:
                self._ended(task, complete)

    def event(self, name: str, /, **fields: Any) -> None:
        """Tell that something happened, with its figures."""
        self._event(name, "info", fields)
        self._hear("told", self.now, name, fields)

    def note(self, text: str, level: str = "info") -> None:
        """Tell the reader a sentence."""

    def _hear(self, what: str, *told: Any) -> None:
        for listener in [*self.listeners]:
            try:
                getattr(listener, what)(*told)
            except Exception as error:
                self.listeners.remove(listener)
                self.note(f"{type(listener).__name__} hears no more: {type(error).__name__}: {error}", "warning")

    def _stage_started(self, stage: Stage) -> None: ...

    def _event(self, name: str, level: str, fields: dict[str, Any]) -> None: ...

    def _started(self, task: Task) -> None: ...

    def _moved(self, task: Task) -> None: ...

    def _ended(self, task: Task, complete: bool) -> None: ...


class JsonProgress(Progress):
    """One JSON object a line: `time` (UTC), `level`, `run_id`, `stage`, `event`, and its fields; NaN and infinity are null."""

    writes = True

    def __init__(self, stream: TextIO, run_id: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock, run_id)
        self._stream = stream

    def note(self, text: str, level: str = "info") -> None:
        """Write one line with the sentence."""
        self._event("note", level, {"text": text})

    def _event(self, name: str, level: str, fields: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"time": now, "level": level, "run_id": self.run_id, "stage": self.stage_name, "event": name}
        line = json.dumps({**head, **plain(fields), **head}, allow_nan=False) + "\n"
        with self.lock, suppress(OSError, ValueError):
            self._stream.write(line)
            self._stream.flush()

    def _stage_started(self, stage: Stage) -> None:
        tables = {"reads": stage.reads, "writes": stage.writes}
        told = {name: [{"table": table, "path": str(path)} for table, path in found] for name, found in tables.items()}
        self._event("stage", "info", {"status": stage.status, "corpus": stage.corpus, "files": stage.files, **told})

    def _started(self, task: Task) -> None:
        self._event("start", "info", {"task": task.name, "total": task.total, "unit": task.unit})

    def _moved(self, task: Task) -> None:
        if self.clock() - task.reported >= REPORT_SECONDS:
            task.reported = self.clock()
            rate = task.rate()
            left = (task.total - task.done) / rate if rate and task.total is not None else None
            eta = None if left is None else round(left, 1)
            self._event("progress", "info", {**self._figures(task), "eta_seconds": eta})

    def _ended(self, task: Task, complete: bool) -> None:
        self._event("end", "info", {**self._figures(task), "complete": complete})

    @staticmethod
    def _figures(task: Task) -> dict[str, Any]:
        figures = {"task": task.name, "done": task.done, "total": task.total, "unit": task.unit}
        return {**plain(task.figures), **figures, "seconds": round(task.seconds(), 3), "rate": task.rate()}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        self.quiet = True  # rich would end the program, and lead its standard output to /dev/null


class TerminalProgress(Progress):
    """Bars of the tasks that run now; all else is printed above them."""

    writes = True

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, run_id: str | None = None) -> None:
        super().__init__(clock, run_id)
        self._console = _Console(file=stream, force_terminal=True)
        self._bars: Bars | None = None
        self._shown: dict[Task, Any] = {}

    def _event(self, name: str, level: str, fields: dict[str, Any]) -> None:
        if level == "info":  # how a stage failed is the command's last line
            self.note(f"{name:<14}" + "  ".join(f"{label} {text:>9}" for label, text in map(figure, fields.items())))

    def note(self, text: str, level: str = "info") -> None:
        """Print the sentence above the bars."""
        with self.lock, suppress(OSError, ValueError):
            self._console.print(plain_text(text), markup=False, highlight=False, soft_wrap=True)
            if self._bars is not None:
                self._bars.refresh()

    def _started(self, task: Task) -> None:
        with suppress(OSError, ValueError):
            if self._bars is None:
                # stdout is left alone: it may be piped into another program
                self._bars = Bars(
                    *_columns(self._console.width), console=self._console, transient=True, redirect_stdout=False
                )
                self._bars.start()
            self._shown[task] = self._bars.add_task(task.name, total=task.total, unit=task.unit, told="")

    def _moved(self, task: Task) -> None:
        if self._bars is not None and task in self._shown:
            told = "  ".join(" ".join(figure(entry)) for entry in task.figures.items())
            self._bars.update(self._shown[task], completed=task.done, total=task.total, told=told)

    def _ended(self, task: Task, complete: bool) -> None:
        with suppress(OSError, ValueError):
            if self._bars is not None and task in self._shown:
                self._bars.remove_task(self._shown.pop(task))
                if not self._shown:
                    bars, self._bars = self._bars, None
                    bars.stop()
        self.note(_summary(task, complete))


class _Figures(ProgressColumn):
    """Units done, of how many, and how fast of late."""

    def render(self, task: Bar) -> Text:
        total = "" if task.total is None else f" / {readable(task.total)}"
        speed = "" if task.speed is None else f"  {readable(task.speed)}/s"
        return Text(f"{readable(task.completed)}{total} {task.fields['unit']}{speed}", style="cyan")


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    name = TextColumn("{task.description}", markup=False)
    columns = (name, BarColumn(bar_width=20), _Figures(Column(no_wrap=True)), TimeRemainingColumn())
    room = width - OTHERS_WIDTH
    if room < LEAST_ROOM:  # the task's own figures would push out the time left
        return columns
    column = Column(no_wrap=True, overflow="ellipsis", max_width=room)
    return (*columns, TextColumn("{task.fields[told]}", markup=False, table_column=column))


def _summary(task: Task, complete: bool) -> str:
    unit = f" {task.unit}".rstrip()
    rate = task.rate()
    speed = f", {readable(rate)}{unit}/s" if rate else ""
    end = "" if complete else ", not finished"
    return f"{task.name:<14}{readable(task.done)}{unit} in {task.seconds():.1f} s{speed}{end}"


def new_run_id() -> str:
    """A name for one run, in its log and in its run.json."""
    return uuid.uuid4().hex[:12]


def make_progress(stream: TextIO | None = None, run_id: str | None = None, quiet: bool = False) -> Progress:
    """Progress for the stream, standard error by default: bars on a terminal, JSON lines elsewhere, or nothing."""
    stream = sys.stderr if stream is None else stream
    if quiet or stream is None:  # a daemon may have no standard error
        return Progress(run_id=run_id)
    return TerminalProgress(stream, run_id=run_id) if stream.isatty() else JsonProgress(stream, run_id)
