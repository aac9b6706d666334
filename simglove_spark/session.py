"""The Spark session: the only place where one is made, configured and watched."""

import os
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simglove_spark.config import SparkConfig
from simglove_spark.disk import Rooms
from simglove_spark.engines.addresses import remote_address
from simglove_spark.engines.connect import followed, remote_session
from simglove_spark.engines.sail import sail_session
from simglove_spark.errors import ConfigError, ResourceError, SimgloveError
from simglove_spark.java import java_home
from simglove_spark.jvm import Tell, launched, quiet_log, without_its_handler
from simglove_spark.memory import WORKER_BASE, cores, executor_overhead, parse_size, total_memory
from simglove_spark.progress import Task
from simglove_spark.spark_errors import first_line, translated
from simglove_spark.spark_jobs import named_jobs, tell_tasks
from simglove_spark.stopping import ended_by_signal
from simglove_spark.storage.schemes import spark_settings

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
    # what cannot be cast, divided or summed in --where is an error (default from 4.0)
    "spark.sql.ansi.enabled": "true",
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

_ours = threading.Event()  # set once a session was made here and not found


def start_session(config: SparkConfig, app_name: str, tell: Tell = None) -> "SparkSession":
    """The session of the engine that is asked for.

    Of Sail or of a Spark Connect server; else the running session, or a new one: on a cluster as spark-submit says, else local
    Spark on this machine.

    Raises
    ------
    ResourceError
        When pyspark or a Java is missing, or the JVM or server does not start or answer.
    ConfigError
        When ``--spark-conf`` is not key=value, or the address of a server is none.
    """
    own, address = _parse(config.spark_conf), remote_address(config)
    if config.engine == "sail":
        return sail_session(cores())
    if address is not None:
        return remote_session(address, tuple(SETTINGS.items()), tuple(own.items()))
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
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    local = not submitted and local_slots(config) is not None
    _set_environment(config, own, submitted, local)
    try:
        gateway = SparkContext._gateway or launched(tell)  # first, so that settings from outside can be seen
        SparkContext._ensure_initialized(gateway=gateway)
        given = dict(SparkConf(_jvm=SparkContext._jvm).getAll()) | own
        if submitted and "spark.remote" in given:  # spark-submit --remote
            return remote_session(given["spark.remote"], tuple(SETTINGS.items()), tuple(own.items()))
        ours = SETTINGS | spark_settings()
        ours |= LOCAL_SETTINGS if local else executor_overhead(worker_memory(config), given)
        settings = {k: v for k, v in ours.items() if k not in given} | {"spark.app.name": f"simglove {app_name}"}
        if config.master or not (submitted or "spark.master" in given):
            settings["spark.master"] = config.master or "local[*,4]"  # 4 tries of a task, as on clusters
        builder = SparkSession.builder.config(map=settings | own)
        return without_its_handler(builder.getOrCreate)
    except SimgloveError:
        raise
    except Exception as error:
        raise ResourceError(f"Spark must start; got {first_line(error)}. Check JAVA_HOME (17 or newer).") from error


def _set_environment(config: SparkConfig, own: dict[str, str], submitted: bool, local: bool) -> None:
    # workers must be the interpreter that has our packages; python3 on PATH may be another one
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    if not submitted:
        os.environ["JAVA_HOME"] = str(java_home())
        os.environ.setdefault("PYSPARK_SUBMIT_ARGS", _submit_args(config, own))


def local_slots(config: SparkConfig) -> int | None:
    """Workers that run at once on this machine (local, local[2], local[2,4], local[*,4]); None on a cluster or a server."""
    if config.engine == "sail":
        return cores()
    if remote_address(config) is not None:
        return None
    outside = "cluster" if "PYSPARK_GATEWAY_PORT" in os.environ else _default("spark.master")
    master = config.master or outside or "local[*]"
    if not master.startswith("local"):
        return None
    inner = master.partition("[")[2].rstrip("]").split(",")[0]
    return int(inner) if inner.isdigit() else 1 if master == "local" else cores()


def scratch_folder(config: SparkConfig) -> Path | None:
    """Where Spark on this machine keeps what it shuffles, the first of several folders; None on a cluster, and with Sail."""
    if local_slots(config) is None or config.engine == "sail":
        return None
    given = _parse(config.spark_conf).get("spark.local.dir") or _default("spark.local.dir")
    return Path((os.environ.get("SPARK_LOCAL_DIRS") or given or "/tmp").split(",")[0])


def driver_heap(config: SparkConfig) -> int:
    """Bytes of heap for a local Spark; with Sail what its process takes without any work."""
    if config.engine == "sail":
        return WORKER_BASE
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
        # the blocks are counted in Python: Java's optimising compiler costs more of a start than it gives back
        settings["spark.driver.defaultJavaOptions"] = "-XX:TieredStopAtLevel=1"
        settings["spark.driver.extraJavaOptions"] = f"-Dlog4j2.configurationFile={quiet_log()}"
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
        poller.start()
    try:
        with followed(spark, description, task) if context is None else named_jobs(context, description, task):
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
        tell_tasks(task, tasks.values())
