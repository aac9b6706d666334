"""Messages to a collector, sent one after another beside the work, so that a slow or dead one costs it nothing."""

import queue
import threading
from collections.abc import Callable

WAIT_SECONDS = 10.0


class Outbox:
    """Sends what it is given, in order, from a thread of its own.

    Parameters
    ----------
    name : str
        Of the collector, for sentences about it.
    tell : callable
        Takes a sentence and its level; called once, at the first message that could not be sent.
    """

    def __init__(self, name: str, tell: Callable[[str, str], None]) -> None:
        self._name, self._tell = name, tell
        self._waiting: queue.Queue[Callable[[], object]] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._failed = False

    def send(self, message: Callable[[], object]) -> None:
        """Call ``message``, which sends it, when those before it are gone; returns at once."""
        self._waiting.put(message)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until all is sent, for at most ten seconds; then say so and go on."""
        sent = threading.Event()
        self.send(sent.set)
        if not sent.wait(WAIT_SECONDS):
            self._complain(f"no answer within {WAIT_SECONDS:.0f} s")

    def _work(self) -> None:
        while True:
            message = self._waiting.get()
            try:
                message()
            except Exception as error:
                self._complain(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def _complain(self, what: str) -> None:
        if not self._failed:
            self._failed = True
            self._tell(f"{self._name} could not be sent; got {what}. The work goes on without.", "warning")
