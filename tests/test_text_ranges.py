"""Files read by byte ranges: every word and every pair once, wherever the cuts fall."""

from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simglove_spark import cooccurrence, text_ranges
from simglove_spark.errors import InputError
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.text_ranges import Range, pieces, pieces_of, plan
from simglove_spark.text_rows import Cleaning, spans
from simglove_spark.word_counter import WordCounter
from simglove_spark.word_ids import WordIds
from simglove_spark.word_table import build_word_table

TEXT = st.lists(
    st.sampled_from([b"a", b"bb", b"ccc", b"dd", b"unknown", b" ", b" ", b"\t", b"\n", b"\r", b"\r\n", b"\x0b"]),
    max_size=60,
).map(b"".join)
BOM = b"\xef\xbb\xbf"
VOCABULARY = [b"a", b"bb", b"ccc", b"dd", b"abb", b"add"]


BREAKS = st.sampled_from(["line", "blank-line", "file"])


def documents(text: bytes, breaks: str) -> list[bytes]:
    """Rows of a text: lines, groups of lines that are not blank, or all of it."""
    lines = naive.lines(text)
    if breaks == "line":
        return lines if lines[-1] else lines[:-1]
    if breaks == "file":
        return [text] if text.split() else []
    groups = groupby(lines, key=lambda line: bool(line.split()))
    return [b"\n".join(group) for has_words, group in groups if has_words]


def cut(path: Path, places: list[int], breaks: str = "line") -> list[Range]:
    size = path.stat().st_size
    bounds = sorted({0, size, *(place % (size + 1) for place in places)})
    return [Range(str(path), begin, end, size, breaks) for begin, end in pairwise(bounds)]


def words_in(ranges: list[Range]) -> tuple[Counter[bytes], int, int]:
    table, rows, bad = WordCounter(1 << 26), 0, 0
    for own in ranges:
        for piece in pieces_of(own, Cleaning()):
            rows, bad = rows + piece.rows, bad + piece.bad
            for block in spans(piece.column, piece.is_open):
                assert not table.add(block)
    batch = table.drain()
    return Counter(dict(zip(batch["word"].to_pylist(), batch["count"].to_pylist(), strict=True))), rows, bad


def rows_in(own: Range) -> list[bytes]:
    """Rows of a range read whole, without their line ends; those in several pieces put together."""
    rows, is_open, ended = [], False, 0
    for piece in pieces_of(own, Cleaning(), whole_rows=True):
        texts = [text.encode() for text in piece.column.to_pylist()]
        rows[-is_open:] = [rows[-1] + texts[0], *texts[1:]] if is_open else [*rows, *texts]
        is_open, ended = piece.is_open, ended + piece.rows
        assert piece.ahead is None
    assert ended == sum(bool(row.split()) for row in rows) if own.breaks != "line" else ended == len(rows)
    return [row.removesuffix(b"\n").removesuffix(b"\r") for row in rows]


def pairs_in(tasks: list[list[Range]], window: int, keep_places: bool) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    for task in tasks:
        weights = distance_weights(window, "harmonic")
        table = build_word_table(pa.array([word.decode() for word in VOCABULARY]))
        counter, words = PairCounter(table, weights, 1, 1 << 20), WordIds(table, keep_places)
        read = (piece for own in task for piece in pieces_of(own, Cleaning()))
        runs = [run for piece in read for run in cooccurrence.count_piece(words, counter, piece)] + list(
            counter.drain()
        )
        for table in cooccurrence.merged_tables([run for _, run in runs], len(VOCABULARY)) if runs else []:
            for word, other, count in zip(*(column.to_pylist() for column in table.columns), strict=True):
                found[word, other] += count
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranges")


@given(
    text=TEXT.filter(bool),
    places=st.lists(st.integers(0, 300), max_size=6),
    block=st.sampled_from([1, 2, 7, 1 << 20]),
    breaks=BREAKS,
)
@settings(max_examples=500, deadline=None)
def test_each_word_and_row_is_read_once(folder: Path, text: bytes, places: list[int], block: int, breaks: str) -> None:
    path = folder / "text.txt"
    path.write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_ranges, "BLOCK_BYTES", block)
        patch.setattr(text_ranges, "AHEAD_BYTES", block)
        found, rows, bad = words_in(cut(path, places, breaks))
    assert found == Counter(text.split())
    assert (rows, bad) == (len(documents(text, breaks)), 0)


@given(
    text=TEXT.filter(bool),
    mark=st.sampled_from([b"", BOM]),
    places=st.lists(st.integers(0, 300), max_size=6),
    block=st.sampled_from([1, 2, 7, 1 << 20]),
)
@settings(max_examples=500, deadline=None)
def test_whole_rows_belong_to_the_range_in_which_they_begin(
    folder: Path, text: bytes, mark: bytes, places: list[int], block: int
) -> None:
    path = folder / "text.txt"
    path.write_bytes(mark + text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_ranges, "BLOCK_BYTES", block)
        patch.setattr(text_ranges, "AHEAD_BYTES", block)
        ranges = cut(path, places)
        found = [rows_in(own) for own in ranges]
    rows, begin = [], len(mark)
    for row in text.replace(b"\r\n", b"\n~").replace(b"\r", b"\n").split(b"\n"):  # ~ holds the place of a byte
        skipped = row.startswith(b"~")
        rows.append((begin + skipped, row.removeprefix(b"~")))
        begin += len(row) + 1
    if rows[-1][0] == path.stat().st_size:
        rows.pop()
    assert found == [[row for begin, row in rows if own.begin <= begin < own.end] for own in ranges]


