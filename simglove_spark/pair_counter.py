"""Counting pairs in one worker, within a memory budget, and handing them out as sorted runs."""

from collections.abc import Iterator
from math import lcm

import numpy as np

from simglove_spark.errors import ResourceError
from simglove_spark.kernels import pairs, runs
from simglove_spark.kernels.hashes import shard_of_words
from simglove_spark.kernels.tokens import END_OF_ROW, HOLE
from simglove_spark.word_table import WordTable

FIRST_SLOTS = 1 << 18
FULLEST = 0.6  # share of slots in use; beyond it open addressing slows down
# A cell is 16 bytes in the table (once more half as many while it grows); draining holds it once by row, then without the
# table twice, sorted: 16 + .6 * 12, and .6 * 36, are less. The triangle stays meanwhile.
BYTES_PER_SLOT = 24
BYTES_PER_TRIANGLE_CELL = 8 + 36
BYTES_PER_WORD = 88  # bounds and cursors of rows while draining
LARGEST_RUN = 2**31 - 1  # of a row of Spark, and of Arrow's binary column
RUN_BYTES = 32 << 20  # a run of a shard is cut into strings of about this size
LARGEST_EXACT_WINDOW = 16


def unit_of(window_size: int, weighting: str) -> int:
    """What the counts are multiples of: x = count / unit.

    1 for flat windows; for harmonic ones lcm(1..window_size), so that 1/d is a whole number, or 2^20 above window 16.
    """
    if weighting == "flat":
        return 1
    return lcm(*range(1, window_size + 1)) if window_size <= LARGEST_EXACT_WINDOW else 1 << 20


def distance_weights(window_size: int, weighting: str) -> np.ndarray:
    """What a pair counts at distance 1 to window_size, in units (int64[window_size])."""
    unit = unit_of(window_size, weighting)
    if weighting == "flat":
        return np.ones(window_size, np.int64)
    return np.array([round(unit / distance) for distance in range(1, window_size + 1)], np.int64)


