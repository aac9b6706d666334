"""Tables merged with weights: twice is twice, and the whole without a part is the very table of the rest."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import flags, refused, simglove
from test_counting import all_files, rows_of

from simglove_spark import cooccurrence, merging
from simglove_spark.config import BuildConfig, TrainConfig, VocabularyConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest, new_manifest
from simglove_spark.progress import Progress
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.table_files import write_file
from simglove_spark.training_inputs import check_pairs

SIZE = 9
KEEP_ALL = VocabularyConfig(min_count=1)
WORDS = st.dictionaries(st.sampled_from([f"w{n}é" for n in range(SIZE)]), st.integers(1, 2**40), max_size=SIZE)
PAIRS = st.dictionaries(
    st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)).filter(lambda pair: pair[0] < pair[1]),
    st.integers(1, 2**40),
    max_size=30,
)


def told(name: str) -> dict[str, Any]:
    """An input as a manifest tells of it."""
    return {"path": f"/{name}", "bytes": 5, "modified": 6}


def write_words(folder: Path, counts: dict[str, int], *inputs: dict[str, Any]) -> Path:
    """A word_counts table in one file."""
    folder.mkdir(parents=True)
    ordered = sorted(counts, key=str.encode)
    table = pa.table([ordered, [counts[word] for word in ordered]], schema=WORD_COUNTS)
    files = [tables.entry(write_file(folder, "words-00000", WORD_COUNTS, [table]))]
    details = {"total_words": sum(counts.values()), "counters": {"rows": len(counts), "bad_words": 0}}
    new_manifest(
        "word_counts",
        WORD_COUNTS,
        files,
        {"column": None, "lowercase": False, "normalize": "none"},
        inputs=list(inputs),
        details=details,
    ).save(folder)
    return folder


def write_pairs(folder: Path, pairs: tables.Pairs, words: Path, *inputs: dict[str, Any]) -> Path:
    """A pair table of three shards."""
    parent = Manifest.load(words, "vocabulary")
    manifest = tables.write_pairs(folder, pairs, parent)
    replace(manifest, inputs=list(inputs), details={**manifest.details, "counters": {"bad_words": len(inputs)}}).save(
        folder
    )
    return folder


def merge_words(output: Path, *parts: Path, weights: tuple[int, ...] = ()) -> Manifest:
    merging.merge_words(list(parts), KEEP_ALL, output, BuildConfig(), Progress(), weights)
    return Manifest.load(output / "word_counts", "word_counts")


def merge_pairs(output: Path, words: Path, *parts: Path, weights: tuple[int, ...] = ()) -> Manifest:
    return merging.merge_pairs(list(parts), words, output, BuildConfig(), Progress(), weights)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    tables.write_vocabulary(tmp_path / "vocabulary", tables.word_counts(SIZE))
    return tmp_path / "vocabulary"


@pytest.fixture(scope="module")
def small_groups() -> Iterator[None]:
    """Row groups of few cells, so that dropped cells move their bounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cooccurrence, "CELLS_PER_GROUP", 7)
        yield


# --- subtraction ---


