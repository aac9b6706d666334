"""Neighbours counted in one worker, and their normalised pmi: what plain loops and formulas give."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import naive
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_word_ids import PLACES, TEXT, all_rounds, cut, joined_words, small_blocks, table_of

from simglove_spark import cooccurrence, neighbour_counter, pair_counter, word_ids
from simglove_spark.neighbour_counter import NeighbourCounter
from simglove_spark.phrases import npmi
from simglove_spark.text_ranges import pieces_of
from simglove_spark.text_rows import Cleaning, Piece
from simglove_spark.word_ids import WordIds
from simglove_spark.word_table import build_word_table

VOCABULARY = [b"a", b"b", b"dd"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("neighbours")


def cells_of(runs: list[tuple[int, bytes]], size: int) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    for table in cooccurrence.merged_tables([run for _, run in runs], size) if runs else []:
        for first, second, count in zip(*(column.to_pylist() for column in table.columns), strict=True):
            found[first, second] += count
    return found


@settings(max_examples=300, deadline=None)
@given(
    text=TEXT,
    rounds=st.just([]) | all_rounds(),
    places=PLACES,
    block=st.sampled_from([1, 7, 1 << 10]),
    slots=st.sampled_from([2, 4, 64]),
)
def test_neighbours_are_counted_once_in_their_order(
    folder: Path, text: bytes, rounds: list[naive.Phrases], places: list[int], block: int, slots: int
) -> None:
    known = VOCABULARY + joined_words(rounds)[::2]  # the other ones are outside the vocabulary
    table, runs = table_of(rounds, known), []
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, block)
        patch.setattr(pair_counter, "FIRST_SLOTS", 2)
        patch.setattr(pair_counter, "_power_of_two", lambda limit: slots)
        for own in cut(folder / "text", text, places):
            words, counter = word_ids.word_ids(table, True), NeighbourCounter(table, 2, 1 << 16)
            for piece in pieces_of(own, Cleaning()):
                runs += cooccurrence.count_piece(words, counter, piece)
            runs += counter.drain()
    rows: list[naive.Row] = [naive.join(row.split(), rounds) for row in naive.lines(text)]
    expected = naive.count_neighbours(rows, known)
    assert cells_of(runs, len(known)) == {(known.index(a), known.index(b)): n for (a, b), n in expected.items()}


@pytest.mark.parametrize("counts", [None, [1, 2, 3]])  # ids are handed out, whatever the ranks
def test_neighbours_by_hand(counts: list[int] | None) -> None:
    table = build_word_table(pa.array(["new", "york", "very"]), counts)
    words, counter = WordIds(table, keep_places=True), NeighbourCounter(table, 1, 1 << 16)
    rows = ["new york very very very new", "york york", "new ? york", "", "york new york"]
    runs = [*cooccurrence.count_piece(words, counter, Piece(pa.array(rows), 5, 0)), *counter.drain()]
    assert cells_of(runs, 3) == {(0, 1): 2, (1, 2): 1, (2, 2): 2, (2, 0): 1, (1, 1): 1, (1, 0): 1}


def test_keys_hold_the_highest_ids() -> None:
    counter = NeighbourCounter(build_word_table(pa.array(["a"])), 1, 1 << 16)
    list(counter.add(np.array([2**31 - 2, 2**31 - 2, 0, 2**31 - 2, 0], np.int32)))
    found = {
        (int(key) >> 32, (int(key) & neighbour_counter.LOW_BITS) - 1): int(value)
        for key, value in zip(counter.hashed[::2], counter.hashed[1::2], strict=True)
        if key
    }
    most = 2**31 - 2
    assert found == {(most, most): 1, (most, 0): 2, (0, most): 1}


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60))
def test_npmi_is_that_of_the_formula_and_at_most_1(words: list[int]) -> None:
    counts, total = np.bincount(words), len(words)
    pairs = Counter(pairwise(words))
    first, second = np.array(list(pairs)).T
    scores = npmi(np.array(list(pairs.values())), counts[first], counts[second], total)
    expected = [naive.npmi(n, counts[a], counts[b], total) for (a, b), n in pairs.items()]
    assert scores.tolist() == pytest.approx(expected, abs=1e-6)
    assert (np.abs(scores) <= 1).all()


def test_npmi_of_words_that_never_stand_apart_is_1_and_by_chance_0() -> None:
    assert npmi(np.array([20, 1]), np.array([20, 10]), np.array([20, 10]), 100).tolist() == [1, 0]
