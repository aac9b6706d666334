"""Counting DataFrames from Python: the tables that the commands write for the same text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import naive
import pytest
from test_counting import all_files, checksums, corpus_of, rows_of, run_stages

from simglove_spark import occurrence
from simglove_spark.config import PairsConfig, TrainConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.frames import count_pairs, count_words, save_counts
from simglove_spark.training_inputs import check_pairs

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, spark: "SparkSession", small_text: bytes) -> Path:
    """The small text in corpus.txt, and what the commands make of it in `run`."""
    folder = tmp_path_factory.mktemp("frames")
    (folder / "corpus.txt").write_bytes(small_text)
    return run_stages(corpus_of(folder / "corpus.txt"), folder / "run").parent


@pytest.fixture(scope="module")
def text(spark: "SparkSession", folder: Path) -> "DataFrame":
    return spark.read.text(str(folder / "corpus.txt")).selectExpr("value AS body")


@pytest.fixture(scope="module")
def lists(text: "DataFrame") -> "DataFrame":
    """The same rows as lists of words, beside a number."""
    return text.selectExpr("split(body, ' ') AS words", "1 AS n")


def words_of(frame: "DataFrame") -> list[tuple]:
    return sorted(tuple(row) for row in frame.collect())


def cells_of(frame: "DataFrame") -> list[tuple]:
    assert frame.dtypes == [("word_id", "int"), ("context_id", "int"), ("count", "bigint")]
    return sorted(tuple(row) for row in frame.collect())


def test_words_of_text_and_of_lists(folder: Path, text: "DataFrame", lists: "DataFrame") -> None:
    expected = sorted(rows_of(folder / "run", "word_counts"))
    assert count_words(text).dtypes == [("word", "string"), ("count", "bigint")]
    assert words_of(count_words(text)) == expected
    assert words_of(count_words(lists, column="words")) == expected
    assert words_of(count_words(text, worker_memory="1k")) == expected


def test_pairs_of_text_and_of_lists(folder: Path, text: "DataFrame", lists: "DataFrame", spark: "SparkSession") -> None:
    expected = sorted(rows_of(folder / "run", "pairs"))
    words = folder / "run" / "vocabulary"
    assert cells_of(count_pairs(text, words, window_size=3)) == expected
    assert cells_of(count_pairs(lists, str(words), "words", window_size=3, worker_memory="1k")) == expected
    frame = spark.read.parquet(str(words)).drop("count").orderBy("word")
    assert cells_of(count_pairs(text, frame, window_size=3, num_shards=7)) == expected


def test_the_defaults_are_those_of_the_commands(folder: Path, text: "DataFrame", small_text: bytes) -> None:
    words = folder / "run" / "vocabulary"
    ids = {word.encode(): number for word, number, _ in rows_of(folder / "run", "vocabulary")}
    expected = naive.count_pairs(naive.lines(small_text), ids, PairsConfig().window_size, "harmonic")
    assert {(i, j): n for i, j, n in cells_of(count_pairs(text, words))} == expected


def test_options_reach_the_kernels(spark: "SparkSession", folder: Path) -> None:
    frame = spark.createDataFrame([("B ａ b",), ("a x B",), ("skip a",)], "t string")
    options = {"lowercase": True, "normalize": "nfkc", "where": "t != 'skip a'"}
    assert words_of(count_words(frame, **options)) == [("a", 2), ("b", 3), ("x", 1)]
    words = spark.createDataFrame([("b", 0), ("a", 1)], "word string, word_id int")
    flat = {**options, "distance_weighting": "flat", "window_size": 1}
    assert cells_of(count_pairs(frame, words, **flat)) == [(0, 1, 3), (1, 0, 3)]
    assert cells_of(count_pairs(frame, words, unknown_words="keep-place", **flat)) == [(0, 1, 2), (1, 0, 2)]


def test_bad_bytes_are_not_passed_over(spark: "SparkSession", folder: Path) -> None:
    frame = spark.createDataFrame([(b"a \xff b",), (b"a b",)], "t binary")
    words = spark.createDataFrame([("b", 0), ("a", 1)], "word string, word_id int")
    for counted in (count_words(frame), count_pairs(frame, words)):
        with pytest.raises(Exception, match=r"InputError: words must be UTF-8; got 1 in a batch that are not"):
            counted.collect()
    assert words_of(count_words(frame, on_bad_bytes="replace")) == [("a", 2), ("b", 2), ("\ufffd", 1)]
    assert cells_of(count_pairs(frame, words, on_bad_bytes="replace", window_size=1)) == [(0, 1, 2), (1, 0, 2)]


def test_saved_counts_are_the_tables_of_the_commands(folder: Path, tmp_path: Path, text: "DataFrame") -> None:
    options: dict[str, Any] = {"min_count": 1, "window_size": 3, "num_shards": 3, "worker_memory": "64m"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrence, "SHARDS_OF_UNKNOWN", 2)  # as many as of the file
        made = save_counts(text, tmp_path, "news", **options)
    for table in ("word_counts", "vocabulary", "pairs"):
        assert checksums(tmp_path, table) == checksums(folder / "run", table)
    assert made.inputs == [{"path": "table:news", "bytes": None, "modified": None}]
    assert made.config["column"] == "body"
    assert check_pairs(tmp_path / "pairs", tmp_path / "vocabulary", TrainConfig()) == made
    before = all_files(tmp_path)
    assert save_counts(text, tmp_path, "news", **options) == made
    assert all_files(tmp_path) == before
    with pytest.raises(ConfigError, match="the input table:other is new or changed"):
        save_counts(text, tmp_path, "other", **options)
    save_counts(text, tmp_path, "other", overwrite=True, **options)
    assert not text.sparkSession.catalog.tableExists("news")


def test_a_frame_of_another_session_is_counted_there(tmp_path: Path, spark: "SparkSession") -> None:
    frame = spark.newSession().createDataFrame([("a b a",), ("b c",)], "t string")
    save_counts(frame, tmp_path, "mine", min_count=1, distance_weighting="flat", worker_memory="64m")
    assert rows_of(tmp_path, "vocabulary") == [("a", 0, 2), ("b", 1, 2), ("c", 2, 1)]


def test_what_is_refused(text: "DataFrame", lists: "DataFrame", spark: "SparkSession", tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="column must be named where there are several; got none of words, n"):
        count_words(lists)
    with pytest.raises(InputError, match=r"column 'n' must hold text or lists of words; got int \(DataFrame\)"):
        count_words(lists, column="n")
    with pytest.raises(InputError, match=r"--column must name a column; got 'x' \(DataFrame\)\. Its columns: words, n"):
        count_words(lists, column="x")
    with pytest.raises(ConfigError, match=r"option must be one of .*; got 'window_size'"):
        count_words(text, window_size=3)
    with pytest.raises(ConfigError, match="distance_weighting must be one of flat, harmonic; got 'flatt'"):
        count_pairs(text, tmp_path, distance_weighting="flatt")
    with pytest.raises(InputError, match="vocabulary must be a complete table"):
        count_pairs(text, tmp_path)
    for rows in ([("a", 1), ("b", 2)], [("a", 0), ("b", 0)], [("a", 0), ("a", 1)], [("a", 0), (None, 1)]):
        words = spark.createDataFrame(rows, "word string, word_id int")
        with pytest.raises(InputError, match="vocabulary must have each word once, with ids 0, 1, 2"):
            count_pairs(text, words)
    text.createOrReplaceTempView("taken")
    for name in ("taken", "no name"):
        with pytest.raises(ConfigError, match="name must be free and fit for a view; got"):
            save_counts(text, tmp_path / "out", name)
    assert spark.catalog.tableExists("taken")
    spark.catalog.dropTempView("taken")


def test_the_example_in_the_readme_runs(text: "DataFrame", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    example = next(part for part in readme.split("```python\n") if part.startswith("from simglove_spark.frames"))
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {"df": text}
    exec(example.partition("```")[0], known)
    assert known["words"].count() > 0 and known["cells"].count() > 0
