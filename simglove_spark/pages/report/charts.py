"""What the charts show, as plain numbers: losses by pass, norms by frequency, the map, and neighbours of watched words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simglove_spark.evaluate import spearman
from simglove_spark.pages.report.word_map import Projection, project
from simglove_spark.pages.telling_words import even_ranks
from simglove_spark.shown import short_text
from simglove_spark.vectors import Vectors

POINTS = 5000  # words in the chart of norms, at most: by rank, evenly on a scale of logarithms
BINS, LEAST_IN_BIN = 40, 10
OFTEN = 100  # a word met so often has a vector that means something
NEIGHBOURS = 8


def losses(passes: list[dict[str, Any]]) -> dict[str, Any]:
    """Names of the losses, and their values by pass; None where a pass has none."""
    names = list(
        dict.fromkeys(key for record in passes for key in record if key.split("_")[-1] in ("loss", "baseline"))
    )
    series = [{"name": name.replace("_", " "), "values": [record.get(name) for record in passes]} for name in names]
    return {"unit": "epoch" if passes and "epoch" in passes[0] else "sweep", "passes": len(passes), "series": series}


def rarity(vectors: Vectors) -> NDArray[np.float64] | None:
    """-log P(w) of each word in nats, infinite at count 0; None where no word has a count."""
    total = int(vectors.counts.sum())
    if total == 0:
        return None
    with np.errstate(divide="ignore"):
        return np.log(total) - np.log(vectors.counts)


def norms(vectors: Vectors) -> dict[str, Any] | None:
    """Points (-log P(w) in nats, |v|) of a part of the words, the median of all by bins, and Spearman over frequent ones."""
    rare = rarity(vectors)
    if rare is None:
        return None
    order = vectors.most_frequent(len(vectors))
    ids = order[even_ranks(0, len(order) - 1, POINTS)]
    often = np.flatnonzero(vectors.counts >= OFTEN)
    return {
        "words": [short_text(vectors.words[int(word)]) for word in ids],
        "points": np.column_stack([rare[ids], vectors.norms[ids]]).round(4).tolist(),
        "counts": vectors.counts[ids].tolist(),
        "medians": medians(rare[order], vectors.norms[order]),
        "spearman": spearman(rare[often], vectors.norms[often]) if len(often) > 2 else None,
        "often": len(often),
    }


def medians(x: NDArray[np.float64], y: NDArray[np.float32]) -> list[list[float]]:
    """Middle and median of each bin of x that has enough points."""
    edges = np.linspace(x.min(), x.max() + 1e-9, BINS + 1)
    place = np.digitize(x, edges) - 1
    found = [(bin_, y[place == bin_]) for bin_ in range(BINS)]
    middles = (edges[1:] + edges[:-1]) / 2
    return [
        [round(float(middles[bin_]), 4), round(float(np.median(ys)), 4)]
        for bin_, ys in found
        if len(ys) >= LEAST_IN_BIN
    ]


def word_map(vectors: Vectors, words: int, projection: Projection, seed: int) -> dict[str, Any]:
    """Words, counts and coordinates of the most frequent words."""
    ids = vectors.most_frequent(words)
    return {
        "words": [short_text(vectors.words[int(word)]) for word in ids],
        "counts": vectors.counts[ids].tolist(),
        "places": project(vectors, ids, projection, seed).round(4).tolist(),
    }


def neighbours(vectors: Vectors, words: Sequence[str]) -> list[dict[str, Any]]:
    """What behaves like each word, and what is said together with it."""
    found = []
    for word in words:
        row = {"word": short_text(word), "count": int(vectors.counts[vectors.word_id(word)])}
        row["similar"] = _shown(vectors.most_similar(word, NEIGHBOURS))
        row["correlative"] = _shown(vectors.most_correlative(word, NEIGHBOURS))
        found.append(row)
    return found


def _shown(rows: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return [(short_text(word), score) for word, score in rows]
