"""Norms against -log P(w) for GloVe and for one space without biases, and GloVe's freedom to shift: see docs/quality.md."""

import argparse
import math
from pathlib import Path

import matplotlib
import numpy as np

from simglove_spark.config import TrainConfig
from simglove_spark.evaluate import spearman
from simglove_spark.kernels.rows import loss_of_rows
from simglove_spark.manifest import Manifest
from simglove_spark.pmi import Weighing
from simglove_spark.shards import PairShards
from simglove_spark.sides import padded
from simglove_spark.vectors import Vectors

matplotlib.use("Agg")
STOP_WORDS = [
    "the",
    "of",
    "and",
    "in",
    "to",
    "a",
    "is",
    "was",
    "for",
    "as",
    "on",
    "by",
    "with",
    "that",
    "from",
    "at",
    "it",
    "be",
    "are",
    "this",
]


def percentile(vectors: Vectors) -> float:
    """Mean place of the stop words' norms among all, 0 the smallest and 100 the largest."""
    ranks = np.argsort(np.argsort(vectors.norms)) / (len(vectors) - 1)
    return float(100 * np.mean([ranks[vectors.word_id(word)] for word in STOP_WORDS]))


def shift_glove(folder: Path, pairs: Path) -> None:
    """Loss of GloVe before and after all context vectors are shifted by one vector, and the biases with them."""
    table, manifest = Vectors.load(folder), Manifest.load(pairs, "pairs")
    words, contexts, biases = (np.load(folder / f"_{name}.npy") for name in ("words_alone", "contexts_alone", "biases"))
    size, dim = words.shape
    config = TrainConfig(**{**table.manifest.config, "preset": "glove"})
    shards = PairShards(pairs, Weighing.of(manifest, np.asarray(table.counts), config), size, 0.0, 1, math.inf)

    def loss(words, contexts, biases):
        first, second = padded(size, dim + 2, np.float32), padded(size, dim + 2, np.float32)
        first[:, : dim + 2] = np.column_stack([words, biases[:, 0], np.ones(size)])
        second[:, : dim + 2] = np.column_stack([contexts, np.ones(size), biases[:, 1]])
        rows = [shards.load(shard).rows for shard in range(len(shards))]
        total = sum(loss_of_rows(r.words, r.bounds, r.cells, first, second) for r in rows)
        return total / sum(float(r.weights.sum(dtype=np.float64)) for r in rows)

    print(f"GloVe's loss {loss(words, contexts, biases):.6f}, mean |c| {np.linalg.norm(contexts, axis=1).mean():.3f}")
    for length in (1.0, 5.0):
        shift = np.random.default_rng(1).normal(size=dim)
        shift *= length / np.linalg.norm(shift)
        moved = contexts + shift, np.column_stack([biases[:, 0] - words @ shift, biases[:, 1]])
        print(
            f"shifted by a vector of length {length:g}: loss {loss(words, *moved):.6f}, "
            f"mean |c| {np.linalg.norm(moved[0], axis=1).mean():.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="append", required=True, metavar="NAME=DIR")
    parser.add_argument("--glove", type=Path, help="vectors made with --preset glove")
    parser.add_argument("--pairs", type=Path, help="the pairs they were made from")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        1, len(arguments.table), figsize=(4.2 * len(arguments.table), 3.8), layout="constrained"
    )
    for axis, (name, _, folder) in zip(
        np.atleast_1d(axes), (entry.partition("=") for entry in arguments.table), strict=True
    ):
        vectors = Vectors.load(folder)
        surprise = -np.log(vectors.counts / vectors.counts.sum())
        known = vectors.counts >= 100
        rank = spearman(surprise[known], vectors.norms[known])
        print(
            f"{name}: Spearman of norm and -log P(w) {rank:.3f} (words met 100 times), stop words at percentile {percentile(vectors):.1f}"
        )
        axis.plot(surprise, vectors.norms, ",", color="0.6")
        for word in STOP_WORDS[:8]:
            place = vectors.word_id(word)
            axis.plot(surprise[place], vectors.norms[place], "o", color="C3", markersize=3)
            axis.annotate(word, (surprise[place], vectors.norms[place]), fontsize=7)
        axis.set(title=name, xlabel="-log P(w)", ylabel="|v|")
    figure.savefig(arguments.output, dpi=110)
    if arguments.glove:
        shift_glove(arguments.glove, arguments.pairs)


if __name__ == "__main__":
    main()
