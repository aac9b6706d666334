"""So many workers at a time, where they are threads of one process.

Spark gives each slot a process and begins a task when a slot is free. Sail begins all tasks at once, each in a thread, and each may
take the whole of ``--worker-memory``: so they wait here for their turn. A task that reads what others made takes its turn only
when the first of it has come, for by then these have done.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Batches = Iterator[pa.RecordBatch]
_turns: AbstractContextManager = nullcontext()


def limit(slots: int) -> None:
    """Let so many tasks of this process work at a time; without it all do, as in a process that has one at a time anyway."""
    global _turns  # noqa: PLW0603 - one a process, set before its first task
    _turns = BoundedSemaphore(slots)


def in_turn(batches: Batches, work: Callable[[Batches], Batches]) -> Batches:
    """What ``work`` makes of the batches, when it is its turn."""
    first = next(batches, None)
    with _turns:
        yield from work(batches if first is None else chain([first], batches))


def in_workers(frame: "DataFrame", work: Callable[[Batches], Batches], ddl: str) -> "DataFrame":
    """What ``work`` makes of each partition of a DataFrame, so many at a time as there are slots."""
    return frame.mapInArrow(partial(in_turn, work=work), ddl)
