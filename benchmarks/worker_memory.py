"""Peak memory of what a Python worker does, and what the workers' copy of a large vocabulary costs: see benchmarks/README.md."""

import argparse
import json
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from zipf_corpus import names, write_corpus

from simglove_spark import cooccurrence, occurrence, word_table
from simglove_spark.cleaning import Cleaning
from simglove_spark.config import PairsConfig
from simglove_spark.manifest import new_manifest
from simglove_spark.memory import parse_size
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.schemas import VOCABULARY
from simglove_spark.table_files import commit, write_file
from simglove_spark.text_ranges import pieces, plan
from simglove_spark.word_counter import WordCounter

MIB = 2**20


def in_a_process(work: Callable[[], Any]) -> dict:
    """What it returns, its seconds, and the peak memory of a process that does nothing else."""
    spawn = multiprocessing.get_context("spawn")
    out = spawn.SimpleQueue()
    process = spawn.Process(target=_child, args=(work, out))
    process.start()
    told = out.get()
    process.join()
    return told


def _child(work: Callable[[], Any], out: Any) -> None:
    began, busy = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    # not getrusage: its peak is that of the parent too
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024
    out.put({"result": result, "seconds": round(seconds, 2), "CPU s": round(cpu, 2), "peak MiB": peak})


def nothing() -> None:
    """A worker's imports."""


def build(folder: Path, place: Path) -> int:
    word_table._build_copy(folder, "vocabulary", place)
    return sum(path.stat().st_size for path in place.iterdir())


def map_copy(place: Path) -> int:
    return word_table._mapped(place).size


def count_words(text: Path, memory: int) -> int:
    read = partial(pieces, tasks=_tasks(text), cleaning=Cleaning())
    return sum(batch.nbytes for batch in occurrence._count_partition(_numbers(), read, 4, memory, WordCounter, None))


def count_pairs(text: Path, place: Path, memory: int) -> dict[str, int]:
    cooccurrence.shared_word_table = lambda *_: word_table._mapped(place)
    read = partial(pieces, tasks=_tasks(text), cleaning=Cleaning())
    weights = distance_weights(PairsConfig().window_size, "harmonic")
    counter = partial(PairCounter, weights=weights, num_shards=8)
    sizes = [
        batch.nbytes
        for batch in cooccurrence._count_partition(_numbers(), read, ("", ""), counter, memory, False, None)
    ]
    return {"runs": len(sizes), "MiB": sum(sizes) // MIB}


def _tasks(text: Path) -> list[list[Any]]:
    return [[own for task in plan([{"path": str(text), "bytes": text.stat().st_size}], 1) for own in task]]


def _numbers() -> Any:
    return iter([pa.RecordBatch.from_pydict({"id": [0]})])


def write_vocabulary(folder: Path, words: int) -> None:
    folder.mkdir()
    columns = [names(words), np.arange(words, dtype=np.int32), np.full(words, 5)]
    report = write_file(folder, "vocabulary", VOCABULARY, [pa.table(columns, schema=VOCABULARY)])
    new_manifest("vocabulary", VOCABULARY, commit(folder, [report])[0], {}).save(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", type=lambda text: int(float(text)), default=int(2e6))
    parser.add_argument("--words", type=lambda text: int(float(text)), default=int(5e6))
    parser.add_argument("--worker-memory", nargs="+", default=["512m", "1g"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, place, text = Path(name, "vocabulary"), Path(name, "copy"), Path(name, "text.txt")
        write_vocabulary(folder, given.vocabulary)
        write_corpus(text, given.words, given.vocabulary, 1.0, 500, 1)
        print(f"{given.vocabulary:,} words; text {text.stat().st_size / MIB:,.0f} MiB; load {os.getloadavg()[0]:.0f}")
        steps = {
            "imports": nothing,
            "copy of the vocabulary built (its bytes)": partial(build, folder, place),
            "mapped (its words)": partial(map_copy, place),
        }
        for memory in given.worker_memory:
            size = parse_size(memory, "worker-memory")
            steps[f"words, {memory} (bytes handed out)"] = partial(count_words, text, size)
            steps[f"pairs, {memory}"] = partial(count_pairs, text, place, size)
        for step, work in steps.items():
            print(f"{step}: {json.dumps(in_a_process(work))}", flush=True)


if __name__ == "__main__":
    main()
