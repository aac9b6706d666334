"""Runs: sorted rows of pair counts as a string of bytes, and their merging into one shard.

A run is a sequence of rows, ascending by word: word (as difference to the row before), number of cells, then for each cell
its context (as difference to the cell before) and its count. All numbers are unsigned LEB128: 7 bits a byte, low bits
first, the top bit set when more follow.
"""

import numpy as np

from simglove_spark.kernels.compile import kernel

MAX_BYTES = 10  # of one 63-bit number
NO_ROW = -1

# number of a 64-bit word's only bit, by a de Bruijn sequence: its 64 windows of 6 bits all differ
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
BIT_NUMBER = np.empty(64, np.int64)
for _bit in range(64):
    BIT_NUMBER[((1 << _bit) * int(DE_BRUIJN) & 0xFFFFFFFFFFFFFFFF) >> 58] = _bit


@kernel
def write_number(out, position, value):
    """Write a number; returns the position after it."""
    while value >= 128:
        out[position] = np.uint8(value & 127 | 128)
        value >>= 7
        position += 1
    out[position] = np.uint8(value)
    return position + 1


@kernel
def read_number(data, position):
    """Read a number; returns it and the position after it."""
    byte = np.int64(data[position])
    value = byte & 127
    shift = 7
    while byte >= 128:
        position += 1
        byte = np.int64(data[position])
        value |= (byte & 127) << shift
        shift += 7
    return value, position + 1


@kernel
def encode_rows(words, first, offsets, contexts, counts, out):
    """Write rows ``words[first:]`` as a run until they end or the next one might not fit into ``out``.

    Parameters
    ----------
    words : int32[:]
        Ascending; words without cells are passed over.
    first : int64
    offsets : int64[:]
        Cells of word w lie at offsets[w] to offsets[w + 1].
    contexts : int32[:]
    counts : int64[:]
    out : uint8[:]

    Returns
    -------
    first, position : int64
        Row to go on with; bytes written.
    """
    position = 0
    previous = 0
    for row in range(first, words.size):
        word = np.int64(words[row])
        cells = offsets[word + 1] - offsets[word]
        if cells == 0:
            continue
        if position + (2 + 2 * cells) * MAX_BYTES > out.size:
            return row, position
        position = write_number(out, position, word - previous)
        position = write_number(out, position, cells)
        previous = word
        context = 0
        for cell in range(offsets[word], offsets[word + 1]):
            position = write_number(out, position, contexts[cell] - context)
            position = write_number(out, position, counts[cell])
            context = np.int64(contexts[cell])
    return words.size, position


@kernel
def merge_rows(data, positions, ends, heads, sums, seen, words, contexts, counts, signed):
    """Merge runs row by row until they end or the next row might not fit.

    Parameters
    ----------
    data : uint8[:]
        All runs, one after another.
    positions, ends : int64[k]
        Where each run is read next, and where it ends; moved on.
    heads : int64[k]
        Word whose row each run stands at, already read (`NO_ROW` at its end); see `open_runs`. Moved on.
    sums : int64[V]
        Zero before and after.
    seen : uint64[V / 64 + 1]
        Zero before and after: one bit for each context of the present row.
    words, contexts : int32[:]
    counts : int64[:]
        Filled with cells in order of word, then context. Longer than V.
    signed : bool
        Whether counts may be below 0, as numbers modulo 2^64.

    Returns
    -------
    cells : int64
        Cells written; 0 when all runs are at their end.

    Raises
    ------
    OverflowError
        When a sum passes 2^63 - 1, unless it is signed.
    """
    cells = 0
    signs = np.int64(0)
    while True:
        word = np.int64(NO_ROW)
        for run in range(heads.size):
            if heads[run] != NO_ROW and (word == NO_ROW or heads[run] < word):
                word = heads[run]
        if word == NO_ROW or cells + sums.size > words.size:
            return cells
        lowest, highest = np.int64(seen.size), np.int64(-1)
        for run in range(heads.size):
            if heads[run] == word:
                low, high, sign = add_row(data, positions, ends, heads, run, sums, seen)
                lowest, highest = min(lowest, low), max(highest, high)
                signs |= sign
        if signs < 0 and not signed:
            raise OverflowError("a sum of counts")
        for block in range(lowest, highest + 1):
            bits = seen[block]
            seen[block] = 0
            while bits != 0:
                lowest_bit = bits & (~bits + np.uint64(1))
                bits ^= lowest_bit
                context = block * 64 + BIT_NUMBER[(lowest_bit * DE_BRUIJN) >> np.uint64(58)]
                words[cells] = word
                contexts[cells] = context
                counts[cells] = sums[context]
                sums[context] = 0
                cells += 1


@kernel
def add_row(data, positions, ends, heads, run, sums, seen):
    """Add one run's present row and read the head of its next.

    Returns the first and last 64-block touched, and a number below zero when a sum passed 2^63 - 1.
    """
    position = positions[run]
    cells, position = read_number(data, position)
    context = np.int64(0)
    lowest = np.int64(seen.size)
    signs = np.int64(0)  # the sums, bit by bit or: the first one that wraps is negative
    for cell in range(cells):
        difference, position = read_number(data, position)
        context += difference
        count, position = read_number(data, position)
        sums[context] += count
        signs |= sums[context]
        block = context >> 6
        seen[block] |= np.uint64(1) << np.uint64(context & 63)
        if cell == 0:
            lowest = block
    positions[run] = position
    read_head(data, positions, ends, heads, run)
    return lowest, context >> 6, signs


@kernel
def read_head(data, positions, ends, heads, run):
    """Read which word the run's next row belongs to."""
    if positions[run] >= ends[run]:
        heads[run] = NO_ROW
        return
    difference, positions[run] = read_number(data, positions[run])
    heads[run] = max(heads[run], 0) + difference


@kernel
def open_runs(data, positions, ends, heads):
    """Stand at the first row of every run."""
    for run in range(heads.size):
        heads[run] = 0
        read_head(data, positions, ends, heads, run)
