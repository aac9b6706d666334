"""Phrases on real Spark and real files: the tables of the joined text, whoever joins it."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import naive
import pyarrow.parquet as pq
import pytest
import yaml
from test_counting import WINDOW, all_files, checksums, context, corpus_of, rows_of

from simglove_spark import counting, merging, text_ranges
from simglove_spark.cli import main
from simglove_spark.config import CorpusConfig, PhrasesConfig, RunConfig, VocabularyConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.progress import Progress
from simglove_spark.schemas import PHRASES, describe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]
KEEP = VocabularyConfig(min_count=4)
JOIN = PhrasesConfig(min_count=6, threshold=0.3)
TABLES = ("phrases", "word_counts", "vocabulary", "pairs")


def write_text() -> bytes:
    """Rows of single words, of what belongs together (partly overlapping), and of a word spelled as a joined one."""
    choice = random.Random(3)
    units = [
        "new york city",
        "new york",
        "york city",
        "bora bora",
        "as is",
        "飞 机 场",
        "new",
        "city",
        "new_york",
        "is",
    ]
    units += [f"w{number}" for number in range(9)] + [f"rare{number}" for number in range(60)]
    weights = [9, 6, 5, 7, 9, 6, 2, 2, 2, 9] + [9 - number for number in range(9)] + [0.1] * 60
    return "\n".join(" ".join(choice.choices(units, weights, k=choice.randrange(25))) for _ in range(90)).encode()


def naive_phrases(rows: list[list[bytes]], config: PhrasesConfig) -> dict[tuple[bytes, bytes], tuple[int, float]]:
    counts = naive.count_words(rows)
    known = naive.vocabulary(counts, KEEP.min_count)
    total = sum(counts[word] for word in known)
    pairs = naive.count_neighbours(rows, known)
    scores = {pair: (n, round(naive.npmi(n, counts[pair[0]], counts[pair[1]], total), 6)) for pair, n in pairs.items()}
    return {p: (n, score) for p, (n, score) in scores.items() if n >= config.min_count and score >= config.threshold}


def run_all(corpus: CorpusConfig, output: Path, rounds: int = 2) -> Path:
    """Words, phrases in rounds, and pairs under the last vocabulary; returns the folder of the last."""
    counting.count_words(corpus, KEEP, output / "0", context())
    for number in range(rounds):
        counting.find_phrases(corpus, JOIN, output / str(number), output / str(number + 1), context())
    last = output / str(rounds)
    counting.count_pairs(corpus, WINDOW, last / "vocabulary", last / "pairs", context())
    return last


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text joined in two rounds, for tests that only look; beside the folders lies corpus.txt."""
    folder = tmp_path_factory.mktemp("phrases")
    (folder / "corpus.txt").write_bytes(write_text())
    run_all(corpus_of(folder / "corpus.txt"), folder)
    return folder


def test_each_round_finds_what_plain_loops_find_and_counts_the_joined_text(built: Path) -> None:
    rows, told, rounds = [row.split() for row in naive.lines(write_text())], [], []
    for number in (1, 2):
        found = naive_phrases(rows, JOIN)
        assert found, "the text must have phrases in both rounds"
        rounds.append({pair: b"_".join(pair) for pair in found})
        rows = [naive.join(row, rounds[-1:]) for row in rows]
        ordered = sorted(found, key=lambda pair: (-found[pair][0], pair))
        told += [(number, *(word.decode() for word in (*pair, b"_".join(pair))), *found[pair]) for pair in ordered]
        folder, counts = built / str(number), naive.count_words(rows)
        assert [row[:5] for row in rows_of(folder, "phrases")] == [row[:5] for row in told]
        assert [row[5] for row in rows_of(folder, "phrases")] == pytest.approx([row[5] for row in told], abs=2e-6)
        assert dict(rows_of(folder, "word_counts")) == {word.decode(): count for word, count in counts.items()}
        ids = naive.vocabulary(counts, KEEP.min_count)
        files = pq.read_table(next((folder / "vocabulary").glob("vocabulary-*.parquet"))).to_pylist()
        expected = [(word.decode(), identity, counts[word]) for word, identity in ids.items()]
        assert [tuple(row.values()) for row in files] == expected
    assert {(b"bora", b"bora"), (b"new", b"york")} <= set(rounds[0])
    assert any(b"_" in first + second and second != b"new_york" for first, second in rounds[1])
    cells = {(word, other): count for word, other, count in rows_of(built / "2", "pairs")}
    assert cells == naive.count_pairs(rows, ids, WINDOW.window_size, WINDOW.distance_weighting)