@settings(max_examples=30, deadline=None)
@given(st.lists(WORDS, min_size=3, max_size=3))
def test_words_of_the_whole_without_a_part_are_those_of_the_rest(
    tmp_path_factory: pytest.TempPathFactory, counts: list[dict[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("words")
    counts[0] = {"a": 1, "b": 2, **counts[0]}
    parts = [write_words(folder / str(n), part, told(str(n))) for n, part in enumerate(counts)]
    merge_words(folder / "whole", *parts)
    rest = merge_words(folder / "rest", *parts[:2])
    left = merge_words(folder / "left", folder / "whole" / "word_counts", parts[2], weights=(1, -1))
    assert left == rest
    assert all_files(folder / "left") == all_files(folder / "rest")
    assert dict(rows_of(folder / "left", "word_counts")) == Counter(counts[0]) + Counter(counts[1])


@settings(max_examples=30, deadline=None)
@given(st.lists(PAIRS, min_size=3, max_size=3))
def test_pairs_of_the_whole_without_a_part_are_those_of_the_rest(
    tmp_path_factory: pytest.TempPathFactory, small_groups: None, counts: list[tables.Pairs]
) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    words = folder / "vocabulary"
    tables.write_vocabulary(words, tables.word_counts(SIZE))
    counts[0] = {(0, 1): 5, **counts[0]}
    parts = [write_pairs(folder / str(n), part, words, told(str(n))) for n, part in enumerate(counts)]
    merge_pairs(folder / "whole", words, *parts)
    rest = merge_pairs(folder / "rest" / "pairs", words, *parts[:2])
    left = merge_pairs(folder / "left" / "pairs", words, parts[2], folder / "whole", weights=(-1, 1))
    assert left == rest
    assert all_files(folder / "left") == all_files(folder / "rest")
    found = {(word, other): count for word, other, count in rows_of(folder / "left", "pairs")}
    assert {pair: count for pair, count in found.items() if pair[0] < pair[1]} == Counter(counts[0]) + Counter(
        counts[1]
    )
    assert all(found[other, word] == count for (word, other), count in found.items())


def test_parts_may_overlap_when_there_are_weights(tmp_path: Path, words: Path) -> None:
    a, b, c = ({(0, 1): 1, (1, 2): n} for n in (10, 20, 30))
    ab = write_pairs(tmp_path / "ab", {(0, 1): 2, (1, 2): 30}, words, told("a"), told("b"))
    bc = write_pairs(tmp_path / "bc", {(0, 1): 2, (1, 2): 50}, words, told("b"), told("c"))
    only_b = write_pairs(tmp_path / "b", b, words, told("b"))
    each = [write_pairs(tmp_path / f"only-{n}", part, words, told(n)) for n, part in (("a", a), ("b", b), ("c", c))]
    whole = merge_pairs(tmp_path / "whole", words, *each)
    assert merge_pairs(tmp_path / "joined", words, ab, bc, only_b, weights=(1, 1, -1)) == whole
    with pytest.raises(InputError, match="parts must be of different inputs; got /b twice"):
        merge_pairs(tmp_path / "twice", words, ab, bc)
    with pytest.raises(InputError, match="parts must be of different inputs; got /b twice"):
        merge_pairs(tmp_path / "twice", words, ab, bc, weights=(1, 1))
    changed = write_pairs(tmp_path / "changed", b, words, {**told("b"), "modified": 7})
    with pytest.raises(InputError, match="an input must be the same in all parts; got /b, which changed between them"):
        merge_pairs(tmp_path / "two", words, ab, changed, weights=(1, -1))


def test_weights_stand_with_the_inputs_and_add_up(tmp_path: Path) -> None:
    a, b = (
        write_words(tmp_path / "a", {"x": 3, "y": 1}, told("a")),
        write_words(tmp_path / "b", {"x": 2, "z": 4}, told("b")),
    )
    twice = merge_words(tmp_path / "twice", a, b, weights=(2, 1))
    assert dict(rows_of(tmp_path / "twice", "word_counts")) == {"x": 8, "y": 2, "z": 4}
    assert twice.inputs == [{**told("a"), "weight": 2}, told("b")]
    assert twice.details == {"total_words": 14, "counters": {"rows": 6, "bad_words": 0}}
    assert Manifest.load(tmp_path / "twice" / "vocabulary", "vocabulary").inputs == twice.inputs
    once = merge_words(tmp_path / "once", tmp_path / "twice" / "word_counts", a, weights=(1, -1))
    assert once == merge_words(tmp_path / "plain", a, b)
    assert "weight" not in once.inputs[0]
    before = all_files(tmp_path / "twice")
    merge_words(tmp_path / "twice", a, b, weights=(2, 1))
    assert all_files(tmp_path / "twice") == before
    with pytest.raises(ConfigError, match="the input /a is new or changed"):
        merge_words(tmp_path / "twice", a, b, weights=(3, 1))


# --- what cannot be ---


def test_what_is_below_zero_is_named(tmp_path: Path, words: Path) -> None:
    a, b = write_words(tmp_path / "a", {"x": 3, "y": 1}, told("a")), write_words(tmp_path / "b", {"y": 4}, told("b"))
    with pytest.raises(InputError) as error:
        merge_words(tmp_path / "out", a, b, weights=(1, -1))
    assert str(error.value) == (
        f"what is left of a word 'y' must be 0 or more; got -3 ({a}). Take away only what was counted in the other parts."
    )
    one = write_pairs(tmp_path / "one", {(0, 1): 5, (2, 7): 3}, words, told("a"))
    other = write_pairs(tmp_path / "other", {(2, 7): 4}, words, told("b"))
    with pytest.raises(InputError, match=r"what is left of a pair '(w2' 'w7|w7' 'w2)' must be 0 or more; got -1 "):
        merge_pairs(tmp_path / "out", words, one, other, weights=(1, -1))
    with pytest.raises(InputError, match="parts must hold pairs, and some must be left; got none of 2 tables"):
        merge_pairs(tmp_path / "out", words, one, one, weights=(1, -1))
    with pytest.raises(InputError, match="parts must hold word counts, and some must be left; got none of 2 tables"):
        merge_words(tmp_path / "out", a, a, weights=(-2, 2))
    assert not (tmp_path / "out" / "word_counts").exists()


def test_what_is_no_set_of_weights(tmp_path: Path) -> None:
    a, b = (
        write_words(tmp_path / "a", {"x": 3, "y": 1}, told("a")),
        write_words(tmp_path / "b", {"y": 2**61}, told("b")),
    )
    for weights in ((1,), (1, 2, 3), (1, 0)):
        with pytest.raises(
            ConfigError, match="--weights must be one whole number, not 0, for each of the 2 parts; got 1"
        ):
            merge_words(tmp_path / "out", a, b, weights=weights)
    merge_words(tmp_path / "much", a, b, weights=(1, 3))
    with pytest.raises(
        InputError, match=r"counts times weights must be at most 9,223,372,036,854,775,807 together; got"
    ):
        merge_words(tmp_path / "out", a, b, weights=(1, -4))


def test_pairs_of_other_weights_are_not_trained_on(tmp_path: Path) -> None:
    a, b = (
        write_words(tmp_path / "a", {"x": 3, "y": 1}, told("a")),
        write_words(tmp_path / "b", {"x": 2, "z": 4}, told("b")),
    )
    merge_words(tmp_path, a, b, weights=(2, 1))
    words = tmp_path / "vocabulary"
    parts = [write_pairs(tmp_path / f"p{n}", {(0, 1): 2}, words, told(n)) for n in "ab"]
    merge_pairs(tmp_path / "once", words, *parts)
    with pytest.raises(
        InputError, match="pairs must count each input as often as the vocabulary does; got other weights"
    ):
        check_pairs(tmp_path / "once", words, TrainConfig())
    merge_pairs(tmp_path / "twice", words, *parts, weights=(2, 1))
    assert check_pairs(tmp_path / "twice", words, TrainConfig()).details["total_pairs"] == 12


def test_a_finished_merge_is_seen_before_its_parts_are_read(tmp_path: Path) -> None:
    a, b = (write_words(tmp_path / n, {"x": 3, "y": 1}, told(n)) for n in "ab")
    merge_words(tmp_path / "out", a, b)
    for path in a.glob("*.parquet"):
        path.unlink()
    merge_words(tmp_path / "out", a, b)
    with pytest.raises(InputError, match="must exist; got nothing"):
        merge_words(tmp_path / "new", a, b)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Path) -> None:
    a, b = write_words(tmp_path / "a", {"x": 3, "y": 1}, told("a")), write_words(tmp_path / "b", {"x": 2}, told("b"))
    made = ["merge-words", "--parts", a, b, "--output", tmp_path / "w", "--min-count", "1"]
    assert simglove(capsys, *made, "--weights", "2", "-1")[0] == 0
    assert rows_of(tmp_path / "w", "vocabulary") == [("x", 0, 4), ("y", 1, 2)]
    assert "--weights must be one whole number" in refused(capsys, 2, *made, "--weights", "2")
    (tmp_path / "half.yaml").write_text("weights: [2, 1.5]")
    for half in (["--weights", "2", "1.5"], ["--config", tmp_path / "half.yaml"]):
        assert "must be a whole number; got '1.5'" in refused(capsys, 2, *made, *half)
    again = ["merge-words", "--config", tmp_path / "w" / "merge-words.yaml", "--output", tmp_path / "again"]
    assert simglove(capsys, *again)[0] == 0
    assert rows_of(tmp_path / "again", "vocabulary") == rows_of(tmp_path / "w", "vocabulary")
    parts = [write_pairs(tmp_path / f"p{n}", {(0, 1): 2}, words, told(n)) for n in "ab"]
    pairs = [
        "merge-pairs",
        "--parts",
        *parts,
        "--vocabulary",
        words,
        "--output",
        tmp_path / "p",
        "--weights",
        "3",
        "-2",
    ]
    assert simglove(capsys, *pairs)[:2] == (0, f"2 cells are in {tmp_path / 'p'}.\n")
    for command in ("merge-words", "merge-pairs"):
        assert not {"threads", "max-runtime"} & set(flags(command))
        assert {"memory", "overwrite", "weights"} <= set(flags(command))
