"""Vectors: the table on disk, look-ups, and the three metrics against naive twins."""

import json
import math
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simglove_spark import schemas
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import FILE_NAME, Manifest, hash_file, sealed
from simglove_spark.unknown import unknown_vector
from simglove_spark.vectors import Vectors
from simglove_spark.vectors_table import FILES, MATRIX, PARQUET
from simglove_spark.word_index import OFFSETS, ORDER, WordIndex

WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=12, unique=True)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def planted(size: int = 60, dim: int = 5, seed: int = 3) -> Vectors:
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((size, dim)) + random.standard_normal(dim)
    return Vectors([f"w{row}" for row in range(size)], matrix, np.arange(size, 0, -1))


def naive_top(scores: list[float], words: list[str], topn: int, asked: list[str]) -> list[tuple[str, float]]:
    rows = [(word, score) for word, score in zip(words, scores, strict=True) if word not in asked]
    return sorted(rows, key=lambda row: -row[1])[:topn]  # sorted() is stable: ties stay in order of ids


def naive_cosine(first: np.ndarray, second: np.ndarray) -> float:
    dot = sum(float(x) * float(y) for x, y in zip(first, second, strict=True))
    return dot / math.sqrt(sum(float(x) ** 2 for x in first) * sum(float(y) ** 2 for y in second))


