"""Keeping some occurrences of words, by a hash of where each stands; and what is left of each word, counted."""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.hashes import splitmix64
from simglove_spark.kernels.runs import read_number, write_number
from simglove_spark.kernels.tokens import HOLE, hash_word


@kernel
def hash_rows(data, rows, places):
    """Fill ``places`` (uint64[n]) with a hash of each row's bytes; row r lies at rows[r] to rows[r + 1] (int64[n + 1])."""
    for row in range(places.size):
        places[row] = hash_word(data, rows[row], rows[row + 1])


@kernel
def drop_frequent(ids, first, starts, spans, positions, places, keep, keep_places):
    """Drop occurrences whose place has a greater hash than their word allows.

    Parameters
    ----------
    ids : int32[:]
        From place ``first`` on one for each span, as `tokens.look_up` gives them with ``keep_places``. Changed.
    first : int64
    starts : int64[:]
        First byte of each span, ascending but for the ends of rows.
    spans : int64
    positions : int64[m]
        Bytes whose places are known, ascending, the first one not after the first word.
    places : uint64[m]
        Theirs; a word further on has the place of the last of these before it, plus the bytes between.
    keep : uint64[V]
        Greatest hash with which an occurrence of each word is kept.
    keep_places : bool
        Whether what is dropped, or not known, becomes a `HOLE`; else it goes.

    Returns the number of ids in use (int64).
    """
    used = first
    known = -1
    for span in range(spans):
        word = ids[first + span]
        if word >= 0:
            start = starts[span]
            if known < 0:
                known = np.searchsorted(positions, start, side="right") - 1
            while known + 1 < positions.size and positions[known + 1] <= start:
                known += 1
            if splitmix64(places[known] + np.uint64(start - positions[known])) > keep[word]:
                word = HOLE
        if word != HOLE or keep_places:
            ids[used] = word
            used += 1
    return used


@kernel
def tally(ids, first, end, counts):
    """Add the words among ids[first:end] to ``counts`` (int64[V])."""
    for place in range(first, end):
        if ids[place] >= 0:
            counts[ids[place]] += 1


@kernel
def write_counts(counts, out):
    """Write the counts that are not 0 as a row of a run (see `runs`), without its head; returns the bytes written."""
    position = 0
    previous = 0
    for word in range(counts.size):
        if counts[word] != 0:
            position = write_number(out, position, word - previous)
            position = write_number(out, position, counts[word])
            previous = word
    return position


@kernel
def add_counts(data, counts):
    """Add what `write_counts` wrote."""
    position = 0
    word = np.int64(0)
    while position < data.size:
        difference, position = read_number(data, position)
        word += difference
        count, position = read_number(data, position)
        counts[word] += count
