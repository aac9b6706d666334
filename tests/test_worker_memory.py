"""`--worker-memory` is all that a Python worker takes, whatever it counts: measured in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tables

from simglove_spark import word_table
from simglove_spark.config import SparkConfig
from simglove_spark.errors import ConfigError
from simglove_spark.memory import WORKER_BASE, executor_overhead, left_for_tables
from simglove_spark.session import local_slots, worker_memory

# what a task does, on words that hardly ever repeat a pair: each table fills and is handed out many times
WORK = """
import re, sys
from functools import partial
from pathlib import Path
import pyarrow as pa
from simglove_spark import cooccurrence, occurrence, word_table
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.text_ranges import pieces, plan
from simglove_spark.text_rows import Cleaning
from simglove_spark.word_counter import WordCounter

what, memory, text, place = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
tasks = plan([{"path": str(text), "bytes": text.stat().st_size}], 1)
read = partial(pieces, tasks=[[own for task in tasks for own in task]], cleaning=Cleaning())
batches = iter([pa.RecordBatch.from_pydict({"id": [0]})])
if what == "words":
    handed_out = sum(1 for _ in occurrence._count_partition(batches, read, 4, memory, WordCounter, None))
else:
    cooccurrence.shared_word_table = lambda *_: word_table._mapped(place)
    counter = partial(PairCounter, weights=distance_weights(10, "harmonic"), num_shards=2)
    handed_out = sum(1 for _ in cooccurrence._count_partition(batches, read, ("", ""), counter, memory, False, None))
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(handed_out, peak)
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with two million words that all differ, 750,000 that hardly repeat a pair, and their vocabulary's copy."""
    folder = tmp_path_factory.mktemp("memory")
    words = [f"word{number}" for number in range(200_000)]
    tables.write_vocabulary(folder / "vocabulary", dict.fromkeys(words, 5))
    word_table._build_copy(folder / "vocabulary", "vocabulary", folder / "copy")
    rows = np.random.default_rng(1).integers(0, len(words), (750, 1000)).tolist()
    (folder / "pairs.txt").write_text("\n".join(" ".join(words[word] for word in row) for row in rows))
    (folder / "words.txt").write_text(" ".join(map(str, range(2_000_000))))
    return folder


@pytest.mark.parametrize(("what", "memory"), [("words", 384 << 20), ("pairs", 384 << 20), ("pairs", 600 << 20)])
def test_a_worker_keeps_to_its_memory(prepared: Path, what: str, memory: int) -> None:
    command = [sys.executable, "-c", WORK, what, str(memory), str(prepared / f"{what}.txt"), str(prepared / "copy")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    handed_out, peak = map(int, done.stdout.split())
    print(f"{what}, {memory >> 20} MiB: {peak >> 20} MiB, {handed_out} batches")
    assert handed_out > (2 if what == "words" else 6)
    assert peak < memory


def test_what_is_left_for_tables() -> None:
    assert left_for_tables(1 << 30) == (1 << 30) - WORKER_BASE
    assert left_for_tables(1 << 30, 50 << 20) == (1 << 30) - WORKER_BASE - (50 << 20)
    assert left_for_tables(64 << 20) == 16 << 20  # less than Python itself: small tables, and more than was asked for


def test_memory_of_workers_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    for machine, expected in ((64, 1280), (8, 1263), (3, 384)):
        monkeypatch.setattr("simglove_spark.session.total_memory", lambda size=machine: size << 30)
        assert worker_memory(SparkConfig(master="local[4]", driver_memory="1500m")) >> 20 == expected
    assert worker_memory(SparkConfig(master="yarn")) == 1280 << 20
    assert worker_memory(SparkConfig(worker_memory="700m")) == 700 << 20


@pytest.mark.parametrize(
    ("settings", "mib"),
    [
        ({}, 1280 + 384),
        ({"spark.executor.cores": "4"}, 4 * 1280 + 384),
        ({"spark.executor.cores": "4", "spark.executor.memory": "8g"}, 4 * 1280 + 819),
        ({"spark.executor.memory": "8192"}, 1280 + 819),
    ],
)
def test_containers_are_asked_for_what_workers_take(settings: dict[str, str], mib: int) -> None:
    assert executor_overhead(1280 << 20, settings) == {"spark.executor.memoryOverhead": f"{mib}m"}


@pytest.mark.parametrize("told", ["memoryOverhead", "memoryOverheadFactor", "pyspark.memory"])
def test_who_says_what_containers_get_is_heard(told: str) -> None:
    assert executor_overhead(1280 << 20, {f"spark.executor.{told}": "1"}) == {}


def test_a_heap_that_is_no_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--spark-conf spark\.executor\.memory must be a size such as 512m or 8g"):
        executor_overhead(1 << 30, {"spark.executor.memory": "much"})


@pytest.mark.parametrize(("master", "slots"), [("local[3]", 3), ("spark://here:7077", None)])
def test_the_master_of_spark_defaults_decides_where_workers_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, master: str, slots: int | None
) -> None:
    (tmp_path / "spark-defaults.conf").write_text(f"spark.master {master}\n")
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    assert local_slots(SparkConfig()) == slots
    assert local_slots(SparkConfig(master="local[2]")) == 2
