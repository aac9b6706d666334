"""--subsample on real Spark and real files: the same tables however the work is cut, merged, or where the files lie."""

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import naive
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_counting import KEEP_ALL, WINDOW, all_files, checksums, context, corpus_of, nothing_left, rows_of, run_stages
from test_merging import data_files
from test_subsampling import Chances, chances_of, expected, left_of_file, left_of_row

from simglove_spark import counting, effective_counts, merging, text_ranges
from simglove_spark.cleaning import AS_IT_IS
from simglove_spark.cli import main
from simglove_spark.config import RunConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]
THINNED = replace(WINDOW, subsample=0.01)


def check(run: Path, rows: list[bytes], left: Callable[[Chances], list[list[bytes]]]) -> None:
    """Pairs, counts and sums are those of what is ``left`` with the chances that the rows' counts give."""
    counts = naive.count_words(rows)
    ids = naive.vocabulary(counts)
    pairs, effective = expected(left(chances_of(counts, 0.01)), WINDOW.window_size, False, ids)
    manifest = Manifest.load(run / "pairs", "pairs")
    cells = Counter()
    for entry in manifest.own_files:
        for word, other, count in zip(*pq.read_table(run / "pairs" / entry.path).to_pydict().values(), strict=True):
            cells[word, other] = count
    assert cells == pairs
    found = effective_counts.read(run / "pairs", manifest, len(ids))
    assert found is not None
    assert found.tolist() == effective
    assert manifest.details["total_pairs"] == sum(pairs.values())
    assert manifest.details["total_words"] == manifest.details["counters"]["kept_words"] == sum(effective)
    assert 0 < sum(effective) < 0.9 * sum(counts.values())


@pytest.fixture(scope="module")
def thinned(tmp_path_factory: pytest.TempPathFactory, small_text: bytes) -> Path:
    """The small text counted with subsampling."""
    folder = tmp_path_factory.mktemp("thinned")
    (folder / "corpus.txt").write_bytes(small_text)
    return run_stages(corpus_of(folder / "corpus.txt"), folder / "run", pairs=THINNED)


def test_a_file_gives_the_pairs_and_counts_of_what_is_left(
    thinned: Path, small_text: bytes, spark: "SparkSession"
) -> None:
    path = thinned.parent / "corpus.txt"
    check(thinned, naive.lines(small_text), lambda keep: list(left_of_file(small_text, path, AS_IT_IS, keep)))
    manifest = Manifest.load(thinned / "pairs", "pairs")
    assert {item.name for item in (thinned / "pairs").iterdir()} == {
        "_manifest.json",
        *(entry.path for entry in manifest.files),
    }
    assert manifest.config["subsample"] == 0.01
    assert [entry.rows for entry in manifest.files if entry.path.startswith("_effective_counts-")] == [0]
    frame = spark.read.parquet(str(thinned / "pairs"))
    assert frame.columns == ["word_id", "context_id", "count"]
    assert frame.count() == manifest.rows == len(rows_of_shards(thinned))


def rows_of_shards(run: Path) -> list[dict]:
    manifest = Manifest.load(run / "pairs", "pairs")
    return [row for entry in manifest.own_files for row in pq.read_table(run / "pairs" / entry.path).to_pylist()]


def test_many_tasks_little_memory_and_another_folder_give_the_same_bytes(
    thinned: Path, tmp_path: Path, small_text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_ranges, "MOST_BYTES", 1999)
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 100)
    (tmp_path / "corpus.txt").write_bytes(small_text)
    output = run_stages(corpus_of(tmp_path / "corpus.txt"), tmp_path / "run", pairs=THINNED, worker_memory="1k")
    assert checksums(output, "pairs") == checksums(thinned, "pairs")
    assert Manifest.load(output / "pairs", "pairs").details == Manifest.load(thinned / "pairs", "pairs").details


def test_rows_that_spark_hands_over_are_decided_by_their_bytes(tmp_path: Path, small_text: bytes) -> None:
    rows = naive.lines(small_text)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(small_text))
    for part in range(3):
        table = pa.table({"text": pa.array(rows[part::3], pa.binary())})
        pq.write_table(table, tmp_path / f"{part}.parquet")
    given = {"gz": corpus_of(tmp_path / "a.txt.gz"), "parquet": corpus_of(tmp_path / "*.parquet", column="text")}
    runs = [run_stages(corpus, tmp_path / name, pairs=THINNED) for name, corpus in given.items()]
    check(runs[0], rows, lambda keep: [left_of_row(row, AS_IT_IS, keep) for row in rows])
    assert checksums(runs[0], "pairs") == checksums(runs[1], "pairs")


