"""Sessions of a Spark Connect server, and what is told of the work there.

Nothing here starts a JVM: the server has the master, the heap and the workers, whose Python must have this package.
"""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from simglove_spark.engines.addresses import DEFAULT_PORT, split_address
from simglove_spark.errors import ConfigError, ResourceError
from simglove_spark.progress import Task
from simglove_spark.saved_config import without_options
from simglove_spark.spark_jobs import tell_tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SECONDS_TO_ANSWER = 10.0
#: Of a call that did not come through, with pauses that quadruple from 50 ms to 10 s. By itself the client tries for a quarter of an hour.
RETRIES, RETRIES_HERE = 6, 1

GONE = (
    "Spark Connect server must stay until the work is done; got one that is gone. "
    "Start it again, or with --engine sail lower --worker-memory."
)


def is_gone(error: str) -> bool:
    """Whether an error tells that the server went away."""
    return "StatusCode.UNAVAILABLE" in error or "RETRIES_EXCEEDED" in error


def open_session(address: str, extra: str, retries: int = RETRIES) -> "SparkSession":
    """A new session of the server; the packages of its client are those of ``extra``.

    Raises
    ------
    ResourceError
        When the client's packages are missing, or no server answers.
    """
    try:
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession
    except ImportError as error:
        raise ResourceError(
            f"Spark Connect must have its client; got {error}. pip install 'simglove-spark[{extra}]'."
        ) from error
    parts = split_address(address)
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # functions of pyspark.sql go by it
    try:
        socket.create_connection((parts.hostname, parts.port or DEFAULT_PORT), SECONDS_TO_ANSWER).close()
        session: Any = SparkSession.builder.remote(address).create()
        session.client.set_retry_policies([DefaultPolicy(max_retries=retries, max_backoff=10_000)])
        session.version  # noqa: B018 - the first thing it is asked
    except Exception as error:
        from simglove_spark.spark_errors import first_line

        hint = "Start it, or mend the address." if extra == "connect" else f"pip install 'simglove-spark[{extra}]'."
        raise ResourceError(
            f"Spark Connect server must answer; got {first_line(error)} ({without_options(address)}). {hint}"
        ) from error
    return session


@lru_cache(maxsize=1)
def remote_session(address: str, ours: tuple[tuple[str, str], ...], own: tuple[tuple[str, str], ...]) -> "SparkSession":
    """The session of this process with a server; settings of ours that only a server's start can set are left out.

    Raises
    ------
    ConfigError
        When such a setting is the user's own.
    ResourceError
        As `open_session`.
    """
    session = open_session(address, "connect")
    for key, value in ours:
        with suppress(Exception):
            session.conf.set(key, value)
    for key, value in own:
        if not session.conf.isModifiable(key):  # it would be taken, and do nothing
            raise ConfigError(
                f"--spark-conf must be a setting of a session with --spark-remote; got {key}, which is its server's "
                f"({without_options(address)}). Give it to the server when it is started."
            )
        session.conf.set(key, value)
    return session


@contextmanager
def followed(spark: "SparkSession", description: str, task: Task) -> Iterator[None]:
    """Tag the jobs started inside, show how many of their tasks are done, and stop them on the server when we are stopped."""
    name = f"{task.group}: {description}".replace(",", " ")
    tag, here = f"{name} {uuid.uuid4().hex[:8]}", _Follower(task)
    spark.addTag(tag)
    spark.registerProgressHandler(here)
    try:
        yield
    except KeyboardInterrupt:
        with suppress(Exception):
            spark.interruptTag(tag)
        raise
    finally:
        spark.removeProgressHandler(here)
        spark.removeTag(tag)


class _Follower:
    """Adds up the stages of all operations as the server tells of them."""

    def __init__(self, task: Task) -> None:
        self.task, self.tasks = task, dict[tuple[str, int], tuple[int, int]]()

    def __call__(self, stages: Any, inflight_tasks: int, operation_id: Any, done: bool) -> None:
        for stage in stages or ():
            self.tasks[str(operation_id), stage.stage_id] = stage.num_completed_tasks, stage.num_tasks
        tell_tasks(self.task, self.tasks.values())
