"""Both counting stages on a cluster of two hosts whose tasks die, fail and dawdle: the very tables of an undisturbed run.

Two minutes: pytest -m faults. Workers that are killed in short are in test_kills.py."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from standalone import standalone
from test_counting import KEEP_ALL, checksums, corpus_of, run_stages

from simglove_spark.config import PairsConfig
from simglove_spark.manifest import Manifest

pytestmark = [pytest.mark.spark, pytest.mark.faults]

TABLES = ("word_counts", "vocabulary", "pairs")
PAIRS = PairsConfig(window_size=3, num_shards=6)
DRIVER = """
import sys
from simglove_spark import cli, text_ranges
text_ranges.MOST_BYTES = 2000  # many tasks
sys.exit(cli.main(sys.argv[1:]))
"""
# copies are started as soon as half of a stage is done, on the other host
SPECULATION = {
    "spark.speculation": "true",
    "spark.speculation.interval": "200ms",
    "spark.speculation.quantile": "0.5",
    "spark.speculation.multiplier": "1.2",
    "spark.speculation.minTaskRuntime": "500ms",
}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A master and two workers on two addresses: copies of a task never run on the host of the first."""
    with standalone(tmp_path) as started:
        yield started.master


class Attempt(NamedTuple):
    where: str
    stage: int
    partition: int
    number: int
    fault: str


@pytest.mark.usefixtures("spark")
def test_tasks_that_die_fail_and_dawdle_change_nothing(tmp_path: Path, corpus: Path, cluster: str) -> None:
    alone = run_stages(corpus_of(corpus), tmp_path / "alone", KEEP_ALL, PAIRS)
    output, log = tmp_path / "run", tmp_path / "faults"
    settings = {
        **SPECULATION,
        "spark.executor.memory": "512m",
        "spark.executorEnv.PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "worker_faults"), *sys.path]),
        "spark.executorEnv.FAULT_LOG": str(log),
    }
    given = ["--input", str(corpus), "--output", str(output), "--min-count", "1", "--window-size", "3"]
    given += ["--num-shards", "6", "--worker-memory", "64m", "--master", cluster, "--dim", "4", "--sweeps", "1"]
    given += ["--spark-conf", *(f"{key}={value}" for key, value in settings.items())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [sys.executable, "-c", DRIVER, "run", *given]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    for table in TABLES:
        assert checksums(output, table) == checksums(alone, table)
        assert Manifest.load(output / table, table) == Manifest.load(alone / table, table)
        found = {path.name for path in (output / table).iterdir()}
        assert found == {"_manifest.json", *(name for name, _ in checksums(output, table))}
    attempts = [
        Attempt(line[0], *map(int, line[1:4]), line[4]) for line in map(str.split, log.read_text().splitlines())
    ]
    stages = {where: sorted({a.stage for a in attempts if a.where == where}) for where in ("read", "write")}
    assert {where: len(found) for where, found in stages.items()} == {"read": 2, "write": 2}
    met = {stage: {a.fault for a in attempts if a.stage == stage} for stage in {a.stage for a in attempts}}
    assert all(met[stage] == {"0", "1", "2", "None"} for stage in stages["read"])
    assert all(met[stage] & {"0", "1"} and "None" in met[stage] for stage in stages["write"])
    copies = {attempt.stage for attempt in attempts if attempt.partition == 2 and attempt.number > 0}
    assert copies >= set(stages["read"])  # it sleeps and does not fail: a copy ran beside it
