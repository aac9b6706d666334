"""Small complete vocabulary and pair tables on disk, made without Spark by the package's own writers."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from naive_training import shard_of_word

from simglove_spark.manifest import FileEntry, Manifest, new_manifest
from simglove_spark.pmi import Weighing
from simglove_spark.schemas import PAIRS, VOCABULARY
from simglove_spark.table_files import write_file

Pairs = dict[tuple[int, int], int]
Cell = tuple[int, int, int]


def write_vocabulary(folder: Path, counts: dict[str, int], **config: Any) -> Manifest:
    """A vocabulary table; ids are in the order given, ``config`` is told by the manifest."""
    folder.mkdir(parents=True)
    columns = [list(counts), np.arange(len(counts), dtype=np.int32), np.array(list(counts.values()), np.int64)]
    report = write_file(folder, "vocabulary", VOCABULARY, [pa.table(columns, schema=VOCABULARY)])
    details = {"total_words": sum(counts.values()), "vocabulary_size": len(counts)}
    manifest = new_manifest("vocabulary", VOCABULARY, [entry(report)], {"min_count": 1, **config}, details=details)
    manifest.save(folder)
    return manifest


def write_pairs(
    folder: Path, pairs: Pairs, vocabulary: Manifest, num_shards: int = 3, unit: int = 1, weighting: str = "harmonic"
) -> Manifest:
    """A pair table from counts of pairs, each given once; both directions are written."""
    cells = sorted([(i, j, n) for (i, j), n in pairs.items()] + [(j, i, n) for (i, j), n in pairs.items()])
    shards: dict[int, list[Cell]] = {}
    for cell in cells:
        shards.setdefault(shard_of_word(cell[0], num_shards), []).append(cell)
    return write_shards(folder, shards, vocabulary, num_shards, unit, weighting)


def write_shards(
    folder: Path,
    shards: dict[int, list[Cell]],
    vocabulary: Manifest,
    num_shards: int,
    unit: int = 1,
    weighting: str = "harmonic",
) -> Manifest:
    """A pair table with these very cells, right or wrong."""
    folder.mkdir(parents=True)
    files = [entry(write_file(folder, f"shard-{shard:05d}", PAIRS, [table_of(shards[shard])])) for shard in shards]
    details = {
        "window_size": 5,
        "weighting": weighting,
        "unit": unit,
        "num_shards": num_shards,
        "total_pairs": sum(count for cells in shards.values() for _, _, count in cells),
        "total_words": vocabulary.details["total_words"],
    }
    parents = [vocabulary.as_parent()]
    manifest = new_manifest("pairs", PAIRS, files, {"window_size": 5}, parents=parents, details=details)
    manifest.save(folder)
    return manifest


def table_of(cells: list[Cell]) -> pa.Table:
    columns = zip(*cells, strict=True) if cells else ([], [], [])
    arrays = [pa.array(column, field.type) for column, field in zip(columns, PAIRS, strict=True)]
    return pa.table(arrays, schema=PAIRS)


def entry(report: dict) -> FileEntry:
    return FileEntry(report["name"], report["rows"], report["bytes"], report["sha256"])


def word_counts(size: int, most: int = 1000) -> dict[str, int]:
    """Words w0, w1, ... whose counts fall as in a language."""
    return {f"w{word}": max(1, most // (word + 1)) for word in range(size)}


def random_pairs(size: int, number: int, seed: int = 5, most: int = 300) -> Pairs:
    """Counts of about ``number`` different pairs i < j."""
    random = np.random.default_rng(seed)
    drawn = random.integers(0, size, (number, 2))
    return {(int(i), int(j)): int(random.integers(1, most)) for i, j in np.sort(drawn, axis=1) if i != j}


def planted_model(size: int, dim: int, words: int, seed: int = 11) -> tuple[np.ndarray, dict[str, int], Pairs]:
    """Vectors, and word and pair counts drawn from the model in which <v_i, v_j> is the pmi of i and j."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((size, dim)) * 0.8 / dim**0.25
    counts = (words / (np.arange(size) + 5) / np.sum(1 / (np.arange(size) + 5))).astype(np.int64) + 1
    expected = 10 * np.outer(counts, counts) / counts.sum() * np.exp(vectors @ vectors.T)
    drawn = random.poisson(expected)
    pairs = {(i, j): int(drawn[i, j]) for i in range(size) for j in range(i + 1, size) if drawn[i, j]}
    return vectors, {f"w{word}": int(count) for word, count in enumerate(counts)}, pairs


def weighed(
    weighing: Weighing, words: np.ndarray, contexts: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight and pmi of cells."""
    weights, pmis = np.empty((2, counts.size), np.float32)
    weighing.weigh(words, contexts, counts, weights, pmis)
    return weights, pmis
