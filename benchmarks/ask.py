"""How long a table of vectors takes to open and each question to be answered, the first time and after it."""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from simglove_spark.memory import cores
from simglove_spark.vectors import Vectors

BLOCK = 50_000


def generate(folder: Path, words: int, dim: int) -> None:
    """A table of that size: normal vectors, counts that fall as in a language."""
    random = np.random.default_rng(1)
    matrix = np.empty((words, dim), np.float32)
    for start in range(0, words, BLOCK):
        matrix[start : start + BLOCK] = random.standard_normal(matrix[start : start + BLOCK].shape, np.float32) * 0.15
    counts = (250 * words / (np.arange(words) + 10)).astype(np.int64) + 1
    Vectors([f"w{word}" for word in range(words)], matrix, counts).save(folder)


def measure(name: str, ask: Callable[[], object], times: int) -> None:
    wall, cpu = [], []
    for _ in range(times + 1):
        start, used = time.perf_counter(), time.process_time()
        ask()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    later = sorted(wall[1:])
    print(
        f"| {name} | {wall[0]:.3f} | {cpu[0]:.3f} | {later[0]:.3f} | {statistics.median(later):.3f} | {later[-1]:.3f} | "
        f"{statistics.median(cpu[1:]):.3f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="folder of the table; made when it is not there")
    parser.add_argument("--words", type=int, default=2_000_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--times", type=int, default=9)
    options = parser.parse_args()
    if not options.table.exists():
        generate(options.table, options.words, options.dim)
    known = Vectors.load(options.table)
    sentence = [known.words[int(word)] for word in np.random.default_rng(2).integers(0, min(len(known), 30_000), 30)]
    first, second = known.words[1000], known.words[2000]
    print(f"{len(known):,} words, dim {known.matrix.shape[1]}, {cores()} cores; seconds\n")
    print("| | first | its CPU | fastest | median | slowest | CPU |\n|---|---|---|---|---|---|---|")
    for name, ask in {
        "load": lambda: Vectors.load(options.table),
        "most_correlative": lambda: known.most_correlative(first),
        "analogy": lambda: known.analogy([first, second], [sentence[0]]),
        "most_similar": lambda: known.most_similar(first),
        "keywords of 30 words": lambda: known.keywords(sentence),
        "keywords among all words": lambda: known.keywords(sentence, candidates="vocabulary"),
        "sentence_similarity": lambda: known.sentence_similarity(sentence, sentence[:9]),
        "importance": lambda: known.importance(first),
        "pmi": lambda: known.pmi(first, second),
        "explain": lambda: known.explain(first, second),
        "neighbours of 256 words": lambda: known.neighbours(np.arange(256)),
    }.items():
        measure(name, ask, options.times if "256" not in name else 1)


if __name__ == "__main__":
    main()
