"""A synthetic corpus made, counted and checked in one command: see benchmarks/README.md."""

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import spark_events
from measure_run import watch
from zipf_corpus import write_corpus

from simglove_spark.manifest import Manifest

SIMGLOVE = [sys.executable, "-c", "from simglove_spark.cli import entry; entry()"]
MIB = 2**20


def check(work: Path, told: dict) -> str:
    """Compare the tables with what was planted; returns a sentence, or ends the program."""
    counts, pairs = Manifest.load(work / "words" / "word_counts", "word_counts"), Manifest.load(work / "pairs", "pairs")
    wrong = [] if counts.details["total_words"] == told["words"] else [("words", counts.details["total_words"])]
    table = pq.read_table(work / "words" / "vocabulary", columns=["word", "word_id", "count"])
    known = {row["word"]: row for row in table.filter(ds.field("word").isin(_words(told))).to_pylist()}
    kept = {pair: [known.get(word) for word in pair.split()] for pair in told["planted"]}
    ids = [rows[0]["word_id"] for rows in kept.values() if all(rows)]
    files = [work / "pairs" / entry.path for entry in pairs.files]
    cells = ds.dataset(files).to_table(filter=ds.field("word_id").isin(ids)).to_pylist()
    found = {(cell["word_id"], cell["context_id"]): cell["count"] / pairs.details["unit"] for cell in cells}
    for pair, count in told["planted"].items():
        left, right = kept[pair]
        if left is None or right is None:
            continue  # below min-count
        seen = (left["count"], right["count"], found.get((left["word_id"], right["word_id"])))
        wrong += [] if seen == (count, count, count) else [(pair, seen, count)]
    if wrong:
        raise SystemExit(f"counts differ from what was planted: {wrong}")
    return f"All {told['words']:,} words and {len(ids)} planted pairs were counted exactly."


def _words(told: dict) -> list[str]:
    return [word for pair in told["planted"] for word in pair.split()]


def report(name: str, words: int, seen: dict, events: list[dict[str, float]]) -> None:
    print(f"\n{name}: {seen['total']:.1f} s, {words / seen['total'] / 1e6:.2f} M words/s\n")
    print("| process | peak memory, MiB | CPU s |\n|---|---|---|")
    for kind, peak in seen["peaks"].items():
        print(f"| {kind} | {peak / MIB:,.0f} | {seen['cpu'][kind]:.1f} (all of them) |")
    print(f"\n| stage | {' | '.join(spark_events.FIELDS)} |\n|---|{'---|' * len(spark_events.FIELDS)}")
    for number, stage in enumerate(events):
        print(f"| {number} | {' | '.join(f'{value:,.1f}' for value in stage.values())} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=lambda text: int(float(text)), default=int(1e8))
    parser.add_argument("--vocabulary", type=lambda text: int(float(text)), default=int(1e6))
    parser.add_argument(
        "--exponent", type=float, default=1.2, help="Of the Zipf law; 1 gives five times as many cells."
    )
    parser.add_argument("--work", type=Path, required=True, help="Folder for corpus, tables and Spark's scratch.")
    parser.add_argument("--delete", action="store_true", help="Remove corpus and tables at the end.")
    parser.add_argument("--master", default="local[2,4]")
    parser.add_argument("--worker-memory", default="auto")
    parser.add_argument("--min-count", default="5")
    given = parser.parse_args()
    work = given.work
    work.mkdir(parents=True, exist_ok=True)
    text, told_of = work / "corpus.txt", work / "corpus.json"
    if not told_of.exists():
        told_of.write_text(json.dumps(write_corpus(text, given.words, given.vocabulary, given.exponent, 500, 1)))
    told = json.loads(told_of.read_text())
    print(f"{told['words']:,} words, {text.stat().st_size / 1e9:.2f} GB, {given.master}, {given.worker_memory}")
    for name, more in {
        "words": ["count-words", "--min-count", given.min_count],
        "pairs": ["count-pairs", "--vocabulary", str(work / "words" / "vocabulary")],
    }.items():
        events = work / "events" / name
        for folder in (events, work / name):
            shutil.rmtree(folder, ignore_errors=True)
        options = ["--input", str(text), "--output", str(work / name), "--master", given.master]
        options += ["--worker-memory", given.worker_memory]
        options += ["--spark-conf", *spark_events.settings(events), f"spark.local.dir={work / 'scratch'}"]
        report(more[0], told["words"], watch([*SIMGLOVE, *more, *options]), spark_events.stages(events))
    files = Manifest.load(work / "pairs", "pairs").files
    cells = [entry.rows for entry in files]
    print(
        f"\n{sum(cells):,} cells in {sum(entry.bytes for entry in files) / MIB:,.0f} MiB, {len(files)} shards; ", end=""
    )
    print(f"cells a shard: {min(cells):,} least, {statistics.median(cells):,.0f} median, {max(cells):,} most")
    print(check(work, told))
    if given.delete:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
