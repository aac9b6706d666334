"""Sweeps with one and two threads, and from memory and from disk, interleaved: medians and ratios. See benchmarks/README.md."""

import argparse
import math
import statistics
import time
from pathlib import Path

from simglove_spark.config import TrainConfig
from simglove_spark.forecast import BYTES_PER_CELL
from simglove_spark.manifest import Manifest
from simglove_spark.pmi import Weighing
from simglove_spark.row_solver import RowSolver
from simglove_spark.shards import PairShards
from simglove_spark.trainer import order_of_shards
from simglove_spark.training_inputs import load_vocabulary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="run folder with vocabulary and pairs")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dim", type=int, default=100)
    arguments = parser.parse_args()
    counts = load_vocabulary(arguments.run / "vocabulary")["count"].to_numpy()
    manifest, config = Manifest.load(arguments.run / "pairs", "pairs"), TrainConfig(dim=arguments.dim)
    weighing = Weighing.of(manifest, counts, config)
    decoded = manifest.rows * BYTES_PER_CELL["rows"]
    kept, half, read = (
        PairShards(arguments.run / "pairs", weighing, counts.size, 0.0, 1, room) for room in (math.inf, decoded / 2, 0)
    )
    ways = {"1 thread": (1, kept), "2 threads": (2, kept)}
    ways |= {"2 threads, half read again": (2, half), "2 threads, read again": (2, read)}
    solvers = {name: RowSolver(counts, config, threads) for name, (threads, _) in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, arguments.repeats + 2):
        for name, (threads, shards) in ways.items():
            order, began = order_of_shards(1, number, len(shards)), time.perf_counter()
            solvers[name].run(number, shards.stream(order, threads, reuse=True), len(shards))
            if number > 1:  # the first decodes, and compiles
                seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        flops = 10 * arguments.dim * manifest.rows / medians[name]
        print(
            f"{name}: {medians[name]:.2f} s a sweep ({min(times):.2f} to {max(times):.2f}), {flops * 1e-9:.1f} GFlop/s"
        )
    print(f"2 threads are {medians['1 thread'] / medians['2 threads']:.2f} times 1 thread")
    for name in list(ways)[2:]:
        print(f"{name}: costs {medians[name] / medians['2 threads']:.2f} times from memory")
    same = {solver.vectors.tobytes() for solver in solvers.values()}
    print("the same bytes" if len(same) == 1 else "BYTES DIFFER")


if __name__ == "__main__":
    main()
