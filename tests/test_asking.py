"""What vectors answer, against plain loops: passes, sentences, keywords, pmi, importance, explanations, one row of a pair table."""

import math
import pickle
import time
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_training import shard_of_word

from simglove_spark import effective_counts
from simglove_spark.asking import passes
from simglove_spark.asking.metric import Metric
from simglove_spark.asking.pair_table import PairTable
from simglove_spark.asking.sentences import UnknownWordsWarning
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.vectors import Vectors

SIZE, DIM = 80, 6


def vectors(seed: int = 3, size: int = SIZE) -> Vectors:
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((size, DIM)) + random.standard_normal(DIM)
    return Vectors([f"w{row}" for row in range(size)], matrix, 1000 // np.arange(1, size + 1))


def moments(known: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of an average text's words, by plain sums."""
    total = int(known.counts.sum())
    rows = [row.astype(np.float64) for row in known.matrix]
    mean = sum(int(n) / total * row for n, row in zip(known.counts, rows, strict=True))
    return mean, sum(
        int(n) / total * np.outer(row - mean, row - mean) for n, row in zip(known.counts, rows, strict=True)
    )


# passes


@pytest.mark.parametrize("block", [1, 7, 256, 1 << 15])
def test_a_pass_in_any_blocks_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    known = vectors(size=600)
    expected = [sum(float(x) * float(y) for x, y in zip(row, known["w7"], strict=True)) for row in known.matrix]
    lengths = [math.sqrt(sum(float(x) ** 2 for x in row)) for row in known.matrix]
    whole = passes.dots(known.matrix, known["w7"]), passes.lengths(known.matrix)
    monkeypatch.setattr(passes, "BLOCK_ROWS", block)
    monkeypatch.setattr(passes, "CACHED_ROWS", min(block, 256))
    np.testing.assert_array_equal(passes.dots(known.matrix, known["w7"]), whole[0])
    np.testing.assert_array_equal(passes.lengths(known.matrix), whole[1])
    np.testing.assert_allclose(whole[0], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(whole[1], lengths, rtol=1e-6)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), size=st.integers(2, 12), number=st.integers(0, 4), scores=st.integers(1, 40))
def test_the_best_of_many_are_those_of_a_full_sort(data, size: int, number: int, scores: int) -> None:
    small = st.integers(-2, 2)  # many ties
    matrix = np.array(data.draw(st.lists(st.tuples(small, small), min_size=size, max_size=size)), np.float32)
    asked = data.draw(st.lists(st.integers(0, size - 1), min_size=number, max_size=number))
    topn = data.draw(st.integers(1, size - 1))
    scale = np.array(data.draw(st.lists(st.sampled_from([1, 2]), min_size=size, max_size=size)), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "SCORES", scores)
        ids, found = passes.best_of_many(matrix, matrix[asked], topn, scale, asked)
    assert ids.shape == found.shape == (number, topn)
    for row, word in enumerate(asked):
        score = {other: float(matrix[word] @ matrix[other] / scale[other]) for other in range(size) if other != word}
        expected = sorted(score, key=lambda other: (-score[other], other))[:topn]
        assert ids[row].tolist() == expected
        assert found[row].tolist() == [score[other] for other in expected]


@pytest.mark.parametrize("measure", ["pmi", "cosine", "similarity"])
def test_many_words_have_the_neighbours_of_each(monkeypatch: pytest.MonkeyPatch, measure) -> None:
    known = vectors()
    monkeypatch.setattr(passes, "SCORES", 100)
    words = ["w5", "w0", "w79"]
    ids, scores = known.neighbours(words, 9, measure)
    for row, word in enumerate(words):
        one = {
            "pmi": lambda word: known.most_correlative(word, 9),
            "cosine": lambda word: known.most_correlative(word, 9, normalize=True),
            "similarity": lambda word: known.most_similar(word, 9),
        }[measure](word)
        assert [known.words[int(found)] for found in ids[row]] == [found for found, _ in one]
        np.testing.assert_allclose(scores[row], [score for _, score in one], rtol=1e-4, atol=1e-5)
    again, _ = known.neighbours(np.array([5, 0, 79]), 1000, measure)
    assert again.shape == (3, SIZE - 1)
    assert again[:, :9].tolist() == ids.tolist()


def test_a_word_alone_has_no_neighbours() -> None:
    ids, scores = Vectors(["alone"], np.ones((1, 2))).neighbours(["alone"], 3)
    assert (ids.shape, scores.shape) == ((1, 0), (1, 0))


def test_impossible_questions_for_neighbours_are_refused() -> None:
    known = vectors()
    with pytest.raises(ConfigError, match=r"measure must be one of pmi, cosine, similarity; got 'x'"):
        known.neighbours(["w1"], 1, "x")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"words must be a list of words; got 'w1'"):
        known.neighbours("w1")
    with pytest.raises(InputError, match=r"word ids must lie in \[0, 80\); got -1 to 80"):
        known.neighbours(np.array([-1, 80]))
    with pytest.raises(ConfigError, match="topn must be at least 1; got 0"):
        known.neighbours(["w1"], 0)


