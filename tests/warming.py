"""Kernels compiled once for all processes of the tests: whoever comes second waits, and finds them in numba's cache."""

import fcntl
import os
import tempfile
from pathlib import Path


def warm() -> None:
    """Compile the kernels of a run, or load what another process compiled."""
    lock = Path(tempfile.gettempdir()) / f"simglove-warming-{os.getuid()}"
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        from simglove_spark.warm_up import warm_up

        warm_up()


if __name__ == "__main__":
    warm()
