"""Vectors as functions of columns and of SQL: what `Vectors` itself answers, row by row."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st

from simglove_spark.asking.pair_table import PairTable
from simglove_spark.asking.reading import Reading
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.spark_vectors import in_workers
from simglove_spark.spark_vectors.functions import keywords, neighbours, pmi, register, sentence_vector
from simglove_spark.spark_vectors.in_workers import TableVectors, opened
from simglove_spark.spark_vectors.observed import opened_pairs, with_pmi
from simglove_spark.vectors import Vectors

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

HOSTILE = "<b>\x07'; DROP"
WORDS = ["the", "king", "queen", HOSTILE, "zeros", "é飞", *(f"w{number}" for number in range(600))]
TEXTS: list[tuple[str | None, str | None, str | None]] = [
    ("the king\tthe queen\n nowhere", "king", "queen"),
    (None, None, "king"),
    ("nowhere zeros", "nowhere", "king"),
    ("", "king", "king"),
    ("the é飞 w3 w4", "é飞", "w3"),
    ("x" * 1_000_000 + " king", "x" * 1_000_000, "zeros"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vectors table of plain pmi, with a word of zeros."""
    folder = tmp_path_factory.mktemp("spark_vectors") / "vectors"
    matrix = np.random.default_rng(3).standard_normal((len(WORDS), 8)).astype(np.float32)
    matrix[WORDS.index("zeros")] = 0
    counts = np.arange(len(WORDS), 0, -1)
    counts[WORDS.index("zeros")] = 0
    Vectors(WORDS, matrix, counts).save(folder, config={"space": "shared", "count_power": 0.75})
    return folder


@pytest.fixture(scope="module")
def vectors(folder: Path) -> Vectors:
    return Vectors.load(folder)


@pytest.fixture(scope="module")
def table(folder: Path, vectors: Vectors) -> TableVectors:
    assert vectors.manifest is not None
    return opened(str(folder), vectors.manifest.content_sha256)


KNOWN = [word for word in WORDS if word != "zeros"]


@settings(max_examples=200, deadline=None)
@given(words=st.lists(st.sampled_from([*WORDS[:6], "w7", "nowhere", "", "x" * 100])))
def test_a_row_is_answered_as_vectors_answer_its_known_words(
    table: TableVectors, vectors: Vectors, words: list[str]
) -> None:
    known = [word for word in words if word in KNOWN]
    total = np.zeros(8)
    for word in known:
        total += vectors[word]
    assert np.allclose(table.row_combined(words, "sum"), total)
    assert np.allclose(table.row_combined(words, "mean"), total / max(1, len(words)))
    if not known:
        assert table.row_vector(words) is table.row_keywords(words) is None
    else:
        assert np.allclose(table.row_vector(words, "whitened"), vectors.sentence_vector(known, "whitened"))
        assert table.row_keywords(words, 3) == vectors.keywords(known, 3)


def test_what_a_text_is(table: TableVectors) -> None:
    expected = table.row_keywords(["the", "king"])
    for text in ("the king", b" the\x0b\xff\rking", bytearray(b"the king"), ("the", "king"), np.array(["the", "king"])):
        assert table.row_keywords(text) == expected
    assert table.row_keywords(["the king"]) is None  # an array's elements are words as they are
    assert table.row_keywords("the\u2003king") is None  # as the corpus is split
    assert table.row_keywords(["the", None, "king"]) == expected  # type: ignore[list-item]
    assert table.row_combined(None, "sum") is None
    with pytest.raises(InputError) as caught:
        table.row_keywords(7)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "text must be a string or an array of words; got int (a column's row). Name another column."
    )


def test_words_are_remembered_but_for_long_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, looked_up = TableVectors.load(folder), []
    find = fresh.learned_id
    monkeypatch.setattr(fresh, "learned_id", lambda word: looked_up.append(word) or find(word))
    for _ in range(3):
        fresh.row_keywords(["king", "nowhere", "x" * 100, "king"])
    assert looked_up == ["king", "nowhere", *["x" * 100] * 3]


def test_other_vectors_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        opened(str(folder), "0" * 64)
    assert f"vectors must be those that the function was made with, {'0' * 12}; got " in str(caught.value)
    assert f"({folder}). Make or register the function again." in str(caught.value)
    with pytest.raises(InputError, match="vectors must lie where every worker can read them; got no such folder"):
        opened(str(tmp_path / "none"), "0" * 64)