@pytest.mark.parametrize("dim", [1, 2, 5, 6, 7, 13])
@pytest.mark.parametrize("scale", [1e-12, 1, 1e12])
def test_lengths_in_a_metric_need_no_transformed_copy(dim: int, scale: float) -> None:
    random = np.random.default_rng(dim)
    matrix = (random.standard_normal((50, dim)) * scale).astype(np.float32)
    matrix[7] = 0
    metric = Metric(matrix, np.arange(50))
    moved = matrix.astype(np.float64) @ metric.factor
    expected = np.where(moved.any(axis=1), np.sqrt((moved**2).sum(axis=1)), 1)
    np.testing.assert_allclose(metric.lengths(matrix), expected, rtol=1e-5)
    np.testing.assert_allclose(metric.factor @ metric.factor.T, np.cov(matrix.T.astype(float), bias=True), rtol=1e-6)
    cosines = matrix @ metric.transformed(matrix[3]) / expected
    np.testing.assert_allclose(cosines, moved @ moved[3] / expected / expected[3], atol=1e-5)


def test_any_number_of_threads_get_the_same_answers_and_make_things_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known, alone = vectors(size=3000), vectors(size=3000)
    made: list[int] = []
    plain = passes.lengths

    def slowly(matrix: np.ndarray) -> np.ndarray:
        made.append(1)
        time.sleep(0.05)  # long enough for the others to come and ask
        return plain(matrix)

    monkeypatch.setattr(passes, "lengths", slowly)

    def ask(where: Vectors, turn: int) -> object:
        word = f"w{turn % 7}"
        return (
            where.most_similar(word, 5, 100 + turn % 3),  # the metrics take each other's place
            where.analogy([word], ["w9"], 5),
            where.keywords([word, "w1", "w2"], candidates="vocabulary"),
            where.importance("w50"),
        )

    expected = [ask(alone, turn) for turn in range(40)]
    made.clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda turn: ask(known, turn), range(40))) == expected
    assert made == [1]


def test_vectors_can_be_pickled_with_what_they_have_made() -> None:
    known = vectors()
    before = known.most_similar("w3"), known.keywords(["w1", "w2"])
    again = pickle.loads(pickle.dumps(known))
    assert (again.most_similar("w3"), again.keywords(["w1", "w2"])) == before


# sentences

TEXT = ["w3", "w70", "w3", "w12", "w41", "w9"]


def test_a_sentence_is_the_sum_or_mean_of_its_words() -> None:
    known = vectors()
    total = [sum(float(known[word][place]) for word in TEXT) for place in range(DIM)]
    np.testing.assert_allclose(known.sentence_vector(TEXT), total, rtol=1e-5)
    np.testing.assert_allclose(known.sentence_vector(TEXT, "mean"), np.array(total) / 6, rtol=1e-5)
    both = known.sentence_vectors([TEXT, ["w1"]], "mean")
    assert both.dtype == np.float32
    assert both[0].tobytes() == known.sentence_vector(TEXT, "mean").tobytes()
    assert known.sentence_vectors([]).shape == (0, DIM)


