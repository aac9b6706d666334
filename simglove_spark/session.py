"""The Spark session: the only place where one is made, configured, watched, and where its errors are put into our words."""

import atexit
import os
import re
import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from simglove_spark import errors
from simglove_spark.config import SparkConfig
from simglove_spark.disk import OWN_WRITER, Rooms, full_disk
from simglove_spark.errors import ConfigError, InputError, ResourceError, SimgloveError, StoppedError
from simglove_spark.java import java_home
from simglove_spark.memory import cores, parse_size, total_memory
from simglove_spark.progress import Task
from simglove_spark.stopping import STOPPED, ended_by_signal
from simglove_spark.storage.schemes import missing_classes, spark_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Every Spark setting of ours with its reason. spark-submit, spark-defaults.conf and --spark-conf win over them.
#: Left at Spark's own value: files.maxPartitionBytes (a task counts into one table, so larger pieces mean fewer cells to
#: shuffle), executor.pyspark.memory (an address-space limit, which mapped files and numba exceed without using memory).
SETTINGS = {
    # rows are few and large (blocks travel): a batch ends at 4 MB of text, or 10,000 lines
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    "spark.sql.execution.arrow.maxBytesPerBatch": "4MB",
    # a kernel that returns another type is told so in plain words (4.1+)
    "spark.sql.execution.arrow.pyspark.validateSchema.enabled": "true",
    # as many tasks as shards: coalescing them down to the number of cores makes a few huge ones
    "spark.sql.adaptive.coalescePartitions.enabled": "false",
    "spark.sql.adaptive.enabled": "false",
    # half the shuffle bytes of lz4 at the same speed
    "spark.io.compression.codec": "zstd",
    # notice a map task that gave other rows when it was run again (default from 4.2)
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "true",
    "spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch": "true",
    # no bars of Spark's own on a terminal: ours are there
    "spark.ui.showConsoleProgress": "false",
}
#: Only where we start Spark on this machine ourselves.
LOCAL_SETTINGS = {
    # otherwise the UI listens on all interfaces
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # a small corpus needs few reduce tasks
    "spark.sql.shuffle.partitions": "8",
}
LEAST_WORKER_MEMORY, USUAL_WORKER_MEMORY = 384 << 20, 1280 << 20
_LOG4J = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
# at the level of the root, or Spark prints that it sets another one
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
# a failed task is told of once, by us
logger.executor.name = org.apache.spark.executor
logger.executor.level = off
logger.scheduler.name = org.apache.spark.scheduler
logger.scheduler.level = off
logger.writer.name = org.apache.spark.sql.execution
logger.writer.level = off
logger.storage.name = org.apache.spark.storage
logger.storage.level = off
"""

_ours = threading.Event()  # set once a session was made here and not found


def start_session(config: SparkConfig, app_name: str) -> "SparkSession":
    """The running session, or a new one: on a cluster as spark-submit says, else local Spark on this machine.

    Raises
    ------
    ResourceError
        When pyspark or a Java is missing or the JVM does not start.
    ConfigError
        When ``--spark-conf`` is not key=value.
    """
    try:
        from pyspark import SparkConf, SparkContext
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ResourceError(
            f"counting must have pyspark; got {error}. pip install 'simglove-spark[local]', or use spark-submit."
        ) from error
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    _ours.set()
    own = _parse(config.spark_conf)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    # workers must be the interpreter that has our packages; python3 on PATH may be another one
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if not submitted:
        os.environ["JAVA_HOME"] = str(java_home())
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_SUBMIT_ARGS", _submit_args(config, own))
    try:
        SparkContext._ensure_initialized()  # starts the JVM, so that settings from outside can be seen
        known = SparkConf(_jvm=SparkContext._jvm)
        builder = SparkSession.builder.appName(f"simglove {app_name}")
        ours = {**SETTINGS, **spark_settings(), **({} if submitted else LOCAL_SETTINGS)}
        if config.master or not (submitted or known.contains("spark.master")):
            builder = builder.master(config.master or "local[*,4]")  # 4 tries of a task, as on clusters
        for key, value in {**{k: v for k, v in ours.items() if not known.contains(k)}, **own}.items():
            builder = builder.config(key, value)
        return builder.getOrCreate()
    except Exception as error:
        raise ResourceError(f"Spark must start; got {first_line(error)}. Check JAVA_HOME (17 or newer).") from error


def local_slots(config: SparkConfig) -> int | None:
    """Workers that run at once on this machine (local, local[2], local[2,4], local[*,4]); None on a cluster."""
    master = config.master or ("cluster" if "PYSPARK_GATEWAY_PORT" in os.environ else "local[*]")
    if not master.startswith("local"):
        return None
    inner = master.partition("[")[2].rstrip("]").split(",")[0]
    return int(inner) if inner.isdigit() else 1 if master == "local" else cores()


def scratch_folder(config: SparkConfig) -> Path | None:
    """Where Spark on this machine keeps what it shuffles, the first of several folders; None on a cluster."""
    if local_slots(config) is None:
        return None
    given = _parse(config.spark_conf).get("spark.local.dir") or _default("spark.local.dir")
    return Path((os.environ.get("SPARK_LOCAL_DIRS") or given or "/tmp").split(",")[0])


def driver_heap(config: SparkConfig) -> int:
    """Bytes of heap for a local Spark."""
    if config.driver_memory == "auto":
        return max(1 << 30, min(4 << 30, total_memory() // 4))
    return parse_size(config.driver_memory, "driver-memory")


def worker_memory(config: SparkConfig) -> int:
    """Bytes of each Python worker, all in all."""
    if config.worker_memory != "auto":
        return parse_size(config.worker_memory, "worker-memory")
    slots = local_slots(config)
    if slots is None:
        return USUAL_WORKER_MEMORY
    share = (0.8 * total_memory() - driver_heap(config)) / slots
    return max(LEAST_WORKER_MEMORY, min(USUAL_WORKER_MEMORY, int(share)))


def _parse(pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError(f"--spark-conf must be key=value; got {pair!r}. Write for example spark.ui.enabled=true.")
    return dict(pair.split("=", 1) for pair in pairs)


def _submit_args(config: SparkConfig, own: dict[str, str]) -> str:
    """What must be known before the JVM starts."""
    # pyspark's own launcher turns Spark's bars on unless it is told here
    settings = {"spark.ui.showConsoleProgress": "false"}
    if config.driver_memory != "auto" or _default("spark.driver.memory") is None:
        settings["spark.driver.memory"] = f"{driver_heap(config) >> 20}m"
    if "SPARK_CONF_DIR" not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="simglove-log4j-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / "log4j2.properties").write_text(_LOG4J)
        # the blocks are counted in Python: Java's optimising compiler costs more of a start than it gives back
        settings["spark.driver.defaultJavaOptions"] = "-XX:TieredStopAtLevel=1"
        settings["spark.driver.extraJavaOptions"] = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
    options = [f"--conf {shlex.quote(f'{key}={value}')}" for key, value in {**settings, **own}.items()]
    return " ".join([*options, "pyspark-shell"])


def _default(key: str) -> str | None:
    """What the user's spark-defaults.conf sets, if it does."""
    try:
        text = (Path(os.environ["SPARK_CONF_DIR"]) / "spark-defaults.conf").read_text()
    except (KeyError, OSError):
        return None
    pairs = [re.split(r"[\s=]+", line.strip(), maxsplit=1) for line in text.splitlines()]
    return next((pair[1] for pair in reversed(pairs) if pair[0] == key and len(pair) > 1), None)


