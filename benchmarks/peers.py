"""Peers and ours side by side in one run, as ratios: see benchmarks/README.md. Peers are built or installed elsewhere."""

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from ablation import scores
from numpy.typing import NDArray

from simglove_spark.config import TrainConfig
from simglove_spark.export import load_glove_text, load_word2vec
from simglove_spark.kernels.rows import loss_of_rows
from simglove_spark.manifest import Manifest
from simglove_spark.pmi import Weighing
from simglove_spark.shards import PairShards
from simglove_spark.training_inputs import load_vocabulary
from simglove_spark.vectors import Vectors

DIM, ITERATIONS = 100, 15
PUBLISHED = {"count_power": 1.0, "x_max": 100.0, "alpha": 0.75}
GENSIM = """
import sys
from gensim.models.word2vec import Word2Vec
text, output, seed = sys.argv[1:]
class Pieces:  # of 10,000 words: more on one line are left out
    def __iter__(self):
        words = open(text).read().split()
        return (words[at:at + 10_000] for at in range(0, len(words), 10_000))
model = Word2Vec(Pieces(), vector_size=100, window=10, min_count=5, sg=1, negative=5, epochs=5, workers=2, seed=int(seed))
model.wv.save_word2vec_format(output, binary=True)
"""


def timed(command: list[object], log: Path, **how: object) -> dict[str, float]:
    """Wall and CPU seconds of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("w") as out:
        subprocess.run(list(map(str, command)), check=True, stderr=out, **{"stdout": out, **how})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": time.perf_counter() - began, "cpu": cpu}


class Judge:
    """One function for everyone's loss: f-weighted mean of squared errors over the flat counts."""

    def __init__(self, run: Path) -> None:
        table = load_vocabulary(run / "vocabulary")
        self.words, self.counts = table["word"].to_pylist(), table["count"].to_numpy()
        manifest, config = Manifest.load(run / "pairs", "pairs"), TrainConfig(**PUBLISHED)
        shards = PairShards(
            run / "pairs", Weighing.of(manifest, self.counts, config), len(self.words), 0.0, 1, math.inf
        )
        self.rows = [shards.load(shard).rows for shard in range(len(shards))]
        self.cells = manifest.rows

    def loss(self, matrix: NDArray[np.float32]) -> float:
        def one(rows):
            return loss_of_rows(rows.words, rows.bounds, rows.cells, matrix, matrix)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            total = sum(pool.map(one, self.rows))
        return total / sum(float(rows.weights.sum(dtype=np.float64)) for rows in self.rows)


def count_with_tools(build: Path, text: Path, folder: Path) -> None:
    """The C tools' own counts, once."""
    if (folder / "shuffled").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    quiet = ["-verbose", 0]
    for name, options, source, target in (
        ("vocab_count", ["-min-count", 5], text, "vocab"),
        (
            "cooccur",
            ["-memory", 4, "-window-size", 10, "-vocab-file", folder / "vocab", "-overflow-file", folder / "o"],
            text,
            "cooccur",
        ),
        ("shuffle", ["-memory", 4, "-temp-file", folder / "t"], folder / "cooccur", "shuffled"),
    ):
        with source.open("rb") as given, (folder / target).open("wb") as out:
            command = list(map(str, [build / name, *options, *quiet]))
            subprocess.run(command, check=True, stdin=given, stdout=out, stderr=subprocess.DEVNULL)
    (folder / "cooccur").unlink()


def c_tool(build: Path, text: Path, folder: Path, options: list[object]) -> dict[str, float]:
    count_with_tools(build, text, folder)
    command = [build / "glove", "-threads", 2, "-vector-size", DIM, "-iter", ITERATIONS, "-x-max", 100]
    command += ["-input-file", folder / "shuffled", "-vocab-file", folder / "vocab", "-save-file", folder / "vectors"]
    return timed([*command, *options], folder / "log")


