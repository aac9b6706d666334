"""Counting pairs in one worker: any tables, any cuts, any window give what a plain loop gives."""

import itertools
from collections import Counter
from typing import NamedTuple

import naive
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simglove_spark import pair_counter, text_rows, word_ids
from simglove_spark.cooccurrence import count_piece, merged_tables
from simglove_spark.kernels import pairs
from simglove_spark.pair_counter import PairCounter, distance_weights, unit_of
from simglove_spark.text_rows import Piece, clean
from simglove_spark.word_ids import WordIds
from simglove_spark.word_table import build_word_table

WORDS = ["a", "b", "c", "d", "été", "飞机", "𐍈", "h", "rare", "rarer"]
ROW = st.lists(st.sampled_from([*WORDS[:4] * 4, *WORDS, *WORDS, "unknown"]), max_size=25)
ROWS = st.lists(ROW, max_size=8)
WEIGHTINGS = st.sampled_from(["flat", "harmonic"])


class Sizes(NamedTuple):
    """How small everything is: spans a block, words of the triangle, first and most slots, bytes of a run."""

    block: int = 1 << 10
    triangle: int = 4096
    first_slots: int = 64
    most_slots: int = 1 << 20
    run_bytes: int = 1 << 10


SIZES = st.builds(
    Sizes,
    block=st.integers(1, 9) | st.just(1000),
    triangle=st.integers(2, 11),
    first_slots=st.sampled_from([1, 4, 64]),
    most_slots=st.sampled_from([64, 1024]),
    run_bytes=st.sampled_from([1, 100]),
)


def encoded(rows: list[list[str]]) -> list[bytes]:
    return [" ".join(row).encode() for row in rows]


def piece_of(rows: list[bytes]) -> Piece:
    return Piece(clean(pa.array(rows, pa.binary()))[0], len(rows), 0)


def counted(
    parts: list[list[bytes]],
    words: list[str],
    weights: np.ndarray,
    sizes: Sizes,
    shards: int = 3,
    counts: np.ndarray | None = None,
) -> tuple[Counter[tuple[int, int]], int, int]:
    """Pair counts through one `PairCounter` per part, as tasks have them; how many runs it gave, and words it met.

    Checks on the way that each word keeps to its shard and that rows ascend.
    """
    runs: dict[int, list[bytes]] = {shard: [] for shard in range(shards)}
    met = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_rows, "SPANS_PER_BLOCK", sizes.block)
        patch.setattr(word_ids, "SPANS_PER_BLOCK", sizes.block)
        patch.setattr(PairCounter, "triangle_words", sizes.triangle)
        patch.setattr(pair_counter, "FIRST_SLOTS", sizes.first_slots)
        patch.setattr(pair_counter, "RUN_BYTES", sizes.run_bytes)
        patch.setattr(pair_counter, "_power_of_two", lambda limit: sizes.most_slots)
        for rows in parts:
            table = build_word_table(pa.array(words), counts)
            counter, ids = PairCounter(table, weights, shards, 1 << 20), WordIds(table)
            for shard, run in count_piece(ids, counter, piece_of(rows)):
                runs[shard].append(run)
            for shard, run in counter.drain():
                runs[shard].append(run)
            met += ids.met
    found: Counter[tuple[int, int]] = Counter()
    for shard, strings in runs.items():
        tables = merged_tables(strings, len(words)) if strings else []
        cells = [row for table in tables for row in table.to_pylist()]
        keys = [(cell["word_id"], cell["context_id"]) for cell in cells]
        assert keys == sorted(set(keys))
        assert all(naive.splitmix64(word) % shards == shard for word, _ in keys)
        found.update(dict(zip(keys, (cell["count"] for cell in cells), strict=True)))
    return found, sum(map(len, runs.values())), met