def test_the_tables_have_the_bytes_of_counting_joined_text(built: Path, tmp_path: Path) -> None:
    table = rows_of(built / "2", "phrases")
    rounds = [{(row[1].encode(), row[2].encode()): row[3].encode() for row in table if row[0] == n} for n in (1, 2)]
    text = b"\n".join(b" ".join(naive.join(row.split(), rounds)) for row in naive.lines(write_text()))
    (tmp_path / "joined.txt").write_bytes(text)
    corpus, output = corpus_of(tmp_path / "joined.txt"), tmp_path / "run"
    counting.count_words(corpus, KEEP, output, context())
    counting.count_pairs(corpus, WINDOW, output / "vocabulary", output / "pairs", context())
    for name in ("word_counts", "vocabulary", "pairs"):
        assert set(checksums(output, name)) == {
            entry for entry in checksums(built / "2", name) if not entry[0].startswith("_")
        }


def test_one_line_shared_by_many_tasks_gives_the_bytes_that_spark_reading_it_whole_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(write_text().replace(b"\n", b" ").strip())
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress((tmp_path / "a.txt").read_bytes()))
    whole = run_all(corpus_of(tmp_path / "b.txt.gz"), tmp_path / "whole")
    monkeypatch.setattr(text_ranges, "MOST_BYTES", 999)
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 100)
    shared = run_all(corpus_of(tmp_path / "a.txt"), tmp_path / "shared")
    for table in TABLES:
        assert checksums(shared, table) == checksums(whole, table)
        assert Manifest.load(shared / table, table).details == Manifest.load(whole / table, table).details


def test_the_tables_are_as_they_are_told(built: Path, spark: "SparkSession") -> None:
    phrases, words = (Manifest.load(built / "2" / table, table) for table in ("phrases", "vocabulary"))
    counts = Manifest.load(built / "2" / "word_counts", "word_counts")
    assert phrases.schema == describe(PHRASES)
    assert phrases.details == {"rounds": 2, "counters": {"bad_words": 0}}
    assert {**JOIN.__dict__, "lowercase": False}.items() <= phrases.config.items()
    assert phrases.parents == [Manifest.load(built / "1" / "vocabulary", "vocabulary").as_parent()]
    assert counts.parents == [phrases.as_parent()]
    assert words.parents == [counts.as_parent(), phrases.as_parent()]
    companion = next(entry for entry in words.files if entry.path == "_phrases.parquet")
    assert (companion.rows, companion.sha256) == (0, phrases.files[0].sha256)
    assert words.rows == words.details["vocabulary_size"]
    for folder, manifest in (("phrases", phrases), ("vocabulary", words)):
        listed = {entry.path for entry in manifest.files} | {"_manifest.json"}
        assert {path.name for path in (built / "2" / folder).iterdir()} == listed
    assert spark.read.parquet(str(built / "2" / "vocabulary")).count() == words.rows


