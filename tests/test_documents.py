"""The number of documents of each word: exact for any cuts, blocks and memory, additive over parts, and what it chooses."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_counting import context, corpus_of, rows_of
from test_text_ranges import TEXT, cut

from simglove_spark import counting, merging, text_ranges, text_rows, word_counter
from simglove_spark.cli import main
from simglove_spark.config import RunConfig, VocabularyConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.kernels import tokens
from simglove_spark.manifest import Manifest
from simglove_spark.progress import Progress
from simglove_spark.schemas import word_counts_schema
from simglove_spark.text_ranges import Range, pieces_of
from simglove_spark.text_rows import Cleaning, Piece, clean, spans
from simglove_spark.word_counter import DocumentCounter

ON_SPARK = [pytest.mark.spark, pytest.mark.usefixtures("spark")]
Both = dict[bytes, tuple[int, int]]
WORD = st.sampled_from([b"a", b"b", b"cc", "été".encode(), b"dd", b"e", b"f", b"g" * 40])
ROWS = st.lists(st.lists(WORD, max_size=12).map(b" ".join), max_size=10)
SMALL = {"block": 3, "memory": 1, "words": 1}


def both(rows: list[bytes]) -> Both:
    """Occurrences and documents of each word, by plain loops."""
    counts, documents = naive.count_words(rows), naive.count_documents(rows)
    return {word: (counts[word], documents[word]) for word in counts}


def counted(pieces: Iterator[Piece], block: int, memory: int, words: int) -> tuple[Both, int]:
    """The same through a `DocumentCounter`, and how often it drained."""
    found: Counter[tuple[bytes, str]] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_rows, "SPANS_PER_BLOCK", block)
        patch.setattr(word_counter, "FIRST_WORDS", words)
        patch.setattr(word_counter, "BYTES_PER_WORD", 1)
        counter = DocumentCounter(memory, 3)
        batches = [
            batch for piece in pieces for part in spans(piece.column, piece.is_open) for batch in counter.add(part)
        ]
        batches.append(counter.drain())
    assert counter.entries == 0  # every row has come to its end
    for batch in batches:
        for row in batch.to_pylist():
            found[row["word"], "count"] += row["count"]
            found[row["word"], "documents"] += row["documents"]
    return {word: (found[word, "count"], found[word, "documents"]) for word, _ in found}, len(batches)


def pieces(rows: list[bytes]) -> Iterator[Piece]:
    yield Piece(clean(pa.array(rows, pa.binary()))[0], len(rows), 0)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, block=st.integers(1, 9), memory=st.sampled_from([1, 300, 1 << 20]), words=st.sampled_from([1, 2, 8]))
@example(rows=[b"a b cc a", b"a"], block=1, memory=1, words=2)
def test_documents_are_counted_exactly_by_any_table_in_any_blocks(
    rows: list[bytes], block: int, memory: int, words: int
) -> None:
    assert counted(pieces(rows), block, memory, words)[0] == both(rows)


def test_a_table_that_is_handed_out_within_a_row_counts_no_document_twice() -> None:
    early = [b"x%d" % number for number in range(40)]
    short = [b"a b a y%d y%d a b" % (number, number + 1) for number in range(100)]
    rows = [*short, b" ".join([b"a", *early, b"a", *early]), b" ".join(early)]
    found, drains = counted(pieces(rows), 4, 1000, 8)
    assert found == both(rows)
    assert drains > 4
    assert found[b"a"] == (100 * 3 + 2, 101)


def test_a_row_of_more_words_than_the_budget_grows_the_table() -> None:
    rows = [b" ".join(b"%d" % (number * 7 % 500) for number in range(4000))] * 2
    found, drains = counted(pieces(rows), 64, 1000, 2)
    assert found == both(rows)
    assert drains < 10  # it does not hand out one word at a time


@settings(max_examples=150, deadline=None)
@given(text=TEXT, cuts=st.lists(st.integers(0, 200), max_size=4), block=st.integers(1, 20))
@example(text=b"a a\na\r\nbb a\r", cuts=[2, 5], block=2)
def test_a_file_in_any_ranges_and_blocks_has_the_same_documents(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, cuts: list[int], block: int
) -> None:
    path = tmp_path_factory.mktemp("ranges") / "a.txt"
    path.write_bytes(text)
    total: Counter[tuple[bytes, int]] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_ranges, "BLOCK_BYTES", block)
        patch.setattr(text_ranges, "AHEAD_BYTES", 2)
        for own in cut(path, cuts) if text else []:  # each range is a task
            found, _ = counted(pieces_of(Range(*own), Cleaning(), whole_rows=True), 2, 1, 1)
            for word, numbers in found.items():
                total.update({(word, place): number for place, number in enumerate(numbers)})
    expected = both(naive.lines(text))
    assert {word: (total[word, 0], total[word, 1]) for word, _ in total} == expected


def test_count_documents_compiled_or_not_counts_the_same() -> None:
    data = np.frombuffer(b"aabbab", np.uint8)
    starts, ends = np.array([0, 1, tokens.END_OF_ROW, 2, 0, 4]), np.array([1, 2, 0, 4, 1, 6])
    for kernel in (tokens.count_documents, tokens.count_documents.py_func):
        counts = np.zeros((2, 3), np.int64)
        table = np.zeros(6, np.uint8), np.zeros(3, np.int64), np.full(8, -1, np.int32), counts
        # a, a, end of row, bb, a fill two entries; ab must wait for room
        assert tuple(map(int, kernel(data, starts, ends, 0, *table, 0))) == (5, 1, 2)
        assert counts.tolist() == [[3, 2, 1], [1, 1, 1]]


# --- on Spark ---


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, small_text: bytes) -> Path:
    """The small text, at once and in two parts; of the parts the words are counted in folders 0 and 1."""
    folder = tmp_path_factory.mktemp("documents")
    lines = small_text.split(b"\n")
    for number in range(2):
        (folder / f"{number}.txt").write_bytes(b"\n".join(lines[number::2]))
        corpus = corpus_of(folder / f"{number}.txt")
        counting.count_words(corpus, VocabularyConfig(min_count=1, min_documents=2), folder / str(number), context())
    return folder


CHOSEN = VocabularyConfig(min_count=2, min_documents=70)


def chosen(rows: list[bytes]) -> list[tuple[str, int, int]]:
    numbers = both(rows)
    kept = {word: count for word, (count, documents) in numbers.items() if documents >= CHOSEN.min_documents}
    return [(word.decode(), number, kept[word]) for word, number in naive.vocabulary(kept, CHOSEN.min_count).items()]


class TestOnSpark:
    pytestmark = ON_SPARK

    def test_many_small_tasks_and_merged_parts_give_the_same_table(
        self, texts: Path, tmp_path: Path, small_text: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = corpus_of(texts / "0.txt", texts / "1.txt")
        counting.count_words(files, CHOSEN, tmp_path / "whole", context())
        expected = {word.decode(): numbers for word, numbers in both(small_text.split(b"\n")).items()}
        assert {word: (n, d) for word, n, d in rows_of(tmp_path / "whole", "word_counts")} == expected
        words = rows_of(tmp_path / "whole", "vocabulary")
        assert words == chosen(small_text.split(b"\n"))
        assert 2 < len(words) < len(expected)
        manifest = Manifest.load(tmp_path / "whole" / "word_counts", "word_counts")
        assert manifest.config["documents"] is True
        for entry in manifest.files:
            assert pq.read_schema(tmp_path / "whole" / "word_counts" / entry.path).equals(word_counts_schema(True))

        monkeypatch.setattr(text_ranges, "MOST_BYTES", 700)
        monkeypatch.setattr(text_ranges, "LEAST_BYTES", 300)
        counting.count_words(files, CHOSEN, tmp_path / "cut", context(worker_memory="1k"))
        parts = [texts / name / "word_counts" for name in "10"]
        merging.merge_words(parts, CHOSEN, tmp_path / "merged", RunConfig(), Progress())
        for other in ("cut", "merged"):
            for table in ("word_counts", "vocabulary"):
                assert Manifest.load(tmp_path / other / table, table) == Manifest.load(
                    tmp_path / "whole" / table, table
                )

    def test_rows_of_a_table_are_documents(self, tmp_path: Path) -> None:
        column = [["a", "b", "a"], None, [], ["a", "c c"], ["", "b", "a"]]
        pq.write_table(pa.table({"words": column}), tmp_path / "a.parquet")
        corpus = corpus_of(tmp_path / "a.parquet", column="words")
        counting.count_words(corpus, VocabularyConfig(min_count=1, min_documents=2), tmp_path / "run", context())
        assert sorted(rows_of(tmp_path / "run", "word_counts")) == [("a", 4, 3), ("b", 2, 2), ("c c", 1, 1)]
        assert rows_of(tmp_path / "run", "vocabulary") == [("a", 0, 4), ("b", 1, 2)]

    def test_other_options_are_refused_and_overwritten(self, texts: Path, tmp_path: Path) -> None:
        corpus, plain = corpus_of(texts / "0.txt"), VocabularyConfig(min_count=2)
        with pytest.raises(ConfigError, match="documents is True there and None here"):
            counting.count_words(corpus, plain, texts / "0", context())
        with pytest.raises(ConfigError, match="min_documents is 2 there and 3 here"):
            changed = VocabularyConfig(min_count=1, min_documents=3)
            counting.count_words(corpus, changed, texts / "0", context())
        counting.count_words(corpus, plain, tmp_path / "plain", context())
        with pytest.raises(ConfigError, match="documents is None there and True here"):
            counting.count_words(corpus, CHOSEN, tmp_path / "plain", context())
        plain_part, part = tmp_path / "plain" / "word_counts", texts / "1" / "word_counts"
        with pytest.raises(ConfigError, match=r"counted with the same options; got documents True .* and None"):
            merging.merge_words([plain_part, part], plain, tmp_path / "merged", RunConfig(), Progress())
        other = corpus_of(texts / "1.txt")
        counting.count_words(other, plain, tmp_path / "other", context())
        with pytest.raises(ConfigError) as caught:
            parts = [plain_part, tmp_path / "other" / "word_counts"]
            merging.merge_words(parts, CHOSEN, tmp_path / "merged", RunConfig(), Progress())
        assert str(caught.value) == (
            f"--min-documents must be given parts with documents counted; got none ({plain_part}). "
            "Count the words of each part with --min-documents 70."
        )
        assert not (tmp_path / "merged").exists()
        small = replace(CHOSEN, min_documents=40)
        counting.count_words(corpus, small, tmp_path / "plain", context(overwrite=True))
        assert Manifest.load(tmp_path / "plain" / "vocabulary", "vocabulary").config["min_documents"] == 40
        with pytest.raises(InputError, match=re.escape("with --min-count 2 and --min-documents 9999 (")):
            large = replace(CHOSEN, min_documents=9999)
            counting.count_words(corpus, large, tmp_path / "plain", context(overwrite=True))

    def test_own_words_need_no_documents_and_others_do(
        self, texts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        rows = (texts / "0.txt").read_bytes().split(b"\n")
        numbers = both(rows)
        rare = min(numbers, key=lambda word: (numbers[word][1], word)).decode()
        (tmp_path / "own.txt").write_text(f"never\n{rare}\n", encoding="utf-8")
        given: list[Any] = ["--input", texts / "0.txt", "--vocabulary", tmp_path / "own.txt", "--min-documents", 40]
        command = ["count-words", *given, "--output", tmp_path / "run"]
        assert main([str(part) for part in command]) == 2
        assert "--min-documents must be left out with --vocabulary" in capfd.readouterr().err
        assert main([str(part) for part in [*command, "--grow"]]) == 0
        kept = {word for word, (count, documents) in numbers.items() if documents >= 40 and count >= 5}
        words = [word for word, _, _ in rows_of(tmp_path / "run", "vocabulary")]
        assert words[:2] == ["never", rare]
        assert {word.encode() for word in words[2:]} == kept - {rare.encode()} != set()
        told = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
        [chosen_words] = [line for line in told if line["event"] == "vocabulary chosen"]
        assert {"absent": 1, "added": len(words) - 2}.items() <= chosen_words.items()
