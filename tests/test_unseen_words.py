"""Words of count 0, which a vocabulary that people gave may hold: they take no part in training and harm nothing."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables

from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.evaluate import read_set
from simglove_spark.export import load_word2vec, save_vectors
from simglove_spark.presets import PRESETS
from simglove_spark.progress import Progress
from simglove_spark.trainer import Trained, train
from simglove_spark.training import train_vectors
from simglove_spark.unknown import unknown_vector
from simglove_spark.vectors import Vectors

RUN = RunConfig(threads=1, memory="1g")  # with more, AdaGrad gives other bytes each time
UNSEEN = {f"unseen{number}": 0 for number in range(30)}
SETTINGS: dict[str, dict[str, Any]] = {
    "rows": {"sweeps": 3},
    "no ridge": {"sweeps": 2, "l2": 0.0, "count_power": 1.0},
    "odd powers": {"sweeps": 2, "all_pairs_power": -0.5, "count_power": 0.0},
    "separate": {"sweeps": 2, "space": "separate", "hand_out": "sum", "held_out": 0.1},
    "huber": {"sweeps": 2, "loss": "simglove_spark.kernels.losses:huber"},
    "simpler-glove": {**PRESETS["simpler-glove"], "epochs": 2},
    "glove": {**PRESETS["glove"], "epochs": 2},
}


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def road(folder: Path, counts: dict[str, int], pairs: tables.Pairs, weighting: str = "harmonic") -> Path:
    manifest = tables.write_vocabulary(folder / "vocabulary", counts)
    tables.write_pairs(folder / "pairs", pairs, manifest, weighting=weighting)
    return folder


def trained(folder: Path, config: TrainConfig) -> Trained:
    return train(folder / "vocabulary", folder / "pairs", config, RUN, Progress())


def config_of(setting: str) -> TrainConfig:
    options = {"dim": 6, **SETTINGS[setting]}
    names = TrainConfig.__dataclass_fields__
    return TrainConfig(**{name: value for name, value in options.items() if name in names})


@pytest.mark.parametrize("setting", SETTINGS)
def test_unseen_words_get_zeros_and_the_others_the_vectors_that_they_get_without_them(
    tmp_path: Path, setting: str
) -> None:
    _, counts, pairs = tables.planted_model(90, 3, 60_000)
    config = config_of(setting)
    weighting = "flat" if setting == "simpler-glove" else "harmonic"
    alone = trained(road(tmp_path / "alone", counts, pairs, weighting), config)
    more = trained(road(tmp_path / "more", {**counts, **UNSEEN}, pairs, weighting), config)
    assert np.isfinite(more.vectors).all()
    assert not more.vectors[90:].any()
    assert all(np.isfinite(value) for record in more.passes for value in record.values())
    if setting == "glove":  # its biases begin as components of the words at the other end
        return
    assert np.array_equal(more.vectors[:90], alone.vectors)
    told = [[{k: v for k, v in record.items() if "loss" in k} for record in one.passes] for one in (alone, more)]
    assert told[0] == told[1]


def test_ids_in_any_order_are_learned_as_well(tmp_path: Path) -> None:
    """The ids of a vocabulary that people gave say nothing of frequency: the planted vectors are found all the same."""
    planted, counts, pairs = tables.planted_model(90, 3, 400_000)
    place = np.random.default_rng(3).permutation(120)  # of each word among those with 30 unseen ones
    words = {**counts, **UNSEEN}
    shuffled = dict(sorted(words.items(), key=lambda entry: place[list(words).index(entry[0])]))
    moved = {tuple(sorted((int(place[i]), int(place[j])))): count for (i, j), count in pairs.items()}
    config = TrainConfig(dim=3, count_power=1.0, all_pairs_weight=0.0, l2=0.1, sweeps=8)
    learned = trained(road(tmp_path / "own", shuffled, moved), config).vectors[place[:90]]
    expected, found = planted @ planted.T, learned @ learned.T
    often = np.triu_indices(40, 1)
    assert np.corrcoef(expected[often], found[often])[0, 1] > 0.9
    assert not trained(tmp_path / "own", config).vectors[place[90:]].any()


def test_an_unseen_word_keeps_its_earlier_vector(tmp_path: Path) -> None:
    _, counts, pairs = tables.planted_model(40, 3, 30_000)
    names = list(counts)
    first = road(tmp_path / "first", counts, pairs)
    config = TrainConfig(dim=4, sweeps=2)
    train_vectors(first / "vocabulary", first / "pairs", first / "vectors", config, RUN, Progress())
    earlier = Vectors.load(first / "vectors")
    gone = {**counts, names[7]: 0, "new": 5, "unseen": 0}
    left = {pair: count for pair, count in pairs.items() if 7 not in pair}
    second = road(tmp_path / "second", gone, {**left, (3, 40): 4})
    for solver in ("rows", "adagrad"):
        weight = 1e-3 if solver == "rows" else 0.0
        again = TrainConfig(
            dim=4, sweeps=1, epochs=1, solver=solver, all_pairs_weight=weight, start_from=str(first / "vectors")
        )
        vectors = trained(second, again).vectors
        assert np.array_equal(vectors[7], earlier.matrix[7])
        assert not vectors[41].any()
        assert vectors[40].any() and not np.array_equal(vectors[3], earlier.matrix[3])


@pytest.fixture
def vectors() -> Vectors:
    """Four words that were seen and two, first and last, that were not."""
    matrix = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [-1, 1], [0, 0]], np.float32)
    return Vectors(["none", "a", "b", "c", "d", "never"], matrix, [0, 3, 9, 5, 1, 0])


def test_unseen_words_are_not_among_the_most_frequent(vectors: Vectors) -> None:
    assert vectors.most_frequent(3).tolist() == [2, 3, 1]
    assert vectors.most_frequent(6).tolist() == [2, 3, 1, 4]
    uncounted = Vectors(vectors.words, vectors.matrix)
    assert uncounted.most_frequent(6).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.allclose(unknown_vector(vectors), vectors.matrix[1:5].mean(axis=0))


def test_questions_to_and_about_unseen_words_have_answers(vectors: Vectors) -> None:
    for ask in (vectors.most_similar, vectors.most_correlative):
        assert {score for _, score in ask("never", topn=5)} == {0.0}
        assert dict(ask("b", topn=5))["none"] == 0
    assert vectors.most_correlative("never", normalize=True)[0][1] == 0
    assert vectors.analogy(["never", "a"], ["none"])[0][0] == "b"
    seen = Vectors(list("abcd"), vectors.matrix[1:5], vectors.counts[1:5])
    ours = [(word, score) for word, score in vectors.most_similar("b", 5) if len(word) == 1]
    assert ours == seen.most_similar("b", 3)  # zeros would have moved the contexts' mean


def test_evaluation_passes_over_words_without_a_vector(vectors: Vectors, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("a\tb\t9\nb\tc\t5\nnever\ta\t1\na\tc\t3\n")
    (tmp_path / "a.txt").write_text(": x\na b c d\nnever b c d\n")
    pairs = read_set(tmp_path / "s.txt").judge(vectors, 1).measure("spearman")
    assert (pairs.found, pairs.total) == (3, 4)
    questions = read_set(tmp_path / "a.txt").judge(vectors, 1)
    assert (questions.measure("3CosAdd").found, questions.measure("3CosAdd").total) == (1, 2)
    assert "over the 4 most frequent words" in questions.setting


def test_export_keeps_the_order_of_ids(vectors: Vectors, tmp_path: Path) -> None:
    save_vectors(vectors, tmp_path / "v.txt", "word2vec-text")
    again = load_word2vec(tmp_path / "v.txt")
    assert list(again.words) == list(vectors.words)
    assert np.array_equal(again.matrix, vectors.matrix)