def test_sif_weighs_words_by_their_share_of_the_corpus() -> None:
    known = vectors()
    rows = {
        word: 0.001 / (0.001 + int(n) / int(known.counts.sum())) * known[word].astype(np.float64)
        for word, n in zip(known.words, known.counts, strict=True)
    }
    total = sum(rows[word] for word in TEXT)
    np.testing.assert_allclose(known.sentence_vector(TEXT, "sif"), total, rtol=1e-5)
    for candidates, words in (("text", set(TEXT)), ("vocabulary", known.words)):
        score = {word: float(rows[word] @ total) for word in words}
        found = known.keywords(TEXT, SIZE, "sif", candidates)
        assert [word for word, _ in found] == sorted(words, key=lambda word: -score[word])
        np.testing.assert_allclose([s for _, s in found], [score[w] for w, _ in found], rtol=1e-4, atol=1e-6)
    bare = Vectors(["a", "b"], np.eye(2))
    for ask in (lambda: bare.sentence_vector(["a"], "sif"), lambda: bare.keywords(["a"], measure="sif")):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert str(caught.value) == (
            "sif must have word counts; got vectors without. Use whitened for sentences, z for keywords."
        )


def test_whitened_words_of_an_average_text_have_covariance_one() -> None:
    known = vectors()
    alone = known.sentence_vectors([[word] for word in known.words], "whitened").astype(np.float64)
    weights = known.counts / known.counts.sum()
    np.testing.assert_allclose(weights @ alone, np.zeros(DIM), atol=1e-5)
    np.testing.assert_allclose((alone * weights[:, None]).T @ alone, np.eye(DIM), atol=1e-4)
    np.testing.assert_allclose(
        known.sentence_vector(TEXT, "whitened"),
        sum(alone[known.word_id(word)] for word in TEXT) / math.sqrt(6),
        rtol=1e-4,
    )


def test_sentences_are_compared_by_the_cosine_of_their_vectors() -> None:
    known = vectors()
    for how in ("whitened", "sum", "mean", "sif"):
        one, other = (known.sentence_vector(words, how).astype(float) for words in (TEXT, ["w1", "w2"]))
        expected = one @ other / math.sqrt((one @ one) * (other @ other))
        assert known.sentence_similarity(TEXT, ["w1", "w2"], how) == pytest.approx(expected, abs=1e-6)
    assert known.sentence_similarity(TEXT, TEXT[::-1]) == pytest.approx(1, abs=1e-6)


def naive_z(known: Vectors, text: list[str], word: str) -> float:
    mean, covariance = moments(known)
    vector = known[word].astype(np.float64)
    others = [known[other].astype(np.float64) - mean for other in text if other != word]
    return sum(float(vector @ other) for other in others) / math.sqrt(len(others) * (vector @ covariance @ vector))


def test_keywords_are_what_stands_out_of_an_average_text() -> None:
    known = vectors()
    for candidates, words in (("text", set(TEXT)), ("vocabulary", known.words)):
        expected = sorted(((word, naive_z(known, TEXT, word)) for word in words), key=lambda row: -row[1])
        found = known.keywords(TEXT, SIZE, candidates=candidates)
        assert [word for word, _ in found] == [word for word, _ in expected]
        np.testing.assert_allclose([z for _, z in found], [z for _, z in expected], rtol=1e-3, atol=1e-4)
    assert known.keywords(TEXT, 2) == known.keywords(TEXT)[:2]
    assert known.keywords(["w3", "w3"]) == [("w3", 0.0)]  # no other word speaks for it


def test_keywords_as_published_rank_by_the_sum_of_the_sentence() -> None:
    known = vectors()
    total = sum(known[word].astype(np.float64) for word in TEXT)
    for measure in ("inner", "cosine"):
        for candidates, words in (("text", set(TEXT)), ("vocabulary", known.words)):
            score = {word: float(known[word] @ total) for word in words}
            if measure == "cosine":
                score = {w: s / float(np.linalg.norm(known[w]) * np.linalg.norm(total)) for w, s in score.items()}
            found = known.keywords(TEXT, SIZE, measure, candidates)
            assert [word for word, _ in found] == sorted(words, key=lambda word: -score[word])
            np.testing.assert_allclose([s for _, s in found], [score[w] for w, _ in found], rtol=1e-4, atol=1e-5)


