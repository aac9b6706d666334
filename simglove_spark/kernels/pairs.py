"""Counting pairs i < j within a window, in two tables.

Words are numbered by rank here. Pairs of two of the most frequent words (ranks below K) lie in a triangle without hashing:
at least half of all pairs in natural text. The others lie in an open-addressing table: uint64[2 * slots], a cell's key
``i << 32 | j`` (0: free, since i < j) and its count side by side. What is handed out has ids for ranks.

Most cells are far away in memory. So a pair waits, while its cell is brought near, until `WAITING` others have come.
"""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.prefetch import prefetch_item
from simglove_spark.kernels.tokens import END_OF_ROW

WAITING = 16


@kernel
def mix(key):
    """A key's bits mixed, so that the lowest may choose a slot (uint64)."""
    mixed = key * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(32))


@kernel
def home_of(table, key):
    """Place where the search for a key begins (int64)."""
    return np.int64(2 * (mix(key) & np.uint64(table.size // 2 - 1)))


@kernel
def add_to_table(table, place, key, count):
    """Add to a cell, searched for from its home ``place`` on; returns 1 when it is new, else 0."""
    while table[place] != 0:
        if table[place] == key:
            table[place + 1] += np.uint64(count)
            return 0
        place = (place + 2) & (table.size - 1)
    table[place] = key
    table[place + 1] = np.uint64(count)
    return 1


@kernel
def count_pairs(ids, position, end, weights, triangle, frequent, table, cells, limit):
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
    table : uint64[:]
    cells, limit : int64
        Cells of the table in use, and how many it may hold.

    Returns
    -------
    position, cells : int64
        Word to go on with; cells in use now.
    """
    window = weights.size
    corners, corner_counts, next_corner = np.zeros(WAITING, np.int64), np.zeros(WAITING, np.int64), 0
    homes, keys, counts, turn = (
        np.zeros(WAITING, np.int64),
        np.zeros(WAITING, np.uint64),
        np.zeros(WAITING, np.int64),
        0,
    )
    while position < end and cells + WAITING + window <= limit:
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
            if high < frequent:
                corner = high * (high - 1) // 2 + low
                prefetch_item(triangle, corner)
                triangle[corners[next_corner]] += corner_counts[next_corner]
                corners[next_corner], corner_counts[next_corner] = corner, weights[distance - 1]
                next_corner = (next_corner + 1) & (WAITING - 1)
            else:
                key = np.uint64(low) << np.uint64(32) | np.uint64(high)
                home = home_of(table, key)
                prefetch_item(table, home)
                if keys[turn] != 0:
                    cells += add_to_table(table, homes[turn], keys[turn], counts[turn])
                homes[turn], keys[turn], counts[turn] = home, key, weights[distance - 1]
                turn = (turn + 1) & (WAITING - 1)
    for waiting in range(WAITING):
        if corner_counts[waiting] != 0:
            triangle[corners[waiting]] += corner_counts[waiting]
        if keys[waiting] != 0:
            cells += add_to_table(table, homes[waiting], keys[waiting], counts[waiting])
    return position, cells


@kernel
def rehash(table, new_table):
    """Move all cells into a larger, empty table."""
    for place in range(0, table.size, 2):
        if table[place] != 0:
            add_to_table(new_table, home_of(new_table, table[place]), table[place], table[place + 1])


@kernel
def put_ids(table, ids):
    """Put ids (int32[V]) for ranks into the keys; a key is then no longer where its hash would have it."""
    for place in range(0, table.size, 2):
        key = table[place]
        if key != 0:
            first, second = np.uint64(ids[key >> np.uint64(32)]), np.uint64(ids[key & np.uint64(0xFFFFFFFF)])
            table[place] = min(first, second) << np.uint64(32) | max(first, second)


@kernel
def cells_per_word(triangle, ids, table, sizes):
    """Add to ``sizes`` (int64[V, 2]) how many cells each word has with smaller ids and with greater ids.

    ``ids`` (int32[frequent]) are those of the triangle's words; the table's keys hold ids already.
    """
    for high in range(1, ids.size):
        for low in range(high):
            if triangle[high * (high - 1) // 2 + low] != 0:
                sizes[max(ids[low], ids[high]), 0] += 1
                sizes[min(ids[low], ids[high]), 1] += 1
    for place in range(0, table.size, 2):
        if table[place] != 0:
            sizes[np.int64(table[place] & np.uint64(0xFFFFFFFF)), 0] += 1
            sizes[np.int64(table[place] >> np.uint64(32)), 1] += 1


@kernel
def gather_upper(triangle, ids, table, cursors, contexts, counts):
    """Write each cell (i, j) to row i, in no order; ``cursors`` (int64[V]) stand at the rows' starts and move."""
    for high in range(1, ids.size):
        for low in range(high):
            count = triangle[high * (high - 1) // 2 + low]
            if count != 0:
                row = min(ids[low], ids[high])
                contexts[cursors[row]] = max(ids[low], ids[high])
                counts[cursors[row]] = count
                cursors[row] += 1
    for place in range(0, table.size, 2):
        if table[place] != 0:
            low = np.int64(table[place] >> np.uint64(32))
            contexts[cursors[low]] = np.int32(table[place] & np.uint64(0xFFFFFFFF))
            counts[cursors[low]] = np.int64(table[place + 1])
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
