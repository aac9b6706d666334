"""Tokenizers: words by Unicode's boundaries, by jieba and by the user's own function, whatever the cuts of the text."""

import json
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import naive
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icu4py.breakers import WordBreaker
from rjieba import Jieba
from test_counting import KEEP_ALL, WINDOW, check, context, corpus_of, expected_of, nothing_left, rows_of, run_stages

from simglove_spark import counting, text_ranges, tokenizing
from simglove_spark.corpus import list_inputs
from simglove_spark.errors import ConfigError
from simglove_spark.sampling import sample_corpus
from simglove_spark.sources import read_corpus
from simglove_spark.text_ranges import Range, pieces_of
from simglove_spark.text_rows import Cleaning, clean
from simglove_spark.tokenizing import load_tokenizer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JIEBA = Jieba()
# letters of many scripts, and all that joins, splits and hides: marks, joiners, flags, wide and narrow blanks
CHARACTERS = list(
    "ab1.'’:,-_飞机很大カひ漢ภาษาไทยကא\"½²ⅷ℡𐍈𠀀\u00ad\u200b\u200c\u200d\ufe0f\u0301\uff9e\uff9fℹ👍🏽🇩🇪©\u0903"
    "\0\x1c\x85\xa0\u2003\u2028\u202f\u3000\ufffd"
)
TEXTS = st.lists(
    st.sampled_from([*CHARACTERS, *"      \t\n\v\f\r", "word", "飞机很大", "can't"]) | st.characters(codec="utf-8"),
    max_size=40,
).map("".join)
BLANKS = "".join(chr(point) for point in range(0x110000) if chr(point).isspace() and point != 0x202F)


def has_letter(word: str) -> bool:
    return any(map(str.isalnum, word))


def twin(tokenizer: str, text: str) -> list[str]:
    """Words of a row, one after another."""
    if tokenizer == "jieba":
        return [word for word in JIEBA.cut(text) if has_letter(word)]
    return [word for word in (piece.lstrip(BLANKS) for piece in WordBreaker(text, "root")) if has_letter(word)]