def test_a_planted_subject_is_found_under_lifted_stop_words_and_not_by_the_published_sum() -> None:
    """Two subjects along two axes; stop words have a large vector that every word shares, as evened counts make it."""
    random = np.random.default_rng(8)
    matrix = random.normal(0, 0.2, (300, 8))
    matrix[:100, 0] += 2  # one subject
    matrix[100:200, 1] += 2  # another
    matrix[:, 2] += 1
    matrix[200:210, 2] += 6  # stop words
    counts = np.full(300, 20)
    counts[200:210] = 5000
    known = Vectors([f"w{row}" for row in range(300)], matrix, counts)
    text = ["w200", "w5", "w201", "w17", "w202", "w250", "w8", "w203", "w150"]
    subject = {"w5", "w17", "w8"}
    assert {word for word, _ in known.keywords(text, 3)} == subject
    assert {word for word, _ in known.keywords(text, 3, "inner")} & subject == set()
    found = {int(word[1:]) for word, _ in known.keywords(text, 30, candidates="vocabulary")}
    assert max(found) < 100
    first, same, other = (["w200", "w201", f"w{a}", f"w{b}"] for a, b in ((1, 2), (3, 4), (101, 102)))
    assert known.sentence_similarity(first, same) > 0.5 > known.sentence_similarity(first, other)
    assert known.sentence_similarity(first, other, "sum") > 0.9


def test_unknown_words_are_passed_over_and_told() -> None:
    known = Vectors(["a", "b", "null"], [[1, 0], [0, 1], [0, 0]], [5, 5, 0])
    words = ["a", "x\x1b", "b", "null", "x\x1b", None]
    sentence = known.sentence(words)  # type: ignore[arg-type]
    assert (sentence.ids.tolist(), sentence.unknown) == ([0, 1], ("x\x1b", "null", None))
    with pytest.warns(UnknownWordsWarning) as told:
        assert known.sentence_vector(["a", *"stuvwxyz"]).tolist() == [1, 0]
    assert str(told[0].message) == "words outside the vocabulary were passed over: 's', 't', 'u', 'v', 'w', ..."
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert known.sentence_vector(sentence).tolist() == [1, 1]
        known.keywords(sentence)
    for ask in (known.sentence_vector, known.keywords, lambda words: known.sentence_similarity(words, ["a"])):
        with pytest.raises(InputError, match="sentence must have a word of the vocabulary's 3; got 'nobody'"):
            ask(["nobody"])
    with pytest.raises(InputError) as caught:
        known.sentence_vectors([["a"], []])
    assert str(caught.value) == (
        "sentence must have a word of the vocabulary's 3; got no word (sentence 1). Cut and spell it as the corpus is."
    )


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda v: v.sentence_vector(["w1"], "x"), "how must be one of sum, mean, sif, whitened; got 'x'. Use sum."),
        (
            lambda v: v.keywords(["w1"], measure="x"),
            "measure must be one of z, inner, cosine, sif; got 'x'. Use the first.",
        ),
        (lambda v: v.keywords(["w1"], candidates="x"), "candidates must be one of text, vocabulary; got 'x'."),
        (lambda v: v.keywords(["w1"], 0), "topn must be at least 1; got 0. Use 20."),
        (lambda v: v.explain("w1", "w2", 0), "topn must be at least 1; got 0. Use 20."),
    ],
)
def test_impossible_questions_of_sentences_are_refused(ask, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(vectors())
    assert str(caught.value).startswith(message)


def test_a_long_text_is_summed_without_a_copy_of_each_word() -> None:
    known = Vectors(["a", "b"], np.ones((2, 1000)))
    sentence = known.sentence(["a", "b"] * 50_000)
    tracemalloc.start()
    try:
        known.sentence_vector(sentence)
        known.keywords(sentence, measure="inner")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 50_000_000  # a copy of each would take 400,000,000


def test_a_message_holds_the_beginning_of_a_long_word() -> None:
    known, word = vectors(), "é" * (1 << 19)
    with pytest.raises(InputError) as caught:
        known.pmi(word, "w1")
    with pytest.raises(InputError) as of_sentence:
        known.keywords([word])
    assert max(len(str(caught.value)), len(str(of_sentence.value))) < 300


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.text(max_size=4) | st.sampled_from(["w1", "w2", "w50"]), max_size=8))
def test_any_words_have_keywords_or_an_error(words: list[str]) -> None:
    known = vectors()
    of_sentence = [word for word in words if word in known]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = known.keywords(words)
        except InputError:
            assert not of_sentence
            return
    assert {word for word, _ in found} == set(of_sentence)
    assert all(math.isfinite(score) for _, score in found)


