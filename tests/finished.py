"""Finished runs on disk, counted without Spark and trained for real, by the very functions of `simglove run`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tables

from simglove_spark import counting, vocabulary
from simglove_spark.config import (
    CorpusConfig,
    PairsConfig,
    RunConfig,
    SparkConfig,
    TrainConfig,
    VocabularyConfig,
    content_config,
)
from simglove_spark.corpus import list_inputs
from simglove_spark.kernels import tokens
from simglove_spark.manifest import Manifest, new_manifest
from simglove_spark.progress import Progress
from simglove_spark.run import Road, walk
from simglove_spark.runs.there import options_of_words
from simglove_spark.saved_config import resolved
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.table_files import write_file
from simglove_spark.text_rows import bytes_of, offsets_of
from simglove_spark.word_lists import read_lists

SIZE = 30


def road_of(text: Path, **training: Any) -> Road:
    """Options of a small run over a text."""
    options = {"dim": 4, "sweeps": 2, **training}
    corpus, resources = CorpusConfig(input=(str(text),)), RunConfig(memory="1g", threads=1)
    return Road(
        corpus,
        VocabularyConfig(min_count=2),
        PairsConfig(window_size=5),
        TrainConfig(**options),
        resources,
        SparkConfig(),
    )


def options_of(road: Road) -> dict[str, Any]:
    """As run.json and run.yaml have them."""
    return resolved(road.corpus, road.vocabulary, road.pairs, road.training, road.resources, road.spark)


def write_word_counts(folder: Path, counts: dict[str, int], road: Road, inputs: list[dict[str, Any]]) -> Manifest:
    """A word_counts table of two shards."""
    folder.mkdir(parents=True)
    words = pa.table(
        [sorted(counts, key=str.encode), [counts[word] for word in sorted(counts, key=str.encode)]], schema=WORD_COUNTS
    )
    column, numbers = words["word"].combine_chunks(), np.empty(len(counts), np.int32)
    tokens.shard_of_entries(bytes_of(column), offsets_of(column), numbers, 2)
    parts = [(shard, words.filter(pa.array(numbers == shard))) for shard in (0, 1)]
    files = [tables.entry(write_file(folder, f"words-{shard:05d}", WORD_COUNTS, [part])) for shard, part in parts]
    details = {"total_words": sum(counts.values()), "counters": {"rows": 1, "bad_words": 0}}
    options = options_of_words(road.corpus, road.vocabulary)
    manifest = new_manifest("word_counts", WORD_COUNTS, files, options, inputs=inputs, details=details)
    manifest.save(folder)
    return manifest


def counts_small(monkeypatch: pytest.MonkeyPatch, road: Road, words: int = SIZE, seed: int = 11) -> None:
    """Put small tables in place of what Spark would count; one word too rare to be kept."""
    listed = list_inputs(road.corpus)
    _, kept, pairs = tables.planted_model(words, 3, 30_000, seed)
    kept = {word: count + 1 for word, count in kept.items()}

    def count_words(corpus: Any, config: Any, folder: Path, context: Any) -> Manifest:
        if not (folder / "word_counts").exists():
            write_word_counts(folder / "word_counts", {**kept, "rare": 1}, road, listed)
        return vocabulary.choose_into(folder, config, read_lists(config, {"column": None}), False, Progress())

    def count_pairs(corpus: Any, config: Any, words: Path, output: Path, context: Any) -> Manifest:
        parent = Manifest.load(words, "vocabulary")
        if not output.exists():
            made = tables.write_pairs(output, pairs, parent)
            replace(made, config=content_config(corpus, config), inputs=listed).save(output)
        return Manifest.load(output, "pairs")

    monkeypatch.setattr(counting, "count_words", count_words)
    monkeypatch.setattr(counting, "count_pairs", count_pairs)


def finish(folder: Path, monkeypatch: pytest.MonkeyPatch, words: int = SIZE, corpus: int = 11, **training: Any) -> Road:
    """Write a complete run into ``folder`` from a text beside it; returns its options."""
    text = folder.parent / f"{folder.name}.txt"
    if not text.exists():
        text.write_text("a b c\n")
    road = road_of(text, **training)
    with monkeypatch.context() as patch:
        counts_small(patch, road, words, corpus)
        walk(folder, road, "run", options_of(road), f"run{folder.name}", Progress())
    return road