@given(
    text=TEXT.filter(bool),
    mark=st.sampled_from([b"", BOM]),
    places=st.lists(st.integers(0, 300), max_size=6),
    block=st.sampled_from([1, 2, 7, 1 << 20]),
    breaks=st.sampled_from(["blank-line", "file"]),
)
@settings(max_examples=500, deadline=None)
def test_each_document_is_read_whole_by_one_range(
    folder: Path, text: bytes, mark: bytes, places: list[int], block: int, breaks: str
) -> None:
    path = folder / "text.txt"
    path.write_bytes(mark + text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_ranges, "BLOCK_BYTES", block)
        patch.setattr(text_ranges, "AHEAD_BYTES", block)
        found = [row.split() for own in cut(path, places, breaks) for row in rows_in(own) if row.split()]
    assert found == [row.split() for row in documents(text, breaks)]


@given(
    text=TEXT.filter(bool),
    places=st.lists(st.integers(0, 300), max_size=6),
    window=st.sampled_from([1, 2, 5, 40]),
    keep_places=st.booleans(),
    block=st.sampled_from([1, 7, 1 << 20]),
    together=st.booleans(),
    breaks=BREAKS,
)
@settings(max_examples=600, deadline=None)
def test_each_pair_is_counted_once(
    folder: Path,
    text: bytes,
    places: list[int],
    window: int,
    keep_places: bool,
    block: int,
    together: bool,
    breaks: str,
) -> None:
    path = folder / "text.txt"
    path.write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_ranges, "BLOCK_BYTES", block)
        patch.setattr(text_ranges, "AHEAD_BYTES", block)
        ranges = cut(path, places, breaks)
        found = pairs_in([ranges] if together else [[own] for own in ranges], window, keep_places)
    ids = {word: number for number, word in enumerate(VOCABULARY)}
    assert found == naive.count_pairs(documents(text, breaks), ids, window, "harmonic", keep_places)


def test_a_word_longer_than_many_ranges_belongs_to_the_one_where_it_starts(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"a " + b"x" * 1_000_000 + b" bb")
    ranges = cut(path, list(range(1000, 1_000_000, 100_000)))
    each = [words_in([own])[0].total() for own in ranges]
    assert each == [2, *[0] * (len(each) - 2), 1]


def test_words_that_are_not_utf8_are_counted_where_they_start(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"good b\xffd \xc3 caf\xc3\xa9\n" * 50)
    for places in ([], [3, 100, 101, 102, 103, 333]):
        found, rows, bad = words_in(cut(path, places))
        assert (rows, bad) == (50, 100)
        assert found == {word.encode(): 50 for word in ("good", "b\ufffdd", "\ufffd", "café")}


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(BOM + b"a bb\na")
    for places in ([], [1], [2], [3], [4], [1, 2, 3]):
        assert words_in(cut(path, places))[0] == {b"a": 2, b"bb": 1}


def listed(*sizes: int) -> list[dict[str, Any]]:
    return [{"path": f"/{number}", "bytes": size} for number, size in enumerate(sizes)]


@given(sizes=st.lists(st.integers(0, 900), min_size=1, max_size=20), slots=st.sampled_from([None, 1, 2, 7]))
@settings(deadline=None)
def test_a_plan_covers_all_bytes_once_in_equal_shares(sizes: list[int], slots: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MOST_BYTES", 100), ("LEAST_BYTES", 10), ("LEAST_BYTES_ON_A_CLUSTER", 20)):
            patch.setattr(text_ranges, name, value)
        tasks = plan(listed(*sizes), slots)
    seen = {f"/{number}": np.zeros(size, np.int64) for number, size in enumerate(sizes)}
    for task in tasks:
        for own in task:
            assert own.begin < own.end <= own.size == seen[own.path].size
            seen[own.path][own.begin : own.end] += 1
    assert all((times == 1).all() for times in seen.values())
    shares = [sum(own.end - own.begin for own in task) for task in tasks]
    assert max(shares, default=0) - min(shares, default=0) <= 1
    assert max(shares, default=0) <= 100
    if slots and sum(sizes) > 10 * slots:
        assert len(tasks) % slots == 0


def test_a_small_corpus_is_one_task_and_none_is_no_task() -> None:
    assert plan(listed(10, 20), 8) == [[Range("/0", 0, 10, 10), Range("/1", 0, 20, 20)]]
    assert plan([], 8) == plan(listed(0), None) == []


def test_tasks_are_found_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a bb\nccc")
    ranges = cut(tmp_path / "a", [2])
    batch = pa.RecordBatch.from_pydict({"id": [1]})
    (piece,) = pieces(iter([batch]), [[ranges[0]], [ranges[1]]], Cleaning())
    assert piece.column.to_pylist() == ["bb\n", "ccc"]


def test_a_file_that_shrank_or_went_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"a bb ccc")
    with pytest.raises(InputError, match=r"stay as it is.*8 bytes instead of 20"):
        list(pieces_of(Range(str(path), 4, 20, 20), Cleaning()))
    with pytest.raises(InputError, match=r"stay as it is.*8 bytes instead of 6"):
        list(pieces_of(Range(str(path), 0, 6, 6), Cleaning()))
    with pytest.raises(InputError, match="No such file"):
        list(pieces_of(Range(str(tmp_path / "none"), 0, 4, 4), Cleaning()))
