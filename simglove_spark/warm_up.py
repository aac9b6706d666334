"""Compiling the kernels while Spark's JVM starts: the first run of an installation then waits for neither.

Compiled code is kept on disk by numba, where workers find it. Nothing depends on this: without it kernels compile when called.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pyarrow as pa

from simglove_spark.cleaning import clean
from simglove_spark.config import TrainConfig
from simglove_spark.cooccurrence import count_piece, merged_tables
from simglove_spark.kernels.compile import can_cache
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.pmi import Weighing
from simglove_spark.row_solver import RowSolver
from simglove_spark.shards import RowsBuilder, Shard
from simglove_spark.text_rows import Piece, spans
from simglove_spark.word_counter import WordCounter
from simglove_spark.word_ids import WordIds
from simglove_spark.word_table import build_word_table


def start_warm_up(work: Callable[[], object] | None = None) -> threading.Thread:
    """Compile in a thread that ends with the process: all kernels, or those of ``work``."""
    thread = threading.Thread(target=_quietly, args=(work or warm_up,), daemon=True, name="warm-up")
    if can_cache():
        thread.start()
    return thread


def _quietly(work: Callable[[], object]) -> None:
    with suppress(Exception):  # whatever is wrong shows again, and better, where the kernels are used
        work()


def warm_up() -> None:
    """Send a line of text through the kernels of counting and of the row solver."""
    _solve(count_a_line(), np.array([2, 2, 1, 1]))


def count_a_line() -> pa.Table:
    """Send a line of text through the kernels of counting; returns its cells."""
    text = clean(pa.array([b"a b c d a b"], pa.binary()))[0]
    counter = WordCounter(1 << 20)
    for block in spans(text):
        counter.add(block)
    counter.drain()
    table = build_word_table(pa.array(["a", "b", "c", "d"]))
    pairs = PairCounter(table, distance_weights(2, "flat"), 1, 1 << 20)
    runs = [*count_piece(WordIds(table), pairs, Piece(text, 1, 0)), *pairs.drain()]
    return next(merged_tables([run for _, run in runs], table.size))


def _solve(cells: pa.Table, counts: np.ndarray) -> None:
    words, contexts, pair_counts = (column.to_numpy() for column in cells.columns)
    weighing = Weighing(np.log(counts), 0.0, 1.0, 0.75)
    builder = RowsBuilder(np.arange(counts.size, dtype=np.int32), weighing, words.size)
    builder.add(words, contexts, pair_counts)
    rows = builder.rows()
    RowSolver(counts, TrainConfig(dim=4), threads=1).run(1, [(0, Shard(rows, rows))], 1)