def ids_of(words: list[str]) -> dict[bytes, int]:
    return {word.encode(): number for number, word in enumerate(words)}


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, window=st.integers(1, 20), weighting=WEIGHTINGS, sizes=SIZES)
@example(rows=[["a", "b", "a", "a", "b"]], window=2, weighting="flat", sizes=Sizes())
@example(rows=[["a", "b"], [], ["c"], ["d"]], window=5, weighting="flat", sizes=Sizes(block=1))
def test_any_tables_and_blocks_count_what_a_plain_loop_counts(
    rows: list[list[str]], window: int, weighting: str, sizes: Sizes
) -> None:
    found, _, met = counted([encoded(rows)], WORDS, distance_weights(window, weighting), sizes)
    assert found == naive.count_pairs(encoded(rows), ids_of(WORDS), window, weighting)
    assert met == sum(word in WORDS for row in rows for word in row)


@settings(max_examples=200, deadline=None)
@given(
    rows=ROWS,
    window=st.integers(1, 6),
    sizes=SIZES,
    counts=st.lists(st.integers(0, 4), min_size=len(WORDS), max_size=len(WORDS)),
)
@example(rows=[["rarer", "a", "b"]], window=2, sizes=Sizes(triangle=2), counts=[0, 0, 0, 0, 0, 0, 0, 0, 1, 2])
def test_words_in_any_order_of_frequency_are_counted_by_rank_and_handed_out_by_id(
    rows: list[list[str]], window: int, sizes: Sizes, counts: list[int]
) -> None:
    weights = distance_weights(window, "harmonic")
    found, _, _ = counted([encoded(rows)], WORDS, weights, sizes, counts=np.array(counts))
    assert found == naive.count_pairs(encoded(rows), ids_of(WORDS), window, "harmonic")


def test_the_most_frequent_words_lie_in_the_triangle_whatever_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PairCounter, "triangle_words", 2)
    table = build_word_table(pa.array(WORDS), np.arange(10))
    counter = PairCounter(table, distance_weights(1, "flat"), 1, 1 << 20)
    assert list(count_piece(WordIds(table), counter, piece_of([b"rare rarer", b"a b"]))) == []
    assert (counter.triangle.tolist(), counter.cells) == ([1], 1)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 8), max_size=3), weighting=WEIGHTINGS, shards=st.integers(1, 12))
def test_any_partition_of_the_rows_counts_the_same(
    rows: list[list[str]], cuts: list[int], weighting: str, shards: int
) -> None:
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [encoded(rows[start:end]) for start, end in itertools.pairwise(bounds)]
    found, _, _ = counted(parts, WORDS, distance_weights(3, weighting), Sizes(triangle=3), shards)
    assert found == naive.count_pairs(encoded(rows), ids_of(WORDS), 3, weighting)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, window=st.integers(1, 6))
def test_counts_are_symmetric_and_never_of_a_word_with_itself(rows: list[list[str]], window: int) -> None:
    found, _, _ = counted([encoded(rows)], WORDS, distance_weights(window, "harmonic"), Sizes(triangle=4))
    assert all(found[j, i] == count and i != j and count > 0 for (i, j), count in found.items())


@pytest.mark.parametrize("triangle", range(2, 42, 3))
def test_the_triangle_may_have_any_size(triangle: int) -> None:
    words = [f"w{number}" for number in range(40)]
    choice = np.random.default_rng(triangle)
    rows = [" ".join(f"w{number}" for number in choice.zipf(1.3, 50) % 44).encode() for _ in range(20)]
    found, _, _ = counted([rows], words, distance_weights(5, "harmonic"), Sizes(triangle=triangle))
    assert found == naive.count_pairs(rows, ids_of(words), 5, "harmonic")