class PairCounter:
    """Tables of pair counts that are handed out as runs, one or more per shard, whenever they are full.

    Parameters
    ----------
    table : WordTable
    weights : int64[window_size]
    num_shards : int
    memory : int
        Bytes that tables and draining may take.
    """

    triangle_words = 4096  # so many of the most frequent words have an array cell for each pair

    def __init__(self, table: WordTable, weights: np.ndarray, num_shards: int, memory: int) -> None:
        self.table, self.weights, self.num_shards = table, weights, num_shards
        self.run_bytes = min(RUN_BYTES, max(1 << 16, memory // 32))
        beside = table.size * BYTES_PER_WORD + 3 * self.run_bytes  # a run as numpy, Python and Arrow have it
        memory = max(memory // 4, memory - beside)
        self.frequent = min(table.size, self.triangle_words, max(2, int((memory / BYTES_PER_TRIANGLE_CELL) ** 0.5)))
        self.triangle = np.zeros(self.frequent * (self.frequent - 1) // 2, np.int64)
        room_for_a_window = 1 << int(2 * (weights.size + pairs.WAITING) / FULLEST).bit_length()
        wanted = _power_of_two((memory - self.triangle.size * BYTES_PER_TRIANGLE_CELL) / BYTES_PER_SLOT)
        self.most_slots = max(room_for_a_window, wanted)
        self.ids = np.empty(0, np.int32)
        self._begin(min(FIRST_SLOTS, self.most_slots))

    def _begin(self, slots: int) -> None:
        self.hashed, self.cells = np.zeros(2 * slots, np.uint64), 0

    def add(self, ids: np.ndarray) -> Iterator[tuple[int, bytes]]:
        """Count a block of words (int32, see `word_ids`); yields what had to be handed out to make room (mostly nothing)."""
        position = self.ids.size
        self.ids = np.concatenate([self.ids, ids])
        yield from self._count(position, self.ids.size)
        self.ids = self.ids[-self.weights.size :].copy()

    def reach(self, ahead: Iterator[np.ndarray]) -> Iterator[tuple[int, bytes]]:
        """Count the words before with those that follow in their row, but not these with each other; then end the row."""
        left = self.weights.size
        for ids in ahead:
            for word in ids[:left]:
                if word == END_OF_ROW:
                    left = 0
                    break
                self.ids = np.append(self.ids, word)
                yield from self._count(self.ids.size - 1, self.ids.size)
                self.ids[-1] = HOLE
                left -= 1
            if left == 0:
                break
        self.ids = np.array([END_OF_ROW], np.int32)

    def _count(self, position: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Count the words from ``position`` to ``end`` with those before them."""
        while position < end:
            position, self.cells = pairs.count_pairs(
                self.ids,
                position,
                end,
                self.weights,
                self.triangle,
                self.frequent,
                self.hashed,
                self.cells,
                int(self.slots * FULLEST),
            )
            if position < end:
                yield from self._make_room()

    def _make_room(self) -> Iterator[tuple[int, bytes]]:
        if self.slots >= self.most_slots:
            yield from self.drain()
            return
        larger = np.zeros(2 * self.hashed.size, np.uint64)
        pairs.rehash(self.hashed, larger)
        self.hashed = larger

    @property
    def slots(self) -> int:
        """Cells for which the table has places now."""
        return self.hashed.size // 2

    def directed_cells(self) -> int:
        """Cells in the tables now, both directions."""
        return 2 * (self.cells + int(np.count_nonzero(self.triangle)))

    def drain(self) -> Iterator[tuple[int, bytes]]:
        """Hand out all cells, both directions, as (shard, run) and begin anew."""
        slots = self.slots
        offsets, contexts, counts = self._sorted_rows()
        yield from runs_by_shard(offsets, contexts, counts, self.num_shards, self.run_bytes)
        self.triangle[:] = 0
        self._begin(slots)

    def _sorted_rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All directed cells as sorted rows: offsets int64[V + 1], contexts int32, counts int64; the table is let go.

        Sorting is by transposing: writing rows of cells (i, j) in order of i makes the rows of j ascend; doing it again
        from those makes the rows of i ascend. A word's smaller contexts go to the front of its row, greater ones behind.
        """
        sizes, ids = np.zeros((self.table.size, 2), np.int64), self.table.ids
        if not np.array_equal(ids, np.arange(ids.size)):
            pairs.put_ids(self.hashed, ids)
        pairs.cells_per_word(self.triangle, ids[: self.frequent], self.hashed, sizes)
        starts, ends = _bounds(sizes[:, 1])
        unsorted_contexts, unsorted_counts = np.empty(ends[-1], np.int32), np.empty(ends[-1], np.int64)
        cursors = starts.copy()
        pairs.gather_upper(
            self.triangle, ids[: self.frequent], self.hashed, cursors, unsorted_contexts, unsorted_counts
        )
        del self.hashed, cursors
        row_starts, row_ends = _bounds(sizes.sum(axis=1))
        contexts, counts = np.empty(row_ends[-1], np.int32), np.empty(row_ends[-1], np.int64)
        pairs.transpose(starts, ends, unsorted_contexts, unsorted_counts, row_starts.copy(), contexts, counts)
        middles = row_starts + sizes[:, 0]
        pairs.transpose(row_starts, middles, contexts, counts, middles.copy(), contexts, counts)
        return np.append(row_starts, row_ends[-1]), contexts, counts


def runs_by_shard(
    offsets: np.ndarray, contexts: np.ndarray, counts: np.ndarray, num_shards: int, run_bytes: int = RUN_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Sorted rows of all words (offsets int64[V + 1], contexts int32, counts int64) as (shard, run), shards ascending.

    Raises
    ------
    ResourceError
        When one row is too long for a string of Spark.
    """
    shards = np.empty(offsets.size - 1, np.int32)
    shard_of_words(shards, num_shards)
    by_shard = np.argsort(shards, kind="stable").astype(np.int32)
    bounds = np.searchsorted(shards[by_shard], np.arange(num_shards + 1))
    longest = int(np.diff(offsets).max(initial=0))
    bytes_of_longest = (2 + 2 * longest) * runs.MAX_BYTES
    if bytes_of_longest > LARGEST_RUN:
        raise ResourceError(
            f"a word's row must fit into 2 GiB; got {longest:,} contexts in one task. "
            "Lower --max-vocab or --worker-memory."
        )
    out = np.empty(max(run_bytes, bytes_of_longest), np.uint8)
    for shard in range(num_shards):
        words, row = by_shard[bounds[shard] : bounds[shard + 1]], 0
        while row < words.size:
            row, size = runs.encode_rows(words, row, offsets, contexts, counts, out)
            if size:
                yield shard, out[:size].tobytes()


def _bounds(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ends = np.cumsum(sizes)
    return ends - sizes, ends


def _power_of_two(limit: float) -> int:
    """Greatest power of two up to ``limit``, at least 1024."""
    return 1 << max(10, max(0, int(limit)).bit_length() - 1)
