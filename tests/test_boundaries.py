"""Counts beyond 2^32 and up to 2^63, more than 2^31 cells, strings over 2 GB: handled, or refused in plain words.

Arrays of such sizes are mapped from sparse files, so that only what is written takes room.
"""

from collections.abc import Callable
from pathlib import Path

import naive
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simglove_spark import pair_counter, text_ranges, text_rows
from simglove_spark.cooccurrence import merged_tables
from simglove_spark.errors import InputError, ResourceError
from simglove_spark.kernels import pairs, runs
from simglove_spark.manifest import FileEntry, Manifest
from simglove_spark.merge_parts import Part
from simglove_spark.merging import _runs
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.schemas import PAIRS
from simglove_spark.table_files import exact_sum, write_file
from simglove_spark.text_rows import Cleaning, clean, spans
from simglove_spark.word_counter import WordCounter
from simglove_spark.word_table import build_word_table

FAR = 2**31 + 12_345
MOST = 2**63 - 1
Sparse = Callable[[int, type], np.ndarray]


@pytest.fixture
def sparse(tmp_path: Path) -> Sparse:
    """Arrays of zeros of any size."""
    made: list[Path] = []

    def make(size: int, kind: type) -> np.ndarray:
        made.append(tmp_path / f"{len(made)}.bin")
        return np.asarray(np.memmap(made[-1], kind, "w+", shape=(size,)))

    return make


def rows_of(strings: list[bytes], words: int) -> list[tuple[int, int, int]]:
    """Rows of a merged table, taken before the next table has the same arrays."""
    rows: list[tuple[int, int, int]] = []
    for table in merged_tables(strings, words):
        rows += [tuple(row.values()) for row in table.to_pylist()]
    return rows


# --- counts ---


@pytest.mark.parametrize("count", [2**32 - 1, 2**32, 2**53 + 1, 2**62, MOST])
def test_large_counts_come_through_runs_and_files(tmp_path: Path, count: int) -> None:
    rows = rows_of([naive.run_of({(0, 1): count}), naive.run_of({(1, 0): 1})], 2)
    assert rows == [(0, 1, count), (1, 0, 1)]
    table = pa.table([[0], [1], [count]], schema=PAIRS)
    report = write_file(tmp_path, "shard-00000", PAIRS, [table])
    assert report["total"] == count
    assert pq.read_table(tmp_path / report["name"]).equals(table)
    entry = FileEntry(report["name"], 1, report["bytes"], report["sha256"])
    strings = list(_runs(Part(tmp_path, Manifest("pairs", {}, [entry], {}), 1), entry, 2))
    assert rows_of(strings, 2) == [(0, 1, count)]


@pytest.mark.parametrize("counts", [[2**62, 2**62], [MOST, 1], [MOST] * 3, [2**62] * 4])
def test_counts_that_add_up_to_too_much_are_refused(counts: list[int]) -> None:
    strings = [naive.run_of({(0, 1): 1, (0, 2): count, (0, 3): 5}) for count in counts]
    with pytest.raises(InputError) as caught:
        rows_of(strings, 4)
    assert str(caught.value) == (
        "counts of pairs must stay below 2^63 units; got one that does not. "
        "Use --distance-weighting flat, or a --window-size whose unit is smaller."
    )


def test_the_last_sums_that_fit_are_not_refused() -> None:
    assert rows_of([naive.run_of({(0, 1): 2**62}), naive.run_of({(0, 1): 2**62 - 1})], 2) == [(0, 1, MOST)]
    full = {(0, context): MOST for context in range(1, 9)}
    assert len(rows_of([naive.run_of(full)], 9)) == 8  # each alone is a sum of its own


def test_a_file_whose_counts_sum_to_too_much_is_refused(tmp_path: Path) -> None:
    tables = [pa.table([[0], [context], [2**62]], schema=PAIRS) for context in (1, 2)]
    with pytest.raises(InputError) as caught:
        write_file(tmp_path, "shard-00000", PAIRS, tables)
    assert str(caught.value) == (
        f"counts of one file must sum to less than 2^63; got {2**63:,} (shard-00000). Use more --num-shards."
    )
    assert list(tmp_path.iterdir()) == []
    counts = np.array([MOST, MOST, 1, 2**32], np.int64)
    assert exact_sum(counts) == sum(counts.tolist())
    assert exact_sum(np.array([], np.int64)) == 0


# --- places ---


def test_a_run_is_written_from_cells_beyond_31_bits(sparse: Sparse) -> None:
    contexts, counts, out = sparse(FAR + 3, np.int32), sparse(FAR + 3, np.int64), np.empty(1000, np.uint8)
    contexts[FAR:], counts[FAR:] = [1, 5, 6], [7, 2**40, 1]
    words, offsets = np.arange(2, dtype=np.int32), np.array([FAR, FAR, FAR + 3])
    row, size = runs.encode_rows(words, 0, offsets, contexts, counts, out)
    assert row == 2
    assert out[:size].tobytes() == naive.run_of({(1, 1): 7, (1, 5): 2**40, (1, 6): 1})