def assert_same_ranking(got: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [word for word, _ in got] == [word for word, _ in expected]
    np.testing.assert_allclose([score for _, score in got], [score for _, score in expected], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("topn", [1, 7, 59, 1000])
def test_most_correlative_is_the_inner_product_highest_first(topn: int) -> None:
    vectors = planted()
    words = list(vectors.words)
    dots = [sum(float(x) * float(y) for x, y in zip(row, vectors["w4"], strict=True)) for row in vectors.matrix]
    assert_same_ranking(vectors.most_correlative("w4", topn), naive_top(dots, words, topn, ["w4"]))
    cosines = [naive_cosine(row, vectors["w4"]) for row in vectors.matrix]
    assert_same_ranking(vectors.most_correlative("w4", topn, normalize=True), naive_top(cosines, words, topn, ["w4"]))


def test_a_vector_may_be_asked_for_and_leaves_no_word_out() -> None:
    vectors = planted()
    assert vectors.most_correlative(vectors["w4"], 1000, normalize=True)[0] == ("w4", pytest.approx(1, abs=1e-6))
    assert len(vectors.most_correlative(vectors["w4"], 1000)) == 60
    assert vectors.most_similar(vectors["w4"], 1)[0] == ("w4", pytest.approx(1, abs=1e-6))


@pytest.mark.parametrize("context_words", [20, 60, 100_000])
def test_most_similar_is_the_cosine_under_the_context_covariance(context_words: int) -> None:
    vectors = planted()
    context = np.asarray(vectors.matrix[:context_words], dtype=np.float64)
    dim = context.shape[1]
    mean = [sum(row[i] for row in context) / len(context) for i in range(dim)]
    covariance = [
        [sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in context) for j in range(dim)] for i in range(dim)
    ]
    moved = np.asarray(vectors.matrix, dtype=np.float64) @ np.linalg.cholesky(np.array(covariance))
    cosines = [naive_cosine(row, moved[4]) for row in moved]
    got = vectors.most_similar("w4", 10, context_words)
    assert_same_ranking(got, naive_top(cosines, list(vectors.words), 10, ["w4"]))
    # x'Cy / sqrt(x'Cx y'Cy): the factor's side matters, and this is the other way to write the same number
    x, y, C = vectors["w4"].astype(float), vectors[got[0][0]].astype(float), np.array(covariance)
    assert got[0][1] == pytest.approx((x @ C @ y) / math.sqrt((x @ C @ x) * (y @ C @ y)), abs=1e-5)


def test_context_words_are_the_most_frequent_ones_and_are_not_mixed_up_by_the_cache() -> None:
    base = planted()
    turned = Vectors(list(base.words), base.matrix, np.arange(60))  # the last ids are the most frequent
    reversed_base = Vectors(list(base.words)[::-1], base.matrix[::-1], np.arange(60, 0, -1))
    expected = reversed_base.most_similar("w4", 5, 20)
    assert_same_ranking(turned.most_similar("w4", 5, 20), expected)
    turned.most_similar("w4", 5, 40)
    assert_same_ranking(turned.most_similar("w4", 5, 20), expected)
    assert turned.most_similar("w4", 5, 40) != turned.most_similar("w4", 5, 20)
    assert turned.most_frequent(3).tolist() == [59, 58, 57]
    assert Vectors(["a", "b", "c"], np.eye(3)).most_frequent(2).tolist() == [0, 1]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_fewer_words_than_dimensions_still_have_similar_words(size: int) -> None:
    vectors = Vectors([f"w{row}" for row in range(size)], np.eye(4)[:size])
    found = vectors.most_similar("w0", 10)
    assert len(found) == size - 1
    assert all(math.isfinite(score) for _, score in found)


def test_the_ridge_of_too_few_words_hardly_changes_a_score() -> None:
    # covariance [[.5, -.5], [-.5, .5]] and zeros: the two words are opposite, but for a ridge of 1e-6 / 4
    assert Vectors(["a", "b"], np.eye(4)[:2]).most_similar("a") == [("b", pytest.approx(-0.5 / 0.50000025, abs=1e-7))]


def test_analogy_sums_raw_vectors_and_leaves_the_question_out() -> None:
    vectors = planted()
    target = (vectors["w1"].astype(float) + vectors["w2"]) - vectors["w3"]
    cosines = [naive_cosine(row, target) for row in vectors.matrix]
    expected = naive_top(cosines, list(vectors.words), 10, ["w1", "w2", "w3"])
    assert_same_ranking(vectors.analogy(["w1", "w2"], ["w3"], 10), expected)
    assert len(vectors.analogy(["w1", "w1"], topn=1000)) == 59
    assert "w3" not in dict(vectors.analogy(["w1"], ["w3"], topn=1000))


def test_ties_go_to_the_lower_id_even_where_the_list_is_cut() -> None:
    vectors = Vectors(list("edcba"), [[1, 0], [2, 0], [1, 0], [1, 0], [2, 0]])
    assert [word for word, _ in vectors.most_correlative("e", 2)] == ["d", "a"]
    assert [word for word, _ in vectors.most_correlative("e", 3)] == ["d", "a", "c"]
    assert [word for word, _ in vectors.most_correlative("e", 3, normalize=True)] == ["d", "c", "b"]


def test_zero_vectors_have_cosine_zero() -> None:
    vectors = Vectors(["null", "a", "b"], [[0, 0], [1, 0], [-1, 0]])
    assert vectors.most_correlative("a", normalize=True) == [("null", 0.0), ("b", -1.0)]
    assert vectors.most_correlative("null", normalize=True) == [("a", 0.0), ("b", 0.0)]


def test_lookups() -> None:
    vectors = Vectors(["the", "of", "Zürich"], [[3, 4], [0, 0], [1, 1]], [9, 5, 2])
    assert vectors["the"].tolist() == [3, 4]
    assert vectors["the"].dtype == np.float32
    assert (vectors.word_id("Zürich"), len(vectors), vectors.counts.tolist()) == (2, 3, [9, 5, 2])
    assert "of" in vectors
    assert "zürich" not in vectors
    assert 1 not in vectors
    assert (vectors.norm("the"), vectors.norms.dtype) == (5, np.float32)
    assert list(vectors.words[1:]) == ["of", "Zürich"]
    assert vectors.words[-1] == "Zürich"
    with pytest.raises(ValueError, match="read-only"):
        vectors["the"][0] = 7


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("LONDON", "Did you mean 'london'?"),
        ("londonn", "Did you mean 'london'?"),
        ("xyz", "Upper and lower case are different words."),
    ],
)
def test_an_unknown_word_is_told_with_its_neighbour(word: str, hint: str) -> None:
    vectors = Vectors(["paris", "london"], np.eye(2))
    with pytest.raises(InputError) as caught:
        vectors[word]
    assert str(caught.value) == f"word must be one of the vocabulary's 2; got {word!r}. {hint}"