def simglove(folder: Path, run: Path, **options: object) -> dict[str, float]:
    """`simglove train`, whole command; with its passes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [
        Path(sys.executable).with_name("simglove"),
        "train",
        "--vocabulary",
        run / "vocabulary",
        "--pairs",
        run / "pairs",
    ]
    command += ["--output", folder, "--threads", 2]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", value]
    return timed(command, folder.with_suffix(".log"))


def published(arguments: argparse.Namespace, judge: Judge) -> None:
    """The published tool against both of our solvers on its objective."""
    folder = arguments.work / "published"
    tool = c_tool(arguments.published, arguments.text, folder, ["-model", 0, "-binary", 1, "-checkpoint-every", 1])
    ids = {line.split()[0]: number for number, line in enumerate((folder / "vocab").read_text().splitlines())}
    order = [ids[word] for word in judge.words]
    losses = []
    for epoch in range(1, ITERATIONS + 1):
        matrix = np.fromfile(folder / f"vectors.{epoch:03d}.bin").reshape(-1, DIM)[order]
        losses.append(judge.loss(matrix.astype(np.float32)))
    told = {
        "peer": "published tool, 15 iterations",
        **tool,
        "loss": losses[-1],
        "losses": [round(x, 4) for x in losses],
    }
    told["cells_per_second_and_thread"] = judge.cells * ITERATIONS / tool["cpu"]
    say(told, Vectors(judge.words, matrix.astype(np.float32), judge.counts), arguments)
    for sweeps in range(2, 12):
        ours = simglove(arguments.work / "rows", arguments.flat, **PUBLISHED, all_pairs_weight=0, l2=0.1, sweeps=sweeps)
        loss = judge.loss(np.ascontiguousarray(Vectors.load(arguments.work / "rows").matrix))
        if loss <= losses[-1]:
            break
    told = {
        "ours": f"its objective, row solver, {sweeps} sweeps",
        **ours,
        "loss": loss,
        "cpu_ratio": tool["cpu"] / ours["cpu"],
    }
    say(told, Vectors.load(arguments.work / "rows"), arguments)
    for epochs in (1, 2, 5, 10, 15):
        ours = simglove(arguments.work / "adagrad", arguments.flat, preset="simpler-glove", epochs=epochs)
        loss = judge.loss(np.ascontiguousarray(Vectors.load(arguments.work / "adagrad").matrix))
        print(
            json.dumps({"adagrad_epochs": epochs, "loss": loss, "of_the_tool": loss / losses[epochs - 1]}), flush=True
        )
    speed = judge.cells * ITERATIONS / ours["cpu"]
    told = {"ours": "AdaGrad, 15 epochs, whole command", **ours, "loss": loss, "cells_per_second_and_thread": speed}
    told["ratio"] = speed / (judge.cells * ITERATIONS / tool["cpu"])
    say(told, Vectors.load(arguments.work / "adagrad"), arguments)


def say(told: dict[str, object], vectors: Vectors, arguments: argparse.Namespace) -> None:
    found = scores(vectors, arguments.evaluation)
    shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in {**told, **found}.items()}
    print(json.dumps(shown), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True, help="text8like")
    parser.add_argument("--run", type=Path, required=True, help="our run folder with harmonic pairs of that text")
    parser.add_argument("--flat", type=Path, help="our run folder with flat pairs; needed for --published")
    parser.add_argument("--evaluation", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for what the peers write")
    parser.add_argument("--published", type=Path, help="build folder of bojone/simpler_glove")
    parser.add_argument("--glove", type=Path, help="build folder of stanfordnlp/GloVe")
    parser.add_argument("--gensim", type=Path, help="a Python that has gensim")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    for seed in range(1, arguments.seeds + 1):
        ours = simglove(arguments.work / f"ours-{seed}", arguments.run, seed=seed)
        say({"ours": "default", "seed": seed, **ours}, Vectors.load(arguments.work / f"ours-{seed}"), arguments)
    if arguments.published:
        published(arguments, Judge(arguments.flat))
    if arguments.glove:
        tool = c_tool(arguments.glove, arguments.text, arguments.work / "glove", ["-binary", 0])
        say(
            {"peer": "GloVe, 15 iterations", **tool},
            load_glove_text(arguments.work / "glove" / "vectors.txt"),
            arguments,
        )
    for seed in range(1, arguments.seeds + 1) if arguments.gensim else ():
        output = arguments.work / f"gensim-{seed}.bin"
        peer = timed([arguments.gensim, "-c", GENSIM, arguments.text, output, seed], arguments.work / "gensim.log")
        say({"peer": "gensim skip-gram", "seed": seed, **peer}, load_word2vec(output), arguments)


if __name__ == "__main__":
    main()