# pmi, importance, explanations

UNIT = 4


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest, dict[str, int], tables.Pairs]:
    """A pair table and its vocabulary."""
    folder = tmp_path_factory.mktemp("counted")
    counts = tables.word_counts(SIZE)
    pairs = tables.random_pairs(SIZE, 600)
    vocabulary = tables.write_vocabulary(folder / "vocabulary", counts)
    tables.write_pairs(folder / "pairs", pairs, vocabulary, num_shards=5, unit=UNIT)
    return folder, vocabulary, counts, pairs


def trained(counted, tmp_path: Path, **config) -> Vectors:
    """Vectors whose manifest says that they were learned from those pairs."""
    _, vocabulary, counts, _ = counted
    known = vectors()
    made = Vectors(list(counts), known.matrix, list(counts.values()))
    made.save(tmp_path / "v", config=config, parents=[vocabulary.as_parent()])
    return Vectors.load(tmp_path / "v")


def test_a_row_is_that_of_the_whole_table(counted) -> None:
    folder, _, _, pairs = counted
    table = PairTable(folder / "pairs")
    for word in (0, 5, 79):
        expected = {(j if i == word else i): n / UNIT for (i, j), n in pairs.items() if word in (i, j)}
        contexts, found = table.row(word)
        assert contexts.tolist() == sorted(expected)
        assert dict(zip(contexts.tolist(), found.tolist(), strict=True)) == expected
    assert table.total_pairs == 2 * sum(pairs.values()) / UNIT


def test_a_row_touches_its_shard_and_its_row_group_alone(
    counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, vocabulary, _, pairs = counted
    tables.write_pairs(tmp_path / "pairs", pairs, vocabulary, num_shards=5, unit=UNIT)
    own = shard_of_word(7, 5)
    for entry in Manifest.load(tmp_path / "pairs", "pairs").own_files:
        if f"shard-{own:05d}" not in entry.path:
            (tmp_path / "pairs" / entry.path).unlink()
    expected = PairTable(folder / "pairs").row(7)
    assert [part.tolist() for part in PairTable(tmp_path / "pairs").row(7)] == [part.tolist() for part in expected]
    path = next((tmp_path / "pairs").glob("shard-*"))
    whole = pq.read_table(path)
    pq.write_table(whole, path, row_group_size=1)  # each cell a group of its own
    monkeypatch.setattr("simglove_spark.asking.pair_table.sized_path", lambda folder, entry: folder / entry.path)
    read: list[int] = []
    plain = pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_groups",
        lambda file, groups, **how: read.extend(groups) or plain(file, groups, **how),
    )
    assert PairTable(tmp_path / "pairs").row(7)[0].tolist() == expected[0].tolist()
    assert len(read) == len(expected[0])


def test_a_word_without_cells_and_broken_shards(counted, tmp_path: Path) -> None:
    _, vocabulary, _, _ = counted
    tables.write_pairs(tmp_path / "pairs", {(0, 1): 3}, vocabulary, num_shards=50)
    table = PairTable(tmp_path / "pairs")
    assert [part.tolist() for part in table.row(1)] == [[0], [3.0]]
    assert [part.size for part in table.row(2)] == [0, 0]
    path = next(path for path in (tmp_path / "pairs").glob(f"shard-{shard_of_word(0, 50):05d}*"))
    size = path.stat().st_size
    path.write_bytes(b"x" * size)
    with pytest.raises(InputError, match=r"shard must be whole Parquet; got .* \(.*shard-.*Count the pairs again"):
        table.row(0)
    path.write_bytes(b"x")
    with pytest.raises(InputError, match=f"must have {size:,} bytes; got 1 "):
        table.row(0)


def naive_pmi(counted, first: int, second: int) -> float | None:
    _, _, counts, pairs = counted
    count = pairs.get((min(first, second), max(first, second)))
    n, total = list(counts.values()), 2 * sum(pairs.values())
    if count is None:
        return None
    return math.log(count) - math.log(total) - math.log(n[first]) - math.log(n[second]) + 2 * math.log(sum(n))


