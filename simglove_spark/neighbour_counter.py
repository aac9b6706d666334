"""Counting neighbours in one worker: which word stands right behind which, within a memory budget."""

from collections.abc import Iterator

import numpy as np

from simglove_spark.kernels.phrases import count_neighbours
from simglove_spark.kernels.tokens import END_OF_ROW
from simglove_spark.pair_counter import FULLEST, PairCounter
from simglove_spark.word_table import WordTable

LOW_BITS = 0xFFFFFFFF


class NeighbourCounter(PairCounter):
    """A pair counter of window 1 that tells left from right and counts a word with itself too: "new york" isn't "york new".

    Its runs have the first word's id for a row and the second one's for a cell. Give it ids with holes: words parted by an
    unknown one are no neighbours.

    Parameters
    ----------
    table : WordTable
    num_shards : int
    memory : int
        Bytes that tables and draining may take.
    """

    triangle_words = 0

    def __init__(self, table: WordTable, num_shards: int, memory: int) -> None:
        super().__init__(table, np.ones(1, np.int64), num_shards, memory)
        self.ids = np.array([END_OF_ROW], np.int32)

    def _count(self, position: int, end: int) -> Iterator[tuple[int, bytes]]:
        while position < end:
            limit = int(self.slots * FULLEST)
            position, self.cells = count_neighbours(self.ids, position, end, self.hashed, self.cells, limit)
            if position < end:
                yield from self._make_room()

    def _sorted_rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All cells as sorted rows, as in `PairCounter`; what is done with is let go at once, to keep to the budget."""
        is_used, ids = self.hashed[::2] != 0, self.table.ids
        keys, values = self.hashed[::2][is_used], self.hashed[1::2][is_used].view(np.int64)
        del self.hashed, is_used
        firsts = ids[(keys >> np.uint64(32)).view(np.int64)]
        keys &= np.uint64(LOW_BITS)
        keys -= np.uint64(1)
        seconds = ids[keys.view(np.int64)]
        del keys
        order = np.lexsort((seconds, firsts))
        offsets = np.concatenate([[0], np.cumsum(np.bincount(firsts, minlength=ids.size))])
        del firsts
        return offsets, seconds[order], values[order]