@contextmanager
def watched(spark: "SparkSession", description: str, task: Task, rooms: Rooms | None = None) -> Iterator[None]:
    """Name the jobs started inside, show how many of their tasks are done, and translate their errors.

    ``rooms`` is what was forecast to be needed on disk.
    """
    context = getattr(spark, "sparkContext", None)
    stop = threading.Event()
    poller = threading.Thread(target=_poll, args=(context, task, stop), daemon=True)
    if context is not None:
        context.setJobDescription(description)
        poller.start()
    try:
        yield
        if task.total is not None:
            task.set(task.total)
    except KeyboardInterrupt:
        _hush(context)
        raise
    except SimgloveError:
        raise
    except Exception as error:
        if ended_by_signal.is_set():
            _hush(context)
        raise translated(error, rooms) from error
    finally:
        stop.set()


def _hush(context: Any) -> None:
    """Turn off the log of a JVM of our own: tasks that end with it tell of blocks that are gone, after our last line."""
    if context is not None and _ours.is_set() and "PYSPARK_GATEWAY_PORT" not in os.environ:
        with suppress(Exception):  # it may be gone already
            context.setLogLevel("OFF")


def _poll(context: Any, task: Task, stop: threading.Event) -> None:
    tracker = context.statusTracker()
    tasks: dict[int, tuple[int, int]] = {}  # of each stage seen: done, in all
    known = set(tracker.getActiveStageIds())  # of somebody else in the same session
    while not stop.wait(0.5):
        try:
            active = [tracker.getStageInfo(stage) for stage in set(tracker.getActiveStageIds()) - known]
        except Exception:  # the session may be closing; progress is not worth an error
            return
        tasks |= {stage: (total, total) for stage, (_, total) in tasks.items()}  # those no longer active are done
        tasks |= {stage.stageId: (stage.numCompletedTasks, stage.numTasks) for stage in active if stage is not None}
        if tasks:
            task.set(sum(done for done, _ in tasks.values()), total=sum(total for _, total in tasks.values()))


