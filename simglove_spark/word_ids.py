"""Words as the counters take them: ids in order, phrases joined, and each word given to one task.

In: pieces of text. Out: blocks of int32 ids (ranks, see `word_table`), with `tokens.END_OF_ROW` after each row; other words are dropped, or a `tokens.HOLE`
keeps their place. A block is good until the next one is asked for.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from simglove_spark.kernels import phrases, tokens
from simglove_spark.subsampling import Subsampling, places_of
from simglove_spark.text_rows import SPANS_PER_BLOCK, Piece, Spans, spans
from simglove_spark.word_table import WordTable

HELD = 3  # what a joining may give more than it got: a word that waited, and the cuts at a range's begin and end


class WordIds:
    """Ids of the words of pieces.

    Parameters
    ----------
    table : WordTable
        One without phrases; see `word_ids`.
    keep_places : bool
        Whether words outside the vocabulary, or dropped, become holes, or nothing.
    subsampling : Subsampling, optional
        Drops occurrences, and counts what is left of a task's own words.

    Attributes
    ----------
    met : int
        Own words of the vocabulary so far, those that were dropped too.
    """

    def __init__(self, table: WordTable, keep_places: bool = False, subsampling: Subsampling | None = None) -> None:
        self.table, self.keep_places, self.subsampling = table, keep_places, subsampling
        self.ids, self.met = np.empty(SPANS_PER_BLOCK, np.int32), 0

    def own(self, piece: Piece) -> Iterator[np.ndarray]:
        """Words that this task counts."""
        for block in self._blocks(piece):
            end = self._look_up(block)
            self.met += int(np.count_nonzero(self.ids[:end] >= 0))
            used = self._drop(block, end)
            if self.subsampling is not None:
                self.subsampling.count(self.ids, 0, used)
            yield self.ids[:used]

    def ahead(self, piece: Piece) -> Iterator[np.ndarray]:
        """Words that follow in the piece's open row and that another task counts; only after `own` is through."""
        for further in piece.ahead or ():
            for block in self._blocks(further):
                yield self.ids[: self._drop(block, self._look_up(block))]

    def _blocks(self, piece: Piece) -> Iterator[Spans]:
        return spans(piece.column, piece.is_open, None if self.subsampling is None else places_of(piece))

    def _look_up(self, block: Spans) -> int:
        """Put the block's ids into ``self.ids``; returns how many there are."""
        return int(
            tokens.look_up(
                block.data,
                block.starts,
                block.ends,
                block.size,
                self.table.word_bytes,
                self.table.word_offsets,
                self.table.slots,
                self.keep_places or self.subsampling is not None,
                self.ids,
                0,
            )
        )

    def _drop(self, block: Spans, end: int) -> int:
        """Drop what subsampling does not keep of ``self.ids``; returns where they end now."""
        return end if self.subsampling is None else self.subsampling.drop(block, self.ids, 0, self.keep_places)


class JoinedIds:
    """Ids of the words of pieces, with neighbours that are a phrase joined, round after round.

    A word outside vocabulary and phrases parts its neighbours. Where tasks share a row, each joined word is given to one of
    them: a task's own words begin and end at a cut, which the joining moves on to where no phrase can reach over
    (see `kernels.phrases`).

    Parameters
    ----------
    table : WordTable
    keep_places : bool
        Whether words outside the vocabulary become holes, or nothing.
    size : int
        Words with ids from this on are outside the vocabulary.

    Attributes
    ----------
    met : int
        Own words of the vocabulary so far, joined.
    """

    def __init__(self, table: WordTable, keep_places: bool, size: int) -> None:
        self.words, self.rounds = WordIds(table, keep_places=True), table.rounds
        self.keep_places, self.size, self.met = keep_places, size, 0
        self._begin(is_own=True)

    def _begin(self, is_own: bool) -> None:
        self.is_own = is_own
        self.following: Iterator[np.ndarray] | None = None
        self.states = [np.array([tokens.HOLE, 0, 0, 0], np.int64) for _ in self.rounds]

    def own(self, piece: Piece) -> Iterator[np.ndarray]:
        """Words that this task counts."""
        if piece.is_cut or self.following is not None:  # another range begins
            self._begin(is_own=not piece.is_cut)
        stream = self._joined(piece)
        for block in stream:
            ids = block
            while (cuts := np.flatnonzero(ids == phrases.CUT)).size:
                before, ids = ids[: cuts[0]], ids[cuts[0] + 1 :]
                if self.is_own:
                    self.following = chain([ids], stream)
                    yield self._known(before, is_own=True)
                    return
                self.is_own = True
            if self.is_own:
                yield self._known(ids, is_own=True)

    def ahead(self, piece: Piece) -> Iterator[np.ndarray]:
        """Words that follow in the piece's open row and that another task counts; only after `own` is through."""
        if piece.ahead is not None and self.following is not None:
            yield from map(self._known, self.following)

    def _joined(self, piece: Piece) -> Iterator[np.ndarray]:
        if piece.is_cut:
            yield self._join(np.array([phrases.CUT], np.int32))
        yield from map(self._join, self.words.own(piece))
        if piece.ahead is not None:
            yield self._join(np.array([phrases.CUT], np.int32))
            yield from map(self._join, self.words.ahead(piece))

    def _join(self, ids: np.ndarray) -> np.ndarray:
        for (keys, values), state in zip(self.rounds, self.states, strict=True):
            out = np.empty(ids.size + HELD, np.int32)
            ids = out[: phrases.join(ids, keys, values, state, out)]
        return ids

    def _known(self, ids: np.ndarray, is_own: bool = False) -> np.ndarray:
        known = (ids < self.size) & (ids != tokens.HOLE)
        self.met += int(np.count_nonzero(known & (ids >= 0))) if is_own else 0
        return np.where(known, ids, np.int32(tokens.HOLE)) if self.keep_places else ids[known]


def word_ids(table: WordTable, keep_places: bool, subsampling: Subsampling | None = None) -> WordIds | JoinedIds:
    """Ids under a vocabulary, with its phrases joined if it has some, which then must come without subsampling."""
    return JoinedIds(table, keep_places, table.size) if table.rounds else WordIds(table, keep_places, subsampling)
