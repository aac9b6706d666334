"""Commands in processes of their own, killed with SIGKILL at drawn moments: is what a re-run leaves the very same?

A `Session` is one process that carries out one command line after the other, so that Spark starts once for many of them. Its parts
are found by a mark in their environment; nothing else is ever killed.
"""

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil
from standalone import Standalone

from simglove_spark.errors import ResourceError, StoppedError
from simglove_spark.manifest import FILE_NAME, Manifest, checked_path, hash_file

MARK = "SIMGLOVE_KILLED_SESSION"
PATIENCE = 240  # seconds after which a command hangs
LOOP = """
import json, signal, sys
from simglove_spark import cli, text_ranges
text_ranges.MOST_BYTES = 1 << 18  # several tasks
print("ended 0", flush=True)
for line in sys.stdin:
    print("ended", cli.main(json.loads(line)), flush=True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one that comes too late is none
"""
#: What a killed part may make of a command: done all the same, or a job that failed, or Spark's end; never anything unexpected.
AFTERWARDS = {None, 0, ResourceError.exit_code}


class Session:
    """One process that carries out commands, with all that it starts.

    Parameters
    ----------
    log : Path
        Where its standard error goes.
    settings : tuple of str
        Options added to those commands that start Spark.
    cluster : Standalone, optional
        On which Spark runs.
    """

    def __init__(self, log: Path, settings: tuple[str, ...] = (), cluster: Standalone | None = None) -> None:
        self.mark, self.log, self.settings, self.cluster = uuid.uuid4().hex, log, settings, cluster
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYSPARK", "SPARK"))}
        environment |= {MARK: self.mark, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(log.parent)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOOP],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("a"),
            text=True,
        )
        self._ended: queue.Queue[int | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        assert self.wait() == 0

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("ended "):
                self._ended.put(int(line.split()[1]))
        self._ended.put(None)

    def give(self, arguments: list[str]) -> None:
        """Begin a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([*arguments, *self.settings]) + "\n")
        self.process.stdin.flush()

    def is_busy(self) -> bool:
        """Whether the command goes on."""
        return self._ended.empty()

    def wait(self) -> int | None:
        """Exit code of the command; None when the process is gone."""
        return self._ended.get(timeout=PATIENCE)

    def end(self) -> None:
        """End the process; whatever it started must go by itself."""
        self.process.kill()
        self.process.wait()
        self.refuse_what_stays()

    def refuse_what_stays(self) -> None:
        """Fail when a part outlives the process by a minute."""
        end = time.monotonic() + 60
        while left := [part.name() for part in self._marked()]:
            assert time.monotonic() < end, f"{left} stay behind"
            time.sleep(0.2)

    def _marked(self) -> list[psutil.Process]:
        """All of its parts, also those whose parent is gone."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def pids(self, part: str) -> list[int]:
        """Processes that are a part now: driver, jvm, daemon, python worker; on a cluster also executor, worker."""
        if part == "driver":
            return [self.process.pid]
        if part == "worker":
            return [process.pid for process in self.cluster.workers.values()]
        roots = [self.process.pid] if self.cluster is None or part == "jvm" else self.pids("worker")
        return [pid for root in roots for pid in parts_below(root, part)]


def parts_below(pid: int, part: str) -> list[int]:
    """Processes below another that are a part: jvm, executor, daemon, python worker."""
    try:
        return [found.pid for found in psutil.Process(pid).children(recursive=True) if _is(part, found)]
    except psutil.Error:
        return []


def _is(part: str, process: psutil.Process) -> bool:
    try:
        told = " ".join(process.cmdline())
        if part in ("jvm", "executor"):
            return process.name() == "java" and ("CoarseGrainedExecutorBackend" in told) == (part == "executor")
        if "pyspark.worker" not in told:  # which pyspark's daemon is told, and our warm one
            return False
        parent = process.parent()
        return (part == "daemon") == (parent is not None and parent.name() == "java")
    except psutil.Error:
        return False


class Stage(NamedTuple):
    """A command with a place for its output.

    Attributes
    ----------
    command : callable
        Output folder -> arguments.
    tables : tuple of str
        What it leaves below the output; none where it leaves plain files.
    """

    command: Callable[[Path], list[str]]
    tables: tuple[str, ...] = ()

    def sums(self, folder: Path) -> dict[str, str]:
        """Checksum of each table's content, whose files are those of its manifest; or of each file."""
        for table in self.tables:
            for entry in Manifest.load(folder / table, table).files:
                checked_path(folder / table, entry)
        if self.tables:
            return {table: Manifest.load(folder / table, table).content_sha256 for table in self.tables}
        files = [path for path in folder.rglob("*") if path.is_file() and not _is_own(path, folder)]
        return {str(path.relative_to(folder)): hash_file(path) for path in files}


def _is_own(path: Path, folder: Path) -> bool:
    """Whether a file is hidden, or says when and where it was made."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts) or path.name == FILE_NAME


class Undisturbed(NamedTuple):
    """What a stage does when nobody disturbs it: its length, how many names appear below the output, what it leaves."""

    seconds: float
    names: int
    sums: dict[str, str]


@dataclass
class Tally:
    """What came of killing one part in one stage."""

    where: str
    stage: str
    part: str
    seconds: float
    kills: int = 0
    survived: int = 0
    outputs: int = 0
    missed: int = field(default=0, repr=False)

    @property
    def row(self) -> str:
        """A line of the table."""
        told = [self.where, self.stage, self.part, f"{self.seconds:.1f} s", self.kills, self.survived, self.outputs]
        return "| " + " | ".join(map(str, told)) + " |"


HEAD = "| where | stage | killed | length | kills | of them the command went on by itself | outputs, all the same |\n|---|---|---|---|---|---|---|"


def measure(session: Session, stage: Stage, folder: Path) -> Undisturbed:
    """Carry a stage out twice, so that what is compiled or loaded once is not measured; both must leave the same."""
    names: set[str] = set()
    first = folder / "first"
    assert carried_out(session, stage, first) == 0
    began = time.monotonic()
    session.give(stage.command(folder / "second"))
    while session.is_busy():
        names |= below(folder / "second")
        time.sleep(0.001)
    assert session.wait() == 0
    seconds, sums = time.monotonic() - began, stage.sums(first)
    assert sums
    assert stage.sums(folder / "second") == sums
    return Undisturbed(seconds, len(names), sums)


def carried_out(session: Session, stage: Stage, output: Path) -> int | None:
    session.give(stage.command(output))
    return session.wait()


def below(folder: Path) -> set[str]:
    """Every name below a folder; what comes and goes while it is listed may be missing."""
    names: set[str] = set()
    for root, folders, files in os.walk(folder):
        names |= {f"{root}/{name}" for name in folders + files}
    return names


class Killer:
    """Kills one part of a stage at drawn moments, and looks at what is there after re-runs.

    Parameters
    ----------
    start : callable
        Makes a new session, warm.
    folder : Path
        For outputs.
    draw : random.Random
    number : int
        Signal that is sent; SIGTERM, to the driver, must end a command with exit code 7.
    """

    def __init__(
        self, start: Callable[[], Session], folder: Path, draw: random.Random, number: int = signal.SIGKILL
    ) -> None:
        self.start, self.folder, self.draw, self.number = start, folder, draw, number
        self.session = start()

    def kill(self, stage: Stage, expected: Undisturbed, tally: Tally, kills: int) -> None:
        """Kill until there are ``kills``; each output is killed up to three times, then left to be finished."""
        while tally.kills < kills:
            output = self.folder / f"{tally.where}-{tally.stage}-{tally.part}-{tally.outputs}".replace(" ", "-")
            for _ in range(min(3, kills - tally.kills)):
                if not self._disturb(stage, expected, tally, output):
                    break
            while (code := carried_out(self.session, stage, output)) != 0:
                self._go_on(code)
            assert stage.sums(output) == expected.sums, (tally, output)
            tally.outputs += 1
            assert tally.missed < 20 * (tally.kills + 1), f"{tally} is never met"

    def _disturb(self, stage: Stage, expected: Undisturbed, tally: Tally, output: Path) -> bool:
        """Carry the stage out and kill at a drawn moment; whether there is something left to do."""
        self.session.give(stage.command(output))
        victim = self._victim_at_moment(expected, tally.part, output)
        if victim is not None:
            os.kill(victim, self.number)
            self._replace_worker(victim)
            tally.kills += 1
        else:
            tally.missed += 1
        code = self.session.wait()
        tally.survived += victim is not None and code == 0
        self._go_on(code)
        if victim is None and not self.session.pids(tally.part):
            self.renew()  # a daemon that was killed is not missed as long as its workers live
        return code != 0

    def _victim_at_moment(self, expected: Undisturbed, part: str, output: Path) -> int | None:
        """Process to kill now, at a time or as soon as so many names have appeared; None when the stage ended before."""
        by_name = expected.names > 0 and self.draw.random() < 0.4
        names = self.draw.randint(1, expected.names) if by_name else 0
        due = time.monotonic() + (0 if by_name else self.draw.uniform(0, expected.seconds))
        seen: set[str] = set()
        while self.session.is_busy():
            seen |= below(output) if by_name else set()
            if time.monotonic() >= due and len(seen) >= names:
                found = self.session.pids(part)
                if found and self.session.is_busy():
                    return self.draw.choice(found)
            time.sleep(0.001)
        return None

    def _replace_worker(self, pid: int) -> None:
        cluster = self.session.cluster
        for host, process in cluster.workers.items() if cluster else ():
            if process.pid == pid:
                process.wait()
                cluster.workers[host] = cluster.start_worker(host)

    def _go_on(self, code: int | None) -> None:
        """Have a session that can be used, after what a command ended with."""
        allowed = AFTERWARDS if self.number == signal.SIGKILL else {0, StoppedError.exit_code}
        assert code in allowed, (code, self.session.log.read_text()[-3000:])
        if code in (None, StoppedError.exit_code) or (self.session.settings and not self.session.pids("jvm")):
            self.renew()

    def renew(self) -> None:
        """Go on with a new session."""
        self.session.end()
        self.session = self.start()

    def end(self) -> None:
        """End the session."""
        self.session.end()
