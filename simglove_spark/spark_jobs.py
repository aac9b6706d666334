"""What Spark shows and says of our work: names of jobs for its history server, and the lines that its JVM prints."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from simglove_spark.progress import Task

Tell = Callable[[str, str], None] | None
PROPERTIES = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")
# every JVM that Spark starts prints it
USUAL = "WARNING: Using incubator modules"


@contextmanager
def named_jobs(context: Any, description: str, task: Task) -> Iterator[None]:
    """Name the jobs started inside: a group for the stage of this run, and what they do; what was set before comes back.

    Parameters
    ----------
    context
        What a session of classic Spark has below it. (Spark Connect has tags: `engines.connect.followed`.)
    description : str
    task : Task
        Knows the stage and the run id.
    """
    group, before = task.group, [context.getLocalProperty(name) for name in PROPERTIES]
    context.setJobGroup(group, f"{description} ({group})")
    try:
        yield
    finally:
        with suppress(Exception):  # the JVM may be gone
            for name, value in zip(PROPERTIES, before, strict=True):
                context.setLocalProperty(name, value)


def launched(tell: Tell) -> Any:
    """The gateway to a new JVM; each line on its standard error is told as a warning, its Python workers' too.

    None where spark-submit has started the JVM, or nobody is to be told: then pyspark connects to it, or starts it, as ever.

    Parameters
    ----------
    tell : callable, optional
        Takes a line and its level.
    """
    if tell is None or "PYSPARK_GATEWAY_PORT" in os.environ:
        return None
    from pyspark.java_gateway import launch_gateway

    reading, writing = os.pipe()
    teller = threading.Thread(target=_tell_lines, args=(reading, tell), daemon=True)
    teller.start()
    try:
        gateway = launch_gateway(popen_kwargs={"stderr": writing})
    except BaseException:
        os.close(writing)
        teller.join(1)  # the JVM's last words, which tell why it did not start
        raise
    os.close(writing)
    return gateway


def _tell_lines(reading: int, tell: Callable[[str, str], None]) -> None:
    with open(reading, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.strip() and not line.startswith(USUAL):
                tell(line.rstrip(), "warning")