def test_runs_are_merged_that_lie_beyond_31_bits(sparse: Sparse) -> None:
    first, second = naive.run_of({(2, 1): 3, (5, 0): 1}), naive.run_of({(2, 1): 4, (5, 6): 2**33})
    data = sparse(FAR + len(first) + len(second), np.uint8)
    data[FAR:] = np.frombuffer(first + second, np.uint8)
    ends = np.array([FAR + len(first), FAR + len(first) + len(second)])
    positions, heads = ends - [len(first), len(second)], np.empty(2, np.int64)
    sums, seen = np.zeros(7, np.int64), np.zeros(1, np.uint64)
    words, contexts, counts = np.empty(20, np.int32), np.empty(20, np.int32), np.empty(20, np.int64)
    runs.open_runs(data, positions, ends, heads)
    found = []
    while cells := runs.merge_rows(data, positions, ends, heads, sums, seen, words, contexts, counts, False):
        found += zip(words[:cells].tolist(), contexts[:cells].tolist(), counts[:cells].tolist(), strict=True)
    assert found == [(2, 1, 7), (5, 0, 1), (5, 6, 2**33)]
    assert positions.tolist() == ends.tolist()


def test_cells_are_sorted_beyond_31_bits(sparse: Sparse) -> None:
    contexts, counts = sparse(FAR + 2, np.int32), sparse(FAR + 2, np.int64)
    contexts[FAR:], counts[FAR:] = [0, 1], [8, 9]
    new_contexts, new_counts = sparse(FAR + 9, np.int32), sparse(FAR + 9, np.int64)
    starts, ends = np.array([FAR, FAR, FAR]), np.array([FAR, FAR, FAR + 2])
    cursors = np.array([FAR + 4, FAR + 6, FAR + 8])
    pairs.transpose(starts, ends, contexts, counts, cursors, new_contexts, new_counts)
    assert cursors.tolist() == [FAR + 5, FAR + 7, FAR + 8]
    assert (new_contexts[FAR + 4], new_counts[FAR + 4]) == (2, 8)
    assert (new_contexts[FAR + 6], new_counts[FAR + 6]) == (2, 9)
    table = np.array([0, 0, 1 << 32 | 2, 2**40], np.uint64)
    gathered = np.array([0, FAR + 1, 0])
    pairs.gather_upper(np.zeros(0, np.int64), np.zeros(0, np.int32), table, gathered, new_contexts, new_counts)
    assert gathered.tolist() == [0, FAR + 2, 0]
    assert (new_contexts[FAR + 1], new_counts[FAR + 1]) == (2, 2**40)


def test_the_greatest_word_numbers_have_keys_of_their_own() -> None:
    last = 2**31 - 2  # --max-vocab allows as many
    ids = np.array([last, last - 1, 5, last], np.int32)
    table = np.zeros(64, np.uint64)
    pairs.count_pairs(ids, 1, 4, np.array([1]), np.zeros(0, np.int64), 0, table, 0, 20)
    cells = zip(table[::2].tolist(), table[1::2].tolist(), strict=True)
    found = {(key >> 32, key & 0xFFFFFFFF): count for key, count in cells if key}
    assert found == {(last - 1, last): 1, (5, last - 1): 1, (5, last): 1}


def test_a_row_that_no_string_of_2_gib_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"w{number}" for number in range(50)]
    counter = PairCounter(build_word_table(pa.array(words)), distance_weights(60, "flat"), 1, 1 << 20)
    assert list(counter.add(np.arange(50, dtype=np.int32))) == []
    monkeypatch.setattr(pair_counter, "LARGEST_RUN", (2 + 2 * 49) * runs.MAX_BYTES - 1)
    with pytest.raises(ResourceError) as caught:
        list(counter.drain())
    assert str(caught.value) == (
        "a word's row must fit into 2 GiB; got 49 contexts in one task. Lower --max-vocab or --worker-memory."
    )


@pytest.mark.slow
def test_a_shard_of_over_two_gigabytes(tmp_path: Path) -> None:
    """The same long run again and again: its strings are over 2 GB together."""
    words = 400
    row = {(0, context): 2**20 + context for context in range(1, words)}
    run = naive.run_of({(word, context): count for word in range(words) for (_, context), count in row.items()})
    times = -(-(2**31 + 1) // len(run))
    tables = merged_tables((run for _ in range(times)), words)
    report = write_file(tmp_path, "shard-00000", PAIRS, tables)
    assert report["rows"] == words * (words - 1)
    assert report["total"] == times * words * sum(row.values())


# --- words ---


def test_a_word_that_is_no_word_is_refused_before_it_takes_the_memory(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "zeros.txt"
    with path.open("wb") as out:
        out.truncate(3 << 30)
    (tasks,) = text_ranges.plan([{"path": str(path), "bytes": 3 << 30}], 1)[:1]
    for own in (tasks[0], tasks[0]._replace(begin=1 << 30, end=2 << 30)):
        with pytest.raises(InputError) as caught:
            list(text_ranges.pieces_of(own, Cleaning()))
        assert str(caught.value) == (
            f"words must be shorter than 64 MiB; got more bytes without white space ({path}). Give text."
        )
    monkeypatch.setattr("simglove_spark.word_counter.LONGEST_WORD", 1_000_000)
    counter = WordCounter(1 << 26)
    (block,) = spans(clean(pa.array([b"a " + b"x" * 1_000_001]))[0])
    with pytest.raises(InputError, match=r"without white space \(a row of the input\)"):
        counter.add(block)
    assert text_rows.LONGEST_WORD == 64 << 20
