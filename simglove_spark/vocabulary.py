"""Counting words (Spark) and choosing the vocabulary (driver)."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simglove_spark.config import VocabularyConfig
from simglove_spark.corpus import total_bytes
from simglove_spark.errors import InputError
from simglove_spark.joined_counter import JoinedCounter
from simglove_spark.manifest import Manifest, checked_path, new_manifest
from simglove_spark.output import building, is_complete
from simglove_spark.phrase_table import copy_beside
from simglove_spark.schemas import VOCABULARY, WORD_COUNTS
from simglove_spark.sources import Source, map_sources
from simglove_spark.table_files import (
    COUNTER_SHARD,
    REPORT_DDL,
    by_shard,
    commit,
    counter,
    read_batches,
    report_batch,
    row_groups,
    write_file,
)
from simglove_spark.text_rows import Piece, spans
from simglove_spark.word_counter import WordCounter

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS_PER_GROUP = 1 << 20
BYTES_PER_SHARD = 64 << 20


def shards_for(inputs: list[dict[str, Any]]) -> int:
    """Number of files of a word_counts table: by the bytes of its inputs."""
    return max(2, total_bytes(inputs) // BYTES_PER_SHARD)


def count_words(
    sources: list[Source], num_shards: int, memory: int, phrases: tuple[str, str] | None = None
) -> "DataFrame":
    """Occurrences of every word: columns shard int, word binary, count long, each word once.

    Parameters
    ----------
    sources : list of Source
    num_shards : int
        Shards of the table; a word's shard is chosen by its bytes.
    memory : int
        Bytes that a worker's table may take, about.
    phrases : tuple of str, optional
        Folder of a table of phrases that all workers can read, and its content's checksum: these are counted joined.

    Returns
    -------
    DataFrame
        Rows of shard -1 are counters: `rows`, and `bad_words` that were not UTF-8.
    """
    from pyspark.sql import functions as f

    count = partial(_count_partition, num_shards=num_shards, memory=memory, phrases=phrases)
    counted = map_sources(sources, count, "shard int, word binary, count long")
    summed = counted.repartition(num_shards, "shard").groupBy("shard", "word").agg(f.sum("count").alias("count"))
    return summed.where("shard < 0 OR count > 0") if phrases else summed  # some words never stand alone


def _count_partition(
    batches: Iterator[pa.RecordBatch],
    pieces: Callable[[Iterator[pa.RecordBatch]], Iterator[Piece]],
    num_shards: int,
    memory: int,
    phrases: tuple[str, str] | None,
) -> Iterator[pa.RecordBatch]:
    table, joined = WordCounter(memory, num_shards), JoinedCounter(phrases, num_shards) if phrases else None
    rows = bad_words = 0
    for piece in pieces(batches):
        rows, bad_words = rows + piece.rows, bad_words + piece.bad
        for block in spans(piece.column):
            yield from table.add(block)
        if joined:
            joined.add(piece)
    yield table.drain()
    if joined:
        yield joined.drain()
    names = pa.array([b"rows", b"bad_words"], pa.binary())
    shards = pa.array([COUNTER_SHARD] * 2, pa.int32())
    yield pa.RecordBatch.from_arrays([shards, names, pa.array([rows, bad_words])], ["shard", "word", "count"])


def write_word_counts(counts: "DataFrame", folder: str) -> "DataFrame":
    """Write one sorted file per shard into ``folder``; the report's rows tell of them (see `table_files`)."""
    ordered = counts.sortWithinPartitions("shard", "word")
    return ordered.mapInArrow(partial(_write_partition, folder=folder), REPORT_DDL)


def _write_partition(batches: Iterator[pa.RecordBatch], folder: str) -> Iterator[pa.RecordBatch]:
    for shard, slices in by_shard(batches):
        tables = (pa.table({"word": part["word"], "count": part["count"]}) for part in slices)
        if shard == COUNTER_SHARD:
            rows = [row for table in tables for row in table.to_pylist()]
            yield report_batch([counter(row["word"].decode(), row["count"]) for row in rows])
        else:
            groups = (table.cast(WORD_COUNTS) for table in row_groups(tables, ROWS_PER_GROUP))
            yield report_batch([write_file(Path(folder), f"words-{shard:05d}", WORD_COUNTS, groups)])


def choose_vocabulary(folder: Path, config: VocabularyConfig) -> pa.Table:
    """Words that occur at least ``min_count`` times, at most ``max_vocab`` of them, with dense ids.

    Parameters
    ----------
    folder : Path
        A complete word_counts table.
    config : VocabularyConfig

    Returns
    -------
    pyarrow.Table
        word, word_id, count; ordered by count (falling), then by the word's UTF-8 bytes.

    Raises
    ------
    InputError
        When fewer than two words are left.
    """
    manifest = Manifest.load(folder, "word_counts")
    for entry in manifest.files:
        checked_path(folder, entry)
    kept, most = [WORD_COUNTS.empty_table()], 0
    for batch in read_batches(folder, manifest.files):
        most = max(most, pc.max(batch["count"]).as_py() or 0)
        kept.append(pa.table(batch.filter(pc.greater_equal(batch["count"], config.min_count))))
    words = pa.concat_tables(kept).sort_by([("count", "descending"), ("word", "ascending")])
    words = words.slice(0, config.max_vocab or words.num_rows)
    if words.num_rows < 2:
        raise InputError(
            f"vocabulary must have at least 2 words; got {words.num_rows} with --min-count {config.min_count} ({folder}). "
            f"The most frequent word occurs {most:,} times: lower --min-count, or give more text."
        )
    ids = pa.array(np.arange(words.num_rows, dtype=np.int32))
    return words.add_column(1, VOCABULARY.field("word_id"), ids).cast(VOCABULARY)


def is_chosen(output: Path, options: dict[str, Any], overwrite: bool) -> bool:
    """Whether output/vocabulary is there already, chosen with these options from the complete output/word_counts."""
    counts = Manifest.load(output / "word_counts", "word_counts")
    return is_complete(output / "vocabulary", "vocabulary", options, counts.inputs, _parents(counts), overwrite)


def choose_into(output: Path, config: VocabularyConfig, options: dict[str, Any], overwrite: bool) -> Manifest:
    """Choose output/vocabulary from the complete output/word_counts, unless it is there; ``options`` go into its manifest.

    When words were counted with those of output/phrases joined, the vocabulary carries these phrases.
    """
    folder, counts = output / "word_counts", Manifest.load(output / "word_counts", "word_counts")
    if not is_chosen(output, options, overwrite):
        with building(output / "vocabulary", overwrite) as staging:
            phrases = output / "phrases" if counts.parent_sha256("phrases") else None
            write_vocabulary(choose_vocabulary(folder, config), staging, options, counts, phrases)
    return Manifest.load(output / "vocabulary", "vocabulary")


def write_vocabulary(
    words: pa.Table, folder: Path, config: dict[str, Any], parent: Manifest, phrases: Path | None = None
) -> Manifest:
    """Write the vocabulary table with its manifest into ``folder``."""
    report = write_file(folder, "vocabulary", VOCABULARY, [words])
    files, total_words, _ = commit(folder, [report])
    manifest = new_manifest(
        "vocabulary",
        VOCABULARY,
        [*files, copy_beside(phrases, folder)] if phrases else files,
        config,
        inputs=parent.inputs,
        parents=_parents(parent),
        details={"total_words": total_words, "vocabulary_size": words.num_rows},
    )
    manifest.save(folder)
    return manifest


def _parents(counts: Manifest) -> list[dict[str, str]]:
    return [counts.as_parent(), *counts.parents]
