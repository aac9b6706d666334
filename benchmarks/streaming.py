"""Peak memory of `simglove train` with a budget far below the pairs, and with plenty: see benchmarks/README.md."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from simglove_spark.config import TrainConfig
from simglove_spark.forecast import BYTES_PER_CELL, vectors_memory
from simglove_spark.manifest import Manifest

CHILD = """
import resource, sys
from simglove_spark.cli import main
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from simglove_spark import trainer, warm_up
warm_up.warm_up()
loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
code = main(sys.argv[1:])
print("RSS", before, loaded, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True, help="pairs in many shards")
    parser.add_argument("--share", type=int, default=20, help="how many times the budget the decoded pairs are")
    arguments = parser.parse_args()
    pairs = Manifest.load(arguments.pairs, "pairs")
    words = Manifest.load(arguments.vocabulary, "vocabulary").rows
    vectors, decoded = vectors_memory(words, TrainConfig()), pairs.rows * BYTES_PER_CELL["rows"]
    for memory in (vectors + decoded // arguments.share, vectors + 2 * decoded):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                "train",
                "--vocabulary",
                arguments.vocabulary,
                "--pairs",
                arguments.pairs,
                "--output",
                f"{folder}/v",
            ]
            command += ["--sweeps", 3, "--memory", f"{memory >> 10}k"]
            done = subprocess.run(
                [sys.executable, "-c", CHILD, *map(str, command)], capture_output=True, text=True, check=True
            )
        _, loaded, peak = (int(kib) >> 10 for kib in done.stdout.split("RSS ")[1].split())
        sweeps = [json.loads(line) for line in done.stderr.splitlines() if '"event": "sweep"' in line]
        print(
            f"--memory {memory >> 20} MiB (vectors {vectors >> 20}, decoded pairs {decoded >> 20}): peak {peak} MiB, {loaded} of them "
            f"libraries and code; last sweep {sweeps[-1]['seconds']:.2f} s, loss {sweeps[-1]['loss']:.6f}"
        )


if __name__ == "__main__":
    main()
