"""One writer at a time in a store, which has no locks, nor through pyarrow any write under a condition.

Who wants to write puts a claim, a small object under a name of its own, and lists all claims: only who finds no other goes on. A listing
shows all that was put before it, so of two that claim at once one at least sees the other; perhaps both do, and both are refused.
What a killed process left is passed over when it is old by the store's own clock; who holds a claim gives up long before that.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from simglove_spark.errors import ConfigError, ResourceError, SimgloveError
from simglove_spark.storage.paths import StorePath

DEAD_AFTER, HELD_AT_MOST = 900, 300  # seconds


@contextmanager
def claimed(folder: StorePath, refusal: str) -> Iterator[Callable[[], None]]:
    """Hold what ``folder``, which has nothing but claims in it, stands for; yields what must be called before each write.

    Raises
    ------
    ConfigError
        With the message ``refusal``, when another holds it.
    ResourceError
        When the store cannot be written or does not answer; by what is yielded, when that took too long.
    """
    own, began = folder / f"{uuid.uuid4().hex}.json", time.monotonic()

    def still_held() -> None:
        if time.monotonic() - began > HELD_AT_MOST:
            raise ResourceError(f"store must answer within {HELD_AT_MOST} s; got no end ({own}). Try again.")

    try:
        own.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}) + "\n")
        _refuse_others(own, refusal)
        yield still_held
    finally:
        with suppress(SimgloveError):  # what is left of it is passed over one day
            own.unlink(missing_ok=True)


def _refuse_others(own: StorePath, refusal: str) -> None:
    found = {info.base_name: info.mtime_ns / 1e9 for info in own.parent.infos() if info.is_file}
    if own.name not in found:
        raise ResourceError(
            f"store must show at once what was put; got a listing without it ({own}). Use another store."
        )
    for name in found.keys() - {own.name}:
        if found[own.name] - found[name] < DEAD_AFTER:
            raise ConfigError(refusal)
        (own.parent / name).unlink(missing_ok=True)
