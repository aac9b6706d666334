"""Kernels compiled once for all processes of the tests: whoever comes second waits, and finds them in numba's cache."""

import fcntl
from pathlib import Path


def warm() -> None:
    """Compile the kernels of a run, or load what another process compiled."""
    with Path(__file__).open() as own:
        fcntl.flock(own, fcntl.LOCK_EX)
        from simglove_spark.warm_up import warm_up

        warm_up()


if __name__ == "__main__":
    warm()
