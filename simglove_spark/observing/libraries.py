"""Warnings and logs of libraries, told as our own notes: a log stays JSON, and a terminal's bars stay whole."""

import logging
import warnings
from typing import TYPE_CHECKING, Any

from simglove_spark.observing.stages import Stage

if TYPE_CHECKING:
    from simglove_spark.progress import Progress

# py4j logs what comes to us as errors, the others what our own notes tell of a collector
QUIET = ("py4j", "openlineage", "urllib3")


class LibraryWarnings(logging.Handler):
    """Tells of Python warnings, and of log records from warnings up, while a stage runs."""

    def __init__(self, progress: "Progress") -> None:
        super().__init__(logging.WARNING)
        self._progress, self._shown = progress, warnings.showwarning

    def started(self, stage: Stage) -> None:
        """Listen from the outermost stage on."""
        if stage.outer is None:
            self._shown, warnings.showwarning = warnings.showwarning, self._warned
            logging.getLogger().addHandler(self)

    def told(self, stage: Stage | None, event: str, fields: dict[str, Any]) -> None:
        """Nothing that a library needs to know."""

    def ended(self, stage: Stage) -> None:
        """Leave all as it was."""
        if stage.outer is None:
            logging.getLogger().removeHandler(self)
            warnings.showwarning = self._shown

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one log record."""
        if record.name.partition(".")[0] not in QUIET:
            self._progress.note(f"{record.name}: {record.getMessage()}", record.levelname.lower())

    def _warned(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
    ) -> None:
        self._progress.note(f"{category.__name__}: {message} ({filename}:{lineno})", "warning")
