"""Counting words in one worker, within a memory budget."""

import numpy as np
import pyarrow as pa

from simglove_spark.kernels import tokens
from simglove_spark.text_rows import Spans

FIRST_WORDS = 1 << 14
MOST_MEMORY = 3 << 30  # a third of it is handed out at once, and Arrow's offsets have 31 bits
BYTES_PER_WORD = 16  # planned for the words' bytes; they grow on their own when this is too little


class WordCounter:
    """A table of words and counts that grows up to a budget and is then handed out and begun anew.

    Parameters
    ----------
    memory : int
        Bytes that the table may take, about.
    num_shards : int
        A word's shard is the hash of its bytes modulo this.
    """

    def __init__(self, memory: int, num_shards: int = 1) -> None:
        self.memory, self.num_shards = min(memory, MOST_MEMORY), num_shards
        self._begin(FIRST_WORDS, FIRST_WORDS * BYTES_PER_WORD)

    def _begin(self, words: int, word_bytes: int) -> None:
        self.word_bytes = np.empty(word_bytes, np.uint8)
        self.word_offsets = np.zeros(words + 1, np.int64)
        self.counts = np.zeros(words, np.int64)
        self.slots = np.full(2 * words, -1, np.int32)
        self.entries = 0

    def add(self, spans: Spans) -> list[pa.RecordBatch]:
        """Count a block of words; returns what had to be handed out to make room (mostly nothing)."""
        drained: list[pa.RecordBatch] = []
        first = 0
        while True:
            first, self.entries = tokens.count_words(
                spans.data,
                spans.starts,
                spans.ends,
                first,
                spans.size,
                self.word_bytes,
                self.word_offsets,
                self.slots,
                self.counts,
                self.entries,
            )
            if first == spans.size:
                return drained
            if self.entries and self._bytes() > self.memory // 3:
                drained.append(self.drain())
            else:
                self._grow(int(spans.ends[first] - spans.starts[first]))

    def _bytes(self) -> int:
        return self.word_bytes.nbytes + self.word_offsets.nbytes + self.counts.nbytes + self.slots.nbytes

    def _grow(self, next_word: int) -> None:
        words, used = self.counts.size, int(self.word_offsets[self.entries])
        old = (self.word_bytes[:used], self.word_offsets[: self.entries + 1], self.counts[: self.entries])
        more_words = words * 2 if self.entries == words else words
        enough = max(self.word_bytes.size, used + next_word)
        self._begin(more_words, enough * 2 if used + next_word > self.word_bytes.size else enough)
        self.word_bytes[:used], self.entries = old[0], old[2].size
        self.word_offsets[: self.entries + 1], self.counts[: self.entries] = old[1], old[2]
        tokens.index_words(self.word_bytes, self.word_offsets[: self.entries + 1], self.slots)

    def drain(self) -> pa.RecordBatch:
        """Hand out shard (int32), word (binary) and count (int64), and begin anew."""
        offsets, counts = self.word_offsets[: self.entries + 1], self.counts[: self.entries]
        batch = counts_batch(self.word_bytes, offsets, counts, self.num_shards)
        self._begin(self.counts.size, self.word_bytes.size)
        return batch


def counts_batch(
    word_bytes: np.ndarray, word_offsets: np.ndarray, counts: np.ndarray, num_shards: int
) -> pa.RecordBatch:
    """Words as the kernels hold them, with their counts, as a batch: shard (int32), word (binary), count (int64)."""
    shards = np.empty(counts.size, np.int32)
    tokens.shard_of_entries(word_bytes, word_offsets, shards, num_shards)
    words = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), counts.size, [None, pa.py_buffer(word_offsets), pa.py_buffer(word_bytes)]
    )
    return pa.RecordBatch.from_arrays(
        [pa.array(shards), words.cast(pa.binary()), pa.array(counts)], ["shard", "word", "count"]
    )