@settings(max_examples=60, deadline=None)
@given(words=WORDS, other=st.text(st.characters(exclude_categories=["Cs"])))
def test_the_index_is_a_dictionary_for_any_words(words: list[str], other: str) -> None:
    index = WordIndex.build(words)
    assert list(index) == words
    assert [index.find(word) for word in words] == list(range(len(words)))
    assert index.find(other) == (words.index(other) if other in words else None)


@settings(max_examples=40, deadline=None)
@given(words=WORDS, data=st.data())
def test_a_saved_table_reads_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, words, data) -> None:
    dim = data.draw(st.integers(1, 4))
    matrix = data.draw(arrays(np.float32, (len(words), dim), elements=FLOATS))
    counts = data.draw(arrays(np.int64, len(words), elements=st.integers(0, 2**63 - 1)))
    folder = tmp_path_factory.mktemp("table") / "vectors"
    Vectors(words, matrix, counts).save(folder)
    loaded = Vectors.load(folder, verify=True)
    assert list(loaded.words) == words
    assert loaded.matrix.tobytes() == matrix.tobytes()
    assert loaded.counts.tolist() == counts.tolist()
    assert [loaded.word_id(word) for word in words] == list(range(len(words)))


def test_the_parquet_is_the_declared_table(tmp_path: Path) -> None:
    vectors = planted()
    written = vectors.save(
        tmp_path / "v", config={"dim": 5}, parents=[{"table": "pairs", "sha256": "0"}], seed=4, details={"loss": 0.5}
    )
    manifest = Manifest.load(tmp_path / "v", "vectors")
    assert manifest == written == Vectors.load(tmp_path / "v").manifest
    assert manifest.details == {"loss": 0.5, "dim": 5, "vocabulary_size": 60}
    assert (manifest.config, manifest.seed, manifest.rows) == ({"dim": 5}, 4, 60)
    assert manifest.parent_sha256("pairs") == "0"
    assert sorted(path.name for path in (tmp_path / "v").iterdir()) == sorted([*FILES, FILE_NAME])
    assert [entry.path for entry in manifest.files] == sorted(FILES)
    table = pq.read_table(tmp_path / "v" / PARQUET)
    schemas.check(table.schema, schemas.vectors_schema(5), "test")
    assert table["word"].to_pylist() == list(vectors.words)
    assert table["word_id"].to_pylist() == list(range(60))
    assert table["count"].to_pylist() == vectors.counts.tolist()
    assert np.array(table["vector"].to_pylist(), np.float32).tobytes() == vectors.matrix.tobytes()
    assert pq.ParquetFile(tmp_path / "v" / PARQUET).metadata.row_group(0).column(0).compression == "ZSTD"


def test_more_words_than_one_block_are_written_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simglove_spark.vectors_table.BLOCK_ROWS", 7)
    vectors = planted()
    vectors.save(tmp_path / "v")
    table = pq.read_table(tmp_path / "v" / PARQUET)
    assert table["word"].to_pylist() == list(vectors.words)
    assert table["word_id"].to_pylist() == list(range(60))
    assert np.array(table["vector"].to_pylist(), np.float32).tobytes() == vectors.matrix.tobytes()
    monkeypatch.setattr("simglove_spark.asking.metric.BLOCK_ROWS", 7)
    assert_same_ranking(vectors.most_similar("w4"), planted().most_similar("w4"))


def test_the_same_vectors_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        planted().save(tmp_path / name, seed=1)
    hashes = [{path.name: hash_file(path) for path in (tmp_path / name).iterdir()} for name in ("first", "second")]
    assert hashes[0] == hashes[1]


