"""Words in bytes: splitting, cleaning, looking up and counting, each against its plain twin."""

import warnings
from collections import Counter
from collections.abc import Iterable

import naive
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simglove_spark import text_rows, word_counter
from simglove_spark.kernels import chunks, hashes, tokens
from simglove_spark.text_rows import Cleaning, clean, spans
from simglove_spark.word_counter import WordCounter
from simglove_spark.word_table import build_word_table

# everything that some splitter takes for white space, and words of one to four bytes a character
WHITE = [b" ", b"\t", b"\n", b"\x0b", b"\x0c", b"\r", b"\r\n", b"  "]
NOT_WHITE = [bytes([code]) for code in (0x00, 0x1C, 0x1D, 0x1E, 0x1F, 0x7F)]
NOT_WHITE += ["\x85".encode(), "\xa0".encode(), "\u2028".encode(), "\u3000".encode(), b"\xef\xbb\xbf"]
WORDS = [b"a", b"b", b"ab", b"ba", "é".encode(), "飞机".encode(), "𐍈".encode(), b"a" * 300]
TEXT = st.lists(st.sampled_from([*WHITE, *WHITE, *NOT_WHITE, *WORDS, *WORDS]), max_size=30).map(b"".join)
TEXTS = st.lists(TEXT, max_size=8)
BYTES = st.lists(st.binary(max_size=40), max_size=6)
BLOCKS = st.integers(1, 9)
MEGABYTE = "飞".encode() * 350_000


def spans_of(rows: list[bytes], block: int, kernel=tokens.split_rows) -> list[bytes | None]:
    """Words that a splitting kernel finds, None at each row's end, with room for ``block`` spans a call."""
    data = np.frombuffer(b"".join(rows), np.uint8)
    offsets = np.cumsum([0, *map(len, rows)])
    starts, ends = np.empty(block, np.int64), np.empty(block, np.int64)
    found, row, position = [], 0, 0
    while row < len(rows):
        size, row, position = kernel(data, offsets, row, position, starts, ends)
        assert 0 < size <= block
        for start, end in zip(starts[:size].tolist(), ends[:size].tolist(), strict=True):
            found.append(None if start == tokens.END_OF_ROW else data[start:end].tobytes())
    return found


def spans_of_column(column: pa.Array, block: int) -> list[bytes | None]:
    """The same through `text_rows.spans`."""
    found: list[bytes | None] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_rows, "SPANS_PER_BLOCK", block)
        for part in spans(column):
            for start, end in zip(part.starts[: part.size].tolist(), part.ends[: part.size].tolist(), strict=True):
                found.append(None if start == tokens.END_OF_ROW else part.data[start:end].tobytes())
    return found


def with_ends(rows: Iterable[naive.Row]) -> list[bytes | None]:
    return [item for row in rows for item in [*naive.words_of(row), None]]


@settings(max_examples=200, deadline=None)
@given(rows=st.one_of(TEXTS, BYTES), block=BLOCKS)
@example(rows=[b"".join(bytes([code]) + b"x" for code in range(256))], block=3)
def test_rows_split_as_python_splits_bytes(rows: list[bytes], block: int) -> None:
    assert spans_of(rows, block) == with_ends(rows)


@settings(max_examples=40, deadline=None)
@given(rows=TEXTS, block=BLOCKS)
def test_split_rows_compiled_or_not_finds_the_same(rows: list[bytes], block: int) -> None:
    assert spans_of(rows, block, tokens.split_rows.py_func) == spans_of(rows, block)


@settings(max_examples=100, deadline=None)
@given(rows=TEXTS, block=BLOCKS, start=st.integers(0, 3), wide=st.booleans())
def test_columns_of_text_and_their_slices_split_the_same(rows: list[bytes], block: int, start: int, wide: bool) -> None:
    column = pa.array(rows, pa.large_binary() if wide else pa.binary())[start:]
    cleaned, bad = clean(column)
    assert bad == 0
    assert spans_of_column(cleaned, block) == with_ends(rows[start:])


LIST_TYPES = [pa.list_(pa.string()), pa.list_(pa.large_string()), pa.large_list(pa.string()), pa.list_(pa.binary())]
LIST_TYPES += [pa.list_(pa.large_binary()), pa.large_list(pa.large_string())]


