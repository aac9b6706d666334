"""Counting pairs (Spark): blocks of cells travel, never a pair a row.

A worker counts its partition into tables and hands out sorted runs of bytes, one row a shard. After the shuffle a worker
merges the runs of a shard and writes its file.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from simglove_spark import effective_counts
from simglove_spark.config import PairsConfig
from simglove_spark.effective_counts import EFFECTIVE_SHARD
from simglove_spark.engines.order import by_number, in_order
from simglove_spark.engines.turns import in_workers
from simglove_spark.errors import InputError
from simglove_spark.kernels import runs
from simglove_spark.memory import left_for_tables
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.schemas import PAIRS
from simglove_spark.sources import Source, map_sources
from simglove_spark.storage.paths import path_of
from simglove_spark.subsampling import Subsampling
from simglove_spark.table_files import COUNTER_SHARD, REPORT_DDL, by_shard, counter, report_batch, write_file
from simglove_spark.text_rows import Piece
from simglove_spark.word_ids import JoinedIds, WordIds, word_ids
from simglove_spark.word_table import shared_word_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CELLS_PER_GROUP = 1 << 20
WORDS_PER_SHARD = 1 << 21
LEAST_SHARDS = 4

NewCounter = Callable[..., PairCounter]  # of a word table and ``memory``
WriteShard = Callable[[int, Iterator[bytes]], list[dict[str, Any]]]  # of a shard and its runs; rows of the report


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
        Bytes that each Python worker may take, all in all.

    Returns
    -------
    DataFrame
        Rows of shard -1 carry the number of words that were not UTF-8, as int64; with ``config.subsample`` those of shard -2
        carry how often each word is left (see `effective_counts`).
    """
    weights = distance_weights(config.window_size, config.distance_weighting)
    new_counter = partial(PairCounter, weights=weights, num_shards=num_shards)
    return count_runs(sources, vocabulary, new_counter, memory, config.keep_places, config.subsample)


def count_runs(
    sources: list[Source],
    vocabulary: tuple[str, str],
    new_counter: NewCounter,
    memory: int,
    keep_places: bool,
    threshold: float | None = None,
) -> "DataFrame":
    """What the counters of all tasks, each made anew, hand out: as `count_pairs` tells, which has the other parameters."""
    count = partial(
        _count_partition,
        vocabulary=vocabulary,
        new_counter=new_counter,
        memory=memory,
        keep_places=keep_places,
        threshold=threshold,
    )
    return map_sources(sources, count, "shard int, run binary")


def _count_partition(
    batches: Iterator[pa.RecordBatch],
    pieces: Callable[[Iterator[pa.RecordBatch]], Iterator[Piece]],
    vocabulary: tuple[str, str],
    new_counter: NewCounter,
    memory: int,
    keep_places: bool,
    threshold: float | None,
) -> Iterator[pa.RecordBatch]:
    table = shared_word_table(*vocabulary)
    subsampling = None if threshold is None else Subsampling(table.counts, threshold)
    words = word_ids(table, keep_places, subsampling)
    counter = new_counter(table, memory=left_for_tables(memory, table.nbytes))
    bad_words = 0
    for piece in pieces(batches):
        bad_words += piece.bad
        for run in count_piece(words, counter, piece):
            yield _run_batch(*run)
    for run in counter.drain():
        yield _run_batch(*run)
    yield _run_batch(COUNTER_SHARD, bad_words.to_bytes(8, "little"))
    if subsampling is not None:
        yield _run_batch(EFFECTIVE_SHARD, effective_counts.to_bytes(table.by_id(subsampling.left)))


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
    return write_runs(counted, num_shards, partial(_write_shard, folder=folder, vocabulary_size=vocabulary_size))


def write_runs(counted: "DataFrame", num_shards: int, write_shard: WriteShard) -> "DataFrame":
    """Shuffle runs, as `count_runs` gives them, to their shards; ``write_shard`` makes rows of the report of each."""
    write = partial(_write_partition, write_shard=write_shard)
    return in_workers(in_order(by_number(counted, num_shards), "shard"), write, REPORT_DDL)


def _write_partition(batches: Iterator[pa.RecordBatch], write_shard: WriteShard) -> Iterator[pa.RecordBatch]:
    for shard, parts in by_shard(batches):
        strings = (run.as_py() for part in parts for run in part["run"])
        if shard == COUNTER_SHARD:
            yield report_batch([counter("bad_words", sum(int.from_bytes(value, "little") for value in strings))])
        else:
            yield report_batch(write_shard(shard, strings))


def _write_shard(shard: int, strings: Iterator[bytes], folder: str, vocabulary_size: int) -> list[dict[str, Any]]:
    if shard == EFFECTIVE_SHARD:
        return effective_counts.write(path_of(folder), effective_counts.summed(strings, vocabulary_size))
    tables = merged_tables(strings, vocabulary_size)
    return [write_file(path_of(folder), f"shard-{shard:05d}", PAIRS, tables)]


def merged_tables(strings: Iterable[bytes], vocabulary_size: int, signed: bool = False) -> Iterator[pa.Table]:
    """Merge one shard's runs; yields its rows in order, about a million cells at a time and never half a word's row.

    A table is only good until the next one is asked for: both lie in the same arrays. With ``signed`` counts may be below 0.

    Raises
    ------
    InputError
        When a count passes 2^63 - 1; signed ones are not watched.
    """
    together, sizes = bytearray(), []
    for string in strings:  # each is let go before the next comes
        together += string
        sizes.append(len(string))
    data, ends = np.frombuffer(together, np.uint8), np.cumsum(sizes, dtype=np.int64)
    positions, heads = ends - sizes, np.empty(len(sizes), np.int64)
    sums = np.zeros(vocabulary_size, np.int64)
    seen = np.zeros(vocabulary_size // 64 + 1, np.uint64)
    words, contexts = (np.empty(CELLS_PER_GROUP + vocabulary_size, np.int32) for _ in range(2))
    counts = np.empty(words.size, np.int64)
    runs.open_runs(data, positions, ends, heads)
    try:
        while cells := runs.merge_rows(data, positions, ends, heads, sums, seen, words, contexts, counts, signed):
            yield pa.table([words[:cells], contexts[:cells], counts[:cells]], schema=PAIRS)
    except OverflowError as error:
        raise InputError(
            "counts of pairs must stay below 2^63 units; got one that does not. "
            "Use --distance-weighting flat, or a --window-size whose unit is smaller."
        ) from error
