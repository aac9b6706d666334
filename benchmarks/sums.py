"""Sums of vectors for sentences and keywords, taken in several ways, as lines of a Markdown table: see benchmarks/README.md."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simglove_spark.asking.sentences import SIF
from simglove_spark.evaluate import load_model, read_set, shared_words
from simglove_spark.vectors import Vectors, unit_rows


def ways(vectors: Vectors) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Names, and the matrices whose plain sums are meant."""
    matrix, sif = vectors.matrix.astype(np.float64), (SIF / (SIF + vectors.counts / vectors.counts.sum()))[:, None]
    average = np.average(matrix, axis=0, weights=vectors.counts)
    direction = average / np.linalg.norm(average)
    yield "sum (its cosine is that of the mean)", matrix
    yield "unit vectors", unit_rows(vectors.matrix)
    yield "less the mean of all words", matrix - matrix.mean(axis=0)
    yield "less the direction of the mean of all occurrences", matrix - np.outer(matrix @ direction, direction)
    yield "sif weights", matrix * sif
    yield "sif weights, unit vectors", unit_rows(vectors.matrix) * sif


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, nargs="+", required=True, help="tables and files; one must have counts")
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--keywords", type=Path, required=True)
    arguments = parser.parse_args()
    sentences, keywords = read_set(arguments.sentences, "sentences"), read_set(arguments.keywords, "keywords")
    print("| vectors | way | Pearson | Spearman | F1 at 10 |\n|---|---|---|---|---|")
    for path, vectors in zip(arguments.vectors, shared_words([load_model(p) for p in arguments.vectors]), strict=True):
        for name, matrix in ways(vectors):
            one = Vectors(vectors.words, matrix)
            judged, found = sentences.judge(one, 1), keywords.judge(one, 1)
            scores = [judged.measure("pearson", "sum"), judged.measure("spearman", "sum")]
            scores.append(found.measure("F1 at 10", "sum"))
            print(f"| {path.name} | {name} | " + " | ".join(f"{m.score:.3f}"[1:] for m in scores) + " |", flush=True)


if __name__ == "__main__":
    main()
