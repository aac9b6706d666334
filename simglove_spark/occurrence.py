"""Counting words (Spark): blocks of words travel, never a word a row.

A worker counts its partition into a table and hands out its words in blocks, by shard. After the shuffle a worker adds up the
blocks of a shard and writes its file.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from simglove_spark.corpus import COMPRESSED
from simglove_spark.engines.order import by_number, in_order
from simglove_spark.engines.turns import in_workers
from simglove_spark.joined_counter import JoinedCounter
from simglove_spark.memory import left_for_tables
from simglove_spark.schemas import WORD_COUNTS, word_counts_schema
from simglove_spark.sources import Source, map_sources
from simglove_spark.storage.paths import path_of
from simglove_spark.table_files import (
    COUNTER_SHARD,
    REPORT_DDL,
    by_shard,
    counter,
    report_batch,
    row_groups,
    write_file,
)
from simglove_spark.text_rows import Piece, spans
from simglove_spark.word_blocks import added_up, blocks_of
from simglove_spark.word_counter import DocumentCounter, WordCounter

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS_PER_GROUP = 1 << 20
BYTES_PER_SHARD = 64 << 20  # of text: who writes a shard holds its words, some 150 bytes each
UNPACKED = 4  # of a compressed file's size
SHARDS_OF_UNKNOWN = 16  # at least, where Spark alone knows how much there is


def shards_for(inputs: list[dict[str, Any]]) -> int:
    """Number of files of a word_counts table: by the bytes of its inputs, and nothing else."""
    sizes = [(entry["bytes"], UNPACKED if Path(entry["path"]).suffix in COMPRESSED else 1) for entry in inputs]
    least = SHARDS_OF_UNKNOWN if any(size is None for size, _ in sizes) else 2
    return max(least, sum((size or 0) * times for size, times in sizes) // BYTES_PER_SHARD)


def count_words(
    sources: list[Source],
    num_shards: int,
    memory: int,
    documents: bool = False,
    phrases: tuple[str, str] | None = None,
) -> "DataFrame":
    """Occurrences of every word, as their counters hand them out: columns shard int, block binary (see `word_blocks`).

    Parameters
    ----------
    sources : list of Source
    num_shards : int
        Shards of the table; a word's shard is chosen by its bytes.
    memory : int
        Bytes that each Python worker may take, all in all.
    documents : bool
        Whether to count the rows that hold each word too, as one more number, documents; sources must have whole rows.
    phrases : tuple of str, optional
        Folder of a table of phrases that all workers can read, and its content's checksum: these are counted joined. Not
        with ``documents``.

    Returns
    -------
    DataFrame
        Words of shard -1 are counters: `rows`, and `bad_words` that were not UTF-8.
    """
    counter = DocumentCounter if documents else WordCounter
    count = partial(_count_partition, num_shards=num_shards, memory=memory, counter=counter, phrases=phrases)
    return map_sources(sources, count, "shard int, block binary")


def _count_partition(
    batches: Iterator[pa.RecordBatch],
    pieces: Callable[[Iterator[pa.RecordBatch]], Iterator[Piece]],
    num_shards: int,
    memory: int,
    counter: type[WordCounter],
    phrases: tuple[str, str] | None,
) -> Iterator[pa.RecordBatch]:
    for counted in _counted(pieces(batches), num_shards, memory, counter, phrases):
        yield from blocks_of(counted)


def _counted(
    pieces: Iterator[Piece],
    num_shards: int,
    memory: int,
    counter: type[WordCounter],
    phrases: tuple[str, str] | None,
) -> Iterator[pa.RecordBatch]:
    joined = None if phrases is None else JoinedCounter(phrases, num_shards)
    table = counter(left_for_tables(memory, 0 if joined is None else joined.nbytes), num_shards)
    rows = bad_words = 0
    for piece in pieces:
        rows, bad_words = rows + piece.rows, bad_words + piece.bad
        for block in spans(piece.column, piece.is_open):
            yield from table.add(block)
        if joined is not None:
            joined.add(piece)
    yield table.drain()
    if joined is not None:
        yield joined.drain()
    names = pa.array([b"rows", b"bad_words"], pa.binary())
    shards, numbers = pa.array([COUNTER_SHARD] * 2, pa.int32()), pa.array([rows, bad_words])
    yield pa.RecordBatch.from_arrays(
        [shards, names, *[numbers] * len(counter.names)], ["shard", "word", *counter.names]
    )


def summed_words(counted: "DataFrame", num_shards: int) -> "DataFrame":
    """Each word once with its count, of what `count_words` gave for so many shards: columns word string, count long."""
    blocks = in_order(by_number(counted.where(f"shard != {COUNTER_SHARD}"), num_shards), "shard")
    return in_workers(blocks, _sum_partition, "word string, count long")


def write_word_counts(counted: "DataFrame", folder: str, num_shards: int, documents: bool = False) -> "DataFrame":
    """Write one sorted file per shard into ``folder``; the report's rows tell of them (see `table_files`)."""
    write = partial(_write_partition, folder=folder, schema=word_counts_schema(documents))
    return in_workers(in_order(by_number(counted, num_shards), "shard"), write, REPORT_DDL)


def _summed(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[tuple[int, pa.Table]]:
    """Each shard's words; where phrases are joined some never stand alone."""
    for shard, parts in by_shard(batches):
        words = added_up((block.as_py() for part in parts for block in part["block"]), tuple(schema.names[1:]))
        yield shard, words.filter(pc.greater(words["count"], 0)) if shard != COUNTER_SHARD else words


def _sum_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for _, words in _summed(batches, WORD_COUNTS):
        yield from words.cast(WORD_COUNTS).to_batches(ROWS_PER_GROUP)


def _write_partition(batches: Iterator[pa.RecordBatch], folder: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for shard, words in _summed(batches, schema):
        if shard == COUNTER_SHARD:
            yield report_batch([counter(row["word"].decode(), row["count"]) for row in words.to_pylist()])
        else:
            groups = (table.cast(schema) for table in row_groups([words], ROWS_PER_GROUP))
            yield report_batch([write_file(path_of(folder), f"words-{shard:05d}", schema, groups)])