@pytest.mark.parametrize("power", [1.0, 0.75, 0.0])
def test_pmi_is_predicted_and_observed(counted, tmp_path: Path, power: float) -> None:
    known, table = trained(counted, tmp_path, count_power=power), PairTable(counted[0] / "pairs")
    n = known.counts.astype(float)
    for first, second in ((0, 1), (3, 60), (7, 42), (79, 2)):
        found = known.pmi(f"w{first}", f"w{second}", table)
        inner = sum(float(x) * float(y) for x, y in zip(known.matrix[first], known.matrix[second], strict=True))
        evened = (1 - power) * (math.log(n[first]) + math.log(n[second]) - 2 * math.log(n.sum() / SIZE))
        assert (found.first, found.second) == (f"w{first}", f"w{second}")
        assert found.inner == pytest.approx(inner, rel=1e-6)
        assert found.predicted == pytest.approx(inner - evened, rel=1e-6)
        expected = naive_pmi(counted, first, second)
        assert found.observed == (expected if expected is None else pytest.approx(expected, rel=1e-9))
        assert (found.count == 0) == (expected is None)
    assert known.pmi("w3", "w60").count is None
    itself = known.pmi("w3", "w3", table)
    assert (itself.predicted, itself.observed, itself.count) == (None, None, None)
    assert itself.inner == pytest.approx(known.norm("w3") ** 2, rel=1e-6)


@pytest.mark.parametrize("config", [{"space": "separate"}, {"model": "glove"}])
def test_what_is_no_pmi_is_not_predicted(counted, tmp_path: Path, config: dict[str, str]) -> None:
    known = trained(counted, tmp_path, **config)
    assert known.pmi("w1", "w2").predicted is None
    lacking = Vectors(["a", "b"], [[1, 0], [0, 0]], [3, 0])
    assert lacking.pmi("a", "b").predicted is None
    assert Vectors(["a", "b"], [[1, 2], [3, 4]]).pmi("a", "b").predicted == 11


def test_counts_of_subsampled_text_are_those_beside_the_pairs(counted, tmp_path: Path) -> None:
    folder, vocabulary, _, pairs = counted
    tables.write_pairs(tmp_path / "pairs", pairs, vocabulary, unit=UNIT)
    less = np.arange(SIZE, 0, -1)
    (report, _) = effective_counts.write(tmp_path / "pairs", less)
    manifest = Manifest.load(tmp_path / "pairs", "pairs")
    manifest.files.append(tables.entry(report))
    manifest.config["subsample"] = 1e-3
    manifest.details["total_words"] = int(less.sum())
    manifest.save(tmp_path / "pairs")
    table, counts = PairTable(tmp_path / "pairs"), vectors().counts
    assert table.word_counts(counts).tolist() == less.tolist()
    assert PairTable(folder / "pairs").word_counts(counts) is counts
    known = trained(counted, tmp_path)
    (first, second), count = next(iter(pairs.items()))
    expected = math.log(count * less.sum() ** 2 / (2 * sum(pairs.values())) / less[first] / less[second])
    assert known.pmi(f"w{first}", f"w{second}", table).observed == pytest.approx(expected, rel=1e-9)


def test_pairs_of_another_vocabulary_are_refused(counted, tmp_path: Path) -> None:
    table = PairTable(counted[0] / "pairs")
    other = tables.write_vocabulary(tmp_path / "other", {"w1": 2, "w2": 1})
    vectors().save(tmp_path / "v", parents=[other.as_parent()])
    for known, own in ((Vectors.load(tmp_path / "v"), other.content_sha256[:12]), (vectors(), "None")):
        with pytest.raises(InputError) as caught:
            known.explain("w1", "w2", pairs=table)
        assert str(caught.value) == (
            f"pairs must be counted under the vectors' vocabulary, {own}; got {counted[1].content_sha256[:12]} "
            f"({counted[0] / 'pairs'}). Give the pairs of the same run."
        )


