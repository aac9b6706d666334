"""The log of a JVM of our own: errors alone, and of a failed task nothing, since that is told of by us."""

import atexit
import shutil
import tempfile
from pathlib import Path

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
