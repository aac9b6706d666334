"""Joining phrases: what a plain loop joins, wherever the text is cut, each joined word for one task."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import naive
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_text_ranges import BREAKS, documents

from simglove_spark import cooccurrence, text_ranges, text_rows, word_ids
from simglove_spark.kernels import phrases as kernels
from simglove_spark.kernels.tokens import END_OF_ROW, HOLE
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.schemas import PHRASES
from simglove_spark.text_ranges import Range, pieces_of
from simglove_spark.text_rows import Cleaning
from simglove_spark.word_ids import JoinedIds, WordIds
from simglove_spark.word_table import WordTable, build_word_table

WORDS = [b"a", b"b", b"c", b"dd"]
SPACES = [b" ", b" ", b" ", b"  ", b"\t", b"\n", b"\r", b"\r\n", b" \n "]
WHITE = "whitespace"
TOKENIZERS = st.sampled_from([WHITE, "words"])
TEXT = st.lists(st.sampled_from([*WORDS * 2, b"unknown", b" - ", *SPACES * 2]), min_size=1, max_size=60).map(b"".join)
PLACES = st.lists(st.integers(0, 200), max_size=6)


@st.composite
def all_rounds(draw: st.DrawFn) -> list[naive.Phrases]:
    """One to three rounds of phrases; later ones may join what earlier ones joined."""
    known, rounds = list(WORDS), []
    for _ in range(draw(st.integers(1, 3))):
        pairs = draw(st.sets(st.tuples(st.sampled_from(known), st.sampled_from(known)), min_size=1, max_size=9))
        rounds.append({(first, second): first + b"_" + second for first, second in sorted(pairs)})
        known += [word for word in rounds[-1].values() if word not in known]
    return rounds


def table_of(rounds: list[naive.Phrases], vocabulary: list[bytes]) -> WordTable:
    rows = [
        {
            "round": number,
            "first": first.decode(),
            "second": second.decode(),
            "word": word.decode(),
            "count": 1,
            "npmi": 1,
        }
        for number, phrases in enumerate(rounds, 1)
        for (first, second), word in phrases.items()
    ]
    phrases = pa.Table.from_pylist(rows, schema=PHRASES)
    return build_word_table(pa.array([word.decode() for word in vocabulary], pa.string()), phrases=phrases)


def joined_words(rounds: list[naive.Phrases]) -> list[bytes]:
    return sorted({word for phrases in rounds for word in phrases.values()})


def rows_of(text: bytes, breaks: str, tokenizer: str) -> list[list[bytes]]:
    """Words of each row; for Unicode's word boundaries a dash is none."""
    return [[word for word in row.split() if tokenizer == WHITE or word != b"-"] for row in documents(text, breaks)]


def cut(path: Path, text: bytes, places: list[int], breaks: str = "line") -> list[Range]:
    path.write_bytes(text)
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [Range(str(path), begin, end, len(text), breaks) for begin, end in pairwise(bounds)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("joined")


def small_blocks(patch: pytest.MonkeyPatch, size: int) -> None:
    for module, name in ((text_ranges, "BLOCK_BYTES"), (text_ranges, "AHEAD_BYTES")):
        patch.setattr(module, name, size)
    for module in (text_rows, word_ids):
        patch.setattr(module, "SPANS_PER_BLOCK", size)


def words_in(table: WordTable, ids: list[np.ndarray]) -> list[bytes]:
    data, offsets = table.word_bytes.tobytes(), table.word_offsets
    marks = {END_OF_ROW: b"|", HOLE: b"?"}
    every = (number for block in ids for number in block.tolist())
    return [marks.get(number) or data[offsets[number] : offsets[number + 1]] for number in every]


@settings(max_examples=1000, deadline=None)
@given(
    text=TEXT,
    rounds=all_rounds(),
    places=PLACES,
    block=st.sampled_from([1, 3, 7, 1 << 10]),
    together=st.booleans(),
    breaks=BREAKS,
    tokenizer=TOKENIZERS,
)
@example(b"a b a b a b a b", [{(b"a", b"b"): b"a_b", (b"b", b"a"): b"b_a"}], [5, 6], 1 << 10, False, "line", WHITE)
@example(b"a a a a a a a", [{(b"a", b"a"): b"a_a"}, {(b"a_a", b"a_a"): b"aaaa"}], [3, 8], 1, True, "line", WHITE)
@example(b"a b\n  c a b c", [{(b"c", b"a"): b"c_a"}], [5], 1 << 10, False, "line", WHITE)
@example(b"a \n b c\n \n a b", [{(b"a", b"b"): b"a_b"}], [2, 3, 9, 11], 1 << 10, False, "blank-line", WHITE)
@example(b"a\n\n\n\n b c a b", [{(b"a", b"b"): b"a_b"}], [2, 4, 6], 1 << 10, False, "file", WHITE)
def test_ranges_give_each_joined_word_once_and_in_order(
    folder: Path,
    text: bytes,
    rounds: list[naive.Phrases],
    places: list[int],
    block: int,
    together: bool,
    breaks: str,
    tokenizer: str,
) -> None:
    table = table_of(rounds, WORDS + joined_words(rounds))
    found: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, block)
        words = JoinedIds(table, True, table.size)
        for own in cut(folder / "text", text, places, breaks):
            words = words if together else JoinedIds(table, True, table.size)
            for piece in pieces_of(own, Cleaning(tokenizer=tokenizer)):
                found += words_in(table, [ids.copy() for ids in words.own(piece)])
    rows = [naive.join(row, rounds) for row in rows_of(text, breaks, tokenizer)]
    expected = [word if word in WORDS + joined_words(rounds) else b"?" for row in rows for word in row]
    assert [word for word in found if word != b"|"] == expected


