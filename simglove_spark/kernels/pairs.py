"""Counting pairs i < j within a window, in two tables.

Words are numbered by rank here. Pairs of two of the most frequent words (ranks below K) lie in a triangle without hashing:
at least half of all pairs in natural text. The others lie in an open-addressing table with keys ``i << 32 | j`` (0: free,
since i < j). What is handed out has ids for ranks.
"""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.tokens import END_OF_ROW


@kernel
def add_to_table(keys, values, key, value):
    """Add to a cell; returns 1 when it is new, else 0."""
    mask = np.uint64(keys.size - 1)
    mixed = key * np.uint64(0x9E3779B97F4A7C15)
    slot = (mixed ^ (mixed >> np.uint64(32))) & mask
    while keys[slot] != 0:
        if keys[slot] == key:
            values[slot] += value
            return 0
        slot = (slot + np.uint64(1)) & mask
    keys[slot] = key
    values[slot] = value
    return 1


@kernel
def count_pairs(ids, position, end, weights, triangle, frequent, keys, values, cells, limit):
    """Count each word with the words before it, until the ids end or the table might overflow.

    Parameters
    ----------
    ids : int32[:]
        Words in order; `END_OF_ROW` ends a window, a `HOLE` takes a place in it.
    position, end : int64
        First word to take as the right one of a pair, and where to stop; words before `position` serve as left ones.
    weights : int64[:]
        What a pair counts at distance 1, 2, ...
    triangle : int64[:]
        Counts of pairs i < j < `frequent`, at j (j - 1) / 2 + i.
    frequent : int64
    keys : uint64[:]
    values : int64[:]
    cells, limit : int64
        Cells of the table in use, and how many it may hold.

    Returns
    -------
    position, cells : int64
        Word to go on with; cells in use now.
    """
    window = weights.size
    while position < end:
        if cells + window > limit:
            return position, cells
        word = np.int64(ids[position])
        position += 1
        if word < 0:
            continue
        for distance in range(1, min(window, position - 1) + 1):
            other = np.int64(ids[position - 1 - distance])
            if other == END_OF_ROW:
                break
            if other < 0 or other == word:
                continue
            low, high = (other, word) if other < word else (word, other)
            weight = weights[distance - 1]
            if high < frequent:
                triangle[high * (high - 1) // 2 + low] += weight
            else:
                key = np.uint64(low) << np.uint64(32) | np.uint64(high)
                cells += add_to_table(keys, values, key, weight)
    return position, cells


@kernel
def rehash(keys, values, new_keys, new_values):
    """Move all cells into a larger, empty table."""
    for slot in range(keys.size):
        if keys[slot] != 0:
            add_to_table(new_keys, new_values, keys[slot], values[slot])


@kernel
def put_ids(keys, ids):
    """Put ids (int32[V]) for ranks into the keys; a key is then no longer where its hash would have it."""
    for slot in range(keys.size):
        key = keys[slot]
        if key != 0:
            first, second = np.uint64(ids[key >> np.uint64(32)]), np.uint64(ids[key & np.uint64(0xFFFFFFFF)])
            keys[slot] = min(first, second) << np.uint64(32) | max(first, second)


@kernel
def cells_per_word(triangle, ids, keys, sizes):
    """Add to ``sizes`` (int64[V, 2]) how many cells each word has with smaller ids and with greater ids.

    ``ids`` (int32[frequent]) are those of the triangle's words; the keys hold ids already.
    """
    for high in range(1, ids.size):
        for low in range(high):
            if triangle[high * (high - 1) // 2 + low] != 0:
                sizes[max(ids[low], ids[high]), 0] += 1
                sizes[min(ids[low], ids[high]), 1] += 1
    for slot in range(keys.size):
        if keys[slot] != 0:
            sizes[np.int64(keys[slot] & np.uint64(0xFFFFFFFF)), 0] += 1
            sizes[np.int64(keys[slot] >> np.uint64(32)), 1] += 1


@kernel
def gather_upper(triangle, ids, keys, values, cursors, contexts, counts):
    """Write each cell (i, j) to row i, in no order; ``cursors`` (int64[V]) stand at the rows' starts and move."""
    for high in range(1, ids.size):
        for low in range(high):
            count = triangle[high * (high - 1) // 2 + low]
            if count != 0:
                row = min(ids[low], ids[high])
                contexts[cursors[row]] = max(ids[low], ids[high])
                counts[cursors[row]] = count
                cursors[row] += 1
    for slot in range(keys.size):
        if keys[slot] != 0:
            low = np.int64(keys[slot] >> np.uint64(32))
            contexts[cursors[low]] = np.int32(keys[slot] & np.uint64(0xFFFFFFFF))
            counts[cursors[low]] = values[slot]
            cursors[low] += 1


@kernel
def transpose(starts, ends, contexts, counts, cursors, new_contexts, new_counts):
    """Write cell (r, c) of each row r, taken in order, to row c: so each new row ascends.

    ``starts, ends`` (int64[V]) bound the rows read, ``cursors`` (int64[V]) stand where each new row begins, and move.
    """
    for row in range(starts.size):
        for cell in range(starts[row], ends[row]):
            place = cursors[contexts[cell]]
            new_contexts[place] = row
            new_counts[place] = counts[cell]
            cursors[contexts[cell]] = place + 1
