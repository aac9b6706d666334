"""Counting pairs (Spark): blocks of cells travel, never a pair a row.

A worker counts its partition into tables and hands out sorted runs of bytes, one row a shard. After the shuffle a worker
merges the runs of a shard and writes its file.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from simglove_spark.config import PairsConfig
from simglove_spark.kernels import runs
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.schemas import PAIRS
from simglove_spark.sources import Source, map_sources
from simglove_spark.table_files import COUNTER_SHARD, REPORT_DDL, by_shard, counter, report_batch, write_file
from simglove_spark.text_rows import Piece
from simglove_spark.word_ids import JoinedIds, WordIds, word_ids
from simglove_spark.word_table import shared_word_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CELLS_PER_GROUP = 1 << 20
WORDS_PER_SHARD = 1 << 21
LEAST_SHARDS = 4


def shards_for(config: PairsConfig, total_words: int) -> int:
    """Number of shards: as asked for, or by the corpus's words (never by the cores at hand)."""
    return config.num_shards or max(LEAST_SHARDS, -(-total_words // WORDS_PER_SHARD))


def count_pairs(
    sources: list[Source],
    vocabulary: tuple[str, str],
    config: PairsConfig,
    num_shards: int,
    memory: int,
) -> "DataFrame":
    """Count all pairs of a corpus into runs: columns shard int, run binary.

    Parameters
    ----------
    sources : list of Source
    vocabulary : tuple of str
        Folder of a vocabulary table that all workers can read, and its content's checksum.
    config : PairsConfig
    num_shards : int
    memory : int
        Bytes that each worker's tables may take, about.

    Returns
    -------
    DataFrame
        Rows of shard -1 carry the number of words that were not UTF-8, as int64.
    """
    weights = distance_weights(config.window_size, config.distance_weighting)
    counter = partial(PairCounter, weights=weights, num_shards=num_shards, memory=memory)
    return count_runs(sources, vocabulary, counter, config.keep_places)


def count_runs(
    sources: list[Source], vocabulary: tuple[str, str], new_counter: Callable[[int], PairCounter], keep_places: bool
) -> "DataFrame":
    """What the counters of all tasks, made anew from the vocabulary's size, hand out: as `count_pairs` tells."""
    count = partial(_count_partition, vocabulary=vocabulary, new_counter=new_counter, keep_places=keep_places)
    return map_sources(sources, count, "shard int, run binary")


def _count_partition(
    batches: Iterator[pa.RecordBatch],
    pieces: Callable[[Iterator[pa.RecordBatch]], Iterator[Piece]],
    vocabulary: tuple[str, str],
    new_counter: Callable[[int], PairCounter],
    keep_places: bool,
) -> Iterator[pa.RecordBatch]:
    table = shared_word_table(*vocabulary)
    words, counter = word_ids(table, keep_places), new_counter(table.size)
    bad_words = 0
    for piece in pieces(batches):
        bad_words += piece.bad
        for run in count_piece(words, counter, piece):
            yield _run_batch(*run)
    for run in counter.drain():
        yield _run_batch(*run)
    yield _run_batch(COUNTER_SHARD, bad_words.to_bytes(8, "little"))


def count_piece(words: WordIds | JoinedIds, counter: PairCounter, piece: Piece) -> Iterator[tuple[int, bytes]]:
    """Count one piece of text; yields what the counter hands out on the way."""
    for ids in words.own(piece):
        yield from counter.add(ids)
    if piece.ahead is not None:
        yield from counter.reach(words.ahead(piece))


def _run_batch(shard: int, run: bytes) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([shard], pa.int32()), pa.array([run], pa.binary())], ["shard", "run"])


def write_pairs(counted: "DataFrame", folder: str, num_shards: int, vocabulary_size: int) -> "DataFrame":
    """Shuffle runs to their shards, merge each shard and write its file; the report's rows tell of them."""
    write = partial(_write_partition, folder=folder, vocabulary_size=vocabulary_size)
    return counted.repartition(num_shards, "shard").sortWithinPartitions("shard").mapInArrow(write, REPORT_DDL)


def _write_partition(batches: Iterator[pa.RecordBatch], folder: str, vocabulary_size: int) -> Iterator[pa.RecordBatch]:
    for shard, parts in by_shard(batches):
        strings = [run.as_py() for part in parts for run in part["run"]]
        if shard == COUNTER_SHARD:
            yield report_batch([counter("bad_words", sum(int.from_bytes(value, "little") for value in strings))])
        else:
            tables = merged_tables(strings, vocabulary_size)
            yield report_batch([write_file(Path(folder), f"shard-{shard:05d}", PAIRS, tables)])


def merged_tables(strings: list[bytes], vocabulary_size: int) -> Iterator[pa.Table]:
    """Merge one shard's runs; yields its rows in order, about a million cells at a time and never half a word's row.

    A table is only good until the next one is asked for: both lie in the same arrays.
    """
    data = np.frombuffer(b"".join(strings), np.uint8)
    ends = np.cumsum([len(string) for string in strings])
    positions = ends - [len(string) for string in strings]
    heads = np.empty(len(strings), np.int64)
    sums = np.zeros(vocabulary_size, np.int64)
    seen = np.zeros(vocabulary_size // 64 + 1, np.uint64)
    words, contexts = (np.empty(CELLS_PER_GROUP + vocabulary_size, np.int32) for _ in range(2))
    counts = np.empty(words.size, np.int64)
    runs.open_runs(data, positions, ends, heads)
    while cells := runs.merge_rows(data, positions, ends, heads, sums, seen, words, contexts, counts):
        yield pa.table([words[:cells], contexts[:cells], counts[:cells]], schema=PAIRS)