def test_what_is_done_is_left_alone_and_starts_no_spark(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("Spark was started")

    corpus, before = corpus_of(built / "corpus.txt"), all_files(built)
    monkeypatch.setattr(counting.context, "start_session", refuse)
    run_all(corpus, built)
    with pytest.raises(ConfigError, match=r"threshold is 0\.3 there and 0\.9 here"):
        counting.find_phrases(corpus, PhrasesConfig(min_count=6, threshold=0.9), built / "0", built / "1", context())
    with pytest.raises(ConfigError, match="it was made from another vocabulary"):
        counting.find_phrases(corpus, JOIN, built / "0", built / "2", context())
    assert all_files(built) == before


def refusals(built: Path) -> dict[str, tuple[Callable[[], Any], type[Exception], str]]:
    corpus, words = corpus_of(built / "corpus.txt"), built / "0"
    (built / "more.txt").write_bytes(b"a b")

    def find(corpus: CorpusConfig = corpus, config: PhrasesConfig = JOIN, output: Path = built / "new") -> Any:
        return lambda: counting.find_phrases(corpus, config, words, output, context())

    return {
        "itself": (
            find(output=words),
            ConfigError,
            f"--output must be another folder than --words; got the same ({words}). Give another --output.",
        ),
        "other words": (
            find(config=PhrasesConfig(min_count=7), output=built / "plain"),
            ConfigError,
            f"output must be new or hold what phrases wrote; got word_counts without phrases ({built / 'plain'}). "
            "Give another --output, or --overwrite to build all anew.",
        ),
        "none": (
            find(config=PhrasesConfig(min_count=9999, threshold=0.9)),
            InputError,
            f"corpus must hold phrases; got none with --min-count 9999 and --threshold 0.9 ({built / 'corpus.txt'}). "
            f"Lower them, or count pairs under {words / 'vocabulary'}.",
        ),
        "case": (
            find(corpus_of(built / "corpus.txt", lowercase=True)),
            ConfigError,
            f"--lowercase must be as the vocabulary was counted; got True ({words / 'vocabulary'}). "
            "Give the same option to both stages.",
        ),
        "corpus": (
            find(corpus_of(built / "more.txt")),
            InputError,
            f"vocabulary must be counted from the same input, unchanged since; got one of {built / 'corpus.txt'} "
            f"({words / 'vocabulary'}). Count the words of {built / 'more.txt'} first.",
        ),
    }


@pytest.mark.parametrize("name", ["itself", "other words", "none", "case", "corpus"])
def test_what_cannot_be_is_refused_and_leaves_nothing(built: Path, name: str) -> None:
    if name == "other words":
        counting.count_words(corpus_of(built / "corpus.txt"), KEEP, built / "plain", context())
    call, kind, message = refusals(built)[name]
    before = all_files(built)
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
    assert all_files(built) == before
    assert not list((built / "new").glob("*"))


def test_a_part_of_the_input_is_not_enough(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(b"x y x y x y x y x y\n")
    counting.count_words(corpus_of(tmp_path / "a.txt", tmp_path / "b.txt"), KEEP, tmp_path / "0", context())
    with pytest.raises(InputError) as caught:
        counting.find_phrases(corpus_of(tmp_path / "a.txt"), JOIN, tmp_path / "0", tmp_path / "1", context())
    assert str(caught.value) == (
        f"phrases must be sought in all the vocabulary's input; got 1 of 2 files ({tmp_path / '0' / 'vocabulary'}). "
        "Give the same --input."
    )


def test_a_vocabulary_that_lost_its_phrases_is_refused(built: Path, tmp_path: Path) -> None:
    vocabulary = tmp_path / "vocabulary"
    vocabulary.mkdir()
    for path in (built / "2" / "vocabulary").iterdir():
        (vocabulary / path.name).write_bytes(path.read_bytes())
    (vocabulary / "_phrases.parquet").unlink()
    with pytest.raises(InputError, match=r"_phrases\.parquet must exist; got nothing"):
        counting.count_pairs(corpus_of(built / "corpus.txt"), WINDOW, vocabulary, tmp_path / "pairs", context())


def test_parts_with_phrases(tmp_path: Path) -> None:
    """Words are merged before phrases are found in the whole; pairs of parts under its vocabulary are merged as ever."""
    lines = write_text().split(b"\n")
    for part in range(2):
        (tmp_path / f"{part}.txt").write_bytes(b"\n".join(lines[part * 45 : part * 45 + 45]))
    paths = [tmp_path / "0.txt", tmp_path / "1.txt"]
    whole = run_all(corpus_of(*paths), tmp_path / "whole", rounds=1)
    for path in paths:
        counting.count_pairs(corpus_of(path), WINDOW, whole / "vocabulary", tmp_path / f"pairs{path.stem}", context())
    merged = tmp_path / "merged" / "pairs"
    parts = [tmp_path / "pairs0", tmp_path / "pairs1"]
    merging.merge_pairs(parts, whole / "vocabulary", merged, RunConfig(), Progress())
    assert checksums(tmp_path / "merged", "pairs") == checksums(whole, "pairs")
    counting.count_words(corpus_of(paths[0]), KEEP, tmp_path / "plain", context())
    with pytest.raises(ConfigError) as caught:
        merging.merge_words(
            [tmp_path / "plain" / "word_counts", whole / "word_counts"], KEEP, tmp_path / "no", RunConfig(), Progress()
        )
    assert str(caught.value) == (
        "parts must be counted without phrases, which are found in the whole; got joined words "
        f"({whole / 'word_counts'}). Merge what count-words wrote, then join: simglove phrases."
    )


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corpus.txt").write_bytes(write_text())
    corpus = ["--input", str(tmp_path / "corpus.txt")]
    words, joined, pairs = (str(tmp_path / name) for name in ("words", "joined", "pairs"))
    phrases = ["phrases", *corpus, "--words", words, "--output", joined, "--min-count", "6", "--joiner", ""]
    assert main(["count-words", *corpus, "--output", words, "--min-count", "4"]) == 0
    capsys.readouterr()
    for _ in range(2):
        assert main(phrases) == 0
        found = Manifest.load(tmp_path / "joined" / "phrases", "phrases")
        kept = Manifest.load(tmp_path / "joined" / "vocabulary", "vocabulary")
        out = capsys.readouterr().out
        assert out == f"{found.rows} phrases are in {joined}/phrases, {kept.rows} words in {joined}/vocabulary.\n"
    saved = yaml.safe_load((tmp_path / "joined" / "phrases.yaml").read_text())
    assert {"words": words, "output": joined, "min-count": 6, "threshold": 0.5, "joiner": ""}.items() <= saved.items()
    assert main([*phrases, "--threshold", "0.6"]) == 2
    assert "threshold is 0.5 there and 0.6 here" in capsys.readouterr().err
    other = ["--output", str(tmp_path / "other"), "--joiner", "a b"]
    assert main(["phrases", *corpus, "--words", words, *other]) == 2
    assert "--joiner must be printable and without white space; got 'a b'. Use _." in capsys.readouterr().err
    vocabulary = ["--vocabulary", f"{joined}/vocabulary"]
    assert main(["count-pairs", *corpus, *vocabulary, "--output", pairs]) == 0
    vectors = ["--output", str(tmp_path / "vectors")]
    assert main(["train", *vocabulary, "--pairs", pairs, *vectors, "--dim", "4", "--sweeps", "2"]) == 0
    capsys.readouterr()
    assert main(["similar", "borabora", "--vectors", str(tmp_path / "vectors"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert not (tmp_path / "other").exists()