def test_parts_merged_are_the_bytes_of_counting_at_once(tmp_path: Path, small_text: bytes) -> None:
    lines = small_text.split(b"\n")
    texts = [b"\n".join(lines[:100]), b"\n".join(lines[100:]), b"\n".join(lines[5].split()[:3])]
    for day, text in enumerate(texts):  # of the last day no pair may be left, and its counts count all the same
        (tmp_path / f"day{day}.txt").write_bytes(text if day < 2 else text.replace(b" ", b"\n"))
        counting.count_words(corpus_of(tmp_path / f"day{day}.txt"), KEEP_ALL, tmp_path / str(day), context())
    parts = [tmp_path / str(day) / "word_counts" for day in range(3)]
    merging.merge_words(parts, KEEP_ALL, tmp_path / "merged", RunConfig(), Progress())
    words = tmp_path / "merged" / "vocabulary"
    for day in range(3):
        counting.count_pairs(
            corpus_of(tmp_path / f"day{day}.txt"), THINNED, words, tmp_path / str(day) / "pairs", context()
        )
    parts = [tmp_path / str(day) / "pairs" for day in range(3)]
    merged = merging.merge_pairs(parts, words, tmp_path / "pairs", RunConfig(), Progress())
    everything = corpus_of(*(tmp_path / f"day{day}.txt" for day in range(3)))
    whole = counting.count_pairs(everything, THINNED, words, tmp_path / "whole", context())
    assert data_files(tmp_path / "pairs") == data_files(tmp_path / "whole") != {}
    assert merged == whole
    assert sum(Manifest.load(part, "pairs").details["total_words"] for part in parts) == whole.details["total_words"]
    two = merging.merge_pairs(parts[:2], words, tmp_path / "two", RunConfig(), Progress())
    again = merging.merge_pairs([tmp_path / "two", parts[2]], words, tmp_path / "again", RunConfig(), Progress())
    assert again == whole != two
    plain = tmp_path / "plain"
    counting.count_pairs(corpus_of(tmp_path / "day0.txt"), WINDOW, words, plain, context())
    with pytest.raises(ConfigError, match=r"parts must be counted with the same options; got subsample 0\.01"):
        merging.merge_pairs([plain, parts[1]], words, tmp_path / "none", RunConfig(), Progress())
    counts = next(parts[1].glob("_effective_counts-*"))
    counts.write_bytes(counts.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"_effective_counts-.*changed or damaged"):
        merging.merge_pairs(parts, words, tmp_path / "none", RunConfig(), Progress())
    assert not (tmp_path / "none").exists()


def test_nothing_left_is_refused_and_says_what_to_do(thinned: Path, tmp_path: Path) -> None:
    corpus, words = corpus_of(thinned.parent / "corpus.txt"), thinned / "vocabulary"
    with pytest.raises(InputError) as caught:
        counting.count_pairs(corpus, replace(WINDOW, subsample=1e-30), words, tmp_path / "pairs", context())
    assert str(caught.value) == (
        f"corpus must hold pairs of vocabulary words; got none ({corpus.input[0]}). Every row has at most one word: "
        "check --column, or raise --window-size or --subsample."
    )
    assert nothing_left(tmp_path / "pairs")


def test_the_command_line_from_text_to_vectors(
    thinned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(thinned.parent / "corpus.txt", tmp_path)
    road = ["run", "--input", str(tmp_path / "corpus.txt"), "--output", str(tmp_path / "run"), "--min-count", "1"]
    road += ["--window-size", "3", "--num-shards", "3", "--dim", "4", "--master", "local[2,4]"]
    assert main([*road, "--subsample", "0.01"]) == 0
    told = capsys.readouterr().err
    left = Manifest.load(thinned / "pairs", "pairs").details["total_words"]
    assert f"--subsample 0.01 left {left:,} occurrences of vocabulary words." in told
    assert checksums(tmp_path / "run", "pairs") == checksums(thinned, "pairs")
    counts = [row[2] for row in rows_of(thinned, "vocabulary")]
    assert np.load(tmp_path / "run" / "vectors" / "_counts.npy").tolist() == counts
    assert json.loads((tmp_path / "run" / "pairs" / "_manifest.json").read_text())["config"]["subsample"] == 0.01
    before = all_files(tmp_path / "run")
    assert main([*road, "--subsample", "0.02"]) == 2
    assert "subsample is 0.01 there and 0.02 here" in capsys.readouterr().err
    assert main([*road, "--subsample", "1"]) == 2
    message = "--subsample must lie between 0 and 1; got 1.0. Use 1e-3 to 1e-5, or leave it out."
    assert message in " ".join(capsys.readouterr().err.split())
    assert main([*road, "--subsample", "often"]) == 2
    assert data_files(tmp_path / "run") == {name: sha for name, sha in before.items() if name.endswith(".parquet")}