def test_every_block_of_neighbours_is_that_of_vectors(
    table: TableVectors, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_workers, "ROWS", 77)
    for measure in ("pmi", "cosine", "similarity"):
        found = [row for block in range(8) for row in table.block_of_neighbours(block, 4, measure).to_pylist()]  # type: ignore[arg-type]
        assert [row["word"] for row in found[::4]] == KNOWN
        ids, scores = vectors.neighbours(KNOWN, 4, measure)  # type: ignore[arg-type]
        assert [row["neighbour"] for row in found] == [WORDS[number] for number in ids.ravel()]
        assert np.allclose([row["score"] for row in found], scores.ravel(), rtol=1e-5)
        assert [row["rank"] for row in found] == [1, 2, 3, 4] * len(KNOWN)


def test_a_block_of_words_without_vectors_has_no_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_workers, "ROWS", 2)
    found = TableVectors(["a", "b", "c"], [[0, 0], [0, 0], [1, 0]]).block_of_neighbours(0, 2, "cosine")
    assert found.num_rows == 0


# --- on Spark ---


def expected_rows(vectors: Vectors) -> list[tuple]:
    found: list[tuple] = []
    for text, first, second in TEXTS:
        known = [word for word in (text or "").split() if word in KNOWN]
        vector = vectors.sentence_vector(known).tolist() if known else None
        both = first in KNOWN and second in KNOWN
        inner = vectors.pmi(first, second).predicted if both else None  # type: ignore[arg-type]
        found.append((vectors.keywords(known, 2) if known else None, vector, inner))
    return found


def plain(rows: "list[Row]") -> list[tuple]:
    return [(row[0] and [tuple(pair) for pair in row[0]], row[1], row[2]) for row in rows]


@pytest.mark.spark
def test_columns_and_sql_answer_as_vectors_do(spark: "SparkSession", folder: Path, vectors: Vectors) -> None:
    frame = spark.createDataFrame(TEXTS, "t string, a string, b string")
    asked = frame.select(
        keywords("t", 2, vectors=folder), sentence_vector(frame.t, vectors=str(folder)), pmi("a", "b", vectors=folder)
    )
    assert [kind for _, kind in asked.dtypes] == ["array<struct<word:string,score:double>>", "array<float>", "double"]
    assert plain(asked.collect()) == expected_rows(vectors)
    frame.createOrReplaceTempView("texts")
    register(spark, folder)
    query = "SELECT keywords(split(t, '[ \\\\t\\\\n]+'), 2), sentence_vector(t, 'sum'), pmi(a, b) FROM texts"
    assert plain(spark.sql(query).collect()) == expected_rows(vectors)
    spark.catalog.dropTempView("texts")


@pytest.mark.spark
def test_neighbours_of_every_word_for_any_partitioning(
    spark: "SparkSession", folder: Path, table: TableVectors
) -> None:
    blocks = [table.block_of_neighbours(block, 3, "cosine") for block in range(3)]
    expected = sorted(tuple(row.values()) for block in blocks for row in block.to_pylist())
    found = []
    for partitions in (None, 1, 2):
        frame = neighbours(spark, folder, 3, partitions=partitions)
        assert frame.dtypes == [("word", "string"), ("neighbour", "string"), ("score", "float"), ("rank", "int")]
        found.append(sorted(map(tuple, frame.collect())))
    assert found[0] == found[1] == found[2]
    assert len(expected) == 3 * len(KNOWN)
    for mine, other in zip(found[0], expected, strict=True):  # here BLAS has more threads than in a worker
        assert (mine[0], mine[1], mine[3]) == (other[0], other[1], other[3])
        assert mine[2] == pytest.approx(other[2], rel=1e-5)


@pytest.mark.spark
def test_what_is_refused(spark: "SparkSession", folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"how must be one of sum, mean, sif, whitened; got 'max'\. Name one of them\."
    ):
        sentence_vector("t", "max", vectors=folder)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="measure must be one of pmi, cosine, similarity; got 'l2'"):
        neighbours(spark, folder, measure="l2")  # type: ignore[arg-type]
    for make in (lambda: neighbours(spark, folder, 0), lambda: keywords("t", 0, vectors=folder)):
        with pytest.raises(ConfigError, match=r"topn must be at least 1; got 0\. Use 10\."):
            make()
    with pytest.raises(InputError, match="vectors must be a complete table"):
        register(spark, tmp_path)
    with pytest.raises(ConfigError, match="folder must be a path, or a URI of s3"):
        pmi("a", "b", vectors="oss://bucket/vectors")