@settings(max_examples=500, deadline=None)
@given(
    text=TEXT,
    rounds=all_rounds(),
    places=PLACES,
    window=st.sampled_from([1, 2, 5, 40]),
    keep_places=st.booleans(),
    block=st.sampled_from([1, 7, 1 << 10]),
    kept=st.integers(1, 4),
    breaks=BREAKS,
    tokenizer=TOKENIZERS,
)
def test_pairs_of_joined_text_are_counted_once(
    folder: Path,
    text: bytes,
    rounds: list[naive.Phrases],
    places: list[int],
    window: int,
    keep_places: bool,
    block: int,
    kept: int,
    breaks: str,
    tokenizer: str,
) -> None:
    vocabulary = joined_words(rounds)[::-1][:kept] + WORDS[:kept]  # others stand in phrases alone, or nowhere
    table = table_of(rounds, vocabulary)
    found: Counter[tuple[int, int]] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, block)
        for own in cut(folder / "text", text, places, breaks):
            words = word_ids.word_ids(table, keep_places)
            counter = PairCounter(table, distance_weights(window, "harmonic"), 1, 1 << 16)
            pieces = pieces_of(own, Cleaning(tokenizer=tokenizer))
            runs = [run for piece in pieces for run in cooccurrence.count_piece(words, counter, piece)]
            strings = [run for _, run in [*runs, *counter.drain()]]
            for cells in cooccurrence.merged_tables(strings, table.size) if strings else []:
                for word, other, count in zip(*(column.to_pylist() for column in cells.columns), strict=True):
                    found[word, other] += count
    rows: list[naive.Row] = [naive.join(row, rounds) for row in rows_of(text, breaks, tokenizer)]
    ids = {word: number for number, word in enumerate(vocabulary)}
    assert found == naive.count_pairs(rows, ids, window, "harmonic", keep_places)


def test_a_vocabulary_without_phrases_is_looked_up_and_no_more() -> None:
    assert isinstance(word_ids.word_ids(table_of([], WORDS), True), WordIds)


def test_words_of_phrases_alone_are_outside_the_vocabulary() -> None:
    table = table_of([{(b"a", b"x"): b"a_x", (b"x", b"y"): b"x_y"}], [b"a", b"x_y"])
    assert (table.size, table.every) == (2, 5)
    piece = text_rows.Piece(pa.array(["a x y a x b x y"]), 1, 0)
    for keep_places, expected in ((True, [b"?", b"?", b"?", b"?", b"x_y", b"|"]), (False, [b"x_y", b"|"])):
        assert words_in(table, list(word_ids.word_ids(table, keep_places).own(piece))) == expected


@settings(max_examples=100, deadline=None)
@given(rounds=all_rounds(), ids=st.lists(st.sampled_from([0, 1, 2, 3, END_OF_ROW, HOLE, kernels.CUT]), max_size=40))
def test_kernels_compiled_or_not_give_the_same(rounds: list[naive.Phrases], ids: list[int]) -> None:
    ((keys, values), *_) = table_of(rounds, WORDS).rounds
    results = []
    with np.errstate(over="ignore"):
        for twin in (lambda kernel: kernel, lambda kernel: kernel.py_func):
            state, out = np.array([HOLE, 0, 0, 0]), np.empty(len(ids) + word_ids.HELD, np.int32)
            used = twin(kernels.join)(np.array(ids, np.int32), keys, values, state, out)
            table = np.zeros(128, np.uint64)
            known, by_id = np.array([END_OF_ROW, *ids], np.int32), np.zeros(4, np.int64)
            where = twin(kernels.count_neighbours)(known, 1, known.size, table, 0, 5)
            twin(kernels.count_ids)(known, 2, by_id)
            parts = (out[:used], state, table, by_id)
            results.append((*map(int, where), [part.tolist() for part in parts]))
    assert results[0] == results[1]
