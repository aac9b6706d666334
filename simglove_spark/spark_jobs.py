"""Names of our work for Spark's history server, and how far it is."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from simglove_spark.progress import Task

PROPERTIES = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")


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


def tell_tasks(task: Task, stages: Collection[tuple[int, int]]) -> None:
    """Tell of Spark's stages by how many of their tasks are done, and how many there are; nothing before the first one."""
    if stages:
        task.set(sum(done for done, _ in stages), total=sum(total for _, total in stages))
