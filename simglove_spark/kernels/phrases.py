"""Phrases: neighbours that are joined to one word, from left to right, and counts of neighbours.

A table of phrases is open-addressing with keys ``first << 32 | second + 1`` (0: free) and the joined word's id as value.

Where a range of text begins or ends is a `CUT` in the ids. Between two words that are no phrase every joining has a
boundary, wherever it began; so a cut moves on to the first such place after the word behind it. The range before the cut and
the one behind it see the same words there: they agree on the place without knowing of each other.
"""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.pairs import add_to_table, home_of, mix
from simglove_spark.kernels.tokens import END_OF_ROW, HOLE

CUT = -3
LAST, WAITING, READY, FRESH = 0, 1, 2, 3  # of a joining's state


@kernel
def key_of(first, second):
    """Key of a directed pair (uint64, never 0)."""
    return np.uint64(first) << np.uint64(32) | np.uint64(second + 1)


@kernel
def find_phrase(keys, key):
    """Slot that holds the key, or the free slot where it belongs (uint64)."""
    mask = np.uint64(keys.size - 1)
    slot = mix(key) & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel
def index_phrases(firsts, seconds, joined, keys, values):
    """Enter phrases (three int32[:] of ids) into an empty table."""
    for phrase in range(firsts.size):
        key = key_of(firsts[phrase], seconds[phrase])
        slot = find_phrase(keys, key)
        keys[slot] = key
        values[slot] = joined[phrase]


@kernel
def join(ids, keys, values, state, out):
    """Join phrases from left to right: after a joined pair goes on behind it.

    Parameters
    ----------
    ids : int32[:]
        Words, `HOLE` for one that is in no phrase, `END_OF_ROW` and `CUT`.
    keys : uint64[:]
    values : int32[:]
    state : int64[4]
        The word before (or `HOLE`), whether it waits for a partner, cuts with a word behind them and without; moved on.
        Begin with (`HOLE`, 0, 0, 0).
    out : int32[:]
        Filled; may need as many more places than ``ids`` as words and cuts are held in the state.

    Returns
    -------
    used : int64
        Places filled.
    """
    used = 0
    last, waiting, ready, fresh = state[LAST], state[WAITING], state[READY], state[FRESH]
    for place in range(ids.size):
        word = np.int64(ids[place])
        if word == CUT:
            fresh += 1
            continue
        slot = np.uint64(0)
        is_phrase = False
        if word >= 0 and last >= 0:
            slot = find_phrase(keys, key_of(last, word))
            is_phrase = keys[slot] != 0
        if is_phrase and waiting != 0:
            out[used] = values[slot]
            used += 1
            waiting = 0
        else:
            if waiting != 0:
                out[used] = last
                used += 1
            if word == END_OF_ROW:
                ready += fresh
                fresh = 0
            if not is_phrase:
                for _ in range(ready):
                    out[used] = CUT
                    used += 1
                ready = 0
            waiting = 1 if word >= 0 else 0
            if word < 0:
                out[used] = word
                used += 1
        last = word if word >= 0 else HOLE
        ready += fresh
        fresh = 0
    state[LAST], state[WAITING], state[READY], state[FRESH] = last, waiting, ready, fresh
    return used


@kernel
def count_neighbours(ids, position, end, table, cells, limit):
    """Count each word with the word right before it, until the ids end or the table is full.

    Parameters
    ----------
    ids : int32[:]
        Words in order; anything below 0 is nobody's neighbour.
    position, end : int64
        First word to take as the second of two (1 or more), and where to stop.
    table : uint64[:]
        As of pairs, with keys of directed ones.
    cells, limit : int64
        Cells of the table in use, and how many it may hold.

    Returns
    -------
    position, cells : int64
        Word to go on with; cells in use now.
    """
    while position < end:
        if cells >= limit:
            return position, cells
        if ids[position - 1] >= 0 and ids[position] >= 0:
            key = key_of(ids[position - 1], ids[position])
            cells += add_to_table(table, home_of(table, key), key, 1)
        position += 1
    return position, cells


@kernel
def count_ids(ids, step, counts):
    """Add ``step`` to the count of each word (int64[:], by id); marks are passed over."""
    for place in range(ids.size):
        if ids[place] >= 0:
            counts[ids[place]] += step
