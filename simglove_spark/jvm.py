"""A JVM of our own: its log, which tells errors alone, and of a failed task nothing, since that is told of by us; its start."""

import atexit
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Tell = Callable[[str, str], None] | None
# every JVM that Spark starts prints it
USUAL = "WARNING: Using incubator modules"

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


def quiet_log() -> Path:
    """Log4j's settings, in a file that goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="simglove-log4j-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "log4j2.properties"
    path.write_text(_LOG4J)
    return path


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


def without_its_handler(start: Callable[[], Any]) -> Any:
    """What ``start`` makes; Ctrl-C stays ours. pyspark's handler speaks to the JVM amid a call, which Spark 3.5 ends with another error."""
    ours = signal.getsignal(signal.SIGINT)
    made = start()
    if ours is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, ours)
    return made
