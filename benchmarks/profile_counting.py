"""CPU seconds of every step of counting, and the bytes between them, as a Markdown table: see benchmarks/README.md."""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import spark_events
from measure_run import watch

from simglove_spark import cooccurrence, occurrence, text_ranges
from simglove_spark.cleaning import Cleaning
from simglove_spark.config import CorpusConfig, PairsConfig
from simglove_spark.corpus import list_inputs
from simglove_spark.manifest import Manifest
from simglove_spark.memory import left_for_tables
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.schemas import PAIRS
from simglove_spark.table_files import write_file
from simglove_spark.text_rows import spans
from simglove_spark.word_blocks import blocks_of
from simglove_spark.word_counter import WordCounter
from simglove_spark.word_ids import WordIds
from simglove_spark.word_table import WordTable, build_word_table

SIMGLOVE = [sys.executable, "-c", "from simglove_spark.cli import entry; entry()"]
MIB, MEMORY, TASKS = 2**20, 1280 << 20, 2


class Clock:
    """CPU seconds of this process by step, without those of steps inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.inside = 0.0

    def call(self, step: str, work: Callable[..., Any], *arguments: Any) -> Any:
        began, around, self.inside = time.process_time(), self.inside, 0.0
        try:
            return work(*arguments)
        finally:
            whole = time.process_time() - began
            self.seconds[step] += whole - self.inside
            self.inside = around + whole

    def each(self, step: str, items: Iterator[Any]) -> Iterator[Any]:
        while (item := self.call(step, next, items, None)) is not None:
            yield item


def count_words(tasks: list[Any], shards: int, clock: Clock) -> int:
    """Words as a worker counts them; returns bytes handed to the JVM."""
    handed_out = 0
    for task in tasks:
        counter = WordCounter(left_for_tables(MEMORY), shards)
        for own in task:
            for piece in clock.each("read, check UTF-8", text_ranges.pieces_of(own, Cleaning())):
                for block in clock.each("tokenise", spans(piece.column, piece.is_open)):
                    handed_out += sum(_bytes(batch) for batch in clock.call("count words", counter.add, block))
        handed_out += clock.call("hand out words", lambda counter=counter: _bytes(counter.drain()))
    return handed_out


def _bytes(counted: pa.RecordBatch) -> int:
    return sum(batch.nbytes for batch in blocks_of(counted))


def count_pairs(tasks: list[Any], table: WordTable, shards: int, clock: Clock) -> dict[int, list[bytes]]:
    """Runs of each shard, as two workers hand them out."""
    runs: dict[int, list[bytes]] = defaultdict(list)
    config = PairsConfig()
    for task in tasks:
        weights = distance_weights(config.window_size, config.distance_weighting)
        counter = PairCounter(table, weights, shards, left_for_tables(MEMORY, table.nbytes))
        words, drain, sort = WordIds(table), counter.drain, counter._sorted_rows
        words._blocks = lambda piece, step=words._blocks: clock.each("tokenise", step(piece))
        words._look_up = lambda block, step=words._look_up: clock.call("look up", step, block)
        counter._sorted_rows = lambda step=sort: clock.call("drain: sort", step)
        counter.drain = lambda step=drain: clock.each("drain: encode", step())
        for own in task:
            for piece in clock.each("read, check UTF-8", text_ranges.pieces_of(own, Cleaning())):
                for ids in words.own(piece):
                    for shard, run in clock.each("count pairs", counter.add(ids)):
                        runs[shard].append(run)
        for shard, run in counter.drain():
            runs[shard].append(run)
    return runs


def merge_and_write(runs: dict[int, list[bytes]], words: int, folder: Path, clock: Clock) -> tuple[int, int]:
    """Files of all shards; returns cells and bytes."""
    reports = []
    for shard, strings in sorted(runs.items()):
        tables = clock.each("merge", cooccurrence.merged_tables(strings, words))
        reports.append(clock.call("write Parquet", write_file, folder, f"shard-{shard:05d}", PAIRS, tables))
    return sum(report["rows"] for report in reports), sum(report["bytes"] for report in reports)


def kernels(text: Path, run: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds of each step in one process, and bytes at its borders."""
    manifest = Manifest.load(run / "vocabulary", "vocabulary")
    words = pq.read_table(run / "vocabulary")["word"].combine_chunks()
    table = build_word_table(words)
    listed = list_inputs(CorpusConfig(input=(str(text),)))
    tasks = text_ranges.plan(listed, TASKS)
    shards = cooccurrence.shards_for(PairsConfig(), manifest.details["total_words"])
    for_words, for_pairs = Clock(), Clock()
    word_bytes = count_words(tasks, occurrence.shards_for(listed), for_words)
    runs = count_pairs(tasks, table, shards, for_pairs)
    with tempfile.TemporaryDirectory() as name:
        cells, written = merge_and_write(runs, len(words), Path(name), for_pairs)
    sizes = {
        "text": text.stat().st_size,
        "words": word_bytes,
        "runs": sum(len(run) for strings in runs.values() for run in strings),
        "cells": cells,
        "Parquet": written,
    }
    seconds = {f"words: {step}": value for step, value in for_words.seconds.items()}
    return seconds | {f"pairs: {step}": value for step, value in for_pairs.seconds.items()}, sizes


def whole(text: Path, work: Path) -> list[str]:
    """Both stages on Spark, JVM and Python apart: rows of a table."""
    rows = []
    for stage, more in {
        "count-words": ["--output", str(work)],
        "count-pairs": ["--output", str(work / "pairs"), "--vocabulary", str(work / "vocabulary")],
    }.items():
        events = work / f".events-{stage}"
        options = [
            "--input",
            str(text),
            "--master",
            f"local[{TASKS},4]",
            "--spark-conf",
            *spark_events.settings(events),
        ]
        seen, tasks = watch([*SIMGLOVE, stage, *more, *options]), spark_events.stages(events)
        cpu = [seen["cpu"].get(kind, 0.0) for kind in ("driver (Python)", "one Python worker", "Spark JVM")]
        total = {field: sum(part[field] for part in tasks) for field in spark_events.FIELDS}
        rows.append(
            f"| {stage} | {seen['total']:.1f} | {' | '.join(f'{seconds:.1f}' for seconds in cpu)} | "
            f"{total['JVM CPU s']:.1f} | {total['GC s']:.1f} | {total['written MiB']:.1f} | {total['write s']:.1f} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3, help="Of the steps in one process; medians are shown.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = whole(given.text, Path(name))
        kernels(given.text, Path(name))  # compiles
        found = [kernels(given.text, Path(name)) for _ in range(given.repeats)]
    load = os.getloadavg()[0]
    print(
        f"{given.text.name}, {TASKS} tasks one after the other in one process; median of {given.repeats}, load {load:.0f}\n"
    )
    print("| step | CPU s |\n|---|---|")
    for step in found[0][0]:
        print(f"| {step} | {statistics.median(seconds[step] for seconds, _ in found):.2f} |")
    sizes = found[0][1]
    print(f"\n{sizes['cells']:,} cells; MiB: ", end="")
    print(", ".join(f"{name} {size / MIB:,.1f}" for name, size in sizes.items() if name != "cells"))
    print(
        "\n| stage | wall s | driver CPU s | workers CPU s | JVM CPU s | of it in tasks | GC s | shuffle MiB | its write s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