def translated(error: Exception, rooms: Rooms | None = None) -> SimgloveError:
    """A Spark error as one of ours: a task's own error as it was raised, others by what they tell of."""
    if ended_by_signal.is_set():  # raised in the middle of a call, it may come out as a broken connection
        return StoppedError(STOPPED)
    text = str(error)
    full = full_disk(text, rooms)
    by_writer = full is not None and OWN_WRITER in text  # knows the disk, but not the forecast
    for name in ("ConfigError", "InputError", "ResourceError"):
        own = re.search(rf"simglove_spark\.errors\.{name}: (.*)", text)
        if own and not by_writer:
            return getattr(errors, name)(own.group(1).strip())
    if full is not None:
        return full
    if "OutOfMemoryError" in text or "ConnectionRefused" in text or "Py4JNetworkError" in repr(error):
        return ResourceError(
            "Spark's JVM must have enough heap; got one that ran out or died. Raise --driver-memory to 20 times the longest compressed line, or row of a column."
        )
    if "MemoryError" in text or "crashed" in text:
        return ResourceError(
            "Python workers must have enough memory; got one that ran out or died. Lower --worker-memory."
        )
    if "MALFORMED_RECORD_IN_PARSING" in text:
        return InputError(
            f"input must be JSON, an object a line, its column always of one kind; got another line{_place(text)}. "
            "Mend the file, or give --on-bad-file skip."
        )
    if unknown := missing_classes(text):
        return unknown
    failed = re.search(r"\[(CAST_INVALID_INPUT|DIVIDE_BY_ZERO|ARITHMETIC_OVERFLOW)[^\]]*\].*", text)
    if failed:
        return ConfigError(f"--where must hold for each row; got {failed[0][:400]} Guard it, as try_cast does.")
    if any(
        name in text for name in ("PATH_NOT_FOUND", "FAILED_READ_FILE", "CANNOT_READ_FILE", "FileNotFoundException")
    ):
        causes = re.findall(r"^Caused by: (?:[\w$]+\.)*(.*)", text, re.MULTILINE)
        return InputError(
            f"input must be readable to the end; got {causes[-1].strip() if causes else first_line(error)}{_place(text)}. "
            "Replace the broken file, or give --on-bad-file skip."
        )
    return SimgloveError(f"Spark job must succeed; got {first_line(error)}. SIMGLOVE_TRACEBACK=1 shows where.")


def _place(text: str) -> str:
    """The file that a Spark error names, in brackets."""
    named = re.search(r"while reading file (?:file:/*(?=/))?(.*?)\. +SQLSTATE", text)
    return f" ({unquote(named[1])})" if named else ""


def first_line(error: Exception) -> str:
    """The first line of an error that says something, or its kind."""
    lines = [line.strip() for line in re.sub(r"^An error.*\n: ", "", str(error)).splitlines() if line.strip()]
    return lines[0][:400] if lines else type(error).__name__