@pytest.mark.parametrize("kind", LIST_TYPES, ids=str)
@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(
        st.none() | st.lists(st.none() | st.sampled_from(["", "a", "b c", "\n", "飞机", "x" * 99]), max_size=6),
        max_size=8,
    ),
    block=BLOCKS,
    start=st.integers(0, 3),
)
@example(rows=[["a", None, "", "b c"], None, [], ["飞机"]], block=2, start=0)
def test_lists_are_taken_as_they_are_without_empty_words_and_nulls(
    kind: pa.DataType, rows: list[list[str | None] | None], block: int, start: int
) -> None:
    binary = pa.types.is_binary(kind.value_type) or pa.types.is_large_binary(kind.value_type)
    values = [
        row if row is None else [item.encode() if binary and item is not None else item for item in row] for row in rows
    ]
    cleaned, bad = clean(pa.array(values, kind)[start:])
    assert bad == 0
    expected = [[word.encode() for word in row if word] for row in rows[start:] if row is not None]
    assert spans_of_column(cleaned, block) == with_ends(expected)


def test_list_rows_compiled_or_not_finds_the_same() -> None:
    data = np.frombuffer(b"abcde", np.uint8)
    items, rows = np.array([0, 2, 2, 3, 5]), np.array([0, 2, 2, 4])
    for kernel in (tokens.list_rows, tokens.list_rows.py_func):
        found, row, position = [], 0, 0
        starts, ends = np.empty(2, np.int64), np.empty(2, np.int64)
        while row < 3:
            size, row, position = kernel(items, rows, row, position, starts, ends)
            found += [(int(s), int(e) if s >= 0 else None) for s, e in zip(starts[:size], ends[:size], strict=True)]
        end = (tokens.END_OF_ROW, None)
        assert found == [(0, 2), end, end, (2, 3), (3, 5), end]
    assert data.size == items[-1]


def test_null_rows_are_dropped() -> None:
    cleaned, bad = clean(pa.array([b"a b", None, b"c"], pa.binary()))
    assert spans_of_column(cleaned, 100) == [b"a", b"b", None, b"c", None]
    assert bad == 0


