"""Word counts on their way from those who count to those who write: blocks of bytes, never a word a row.

A worker's words are cut by shard, and of each shard some 16,000 are one Arrow record batch in bytes. Who writes a shard
adds up its blocks.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

WORDS_PER_BLOCK = 1 << 14  # about
ROWS_AT_ONCE = 1 << 20  # held before equal words are added up


def blocks_of(counted: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Words of many shards, shard (int32), word (binary) and numbers (int64), as rows of shard (int32) and block (binary)."""
    every = counted.column("shard").to_numpy()
    rows = pa.RecordBatch.from_arrays(counted.columns[1:], counted.schema.names[1:])
    at_once = WORDS_PER_BLOCK * (1 + int(every.max(initial=0)))
    for first in range(0, every.size, at_once):  # the order of all at once would be as large as their counts
        shards = every[first : first + at_once]
        order = np.argsort(shards, kind="stable")
        bounds = np.flatnonzero(np.diff(shards[order], prepend=-2, append=-2)).tolist()
        for begin, end in pairwise(bounds):
            block = rows.take(pa.array(order[begin:end] + first)).serialize()
            columns = [pa.array([shards[order[begin]]]), pa.array([block.to_pybytes()], pa.binary())]
            yield pa.RecordBatch.from_arrays(columns, ["shard", "block"])


def added_up(blocks: Iterable[bytes], names: tuple[str, ...]) -> pa.Table:
    """The words of a shard's blocks, each once and in order of their bytes.

    Parameters
    ----------
    blocks : iterable of bytes
        In any order, as `blocks_of` made them.
    names : tuple of str
        Of the numbers, which are added up.

    Returns
    -------
    pyarrow.Table
        word (large_binary) and the numbers (int64).
    """
    schema = pa.schema([("word", pa.binary()), *((name, pa.int64()) for name in names)])
    held, rows, most = list[pa.Table](), 0, ROWS_AT_ONCE
    for block in blocks:
        held.append(_wide(pa.Table.from_batches([pa.ipc.read_record_batch(pa.py_buffer(block), schema)])))
        rows += held[-1].num_rows
        if rows > most:
            held = [_sums(held, schema)]
            rows, most = held[0].num_rows, max(ROWS_AT_ONCE, 2 * held[0].num_rows)
    return _sums(held, schema).sort_by("word")


def _sums(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    every = pa.concat_tables([_wide(schema.empty_table()), *tables])
    numbers = schema.names[1:]
    sums = every.group_by("word", use_threads=False).aggregate([(name, "sum") for name in numbers])
    return sums.select(["word", *(f"{name}_sum" for name in numbers)]).rename_columns(schema.names)


def _wide(table: pa.Table) -> pa.Table:
    """With offsets of 64 bits."""
    return table.set_column(0, "word", table["word"].cast(pa.large_binary()))
