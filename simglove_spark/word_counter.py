"""Counting words in one worker, within a memory budget."""

import numpy as np
import pyarrow as pa

from simglove_spark.cleaning import offsets_of
from simglove_spark.kernels import tokens
from simglove_spark.text_rows import LONGEST_WORD, Spans, bytes_of, too_long

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

    names: tuple[str, ...] = ("count",)
    numbers: tuple[int, ...] = ()  # kept for each word, if more than one

    def __init__(self, memory: int, num_shards: int = 1) -> None:
        self.memory, self.num_shards = min(memory, MOST_MEMORY), num_shards
        self._begin(FIRST_WORDS, FIRST_WORDS * BYTES_PER_WORD)

    def _begin(self, words: int, word_bytes: int) -> None:
        self.word_bytes = np.empty(word_bytes, np.uint8)
        self.word_offsets = np.zeros(words + 1, np.int64)
        self.counts = np.zeros((words, *self.numbers), np.int64)
        self.slots = np.full(2 * words, -1, np.int32)
        self.entries = 0

    def add(self, spans: Spans) -> list[pa.RecordBatch]:
        """Count a block of words; returns what had to be handed out to make room (mostly nothing)."""
        drained: list[pa.RecordBatch] = []
        first = 0
        while True:
            first = self._count(spans, first)
            if first == spans.size:
                return drained
            if self._bytes() > self.memory // 3 and self._is_worth_draining():
                drained.append(self.drain())
            else:
                self._grow(int(spans.ends[first] - spans.starts[first]))

    def _count(self, spans: Spans, first: int) -> int:
        """Count from span ``first`` on; returns the span to go on with."""
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
        return first

    def _is_worth_draining(self) -> bool:
        return self.entries > 0

    def _bytes(self) -> int:
        return self.word_bytes.nbytes + self.word_offsets.nbytes + self.counts.nbytes + self.slots.nbytes

    def _grow(self, next_word: int) -> None:
        if next_word > LONGEST_WORD:
            raise too_long("a row of the input")
        words, used = len(self.counts), int(self.word_offsets[self.entries])
        old = (self.word_bytes[:used], self.word_offsets[: self.entries + 1], self.counts[: self.entries])
        more_words = words * 2 if self.entries == words else words
        enough = max(self.word_bytes.size, used + next_word)
        self._begin(more_words, enough * 2 if used + next_word > self.word_bytes.size else enough)
        self.word_bytes[:used], self.entries = old[0], len(old[2])
        self.word_offsets[: self.entries + 1], self.counts[: self.entries] = old[1], old[2]
        tokens.index_words(self.word_bytes, self.word_offsets[: self.entries + 1], self.slots)

    def drain(self) -> pa.RecordBatch:
        """Hand out shard (int32), word (binary) and count (int64), and begin anew."""
        columns = dict(zip(self.names, self._columns(), strict=True))
        batch = counts_batch(self.word_bytes, self.word_offsets[: self.entries + 1], columns, self.num_shards)
        self._begin(len(self.counts), self.word_bytes.size)
        return batch

    def _words(self) -> pa.LargeBinaryArray:
        return _words_in(self.word_bytes, self.word_offsets[: self.entries + 1])

    def _columns(self) -> list[pa.Array]:
        return [pa.array(self.counts[: self.entries])]


class DocumentCounter(WordCounter):
    """Counts for each word also the documents, which are rows, that hold it; each row must come whole, its parts in order.

    A table that is handed out within a row is begun anew with the row's words so far, so that they count no second time for it.
    When these are most of the table it grows instead, whatever the budget.
    """

    names = ("count", "documents")
    numbers = (3,)

    def __init__(self, memory: int, num_shards: int = 1) -> None:
        super().__init__(memory, num_shards)
        self.row = 0

    def _count(self, spans: Spans, first: int) -> int:
        counted, self.row, self.entries = tokens.count_documents(
            spans.data,
            spans.starts[first : spans.size],
            spans.ends[first : spans.size],
            self.row,
            self.word_bytes,
            self.word_offsets,
            self.slots,
            self.counts,
            self.entries,
        )
        return first + counted

    def _of_this_row(self) -> np.ndarray:
        """Whether each entry was met in the row that goes on (bool[entries])."""
        return self.counts[: self.entries, 2] == self.row

    def _is_worth_draining(self) -> bool:
        return 2 * int(np.count_nonzero(self._of_this_row())) < self.entries

    def drain(self) -> pa.RecordBatch:
        """Hand out shard (int32), word (binary), count and documents (int64), and begin anew."""
        kept = self._words().filter(pa.array(self._of_this_row()))
        batch, offsets, data = super().drain(), offsets_of(kept), bytes_of(kept)
        self.entries = len(kept)
        self.word_offsets[: self.entries + 1] = offsets
        self.word_bytes[: offsets[-1]] = data[: offsets[-1]]
        self.counts[: self.entries, 2] = self.row
        tokens.index_words(self.word_bytes, self.word_offsets[: self.entries + 1], self.slots)
        return batch

    def _columns(self) -> list[pa.Array]:
        return [pa.array(np.ascontiguousarray(self.counts[: self.entries, column])) for column in range(2)]


def counts_batch(
    word_bytes: np.ndarray, word_offsets: np.ndarray, columns: dict[str, pa.Array], num_shards: int
) -> pa.RecordBatch:
    """Words as the kernels hold them, with their counts, as a batch: shard (int32), word (binary), then these columns."""
    shards = np.empty(word_offsets.size - 1, np.int32)
    tokens.shard_of_entries(word_bytes, word_offsets, shards, num_shards)
    arrays = [pa.array(shards), _words_in(word_bytes, word_offsets).cast(pa.binary()), *columns.values()]
    return pa.RecordBatch.from_arrays(arrays, ["shard", "word", *columns])


def _words_in(word_bytes: np.ndarray, word_offsets: np.ndarray) -> pa.LargeBinaryArray:
    buffers = [None, pa.py_buffer(word_offsets), pa.py_buffer(word_bytes)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), word_offsets.size - 1, buffers)