@pytest.mark.parametrize("least", [1, 5])
def test_what_was_counted_beside_a_word_comes_by_its_pmi(counted, tmp_path: Path, least: float) -> None:
    _, _, counts, pairs = counted
    known, table, n = trained(counted, tmp_path), PairTable(counted[0] / "pairs"), list(counts.values())
    seen = {(second if first == 2 else first): x / UNIT for (first, second), x in pairs.items() if 2 in (first, second)}
    expected = sorted((c for c in seen if seen[c] >= least and c != 2), key=lambda c: (-seen[c] / n[c], c))
    assert len(expected) > 5
    assert (least == 1) == (len(expected) > len([c for c in seen if seen[c] >= 5]))
    assert known.observed("w2", table, SIZE, least) == [known.pmi("w2", f"w{c}", table) for c in expected]
    assert known.observed("w2", table, 3, least) == known.observed("w2", table, SIZE, least)[:3]


def test_predicted_contexts_are_those_that_stand_out_for_both() -> None:
    known = vectors()
    mean, covariance = moments(known)

    def z(word: str, context: str) -> float:
        vector = known[context].astype(np.float64)
        return float(vector @ (known[word] - mean)) / math.sqrt(vector @ covariance @ vector)

    score = {word: min(z("w4", word), z("w30", word)) for word in known.words if word not in ("w4", "w30")}
    expected = [word for word in sorted(score, key=lambda word: -score[word]) if score[word] > 0]
    assert 20 < len(expected) < SIZE - 2
    found = known.explain("w4", "w30", SIZE)
    assert [context.word for context in found.contexts] == expected
    np.testing.assert_allclose([c.score for c in found.contexts], [score[w] for w in expected], rtol=1e-3, atol=1e-5)
    assert found.contexts[0].first == known.pmi("w4", expected[0])
    assert found.contexts[0].second == known.pmi("w30", expected[0])
    assert found.pmi == known.pmi("w4", "w30")
    assert found.similarity == pytest.approx(dict(known.most_similar("w4", SIZE))["w30"], abs=1e-6)
    assert known.explain("w4", "w30", 3).contexts == found.contexts[:3]


def test_observed_contexts_are_those_seen_with_both_more_often_than_by_chance(counted, tmp_path: Path) -> None:
    _, _, counts, pairs = counted
    known, table = trained(counted, tmp_path, count_power=0.75), PairTable(counted[0] / "pairs")
    n, total = list(counts.values()), 2 * sum(pairs.values()) / UNIT

    def discounted(word: int, context: int) -> float:
        seen = pairs[min(word, context), max(word, context)] / UNIT
        chance = n[word] * n[context] * total / sum(n) ** 2
        return math.log(seen / chance) * seen / (seen + 1)

    both = {
        other
        for other in range(SIZE)
        if other not in (70, 71)
        and (min(70, other), max(70, other)) in pairs
        and (min(71, other), max(71, other)) in pairs
    }
    score = {other: min(discounted(70, other), discounted(71, other)) for other in both}
    expected = [word for word in sorted(score, key=lambda word: -score[word]) if score[word] > 0]
    assert len(expected) > 1
    found = known.explain("w70", "w71", SIZE, table)
    assert [context.word for context in found.contexts] == [f"w{word}" for word in expected]
    np.testing.assert_allclose([c.score for c in found.contexts], [score[word] for word in expected], rtol=1e-9)
    assert found.contexts[0].second == known.pmi("w71", f"w{expected[0]}", table)
    assert known.explain("w70", "w70", 5, table).pmi.count is None


def test_importance_is_a_place_among_all_and_among_words_as_frequent() -> None:
    random = np.random.default_rng(4)
    norms = random.random(300) + np.linspace(3, 0, 300)  # frequent words are longer
    known = Vectors([f"w{row}" for row in range(300)], norms[:, None], np.append(np.arange(299, 0, -1) * 10, 0))
    for row in (0, 19, 20, 41, 150, 290, 298, 299):
        found = known.importance(f"w{row}")
        assert found.norm == pytest.approx(norms[row], rel=1e-6)
        assert found.percentile == pytest.approx(100 * np.mean(norms < norms[row]), abs=1e-6)
        peers = [other for other in range(row - row // 2, min(299, row + row // 2 + 1)) if other != row]
        if row < 20 or row == 299:
            assert found.among_peers is None
        else:
            assert found.among_peers == pytest.approx(100 * np.mean(norms[peers] < norms[row]), abs=1e-6)
