"""Words in a buffer of UTF-8 bytes: where they start, how often they occur, which ids they have.

A word is looked up by a 64-bit hash in an open-addressing table and then compared, since hashes can collide. Tables hold
int32 entry numbers (-1: free) and have a power of two of slots. Most of a table is far away in memory: words are looked up
`GROUP` by group, all that a group needs being brought near first.
"""

import numpy as np

from simglove_spark.kernels.chunks import are_equal, hash_chunks
from simglove_spark.kernels.compile import inlined, kernel
from simglove_spark.kernels.prefetch import prefetch_item

NO_ROW = -1
GROUP = 64
END_OF_ROW, HOLE = -1, -2  # a hole keeps the place of a word that is not counted


@kernel
def split_rows(data, rows, row, position, starts, ends):
    """Find words between ASCII white space, as Python's ``bytes.split()`` does, in many rows of text.

    Parameters
    ----------
    data : uint8[:]
        Bytes of all rows.
    rows : int64[:]
        Row r lies at rows[r] to rows[r + 1].
    row, position : int64
        Where to go on: a row and a place in it.
    starts, ends : int64[:]
        Filled with each word's first byte and the byte after its last; a row's end is marked by the start `END_OF_ROW`.

    Returns
    -------
    spans, row, position : int64
        Words and marks found; where to go on (row is the number of rows when all is read).
    """
    spans = 0
    while row < rows.size - 1:
        end = rows[row + 1]
        while True:
            while position < end and (data[position] == 32 or 9 <= data[position] <= 13):
                position += 1
            if spans == starts.size:
                return spans, row, position
            if position == end:
                break
            starts[spans] = position
            while position < end and not (data[position] == 32 or 9 <= data[position] <= 13):
                position += 1
            ends[spans] = position
            spans += 1
        starts[spans] = END_OF_ROW
        spans += 1
        row += 1
    return spans, row, position


@kernel
def list_rows(items, rows, row, position, starts, ends):
    """Take rows that are lists of words: like `split_rows`, with a list's items for words; empty ones are dropped.

    ``items`` (int64[:]): word k lies at bytes items[k] to items[k + 1]; ``position`` is the next item.
    """
    spans = 0
    while row < rows.size - 1:
        while position < rows[row + 1]:
            if spans == starts.size:
                return spans, row, position
            if items[position + 1] > items[position]:
                starts[spans] = items[position]
                ends[spans] = items[position + 1]
                spans += 1
            position += 1
        if spans == starts.size:
            return spans, row, position
        starts[spans] = END_OF_ROW
        spans += 1
        row += 1
    return spans, row, position


@kernel
def hash_word(data, start, end):
    """FNV-1a of the bytes, its bits mixed once more so that any of them may choose a slot (uint64)."""
    value = np.uint64(14695981039346656037)
    for k in range(start, end):
        value = (value ^ np.uint64(data[k])) * np.uint64(1099511628211)
    value ^= value >> np.uint64(32)
    value *= np.uint64(0x9E3779B97F4A7C15)
    return value ^ (value >> np.uint64(29))


@inlined
def find_slot(hashed, data, start, end, word_bytes, word_offsets, slots):
    """Slot that holds the word, or the free slot where it belongs (int64); ``hashed`` is its `hash_chunks`."""
    mask = slots.size - 1
    slot = np.int64(hashed & np.uint64(mask))
    while True:
        entry = slots[slot]
        if entry < 0:
            return slot
        first = word_offsets[entry]
        length = word_offsets[entry + 1] - first
        if length == end - start and are_equal(data, start, word_bytes, first, length):
            return slot
        slot = (slot + 1) & mask


@kernel
def bring_near(data, starts, ends, first, last, word_bytes, word_offsets, slots, hashes):
    """Hash words ``first`` to ``last`` into ``hashes`` (uint64[`GROUP`]) and ask for all that `find_slot` reads of them."""
    mask = np.uint64(slots.size - 1)
    for span in range(first, last):
        if starts[span] != END_OF_ROW:
            hashes[span - first] = hash_chunks(data, starts[span], ends[span])
            prefetch_item(slots, np.int64(hashes[span - first] & mask))
    for span in range(first, last):
        if starts[span] != END_OF_ROW:
            entry = slots[np.int64(hashes[span - first] & mask)]
            if entry >= 0:
                prefetch_item(word_offsets, np.int64(entry))
    for span in range(first, last):
        if starts[span] != END_OF_ROW:
            entry = slots[np.int64(hashes[span - first] & mask)]
            if entry >= 0:
                prefetch_item(word_bytes, word_offsets[entry])


@kernel
def enter_word(data, start, end, word_bytes, word_offsets, slots, slot, entries):
    """Make a word the next entry, at its free slot; False, and nothing is done, when there is no room for it."""
    used = word_offsets[entries]
    if entries == word_offsets.size - 1 or used + end - start > word_bytes.size:
        return False
    word_bytes[used : used + end - start] = data[start:end]
    word_offsets[entries + 1] = used + end - start
    slots[slot] = entries
    return True