# --- observed pmi ---


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with vectors and the pairs they were learned from; a word whose name is a pattern."""
    folder = tmp_path_factory.mktemp("run [1]*")
    counts = {word: 700 - place for place, word in enumerate(WORDS)} | {"zeros": 0}
    vocabulary = tables.write_vocabulary(folder / "vocabulary", counts)
    pairs = {pair: count for pair, count in tables.random_pairs(30, 200).items() if WORDS.index("zeros") not in pair}
    tables.write_pairs(folder / "pairs", pairs, vocabulary, unit=10)
    matrix = np.random.default_rng(5).standard_normal((len(WORDS), 6)).astype(np.float32)
    matrix[WORDS.index("zeros")] = 0
    saved = Vectors(WORDS, matrix, list(counts.values()))
    saved.save(folder / "vectors", config={"space": "shared", "count_power": 0.75}, parents=[vocabulary.as_parent()])
    return folder


@pytest.mark.spark
def test_pmi_predicted_and_observed_beside_a_pair(spark: "SparkSession", counted: Path, tmp_path: Path) -> None:
    known, pairs = Vectors.load(counted / "vectors"), PairTable(counted / "pairs")
    asked: list[tuple[str | None, str | None]] = [(a, b) for a in WORDS[:12] for b in WORDS[2:14]]
    asked += [("king", "nowhere"), (None, "king"), ("king", None), ("king", "queen"), ("king", "queen")]
    frame = spark.createDataFrame(
        [(*pair, place) for place, pair in enumerate(asked)], "a string, count string, word_id int"
    )
    where: dict[str, Any] = {"vectors": counted / "vectors", "pairs": str(counted / "pairs")}
    found = with_pmi(frame, "a", frame["count"], **where)
    assert found.dtypes[3:] == [("pmi", "struct<predicted:double,observed:double,count:double>")]
    rows = sorted(found.collect(), key=lambda row: row.word_id)
    assert [tuple(row)[:3] for row in rows] == [(*pair, place) for place, pair in enumerate(asked)]
    seen = 0
    for row, (first, second) in zip(rows, asked, strict=True):
        if first not in KNOWN or second not in KNOWN:
            assert row.pmi is None
            continue
        expected = known.pmi(first, second, pairs)
        assert tuple(row.pmi) == (expected.predicted, expected.observed, expected.count)
        seen += expected.observed is not None
    assert 20 < seen < 130
    with pytest.raises(ConfigError, match=r"name must be that of a new column; got 'WORD_id'\. Give another\."):
        with_pmi(frame, "a", "count", **where, name="WORD_id")
    other = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 3, "b": 2})
    tables.write_pairs(tmp_path / "pairs", {(0, 1): 2}, other)
    with pytest.raises(InputError, match="pairs must be counted under the vectors' vocabulary"):
        with_pmi(frame, "a", "count", vectors=counted / "vectors", pairs=tmp_path / "pairs")


def test_other_pairs_than_the_drivers_are_refused(counted: Path) -> None:
    with pytest.raises(InputError, match="pairs must be those that the driver saw, 000000000000; got "):
        opened_pairs(str(counted / "pairs"), "0" * 64)


# --- texts ---


@pytest.mark.spark
def test_texts_are_cut_as_the_corpus_was(spark: "SparkSession", tmp_path: Path) -> None:
    words = ["king", "机场", "火车"]
    details = {"reading": {"tokenizer": "jieba", "normalize": "none", "lowercase": True}}
    Vectors(words, np.eye(3) + 0.5, [3, 2, 1]).save(tmp_path / "vectors", details=details)
    frame = spark.createDataFrame([("从机场来，火车快，KING！",)], "t string")
    asked = [
        keywords("t", vectors=tmp_path / "vectors"),
        keywords("t", vectors=tmp_path / "vectors", reading=Reading()),
    ]
    (row,) = frame.select(*asked).collect()
    assert sorted(word for word, _ in row[0]) == sorted(words)
    assert row[1] is None
