"""`simglove run` with Spark and with Sail in turns: wall time of each stage, and the ratio. See benchmarks/README.md."""

import argparse
import statistics
import sys
from pathlib import Path

from measure_run import measure

from simglove_spark.manifest import Manifest

ENGINES = ("spark", "sail")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder for the run folders spark and sail")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    results: dict[str, list[dict]] = {engine: [] for engine in ENGINES}
    simglove = str(Path(sys.executable).with_name("simglove"))
    for _ in range(arguments.runs):
        for engine in ENGINES:
            output = arguments.output / engine
            options = ["run", "--engine", engine, "--input", arguments.input, "--output", str(output)]
            results[engine].append(measure([simglove, *options], output))
    for table in ("word_counts", "vocabulary", "pairs", "vectors"):
        found = {Manifest.load(arguments.output / engine / table, table).content_sha256 for engine in ENGINES}
        if len(found) > 1:
            raise SystemExit(f"{table} differs")
    print(f"{arguments.runs} runs, median (least to most), the same tables")
    for name in results["spark"][0]["seconds"]:
        by_engine = {engine: [run["seconds"][name] for run in results[engine]] for engine in ENGINES}
        shown = "".join(f"{statistics.median(v):8.1f} s ({min(v):.1f} to {max(v):.1f})" for v in by_engine.values())
        print(f"  {name:<14}{shown}   ratio {statistics.median(map(float.__truediv__, *by_engine.values())):.2f}")
    for engine in ENGINES:
        peaks = {
            name: max(run["peaks"].get(name, 0) for run in results[engine]) for name in results[engine][0]["peaks"]
        }
        print(f"  {engine}: " + ", ".join(f"{name} {peak / 2**20:,.0f} MiB" for name, peak in peaks.items()))


if __name__ == "__main__":
    main()