def test_a_small_counter_drains_many_times_and_counts_the_same() -> None:
    words = [f"w{number}" for number in range(300)]
    choice = np.random.default_rng(3)
    rows = [" ".join(f"w{number}" for number in choice.integers(0, 300, 400)).encode() for _ in range(5)]
    small = Sizes(block=50, triangle=5, first_slots=16, most_slots=256)
    weights = distance_weights(4, "flat")
    often, many, _ = counted([rows], words, weights, small, shards=1)
    once, one, _ = counted([rows], words, weights, Sizes(block=50, triangle=5, run_bytes=1 << 20), shards=1)
    assert often == once == naive.count_pairs(rows, ids_of(words), 4, "flat")
    assert one == 1
    assert many > 20


@pytest.mark.parametrize("memory", [1, 1000, 100_000, 1 << 30])
def test_tables_keep_to_their_budget_and_never_fall_below_what_works(memory: int) -> None:
    table = build_word_table(pa.array([f"w{number}" for number in range(5000)]))
    counter = PairCounter(table, distance_weights(10, "flat"), 1, memory)
    assert 2 <= counter.frequent <= 4096
    assert counter.most_slots >= 1024
    triangle = counter.triangle.size * pair_counter.BYTES_PER_TRIANGLE_CELL
    assert triangle <= max(44, memory / 2)
    if counter.most_slots > 1024:
        assert triangle + counter.most_slots * pair_counter.BYTES_PER_SLOT <= memory


class Impatient(PairCounter):
    """A counter that may make room a thousand times."""

    asked = 0

    def _make_room(self):
        self.asked += 1
        assert self.asked < 1000, "the counter drains for ever"
        return super()._make_room()


@pytest.mark.parametrize("window", [500, 614, 615, 1000])
def test_a_table_smaller_than_the_window_still_comes_to_an_end(window: int) -> None:
    words = [f"w{number}" for number in range(50)]
    rows = [" ".join(words * 2).encode()]
    table = build_word_table(pa.array(words))
    counter = Impatient(table, distance_weights(window, "flat"), 1, 1)
    runs = count_piece(WordIds(table), counter, piece_of(rows))
    strings = [run for _, run in itertools.chain(runs, counter.drain())]
    cells = [row for table in merged_tables(strings, 50) for row in table.to_pylist()]
    expected = naive.count_pairs(rows, ids_of(words), window, "flat")
    assert {(cell["word_id"], cell["context_id"]): cell["count"] for cell in cells} == expected


@pytest.mark.parametrize("weighting", ["flat", "harmonic"])
@pytest.mark.parametrize("window", range(1, 21))
def test_units_and_weights(window: int, weighting: str) -> None:
    unit = unit_of(window, weighting)
    weights = distance_weights(window, weighting)
    assert unit == naive.unit(window, weighting)
    assert weights.dtype == np.int64
    assert weights.tolist() == [naive.weight(distance, window, weighting) for distance in range(1, window + 1)]
    if weighting == "harmonic" and window <= 16:
        assert all(weight * distance == unit for distance, weight in enumerate(weights.tolist(), 1))


def test_units_of_the_design() -> None:
    assert [unit_of(window, "harmonic") for window in (1, 5, 10, 16, 17, 1000)] == [1, 60, 2520, 720720, 2**20, 2**20]
    assert distance_weights(1000, "harmonic")[-1] == 1049  # 1048.576


@pytest.mark.parametrize("triangle", [2, 300])
def test_word_numbers_beyond_16_bits(triangle: int) -> None:
    words = [f"w{number}" for number in range(70_000)]
    rows = [b"w69999 w0 w65536 w65537 w1 w69999 w65536 w256 w255"]
    found, _, _ = counted([rows], words, distance_weights(3, "harmonic"), Sizes(triangle=triangle))
    assert found == naive.count_pairs(rows, ids_of(words), 3, "harmonic")


def test_counts_beyond_32_bits() -> None:
    weights = np.array([2**33, 2**40 + 1], np.int64)
    rows = [b"a b c a rare a rare"]
    for triangle in (2, 10):
        found, _, _ = counted([rows], WORDS, weights, Sizes(triangle=triangle))
        assert found[0, 1] == found[1, 0] == 2**33 + 2**40 + 1
        assert found[0, 8] == 3 * 2**33
        assert found[0, 2] == 2**33 + 2**40 + 1


