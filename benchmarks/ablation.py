"""Scores of the default and of each lever alone, with several seeds, as lines of a Markdown table: see benchmarks/README.md."""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.evaluate import read_set
from simglove_spark.progress import Progress
from simglove_spark.trainer import train
from simglove_spark.training import handed_out
from simglove_spark.vectors import Vectors

SIMILARITY, ANALOGIES = ("EN-WS-353-ALL.txt", "EN-SIMLEX-999.txt"), "questions-words.txt"
LEVERS = {
    "default": {},
    "plain pmi: count_power 1": {"count_power": 1.0},
    "count_power 0.5": {"count_power": 0.5},
    "x_max 100, alpha 0.75": {"x_max": 100.0, "alpha": 0.75},
    "no truncation": {"no_truncate_weight": True},
    "l2 0.1": {"l2": 0.1},
    "all_pairs_weight 0": {"all_pairs_weight": 0.0},
    "all_pairs_weight 0.002": {"all_pairs_weight": 2e-3},
    "all_pairs_pmi -1": {"all_pairs_pmi": -1.0},
    "all_pairs_power 0": {"all_pairs_power": 0.0},
    "all_pairs_power 0.5": {"all_pairs_power": 0.5},
    "sweeps 4": {"sweeps": 4},
    "sweeps 10": {"sweeps": 10},
    "two spaces, words": {"space": "separate"},
    "two spaces, summed": {"space": "separate", "hand_out": "sum"},
    "two spaces, concatenated": {"space": "separate", "hand_out": "concatenated"},
}


def scores(vectors: Vectors, folder: Path) -> dict[str, float]:
    found = {name: read_set(folder / name, "similarity").judge(vectors, 1).score for name in SIMILARITY}
    analogies = read_set(folder / ANALOGIES, "analogy").judge(vectors, 1)
    return {**found, **{part: analogies.measure("3CosAdd", part).score for part in ("semantic", "syntactic", "all")}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="run folder with vocabulary and pairs")
    parser.add_argument("--evaluation", type=Path, required=True, help="folder with the evaluation sets")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--lever", action="append", help="only these")
    arguments = parser.parse_args()
    for name in arguments.lever or LEVERS:
        rows, seconds = [], []
        for seed in range(1, arguments.seeds + 1):
            config, began = replace(TrainConfig(seed=seed), **LEVERS[name]), time.process_time()
            run = RunConfig(threads=arguments.threads)
            trained = train(arguments.run / "vocabulary", arguments.run / "pairs", config, run, Progress())
            seconds.append(time.process_time() - began)
            matrix, _ = handed_out(trained.solver, config)
            rows.append(scores(Vectors(trained.words.to_pylist(), matrix, trained.counts), arguments.evaluation))
            print(json.dumps({"lever": name, "seed": seed, "cpu_seconds": seconds[-1], **rows[-1]}), flush=True)
        cells = []
        for key in rows[0]:
            values = [row[key] for row in rows]
            cells.append(f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