def tokenized(tokenizer: str, rows: list[str]) -> list[list[str]]:
    return clean(pa.array(rows, pa.string()), Cleaning(tokenizer=tokenizer))[0].to_pylist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A present folder with a module my_tokenizer."""
    (tmp_path / "my_tokenizer.py").write_text(
        "def bigrams(text):\n    words = text.split()\n    return [f'{a} {b}' for a, b in zip(words, words[1:])]\n"
        "def whole(text):\n    return [text]\n"
        "def fails(text):\n    raise KeyError('no\\nsuch')\n"
        "def text(text):\n    return text\n"
        "def numbers(text):\n    return [1]\n"
        "def half(text):\n    return ['\\ud800']\n"
        "number = 5\n"
    )
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    load_tokenizer.cache_clear()
    sys.modules.pop("my_tokenizer", None)


# --- what is a word ---


def test_english_and_chinese_raw_text_become_words() -> None:
    assert tokenized("words", ["“Don't panic,” she said: 3.14 (U.S.A.)!", "飞机很大。我们坐飞机。"]) == [
        ["Don't", "panic", "she", "said", "3.14", "U.S.A"],
        ["飞机", "很大", "我们", "坐", "飞机"],
    ]
    assert tokenized("jieba", ["我来到北京清华大学，T恤。", ""]) == [["我", "来到", "北京", "清华大学", "T恤"], []]


def test_the_order_is_nfkc_then_words_then_lower_case() -> None:
    column = pa.array(["Ａ\u3000T恤", None, "ÉTÉ"], pa.string())
    cleaned, _ = clean(column, Cleaning(lowercase=True, nfkc=True, tokenizer="jieba"))
    assert cleaned.to_pylist() == [["a", "t恤"], ["É".lower(), "t", "É".lower()]]
    cleaned, bad = clean(pa.array([b"caf\xe9 x"]), Cleaning(lowercase=True, tokenizer="words"))
    assert (cleaned.to_pylist(), bad) == ([["caf", "x"]], 1)


@pytest.mark.parametrize("tokenizer", ["words", "jieba"])
@given(rows=st.lists(TEXTS, max_size=5), size=st.sampled_from([1, 3, 10, 1 << 20]), first=st.integers(0, 2))
@settings(max_examples=300, deadline=None)
def test_a_column_is_cut_as_row_by_row(tokenizer: str, rows: list[str], size: int, first: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizing, "PART_BYTES", size)
        column = pa.array(rows, pa.string())[first:]  # an array's offsets need not begin at 0
        found = clean(column, Cleaning(tokenizer=tokenizer))[0].to_pylist()
    assert found == [twin(tokenizer, row) for row in rows[first:]]


# --- wherever the cuts fall ---


def ranges_of(path: Path, places: list[int]) -> list[Range]:
    size = path.stat().st_size
    bounds = sorted({0, size, *(place % (size + 1) for place in places)})
    return [Range(str(path), begin, end, size) for begin, end in pairwise(bounds)]


@pytest.mark.parametrize("tokenizer", ["words", "jieba"])
@given(
    text=TEXTS.filter(bool), places=st.lists(st.integers(0, 300), max_size=6), block=st.sampled_from([1, 7, 1 << 20])
)
@settings(max_examples=300, deadline=None)
def test_no_word_reaches_over_white_space_so_any_cut_gives_the_same_words(
    folder: Path, tokenizer: str, text: str, places: list[int], block: int
) -> None:
    path = folder / "text.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_ranges, "BLOCK_BYTES", block)
        patch.setattr(text_ranges, "AHEAD_BYTES", block)
        pieces = [piece for own in ranges_of(path, places) for piece in pieces_of(own, Cleaning(tokenizer=tokenizer))]
    found = [word for piece in pieces for row in piece.column.to_pylist() for word in row]
    assert found == twin(tokenizer, text)
    assert not any(re.search(r"[ \t-\r]", word) for word in found)


@given(
    text=TEXTS.filter(bool), places=st.lists(st.integers(0, 300), max_size=6), block=st.sampled_from([1, 7, 1 << 20])
)
@settings(max_examples=300, deadline=None)
def test_a_function_gets_each_row_whole_and_once(folder: Path, text: str, places: list[int], block: int) -> None:
    path = folder / "text.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_ranges, "BLOCK_BYTES", block)
        patch.setattr(text_ranges, "AHEAD_BYTES", block)
        cleaning = Cleaning(tokenizer=f"{__name__}:whole_row")
        pieces = [piece for own in ranges_of(path, places) for piece in pieces_of(own, cleaning)]
    rows = [row.strip(b" \t\v\f").decode() for row in naive.lines(text.encode())]
    assert [word for piece in pieces for row in piece.column.to_pylist() for word in row] == [
        row for row in rows if row
    ]
    assert sum(piece.rows for piece in pieces) == len(rows) - (naive.lines(text.encode())[-1] == b"")
    assert not any(piece.is_open for piece in pieces)


def whole_row(text: str) -> list[str]:
    return [text]


# --- what is refused ---


@pytest.mark.parametrize(("tokenizer", "package"), [("words", "icu4py.breakers"), ("jieba", "rjieba")])
def test_a_missing_package_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str, package: str
) -> None:
    (tmp_path / "a.txt").write_text("a b")
    load_tokenizer.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError) as caught:
        list_inputs(corpus_of(tmp_path / "a.txt", tokenizer=tokenizer))
    assert str(caught.value) == (
        f"--tokenizer {tokenizer} must have its package, here and in Spark's workers; got import of {package} halted; "
        "None in sys.modules. pip install 'simglove-spark[tokenizers]'."
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("no_such_module:f", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("my_tokenizer:nope", "AttributeError: module 'my_tokenizer' has no attribute 'nope'"),
        ("my_tokenizer:number", "TypeError: number is no function"),
    ],
)
def test_a_function_that_is_not_there_is_refused(here: Path, name: str, what: str) -> None:
    (here / "a.txt").write_text("a b")
    with pytest.raises(ConfigError) as caught:
        list_inputs(corpus_of(here / "a.txt", tokenizer=name))
    assert str(caught.value) == (
        f"--tokenizer must be MODULE:FUNCTION that can be imported here and by Spark's workers; got {name} ({what}). "
        "On a cluster give the module to spark-submit by --py-files."
    )


@pytest.mark.parametrize(
    ("function", "what"),
    [
        ("fails", "KeyError: 'no\\nsuch'"),
        ("text", "TypeError: it returned str"),
        ("numbers", "TypeError: sequence item 0: expected str instance, int found"),
        (
            "half",
            "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_function_that_fails_is_named_with_the_row(function: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tokenized(f"my_tokenizer:{function}", ["", " \n", "x" * 50 + "\n"])
    assert str(caught.value) == (
        f"--tokenizer must return a list of str for each row; got {what} (my_tokenizer:{function}, of the row that begins "
        f"'{'x' * 40}'). Mend the function."
    )


@pytest.mark.usefixtures("here")
def test_words_of_a_function_may_hold_blanks_as_those_of_lists_may() -> None:
    assert tokenized("my_tokenizer:bigrams", [" a b  c\r\n", "d"]) == [["a b", "b c"], []]


# --- on the road ---


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("tokenizer", ["words", "jieba"])
def test_raw_text_of_two_languages_is_counted_from_one_flag(
    tmp_path: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "“Don't panic,” she said. Don't!\n我们坐飞机去北京。飞机很大！\r\n\n北京很大，she said：我们去。\n" * 7
    (tmp_path / "a.txt").write_text(text, encoding="utf-8", newline="")
    monkeypatch.setattr(text_ranges, "MOST_BYTES", 100)
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 50)
    corpus = corpus_of(tmp_path / "a.txt", tokenizer=tokenizer, lowercase=True)
    output = run_stages(corpus, tmp_path / "run")
    rows: list[naive.Row] = [[word.lower().encode() for word in twin(tokenizer, row)] for row in text.splitlines()]
    check(output, expected_of(rows))
    assert {"said", "飞机", "北京", "我们"} <= {word for word, _ in rows_of(output, "word_counts")}
    with pytest.raises(ConfigError, match="--tokenizer must be as the vocabulary was counted; got whitespace"):
        plain = corpus_of(tmp_path / "a.txt", lowercase=True)
        counting.count_pairs(plain, WINDOW, output / "vocabulary", tmp_path / "pairs", context())
    sample = sample_corpus(list_inputs(corpus), None, Cleaning(lowercase=True, tokenizer=tokenizer))
    assert sample.to_pylist()[:2] == [[word.decode() for word in row] for row in rows[:2]]


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
def test_a_function_in_spark_sees_text_of_files_and_columns_alike(tmp_path: Path) -> None:
    rows = ["a 'b c' d", "", "d 'b c'", "a d"] * 5
    (tmp_path / "a.txt").write_text("\n".join(rows))
    pq.write_table(pa.table({"text": rows}), tmp_path / "a.parquet")
    expected = expected_of([[b"a", b"b c", b"d"], [], [b"d", b"b c"], [b"a", b"d"]] * 5)
    check(run_stages(corpus_of(tmp_path / "a.txt", tokenizer="shlex:split"), tmp_path / "text"), expected)
    columns = corpus_of(tmp_path / "a.parquet", column="text", tokenizer="shlex:split")
    check(run_stages(columns, tmp_path / "columns"), expected)
    (tmp_path / "b.txt").write_text("\n".join([*rows, "it's"]))
    with pytest.raises(ConfigError) as caught:
        counting.count_words(
            corpus_of(tmp_path / "b.txt", tokenizer="shlex:split"), KEEP_ALL, tmp_path / "run", context()
        )
    assert str(caught.value) == (
        "--tokenizer must return a list of str for each row; got ValueError: No closing quotation (shlex:split, of the row "
        'that begins "it\'s"). Mend the function.'
    )
    assert nothing_left(tmp_path / "run")


@pytest.mark.spark
def test_lists_hold_words_already(tmp_path: Path, spark: "SparkSession") -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": ["a", "b"]}))
    corpus = corpus_of(tmp_path / "a.jsonl", column="text", tokenizer="words")
    with pytest.raises(ConfigError) as caught:
        read_corpus(spark, list_inputs(corpus), corpus, 2)
    assert str(caught.value) == (
        "--tokenizer must be whitespace for lists, which hold words already; got words. Leave it out."
    )