def test_loading_maps_and_never_imports_numba_or_spark(tmp_path: Path) -> None:
    planted().save(tmp_path / "v")
    owner = Vectors.load(tmp_path / "v").matrix
    while isinstance(owner, np.ndarray):
        owner = owner.base
    assert isinstance(owner, mmap.mmap)
    code = (
        "import sys; from simglove_spark import evaluate, export; from simglove_spark.vectors import Vectors\n"
        f"Vectors.load({str(tmp_path / 'v')!r}).most_similar('w1')\n"
        "print([name for name in ('numba', 'pyspark') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused(tmp_path: Path, name: str) -> None:
    planted().save(tmp_path / "v")
    path = tmp_path / "v" / name
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    with pytest.raises(InputError) as caught:
        Vectors.load(tmp_path / "v")
    assert str(caught.value) == (
        f"{name} must have {len(raw):,} bytes; got {len(raw) - 1:,} ({tmp_path / 'v'}). "
        "The file is missing or cut short: run the stage that made it again."
    )


def test_a_changed_byte_is_found_when_asked(tmp_path: Path) -> None:
    planted().save(tmp_path / "v")
    path = tmp_path / "v" / MATRIX
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    Vectors.load(tmp_path / "v")
    with pytest.raises(InputError, match=r"matrix\.npy must have 1,328 bytes with checksum"):
        Vectors.load(tmp_path / "v", verify=True)


def resave(folder: Path, name: str, array: np.ndarray) -> None:
    """Another array under that name, and a manifest that agrees with it."""
    np.save(folder / name, array)
    raw = json.loads((folder / FILE_NAME).read_text())
    for entry in raw["files"]:
        path = folder / entry["path"]
        entry["bytes"], entry["sha256"] = path.stat().st_size, hash_file(path)
    (folder / FILE_NAME).write_text(json.dumps(sealed(raw)))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (MATRIX, np.zeros((2, 3)), "_matrix.npy must fit its table; got float64[2, 3] instead of float32[2, 3]"),
        (
            MATRIX,
            np.zeros((2, 2), np.float32),
            "_matrix.npy must fit its table; got float32[2, 2] instead of float32[2, 3]",
        ),
        (ORDER, np.array([1, 1], np.int32), "_word_order.npy must fit its table; got ids that are not 0, 1, 2, ..."),
        (ORDER, np.array([0, 2], np.int32), "_word_order.npy must fit its table; got ids that are not 0, 1, 2, ..."),
        (OFFSETS, np.array([0, 9, 2]), "_word_offsets.npy must fit its table; got "),
        (OFFSETS, np.array([0, 1, 3]), "_word_bytes.npy must fit its table; got uint8[2] instead of uint8[3]"),
    ],
)
def test_files_that_do_not_fit_each_other_are_refused(tmp_path: Path, name, array, message) -> None:
    Vectors(["a", "b"], np.ones((2, 3))).save(tmp_path / "v")
    resave(tmp_path / "v", name, array)
    with pytest.raises(InputError) as caught:
        Vectors.load(tmp_path / "v")
    assert str(caught.value).startswith(message)


def test_foreign_columns_and_ids_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    planted(3, 2).save(folder)
    table = pq.read_table(folder / PARQUET)
    pq.write_table(table.drop_columns(["count"]), folder / PARQUET)
    resave(folder, MATRIX, np.load(folder / MATRIX))
    with pytest.raises(InputError, match="columns must be"):
        Vectors.load(folder)
    ids = pa.array([0, 2, 1], pa.int32())
    pq.write_table(table.set_column(1, "word_id", ids), folder / PARQUET, use_compliant_nested_type=False)
    resave(folder, MATRIX, np.load(folder / MATRIX))
    with pytest.raises(InputError, match=r"word_id must be 0, 1, 2, \.\.\. to 2; got other ids"):
        Vectors.load(folder, verify=True)
    (folder / PARQUET).write_bytes(b"no Parquet at all")
    resave(folder, MATRIX, np.load(folder / MATRIX))
    with pytest.raises(InputError, match=r"vectors\.parquet must be Parquet"):
        Vectors.load(folder)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="vectors must be a complete table"):
        Vectors.load(tmp_path / "nothing")
    Manifest("pairs", {}, [], {}).save(tmp_path)
    with pytest.raises(InputError, match="table must be 'vectors' in format 1; got 'pairs'"):
        Vectors.load(tmp_path)
    Manifest("vectors", {}, [], {}).save(tmp_path)
    with pytest.raises(InputError, match=r"got no vectors\.parquet"):
        Vectors.load(tmp_path)


