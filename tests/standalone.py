"""A small standalone cluster on loopback, from the pip package: a master, and workers that can be killed and started again."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simglove_spark.java import java_home

#: Two addresses: copies of a task never run on the host of the first.
HOSTS = ("127.0.0.1", "127.0.0.2")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Standalone:
    """A master and a worker with one core on each of two addresses.

    Attributes
    ----------
    master : str
        Its address.
    workers : dict
        Process of each host's worker; executors are its children.
    """

    def __init__(self, folder: Path) -> None:
        import pyspark

        self._folder, self._starter = folder, str(Path(pyspark.__file__).parent / "bin" / "spark-class")
        port = free_port()
        self.master = f"spark://{HOSTS[0]}:{port}"
        given = ["--host", HOSTS[0], "--port", str(port), "--webui-port", str(free_port())]
        self._master = self._start("org.apache.spark.deploy.master.Master", given, HOSTS[0])
        self.workers = {host: self.start_worker(host) for host in HOSTS}

    def start_worker(self, host: str) -> subprocess.Popen[bytes]:
        """Start the worker of a host, for the first time or after it was killed."""
        given = ["--host", host, "--cores", "1", "--memory", "1g", "--work-dir", str(self._folder / host)]
        return self._start(
            "org.apache.spark.deploy.worker.Worker", [*given, "--webui-port", str(free_port()), self.master], host
        )

    def _start(self, name: str, given: list[str], host: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "JAVA_HOME": str(java_home()), "SPARK_DAEMON_MEMORY": "256m"}
        # an executor that is killed is started again, however often
        environment["SPARK_MASTER_OPTS"] = (
            "-Dspark.master.rest.enabled=false -Dspark.ui.enabled=false -Dspark.deploy.maxExecutorRetries=-1"
        )
        return subprocess.Popen(
            [self._starter, name, *given],
            env={**environment, "SPARK_LOCAL_IP": host},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End all of its processes; executors end with their workers."""
        for process in (self._master, *self.workers.values()):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


@contextmanager
def standalone(folder: Path) -> Iterator[Standalone]:
    """The cluster, stopped at the end."""
    cluster = Standalone(folder)
    try:
        yield cluster
    finally:
        cluster.stop()