@kernel
def count_words(data, starts, ends, first, spans, word_bytes, word_offsets, slots, counts, entries):
    """Count words into a table until they end or the table is full.

    Parameters
    ----------
    data : uint8[:]
    starts, ends : int64[:]
        As `split_rows` gave them; those from `first` to `spans` are counted.
    first, spans : int64
    word_bytes : uint8[:]
        The known words' bytes, one after another.
    word_offsets : int64[:]
        Where each begins; one more than there are entries.
    slots : int32[:]
    counts : int64[:]
    entries : int64
        Known words so far.

    Returns
    -------
    first, entries : int64
        The span to go on with (`spans` when all are counted); known words now.
    """
    hashes = np.empty(GROUP, np.uint64)
    for span in range(first, spans):
        if (span - first) % GROUP == 0:
            last = min(span + GROUP, spans)
            bring_near(data, starts, ends, span, last, word_bytes, word_offsets, slots, hashes)
        start, end = starts[span], ends[span]
        if start == END_OF_ROW:
            continue
        slot = find_slot(hashes[(span - first) % GROUP], data, start, end, word_bytes, word_offsets, slots)
        entry = slots[slot]
        if entry < 0:
            if not enter_word(data, start, end, word_bytes, word_offsets, slots, slot, entries):
                return span, entries
            entry = np.int32(entries)
            counts[entry] = 0
            entries += 1
        counts[entry] += 1
    return spans, entries


@kernel
def count_documents(data, starts, ends, row, word_bytes, word_offsets, slots, counts, entries):
    """Count words, and the rows that hold them, into a table until they end or the table is full.

    As `count_words`, but for ``row`` (int64), a number that no earlier row had, and ``counts`` (int64[:, 3]): occurrences, rows,
    and the last of these rows.

    Returns
    -------
    span, row, entries : int64
        The span to go on with, its row, and known words now.
    """
    hashes = np.empty(GROUP, np.uint64)
    for span in range(starts.size):
        if span % GROUP == 0:
            last = min(span + GROUP, starts.size)
            bring_near(data, starts, ends, span, last, word_bytes, word_offsets, slots, hashes)
        start, end = starts[span], ends[span]
        if start == END_OF_ROW:
            row += 1
            continue
        slot = find_slot(hashes[span % GROUP], data, start, end, word_bytes, word_offsets, slots)
        entry = slots[slot]
        if entry < 0:
            if not enter_word(data, start, end, word_bytes, word_offsets, slots, slot, entries):
                return span, row, entries
            entry = np.int32(entries)
            counts[entry, 0] = counts[entry, 1] = 0
            counts[entry, 2] = NO_ROW
            entries += 1
        counts[entry, 0] += 1
        if counts[entry, 2] != row:
            counts[entry, 1] += 1
            counts[entry, 2] = row
    return starts.size, row, entries


@kernel
def shard_of_entries(word_bytes, word_offsets, shards, num_shards):
    """Fill ``shards`` (int32[entries]) with the shard of each entry's bytes."""
    for entry in range(shards.size):
        value = hash_word(word_bytes, word_offsets[entry], word_offsets[entry + 1])
        shards[entry] = (value >> np.uint64(33)) % np.uint64(num_shards)


@kernel
def index_words(word_bytes, word_offsets, slots):
    """Enter every word of a vocabulary into an empty table; the entry is the word's id."""
    for entry in range(word_offsets.size - 1):
        start, end = word_offsets[entry], word_offsets[entry + 1]
        hashed = hash_chunks(word_bytes, start, end)
        slots[find_slot(hashed, word_bytes, start, end, word_bytes, word_offsets, slots)] = entry


@kernel
def look_up(data, starts, ends, spans, word_bytes, word_offsets, slots, keep_places, ids, used):
    """Append the known words' ids, and row ends, to ``ids`` (int32[:]) from place ``used`` on.

    Other words are dropped, or with ``keep_places`` become a `HOLE`.

    Returns the number of ids in use (int64).
    """
    hashes = np.empty(GROUP, np.uint64)
    for span in range(spans):
        if span % GROUP == 0:
            last = min(span + GROUP, spans)
            bring_near(data, starts, ends, span, last, word_bytes, word_offsets, slots, hashes)
        start, end = starts[span], ends[span]
        if start == END_OF_ROW:
            ids[used] = END_OF_ROW
            used += 1
            continue
        entry = slots[find_slot(hashes[span % GROUP], data, start, end, word_bytes, word_offsets, slots)]
        if entry >= 0 or keep_places:
            ids[used] = entry if entry >= 0 else HOLE
            used += 1
    return used