def test_an_existing_table_is_kept_unless_overwritten(tmp_path: Path) -> None:
    planted().save(tmp_path / "v")
    with pytest.raises(ConfigError) as caught:
        planted(10).save(tmp_path / "v")
    assert str(caught.value) == (
        f"output must be new or empty; got other content ({tmp_path / 'v'}). Give another, or overwrite."
    )
    planted(10).save(tmp_path / "v", overwrite=True)
    assert len(Vectors.load(tmp_path / "v")) == 10
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="complete table"):
        planted().save(tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "v"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e39])
def test_a_component_that_is_not_finite_is_refused(bad: float) -> None:
    matrix = np.ones((3, 2))
    matrix[1, 1] = bad
    with pytest.raises(InputError, match=r"components must be finite; got (nan|inf) \(word 'b', component 1\)"):
        Vectors(["a", "b", "c"], matrix)


def test_saving_looks_again_for_what_is_not_finite(tmp_path: Path) -> None:
    matrix = np.ones((2, 2), np.float32)
    vectors = Vectors(["a", "b"], matrix)
    matrix[1, 0] = np.nan
    with pytest.raises(InputError, match=r"got nan \(word 'b', component 0\)"):
        vectors.save(tmp_path / "v")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "matrix", "counts", "message"),
    [
        (["a", "b", "a"], np.ones((3, 1)), None, "words must be unique; got 'a' twice (word_id 0 and 2). Keep one."),
        ([], np.ones((0, 1)), None, "words must be at least one; got none."),
        (["a", ""], np.ones((2, 1)), None, "words must not be empty; got nothing (word_id 1). Drop it."),
        (["a", None], np.ones((2, 1)), None, "words must not be empty; got nothing (word_id 1). Drop it."),
        (["\ud800"], np.ones((1, 1)), None, "words must be text that UTF-8 can hold; got "),
        ([1], np.ones((1, 1)), None, "words must be text that UTF-8 can hold; got "),
        (["a"], np.ones((2, 1)), None, "matrix must have shape (1, dim); got (2, 1). Give one row a word."),
        (["a"], np.ones(1), None, "matrix must have shape (1, dim); got (1,). Give one row a word."),
        (["a"], np.ones((1, 0)), None, "matrix must have shape (1, dim); got (1, 0). Give one row a word."),
        (["a"], [["x"]], None, "matrix and counts must be arrays of numbers; got "),
        (["a"], np.ones((1, 1)), [1, 2], "counts must have shape (1,); got (2,). Give one count a word."),
    ],
)
def test_impossible_vectors_are_refused(words, matrix, counts, message) -> None:
    with pytest.raises(InputError) as caught:
        Vectors(words, matrix, counts)
    assert str(caught.value).startswith(message)


def test_impossible_questions_are_refused() -> None:
    vectors = planted()
    with pytest.raises(ConfigError, match=r"topn must be at least 1; got 0\. Use 20\."):
        vectors.most_correlative("w1", 0)
    with pytest.raises(ConfigError, match="most frequent words must be at least 1; got 0"):
        vectors.most_similar("w1", context_words=0)
    with pytest.raises(ConfigError, match="must be lists of words; got 'w1'"):
        vectors.analogy("w1")
    with pytest.raises(InputError, match=r"vector must be finite and of shape \(5,\); got shape \(3,\)"):
        vectors.most_correlative([1, 2, 3])


def test_the_unknown_word_is_the_mean_of_the_hundred_rarest() -> None:
    random = np.random.default_rng(1)
    counts = random.permutation(np.arange(1, 151))
    known = Vectors([f"w{k}" for k in range(150)], random.normal(size=(150, 3)), counts)
    np.testing.assert_allclose(unknown_vector(known), known.matrix[counts <= 100].mean(axis=0), rtol=1e-5)
    assert unknown_vector(Vectors(["a", "b"], [[1.0], [2.0]])).tolist() == [1.5]
    with pytest.raises(InputError, match="words must leave <unk> free"):
        unknown_vector(Vectors(["a", "<unk>"], [[1.0], [2.0]]))
