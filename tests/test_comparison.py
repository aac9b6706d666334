"""Bootstrap draws, intervals, and models compared on the words they share."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import besides
from test_evaluate import naive_pearson, naive_spearman, write

from simglove_spark import cli
from simglove_spark.errors import InputError
from simglove_spark.evaluate import Measure, compare, load_model, read_set, shared_words, statistics
from simglove_spark.evaluate.statistics import draws, interval, scores
from simglove_spark.export import save_vectors
from simglove_spark.vectors import Vectors

NAIVE = {"mean": lambda x, _: sum(x) / len(x), "spearman": naive_spearman, "pearson": naive_pearson}
ITEMS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=9)


@pytest.mark.parametrize("name", NAIVE)
@settings(max_examples=60, deadline=None)
@given(items=ITEMS, seed=st.integers(0, 9), block=st.sampled_from([1, 20, 1 << 21]))
def test_draws_are_scored_as_if_their_items_were_written_out(
    name: str, items: list[tuple[int, int]], seed: int, block: int
) -> None:
    first, second = (np.array(side, dtype=float) for side in zip(*items, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "BLOCK_ITEMS", block)
        blocks = list(draws(len(items), 7, seed))
    assert sum(map(len, blocks)) == 7
    for weights in blocks:
        found = scores(name, first, second, weights)
        for row, score in zip(weights, found, strict=True):
            assert row.sum() == len(items)
            drawn = np.repeat(np.arange(len(items)), row.astype(int))
            expected = NAIVE[name](first[drawn].tolist(), second[drawn].tolist())
            assert np.isnan(score) if expected is None else score == pytest.approx(expected, abs=1e-9)


def test_draws_depend_on_seed_and_number_alone() -> None:
    first, again, other = (next(iter(draws(50, 9, seed))) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """A share of .3, from 200 items, 300 times over: the interval misses it about 5 times in 100."""
    random = np.random.default_rng(0)
    missed = 0
    for seed in range(300):
        values = (random.random(200) < 0.3).astype(float)
        ends = interval(Measure("x", "all", values).drawn(400, seed))
        assert ends is not None
        missed += not ends[0] <= 0.3 <= ends[1]
    assert 3 <= missed <= 33  # 15 expected; a binomial passes these bounds less than once in 10,000


def test_paired_draws_tell_what_separate_ones_cannot() -> None:
    random = np.random.default_rng(1)
    gold = random.random(300)
    one = Measure("x", "all", gold + random.normal(0, 0.5, 300), gold, "pearson")
    two = Measure("x", "all", one.values + random.normal(0, 0.02, 300), gold, "pearson")
    paired = interval(two.drawn(500, 1) - one.drawn(500, 1))
    apart = interval(two.drawn(500, 1) - one.drawn(500, 2))
    assert paired is not None and apart is not None
    assert paired[1] - paired[0] < (apart[1] - apart[0]) / 5


def test_one_item_and_all_ties_have_no_interval() -> None:
    assert interval(Measure("x", "all", np.array([1.0, np.nan])).drawn(5, 1)) is None
    assert interval(Measure("x", "all", np.ones(4), np.ones(4), "pearson").drawn(5, 1)) is None


def models() -> list[Vectors]:
    """Three models, which share b, c, d and e; the first lacks counts, the third has zeros for a."""
    random = np.random.default_rng(4)
    third = random.standard_normal((6, 3))
    third[0] = 0
    return [
        Vectors(["e", "d", "c", "b", "a"], random.standard_normal((5, 3))),
        Vectors(["a", "b", "c", "d", "e", "f"], random.standard_normal((6, 4)), [60, 50, 40, 30, 20, 10]),
        Vectors(["a", "c", "b", "e", "d", "g"], third, [6, 5, 4, 3, 2, 1]),
    ]


PAIRS = "a\tb\t1\nb\tc\t2\nc\td\t3\nd\te\t5\nb\te\t4\nf\tb\t1\n"


def test_shared_words_have_the_first_models_order_and_the_first_counts() -> None:
    given = models()
    shared = shared_words(given)
    for own, common in zip(given, shared, strict=True):
        assert list(common.words) == ["e", "d", "c", "b"]
        assert common.counts.tolist() == [20, 30, 40, 50]
        for word in common.words:
            assert np.array_equal(common[word], own[word])
    same = shared_words([given[1], given[1]])
    assert np.shares_memory(same[0].matrix, same[1].matrix)  # nothing is copied
    with pytest.raises(InputError, match="vectors to be compared must share words; got none in common"):
        shared_words([given[0], Vectors(["x"], [[1.0]])])


@pytest.mark.parametrize("trend", [False, True])
def test_differences_are_of_the_same_items(tmp_path: Path, trend: bool) -> None:
    one = read_set(write(tmp_path / "p.txt", PAIRS))
    shared = shared_words(models())
    (found,) = compare([one], shared, 1, 200, trend)
    assert [measure.found for measure in found.measures] == [4, 4, 4]
    own = [one.judge(model, 1).measure("spearman") for model in shared]
    for difference in found.differences:
        against = difference.model - 1 if trend else 0
        assert difference.against == against
        assert difference.score == pytest.approx(own[difference.model].score - own[against].score)
        assert difference.interval == interval(own[difference.model].drawn(200, 1) - own[against].drawn(200, 1))
    assert [difference.model for difference in found.differences] == [1, 2]
    assert compare([one], shared, 1, 0)[0].differences[0].interval is None


def test_a_model_against_itself_differs_by_nothing(tmp_path: Path) -> None:
    one = read_set(write(tmp_path / "p.txt", PAIRS))
    (found,) = compare([one], shared_words([models()[1], models()[1]]), 1, 100)
    assert (found.differences[0].score, found.differences[0].interval) == (0, (0, 0))


def test_models_are_tables_and_files_of_other_tools(tmp_path: Path) -> None:
    vectors = models()[1]
    vectors.save(tmp_path / "table")
    formats = ("word2vec-text", "word2vec-binary", "glove-text", "safetensors")
    for name in formats:
        save_vectors(vectors, tmp_path / name, name)
    for name in ("table", *formats):
        assert load_model(tmp_path / name).matrix.tobytes() == vectors.matrix.tobytes()
    with pytest.raises(InputError, match="got nothing"):
        load_model(tmp_path / "none")


# --- the command ---


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert cli.main(["evaluate", *map(str, arguments)]) == 0
    out, err = capsys.readouterr()
    assert besides(err) == ""
    return out


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"evil[red]\x1b[31m{number}" for number in range(3)]
    for folder, vectors in zip(found, models(), strict=True):
        vectors.save(folder)
    write(tmp_path / "p[red]\x1b.txt", PAIRS)
    return found


def test_the_command_compares_in_json_and_in_tables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folders: list[Path]
) -> None:
    given = ["--vectors", *folders, "--sets", tmp_path / "p[red]\x1b.txt", "--resamples", 50]
    told = json.loads(evaluate(capsys, *given, "--trend", "--json"))
    assert [model["vectors"] for model in told["models"]] == [str(folder) for folder in folders]
    assert [model["results"][0]["found"] for model in told["models"]] == [5, 6, 4]
    assert told["shared"]["words"] == 4
    (result,) = told["shared"]["results"]
    assert (result["measure"], result["found"], result["total"]) == ("spearman", 4, 6)
    pairs = [(difference["vectors"], difference["against"]) for difference in result["differences"]]
    assert pairs == [(str(folders[1]), str(folders[0])), (str(folders[2]), str(folders[1]))]
    for difference, after, before in zip(result["differences"], result["scores"][1:], result["scores"], strict=False):
        assert difference["difference"] == pytest.approx(after - before)
    out = evaluate(capsys, *given, "--trend")
    assert "\x1b" not in out
    assert "[red]" in out
    assert "on the 4 words that all share" in out
    for difference in result["differences"]:
        assert f"{difference['difference']:+.3f}" in out
        assert "{:+.3f} to {:+.3f}".format(*difference["interval"]) in out
    assert evaluate(capsys, *given, "--trend") == out  # draws are seeded


def test_intervals_stand_with_every_score_and_can_be_left_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folders: list[Path]
) -> None:
    write(tmp_path / "c.txt", "a\tx\nb\tx\nc\ty\nd\ty\n")
    write(tmp_path / "s.txt", "a b.\tc d\t1\nb b\te c\t5\nd\tb a e\t3\n")
    (tmp_path / "k" / "docsutf8").mkdir(parents=True)
    (tmp_path / "k" / "keys").mkdir()
    write(tmp_path / "k" / "docsutf8" / "1.txt", "a b c")
    write(tmp_path / "k" / "keys" / "1.key", "a b\nd")
    given = ["--vectors", folders[1], "--categories", tmp_path / "c.txt", "--sentences", tmp_path / "s.txt"]
    given += ["--keywords", tmp_path / "k", "--json"]
    results = json.loads(evaluate(capsys, *given))["results"]
    assert [result["kind"] for result in results] == ["categories", "sentences", "keywords"]
    for result in results[:2]:
        low, high = result["interval"]
        assert low <= result["score"] <= high
    assert results[2]["interval"] is None  # of one document
    none = json.loads(evaluate(capsys, *given, "--resamples", 0))["results"]
    assert [result["interval"] for result in none] == [None] * 3
    assert [result["score"] for result in none] == [result["score"] for result in results]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--resamples", "-1"], 2, r"--resamples must lie between 0 and 1,000,000; got -1\. Use 1000\."),
        (["--seed", "-1"], 2, "--seed must lie between 0 and"),
        (["--sets", "none.txt"], 3, r"evaluation set must be a file; got nothing \(.*none\.txt\)"),
        (["--vectors", "none"], 3, r"got nothing \("),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    folders: list[Path],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    given = ["evaluate", "--vectors", str(folders[1]), "--sets", str(tmp_path / "p[red]\x1b.txt"), *arguments]
    assert cli.main(given) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(message, err)
    assert besides(err).count("\n") == 1
