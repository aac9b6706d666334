"""A real Spark Connect server on loopback, from the jars that pip brings."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from standalone import free_port

from simglove_spark.java import java_home

SECONDS_TO_START = 120


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """Start one with two slots; yields its address. ``folder`` holds its log and its temporary files."""
    import pyspark

    port = free_port()
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.python.daemon.module": "warm_daemon",
    }
    home = Path(pyspark.__file__).parent
    server = "org.apache.spark.sql.connect.service.SparkConnectServer"
    command = [str(home / "bin/spark-submit"), "--class", server, "--master", "local[2,4]", "--driver-memory", "1g"]
    command += [part for pair in settings.items() for part in ("--conf", "=".join(pair))]
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    environment |= {"SPARK_HOME": str(home), "JAVA_HOME": str(java_home()), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {"PYSPARK_PYTHON": sys.executable, "TMPDIR": str(folder), "SPARK_LOCAL_DIRS": str(folder)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([*command, "spark-internal"], env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "server.log")
        yield f"sc://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen, port: int, log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the Connect server did not start: {log.read_text()[-2000:]}")
