"""Stopping at a good moment: SIGTERM and SIGINT, and a limit of time, are asked for where work is whole."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simglove_spark.errors import StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGINT)
STOPPED = "stopped by a signal; finished stages are kept, and the same command goes on from there."

#: Set once a signal has ended the command: whatever error a library makes of that is not the reason.
ended_by_signal = threading.Event()


class Stopping:
    """What has been asked of a piece of work.

    Parameters
    ----------
    seconds : float or None
        Most that it may take.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds
        self._signal: str | None = None

    @property
    def reason(self) -> str | None:
        """Why the work must stop; None when it may go on."""
        if self._signal is not None:
            return self._signal
        return "--max-runtime is over" if self._end is not None and time.monotonic() >= self._end else None

    def check(self) -> None:
        """Raise StoppedError when the work must stop."""
        if self.reason is not None:
            raise StoppedError(f"{self.reason}.")

    @contextmanager
    def listening(self) -> Iterator["Stopping"]:
        """Take signals while the work goes on; a second one ends it at once. Does nothing outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}

        def asked(number: int, frame: Any) -> None:
            if self._signal is not None:
                raise KeyboardInterrupt
            self._signal = f"{signal.Signals(number).name} came"

        try:
            for number in SIGNALS:
                signal.signal(number, asked)
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
