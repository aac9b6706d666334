"""Phrases beside other ways of reading, choosing and counting: honoured alike, or refused before anything is done."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import naive
import pytest
from test_counting import WINDOW, all_files, checksums, context, corpus_of, rows_of
from test_phrases import JOIN, KEEP, naive_phrases, run_all, write_text
from test_text_ranges import documents

from simglove_spark import counting, frames, importing, pair_export, text_ranges
from simglove_spark.config import BuildConfig, CorpusConfig, ImportConfig, PairsConfig, VocabularyConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.phrase_table import load_phrases
from simglove_spark.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]
DASHES = b"new - york\n"  # a dash is no word for Unicode's boundaries


def joined_rows(rows: list[list[bytes]]) -> list[naive.Row]:
    return [naive.join(row, [{pair: b"_".join(pair) for pair in naive_phrases(rows, JOIN)}]) for row in rows]


def assert_counted(folder: Path, rows: list[naive.Row]) -> None:
    counts = naive.count_words(rows)
    assert dict(rows_of(folder, "word_counts")) == {word.decode(): count for word, count in counts.items()}
    ids = naive.vocabulary(counts, KEEP.min_count)
    cells = {(word, other): count for word, other, count in rows_of(folder, "pairs")}
    assert cells == naive.count_pairs(rows, ids, WINDOW.window_size, WINDOW.distance_weighting)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text joined in one round, for tests that only look; beside the folders lies corpus.txt."""
    folder = tmp_path_factory.mktemp("combined")
    (folder / "corpus.txt").write_bytes(write_text())
    run_all(corpus_of(folder / "corpus.txt"), folder, rounds=1)
    return folder


def test_documents_and_tokenizers_are_those_of_the_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (write_text() + b"\n" + DASHES * 9).splitlines(keepends=True)
    text = b"".join(line + b" \n" * (number % 3 == 0) for number, line in enumerate(lines))
    (tmp_path / "corpus.txt").write_bytes(text)
    monkeypatch.setattr(text_ranges, "MOST_BYTES", 700)
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 100)
    corpus = corpus_of(tmp_path / "corpus.txt", document_break="blank-line", tokenizer="words")
    folder = run_all(corpus, tmp_path, rounds=1)
    rows = [[word for word in row.split() if word != b"-"] for row in documents(text, "blank-line")]
    assert_counted(folder, joined_rows(rows))
    with pytest.raises(ConfigError, match="--document-break must be as the vocabulary was counted; got line"):
        other = corpus_of(tmp_path / "corpus.txt", tokenizer="words")
        counting.find_phrases(other, JOIN, tmp_path / "0", tmp_path / "other", context())


def test_bad_files_of_the_words_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_bytes(write_text())
    (tmp_path / "broken.txt.gz").write_bytes(b"\x1f\x8b but no more")
    corpus = corpus_of(tmp_path / "corpus.txt", tmp_path / "broken.txt.gz", on_bad_file="skip")
    folder = run_all(corpus, tmp_path, rounds=1)
    assert_counted(folder, joined_rows([row.split() for row in naive.lines(write_text())]))
    for table in ("phrases", "word_counts", "vocabulary", "pairs"):
        (bad,) = Manifest.load(folder / table, table).bad_files
        assert bad["path"] == str(tmp_path / "broken.txt.gz")
    before = all_files(tmp_path)
    assert run_all(corpus, tmp_path, rounds=1) == folder
    assert all_files(tmp_path) == before


def test_a_data_frame_is_counted_joined(built: Path, spark: "SparkSession") -> None:
    rows = [(line.decode(),) for line in naive.lines(write_text())]
    options = {"window_size": WINDOW.window_size, "distance_weighting": WINDOW.distance_weighting}
    found = frames.count_pairs(spark.createDataFrame(rows, "text string"), built / "1" / "vocabulary", **options)
    assert sorted(tuple(row) for row in found.collect()) == sorted(rows_of(built / "1", "pairs"))


def test_imported_pairs_keep_the_phrases_of_their_words(built: Path, tmp_path: Path) -> None:
    words, pairs = built / "1" / "vocabulary", built / "1" / "pairs"
    pair_export.export_pairs(pairs, words, "parquet", tmp_path / "out", False, Progress())
    options = ImportConfig(format="parquet", unit=Manifest.load(pairs, "pairs").details["unit"])
    given = (str(tmp_path / "out" / "pairs.parquet"),)
    importing.import_pairs(given, str(words), tmp_path / "back", options, BuildConfig(), Progress())
    assert checksums(tmp_path / "back", "vocabulary") == checksums(built / "1", "vocabulary")
    assert load_phrases(tmp_path / "back" / "vocabulary", "vocabulary").equals(load_phrases(words, "vocabulary"))


def told_with(built: Path, folder: Path, **changes: Any) -> Path:
    """Folder of words whose vocabulary's manifest tells this besides."""
    words = Manifest.load(built / "0" / "vocabulary", "vocabulary")
    inputs = [{**entry, **changes.pop("inputs", {})} for entry in words.inputs]
    (folder / "vocabulary").mkdir()
    replace(words, config={**words.config, **changes}, inputs=inputs).save(folder / "vocabulary")
    return folder


CHANGES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    name: (
        change,
        ConfigError,
        f"--words must be counted without --{name}, which cannot be told of joined words; got words counted with it ({{}}). "
        "Count them without it.",
    )
    for name, change in {
        "vocabulary": {"vocabulary": "sha256:0"},
        "deny-list": {"deny_list": "sha256:0"},
        "min-documents": {"min_documents": 2},
    }.items()
}
CHANGES["weights"] = (
    {"inputs": {"weight": 2}},
    InputError,
    "phrases must be sought where each input counts once; got other --weights ({}). Merge the words without.",
)


@pytest.mark.parametrize("name", CHANGES)
def test_words_that_cannot_be_chosen_again_are_refused(built: Path, tmp_path: Path, name: str) -> None:
    change, kind, message = CHANGES[name]
    words = told_with(built, tmp_path, **change)
    with pytest.raises(kind) as caught:
        counting.find_phrases(corpus_of(built / "corpus.txt"), JOIN, words, tmp_path / "new", context())
    assert str(caught.value) == message.format(words / "vocabulary")
    assert not (tmp_path / "new").exists()


def under_phrases(corpus: CorpusConfig, words: Path, output: Path) -> dict[str, tuple[Callable[[], Any], str]]:
    own = VocabularyConfig(vocabulary=str(words))
    return {
        "subsample": (
            lambda: counting.count_pairs(corpus, PairsConfig(subsample=1e-3), words, output, context()),
            f"--subsample must be left out where phrases are joined; got 0.001 ({words}). "
            "Leave it out, or give a vocabulary without phrases.",
        ),
        "vocabulary": (
            lambda: counting.count_words(corpus, own, output, context()),
            f"--vocabulary must be counted without phrases, which count-words does not join; got joined words ({words}). "
            "Give the one they were found under, then join: simglove phrases.",
        ),
    }


@pytest.mark.parametrize("name", ["subsample", "vocabulary"])
def test_what_would_lose_phrases_is_refused(built: Path, tmp_path: Path, name: str) -> None:
    call, message = under_phrases(corpus_of(built / "corpus.txt"), built / "1" / "vocabulary", tmp_path / "new")[name]
    with pytest.raises(ConfigError) as caught:
        call()
    assert str(caught.value) == message
    assert not (tmp_path / "new").exists()
