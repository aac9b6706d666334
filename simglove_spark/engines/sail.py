"""Sail as the engine: a server on this machine, in a process of its own, that runs our DataFrame code without Java.

Its workers are threads of that process. It has a memory of its own, and can be ended at any moment without harm to ours.
"""

import atexit
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from simglove_spark.config import CorpusConfig
from simglove_spark.corpus import is_here
from simglove_spark.engines.connect import RETRIES_HERE, open_session
from simglove_spark.errors import ConfigError, ResourceError
from simglove_spark.sampling import can_unpack
from simglove_spark.storage.schemes import is_store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SERVER = "simglove_spark.engines.sail_server"
# columns of more than 2 GiB in a partition: runs of pairs are large
SETTINGS = {"spark.sql.execution.arrow.useLargeVarTypes": "true"}


def sail_session(slots: int) -> "SparkSession":
    """The session of this process with a Sail server of its own, in which ``slots`` tasks work at a time.

    Raises
    ------
    ConfigError
        Under spark-submit.
    ResourceError
        When pysail or the client is missing, or of versions that do not go together, or the server does not start.
    """
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        raise ConfigError(
            "--engine sail must be run without spark-submit, which starts Spark; got both. Run the job with python."
        )
    return _session(slots)


@lru_cache(maxsize=1)
def _session(slots: int) -> "SparkSession":
    session = open_session(f"sc://127.0.0.1:{_start(slots)}", "sail", RETRIES_HERE)
    for key, value in SETTINGS.items():
        session.conf.set(key, value)
    return session


def _start(slots: int) -> int:
    """Start the server; returns its port."""
    command = [sys.executable, "-m", SERVER, str(slots)]
    # it prints what it does unless it is told not to; it sees the modules that we see
    settings = {"RUST_LOG": "off", **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile() as told:
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, env=settings, start_new_session=True
        )
        atexit.register(server.kill)
        with suppress(ImportError):  # what is missing is told where it is used
            import pyspark.sql.connect.session  # noqa: F401 - half a second, in which the server starts
        port = server.stdout.readline() if server.stdout else b""
        if port:
            return int(port)
        told.seek(0)
        last = told.read().decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {server.wait()}"]
    raise ResourceError(
        f"--engine sail must have a Sail that starts; got {last[0]}. pip install 'simglove-spark[sail]'."
    )


def check_corpus(files: list[dict[str, Any]], config: CorpusConfig) -> None:
    """Refuse files that Sail's workers cannot read as Spark's do.

    Raises
    ------
    ConfigError
    """
    if files and config.where is not None:
        raise ConfigError(
            f"--where must be left out with --engine sail, whose workers read files without SQL; got {config.where}. "
            "Use --engine spark."
        )
    for path in (entry["path"] for entry in files):
        if not is_here(path) or is_store(path):
            raise ConfigError(
                f"--engine sail must be given files of this machine; got {path}. Copy them here, or use --engine spark."
            )
        if not can_unpack(path):
            raise ConfigError(
                f"--engine sail must be given files that Arrow can unpack, .gz, .bz2 or .zst; got {path}. Use --engine spark."
            )