def test_a_corpus_counted_by_hand() -> None:
    # x y x z | y: distances x-y 1, x-x 2 (itself), y-x 1, x-z 3, y-z 2, x-z 1; window 3, unit 6
    rows = [b"x y ? x z", b"y"]
    found, _, met = counted([rows], ["x", "y", "z"], distance_weights(3, "harmonic"), Sizes())
    assert found == {(0, 1): 12, (1, 0): 12, (0, 2): 8, (2, 0): 8, (1, 2): 3, (2, 1): 3}
    assert met == 5


def empty_tables(slots: int, frequent: int) -> tuple[np.ndarray, int, np.ndarray]:
    return np.zeros(frequent * (frequent - 1) // 2, np.int64), frequent, np.zeros(2 * slots, np.uint64)


def test_count_pairs_compiled_or_not_fills_the_same_tables() -> None:
    ids = np.tile(np.array([5, 0, 1, 0, -1, 3, 4, 3, 0, 2, 2, 1, 6, 5], np.int32), 5)
    found = []
    with np.errstate(over="ignore"):
        for kernel in (pairs.count_pairs, pairs.count_pairs.py_func):
            triangle, frequent, table = empty_tables(32, 3)
            limit = 7 + pairs.WAITING + 3
            position, cells = kernel(ids, 1, ids.size, np.array([6, 3, 2]), triangle, frequent, table, 0, limit)
            found.append((int(position), int(cells), triangle.tolist(), table.tolist()))
    assert found[0] == found[1]
    assert found[0][0] < ids.size  # it stopped for want of room
    assert found[0][1] == sum(key != 0 for key in found[0][3][::2])


def test_the_twins_of_the_table_kernels_agree() -> None:
    ranks = np.random.default_rng(5).integers(-1, 9, 400).astype(np.int32)
    triangle, frequent, table = empty_tables(128, 4)
    position, _ = pairs.count_pairs(ranks, 0, 400, np.array([2, 1]), triangle, frequent, table, 0, 100)
    assert position == 400
    ids = np.array([3, 8, 0, 1, 7, 2, 6, 4, 5], np.int32)
    results = []
    with np.errstate(over="ignore"):
        for twin in (lambda kernel: kernel, lambda kernel: kernel.py_func):
            larger = np.zeros(512, np.uint64)
            twin(pairs.rehash)(table, larger)
            twin(pairs.put_ids)(larger, ids)
            sizes = np.zeros((9, 2), np.int64)
            twin(pairs.cells_per_word)(triangle, ids[:frequent], larger, sizes)
            ends = np.cumsum(sizes[:, 1])
            cursors = ends - sizes[:, 1]
            contexts, counts = np.zeros(ends[-1], np.int32), np.zeros(ends[-1], np.int64)
            twin(pairs.gather_upper)(triangle, ids[:frequent], larger, cursors, contexts, counts)
            assert cursors.tolist() == ends.tolist()
            row_ends = np.cumsum(sizes[:, 0])
            across, across_counts = np.zeros(row_ends[-1], np.int32), np.zeros(row_ends[-1], np.int64)
            twin(pairs.transpose)(
                ends - sizes[:, 1], ends, contexts, counts, row_ends - sizes[:, 0], across, across_counts
            )
            results.append([part.tolist() for part in (larger, sizes, contexts, counts, across)])
    assert results[0] == results[1]
    of_rank, named = ids.tolist(), {}
    for key, value in zip(table[::2].tolist(), table[1::2].tolist(), strict=True):
        low, high = sorted((of_rank[key >> 32], of_rank[key & 0xFFFFFFFF]))
        if key:
            named[low << 32 | high] = value
    assert named == {key: value for key, value in zip(results[0][0][::2], results[0][0][1::2], strict=True) if key}
