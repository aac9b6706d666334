"""First on the PYTHONPATH of Spark's workers in test_faults.py: tasks die, fail or dawdle at their first attempt.

By its number a task exits without a word or raises; the second one sleeps until a copy of it is done. Before that, those that
write a file have written a wrong one. Each attempt leaves a line in the file FAULT_LOG.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simglove_spark import cooccurrence, text_ranges, vocabulary

DIES, FAILS, DAWDLES = range(3)
DAWDLER, DAWDLE_SECONDS = 2, 120


def fault(where: str) -> int | None:
    """What happens to this attempt of this task, which is written down."""
    from pyspark import TaskContext

    task = TaskContext.get()
    kinds = {0: DIES, 1: FAILS}
    kind = DAWDLES if task.partitionId() == DAWDLER else kinds.get(task.partitionId() % 3)
    kind = kind if task.attemptNumber() == 0 else None
    with open(os.environ["FAULT_LOG"], "a") as log:  # noqa: PTH123
        log.write(f"{where} {task.stageId()} {task.partitionId()} {task.attemptNumber()} {kind}\n")
    return kind


def befall(kind: int | None) -> None:
    if kind == DIES:
        os._exit(9)
    if kind == FAILS:
        raise RuntimeError("injected")
    if kind == DAWDLES:
        time.sleep(DAWDLE_SECONDS)


read, write = text_ranges.pieces, cooccurrence.write_file


def pieces(*arguments: Any, **named: Any) -> Iterator[Any]:
    for number, piece in enumerate(read(*arguments, **named)):
        yield piece
        if number == 0:
            befall(fault("read"))


def write_file(folder: Path, stem: str, schema: Any, tables: Any) -> dict[str, Any]:
    kind = fault("write")
    tables = list(tables) if kind is None else [next(iter(tables))] * 2
    report = write(folder, stem, schema, iter(tables))
    befall(kind)
    return report


text_ranges.pieces = pieces
cooccurrence.write_file = vocabulary.write_file = write_file