@settings(max_examples=200, deadline=None)
@given(rows=st.one_of(BYTES, st.lists(st.sampled_from([b"ok", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xe9\xa3"]))))
@example(rows=["�".encode()])  # a replacement character that was there before is not bad
@example(rows=[b"a\xf4\x90\x80\x80 \xf0\x9f\x98 b", b"fine"])
def test_bytes_that_are_not_utf8_are_replaced_as_python_does_and_counted_by_words(rows: list[bytes]) -> None:
    cleaned, bad = clean(pa.array(rows, pa.binary()))
    assert cleaned.to_pylist() == [row.decode("utf-8", errors="replace") for row in rows]
    expected = 0
    for word in b" ".join(rows).split():
        try:
            word.decode()
        except UnicodeDecodeError:
            expected += 1
    assert bad == expected


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.text(max_size=20), max_size=4))
@example(rows=["ÀÉÎ ΑΣ ДОМ ẞ İ Ǆ A-Z 飞机"])
def test_lower_case_is_one_character_to_one(rows: list[str]) -> None:
    cleaned, _ = clean(pa.array(rows, pa.string()), Cleaning(lowercase=True))
    ours, plain = cleaned.to_pylist(), [naive.lower(row) for row in rows]
    assert [len(row) for row in ours] == [len(row) for row in rows]
    known = [all(_in_both_unicodes(char) for char in row) for row in rows]
    assert [row for row, ok in zip(ours, known, strict=True) if ok] == [
        row for row, ok in zip(plain, known, strict=True) if ok
    ]


def _in_both_unicodes(char: str) -> bool:
    """Python's and Arrow's Unicode tables are of different years; old scripts are in both."""
    return ord(char) < 0x1C80 or 0x3000 <= ord(char) < 0xA000


def test_lists_are_put_into_lower_case_too() -> None:
    cleaned, _ = clean(pa.array([["Été", "X Y"]], pa.list_(pa.string())), Cleaning(lowercase=True))
    assert cleaned.to_pylist() == [["été", "x y"]]


def counted(
    rows: list[naive.Row], block: int, memory: int, first_words: int, shards: int = 3
) -> tuple[Counter[bytes], int]:
    """Word counts through a `WordCounter`, and how often it drained; each word must keep to one shard."""
    column, _ = clean(pa.array(rows, pa.binary() if not rows or isinstance(rows[0], bytes) else None))
    found: Counter[bytes] = Counter()
    homes: dict[bytes, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_rows, "SPANS_PER_BLOCK", block)
        patch.setattr(word_counter, "FIRST_WORDS", first_words)
        patch.setattr(word_counter, "BYTES_PER_WORD", 1)
        counter = WordCounter(memory, shards)
        batches = [batch for part in spans(column) for batch in counter.add(part)]
        batches.append(counter.drain())
    for batch in batches:
        words = batch["word"].to_pylist()
        assert len(set(words)) == len(words)
        for shard, word, count in zip(batch["shard"].to_pylist(), words, batch["count"].to_pylist(), strict=True):
            assert 0 <= shard == homes.setdefault(word, shard) < shards
            found[word] += count
    return found, len(batches)


@settings(max_examples=70, deadline=None)
@given(rows=TEXTS, block=BLOCKS, memory=st.sampled_from([1, 1000, 1 << 20]), first=st.sampled_from([1, 2, 8]))
def test_words_are_counted_exactly_by_any_table_in_any_blocks(
    rows: list[bytes], block: int, memory: int, first: int
) -> None:
    assert counted(rows, block, memory, first)[0] == naive.count_words(rows)


def test_a_small_budget_drains_often_and_a_large_one_grows() -> None:
    rows = [b" ".join(b"%d" % (number % 501) for number in range(3000))]
    expected = naive.count_words(rows)
    often, drains = counted(rows, 64, 1000, 2)
    never, once = counted(rows, 64, 1 << 30, 2)
    assert often == never == expected
    assert once == 1
    assert drains > 10


def test_words_of_a_megabyte_are_words() -> None:
    rows = [b"a " + MEGABYTE + b" b " + MEGABYTE, MEGABYTE + b"x"]
    assert counted(rows, 2, 1, 1)[0] == {b"a": 1, b"b": 1, MEGABYTE: 2, MEGABYTE + b"x": 1}


def test_count_words_compiled_or_not_counts_the_same() -> None:
    data = np.frombuffer(b"aabbab", np.uint8)
    starts, ends = np.array([0, 1, tokens.END_OF_ROW, 2, 4, 0]), np.array([1, 2, 0, 4, 6, 2])
    for kernel in (tokens.count_words, tokens.count_words.py_func):
        table = np.zeros(6, np.uint8), np.zeros(4, np.int64), np.full(8, -1, np.int32), np.zeros(3, np.int64)
        # a, a, end of row, bb, ab fill three entries; aa must wait for room
        assert tuple(map(int, kernel(data, starts, ends, 0, 6, *table, 0))) == (5, 3)
        word_bytes, offsets, slots, counts = table
        assert (word_bytes.tobytes(), offsets.tolist(), counts.tolist()) == (b"abbab\0", [0, 1, 3, 5], [2, 1, 1])
        assert sorted(slots.tolist()) == [-1] * 5 + [0, 1, 2]
        assert tuple(map(int, kernel(data, starts, ends, 0, 1, word_bytes, offsets, slots, counts, 3))) == (1, 3)
        assert counts.tolist() == [3, 1, 1]


def looked_up(table, words: list[bytes | None], kernel=tokens.look_up, keep_places: bool = False) -> list[int]:
    data = np.frombuffer(b"".join(word or b"" for word in words), np.uint8)
    ends = np.cumsum([len(word or b"") for word in words])
    starts = ends - [len(word or b"") for word in words]
    starts[[word is None for word in words]] = tokens.END_OF_ROW
    ids = np.full(len(words) + 2, 77, np.int32)
    arrays = table.word_bytes, table.word_offsets, table.slots
    used = kernel(data, starts, ends, len(words), *arrays, keep_places, ids, 2)
    assert ids[:2].tolist() == [77, 77]
    return ids[2:used].tolist()


@settings(max_examples=150, deadline=None)
@given(
    words=st.lists(st.text("ab飞", min_size=1, max_size=3), min_size=1, max_size=15, unique=True),
    others=st.lists(st.none() | st.text("ab飞c", min_size=1, max_size=4), max_size=20),
    tight=st.booleans(),
    start=st.integers(0, 2),
)
def test_words_are_found_and_unknown_ones_dropped_however_hashes_collide(
    words: list[str], others: list[str | None], tight: bool, start: int
) -> None:
    column = pa.array(["x"] * start + words)[start:]
    slots = 1 << len(words).bit_length()  # one more than the words at least: nearly every word collides
    table = build_word_table(column, slots=slots if tight else None)
    ids = {word: number for number, word in enumerate(words)}
    asked = [*others, *words]
    expected = [tokens.END_OF_ROW if word is None else ids[word] for word in asked if word is None or word in ids]
    encoded = [None if word is None else word.encode() for word in asked]
    assert looked_up(table, encoded) == expected == looked_up(table, encoded, tokens.look_up.py_func)
    holes = [tokens.END_OF_ROW if word is None else ids.get(word, tokens.HOLE) for word in asked]
    assert looked_up(table, encoded, keep_places=True) == holes
    assert looked_up(table, encoded, tokens.look_up.py_func, True) == holes


def test_the_twins_of_the_table_kernels_agree() -> None:
    table = build_word_table(pa.array(["a", "bb", "飞机"]), slots=4)
    slots = np.full(4, -1, np.int32)
    tokens.index_words.py_func(table.word_bytes, table.word_offsets, slots)
    assert slots.tolist() == table.slots.tolist()
    data = np.frombuffer("bb飞机c".encode(), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy tells of the overflow that a hash lives on
        for start, end in ((0, 2), (2, 8), (8, 9), (0, 1), (0, 9)):
            known = (table.word_bytes, table.word_offsets, slots)
            hashed = np.uint64(chunks.hash_chunks(data, start, end))
            assert chunks.hash_chunks.py_func(data, start, end) == hashed
            found = tokens.find_slot(hashed, data, start, end, *known)
            assert tokens.find_slot.py_func(hashed, data, start, end, *known) == found
            assert tokens.hash_word.py_func(data, start, end) == tokens.hash_word(data, start, end)
        shards = [np.empty(3, np.int32), np.empty(3, np.int32)]
        tokens.shard_of_entries(table.word_bytes, table.word_offsets, shards[0], 5)
        tokens.shard_of_entries.py_func(table.word_bytes, table.word_offsets, shards[1], 5)
    assert shards[0].tolist() == shards[1].tolist()


@settings(max_examples=200, deadline=None)
@given(
    word=st.binary(min_size=1, max_size=26),
    before=st.binary(max_size=9),
    behind=st.binary(max_size=9),
    flipped=st.integers(0, 25),
)
def test_bytes_around_a_word_change_neither_its_hash_nor_what_equals_it(
    word: bytes, before: bytes, behind: bytes, flipped: int
) -> None:
    alone, within = np.frombuffer(word, np.uint8), np.frombuffer(before + word + behind, np.uint8)
    start, end = len(before), len(before) + len(word)
    assert chunks.hash_chunks(alone, 0, len(word)) == chunks.hash_chunks(within, start, end)
    assert chunks.are_equal(alone, 0, within, start, len(word))
    other = within.copy()
    other[start + flipped % len(word)] ^= 1
    assert not chunks.are_equal(alone, 0, other, start, len(word))
    assert not chunks.are_equal.py_func(alone, 0, other, start, len(word))
    with np.errstate(over="ignore"):
        assert chunks.hash_chunks.py_func(within, start, end) == chunks.hash_chunks(within, start, end)


def test_words_spread_evenly_over_shards() -> None:
    table = build_word_table(pa.array([f"word{number}" for number in range(8000)]))
    shards = np.empty(8000, np.int32)
    tokens.shard_of_entries(table.word_bytes, table.word_offsets, shards, 8)
    sizes = np.bincount(shards, minlength=8)
    assert sizes.size == 8
    assert np.abs(sizes - 1000).max() < 150  # five standard deviations


PUBLISHED = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]


def test_splitmix64_gives_the_published_values() -> None:
    states = [(1234567 + step * 0x9E3779B97F4A7C15) & naive.MASK for step in range(5)]
    assert [naive.splitmix64(state) for state in states] == PUBLISHED
    assert [int(hashes.splitmix64(np.uint64(state))) for state in states] == PUBLISHED


@settings(max_examples=200, deadline=None)
@given(value=st.integers(0, 2**64 - 1))
def test_splitmix64_is_its_twin(value: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        plain = int(hashes.splitmix64.py_func(np.uint64(value)))
    assert int(hashes.splitmix64(np.uint64(value))) == naive.splitmix64(value) == plain


@pytest.mark.parametrize("num_shards", [1, 3, 64, 2**20])
def test_a_word_belongs_to_the_shard_that_its_number_hashes_to(num_shards: int) -> None:
    shards = np.empty(1000, np.int32)
    hashes.shard_of_words(shards, num_shards)
    assert shards.tolist() == [naive.splitmix64(word) % num_shards for word in range(1000)]
