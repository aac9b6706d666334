"""Runs: their bytes, and merging any number of them, against a plain twin."""

from collections import Counter

import naive
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simglove_spark import cooccurrence
from simglove_spark.kernels import runs
from simglove_spark.schemas import PAIRS

Cells = dict[tuple[int, int], int]
EDGES = sorted({2 ** (7 * k) - low for k in range(1, 9) for low in (0, 1)} | {0, 1, 2**32, 2**63 - 1})
COUNTS = st.one_of(st.integers(1, 300), st.sampled_from([v for v in EDGES if 0 < v < 2**60]))
WORDS = 200


def cells_over(words: int) -> st.SearchStrategy[Cells]:
    place = st.integers(0, words - 1)
    return st.dictionaries(st.tuples(place, place), COUNTS, max_size=40)


def arrays_of(cells: Cells, words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets, contexts and counts of all rows, as the kernel takes them."""
    items = sorted(cells.items())
    sizes = np.bincount([word for (word, _), _ in items], minlength=words)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    contexts = np.array([context for (_, context), _ in items], np.int32)
    return offsets, contexts, np.array([count for _, count in items], np.int64)


def encoded(cells: Cells, words: int, room: int, kernel=runs.encode_rows) -> list[bytes]:
    """Runs of all cells, each of at most ``room`` bytes."""
    out, first, strings = np.empty(room, np.uint8), 0, []
    chosen = np.arange(words, dtype=np.int32)
    while first < words:
        before = first
        first, size = kernel(chosen, first, *arrays_of(cells, words), out)
        assert first > before
        assert size <= room
        strings.append(out[:size].tobytes())
    return strings


def merged(strings: list[bytes], words: int, group: int = 1) -> list[tuple[int, int, int]]:
    """Rows of the merged table; each group must end where a word ends."""
    rows: list[tuple[int, int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cooccurrence, "CELLS_PER_GROUP", group)
        for table in cooccurrence.merged_tables(strings, words) if strings else ():
            assert table.schema == PAIRS
            assert 0 < table.num_rows <= group + words
            assert not rows or rows[-1][0] < table["word_id"][0].as_py()
            rows += [tuple(row.values()) for row in table.to_pylist()]  # the next group takes the arrays again
    return rows


def rows_of(cells: dict[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    return [(word, context, count) for (word, context), count in sorted(cells.items())]


@pytest.mark.parametrize("value", EDGES)
def test_numbers_at_the_edges_of_their_lengths(value: int) -> None:
    for write in (runs.write_number, runs.write_number.py_func):
        out = np.full(12, 0xAA, np.uint8)
        end = int(write(out, 1, np.int64(value)))
        assert out.tobytes() == b"\xaa" + naive.number(value) + b"\xaa" * (12 - end)
        assert end - 1 <= runs.MAX_BYTES
        for read in (runs.read_number, runs.read_number.py_func):
            assert tuple(map(int, read(out, 1))) == (value, end)


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20))
def test_numbers_come_back_one_after_another(values: list[int]) -> None:
    out, position = np.empty(10 * len(values), np.uint8), 0
    for value in values:
        position = runs.write_number(out, position, np.int64(value))
    assert out[:position].tobytes() == b"".join(map(naive.number, values))
    back, place = [], 0
    for _ in values:
        value, place = runs.read_number(out, place)
        back.append(value)
    assert (back, place) == (values, position)


@settings(max_examples=100, deadline=None)
@given(cells=cells_over(WORDS))
def test_a_run_is_written_to_the_byte(cells: Cells) -> None:
    assert b"".join(encoded(cells, WORDS, 10_000)) == naive.run_of(cells)


@settings(max_examples=30, deadline=None)
@given(cells=cells_over(9), room=st.integers(0, 100))
def test_encode_rows_compiled_or_not_writes_the_same(cells: Cells, room: int) -> None:
    room += (2 + 2 * 9) * runs.MAX_BYTES
    assert encoded(cells, 9, room) == encoded(cells, 9, room, runs.encode_rows.py_func)


@settings(max_examples=150, deadline=None)
@given(cells=cells_over(30), room=st.integers(0, 500), group=st.integers(1, 60))
def test_a_run_cut_into_many_strings_merges_to_the_same_cells(cells: Cells, room: int, group: int) -> None:
    longest = max(Counter(word for word, _ in cells).values(), default=0)
    strings = encoded(cells, 30, (2 + 2 * longest) * runs.MAX_BYTES + room)
    assert merged(strings, 30, group) == rows_of(cells)


def test_little_room_does_cut_a_run() -> None:
    cells = {(word, 0): 1 for word in range(1, 30)}
    assert len(encoded(cells, 30, 4 * runs.MAX_BYTES)) > 5
    assert len(encoded(cells, 30, 10_000)) == 1


@settings(max_examples=200, deadline=None)
@given(tables=st.lists(cells_over(WORDS), max_size=6), group=st.integers(1, 60))
@example(tables=[{(0, 64): 2**59, (0, 63): 1}, {(0, 64): 2**59}, {}, {(199, 128): 2**32}], group=1)
@example(tables=[{(0, 0): 1, (199, 199): 1}], group=1)
def test_runs_with_common_cells_merge_to_their_sum(tables: list[Cells], group: int) -> None:
    total: Counter[tuple[int, int]] = Counter()
    for cells in tables:
        total.update(cells)
    assert merged([naive.run_of(cells) for cells in tables], WORDS, group) == rows_of(total)


def test_counts_beyond_32_bits_add_up() -> None:
    assert merged([naive.run_of({(3, 5): 2**62})] + [naive.run_of({(3, 5): 2**61 - 1})] * 2, 6) == [(3, 5, 2**63 - 2)]


@pytest.mark.parametrize("words", [1, 63, 64, 65, 128])
def test_every_context_of_a_row_is_found_in_order(words: int) -> None:
    cells = {(0, context): context + 1 for context in range(words)}
    assert merged([naive.run_of(cells)], words) == rows_of(cells)


def test_the_bit_numbers_are_those_of_all_bits() -> None:
    places = [((1 << bit) * int(runs.DE_BRUIJN) & naive.MASK) >> 58 for bit in range(64)]
    assert [int(runs.BIT_NUMBER[place]) for place in places] == list(range(64))


@pytest.mark.parametrize("compiled", [True, False])
def test_merging_leaves_its_work_arrays_at_zero_and_agrees_with_its_twin(compiled: bool) -> None:
    tables: list[Cells] = [{(0, 1): 5, (2, 0): 1, (2, 70): 2}, {(2, 70): 3, (2, 69): 4}, {(1, 0): 2**40}]
    strings = [naive.run_of(cells) for cells in tables]
    data = np.frombuffer(b"".join(strings), np.uint8)
    ends = np.cumsum([len(string) for string in strings])
    positions, heads = ends - [len(string) for string in strings], np.empty(3, np.int64)
    sums, seen = np.zeros(71, np.int64), np.zeros(2, np.uint64)
    words, contexts, counts = np.empty(72, np.int32), np.empty(72, np.int32), np.empty(72, np.int64)
    open_runs, merge_rows = runs.open_runs, runs.merge_rows
    if not compiled:
        open_runs, merge_rows = open_runs.py_func, merge_rows.py_func
    open_runs(data, positions, ends, heads)
    assert heads.tolist() == [0, 2, 1]
    found = []
    with np.errstate(over="ignore"):
        while cells := merge_rows(data, positions, ends, heads, sums, seen, words, contexts, counts, False):
            found += list(zip(words[:cells].tolist(), contexts[:cells].tolist(), counts[:cells].tolist(), strict=True))
            assert not sums.any()
            assert not seen.any()
    assert found == [(0, 1, 5), (1, 0, 2**40), (2, 0, 1), (2, 69, 4), (2, 70, 5)]
    assert heads.tolist() == [runs.NO_ROW] * 3
    assert positions.tolist() == ends.tolist()
