"""Own vocabularies and deny lists on the whole road, through the command line, on real Spark."""

import json
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pyarrow.parquet as pq
import pytest
from test_counting import rows_of

from simglove_spark.cli import main
from simglove_spark.manifest import Manifest
from simglove_spark.vectors import Vectors

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]


def simglove(*arguments: Any) -> int:
    return main([str(argument) for argument in arguments])


def naive_cells(text: bytes, folder: Path, window: int) -> dict[tuple[int, int], int]:
    ids = {word.encode(): number for word, number, _ in rows_of(folder, "vocabulary")}
    return dict(naive.count_pairs(naive.lines(text), ids, window, "harmonic"))


def test_own_words_a_deny_list_and_growth_on_the_whole_road(
    tmp_path: Path, small_text: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = small_text.split(b"\n")
    days = [b"\n".join(lines[:150]), b"\n".join([*lines[150:], b"dawn dusk dawn dusk dawn dusk noon"])]
    for day, text in zip(("mon", "tue"), days, strict=True):
        (tmp_path / f"{day}.txt").write_bytes(text)
    counts = naive.count_words(naive.lines(days[0]))
    order = sorted(counts, key=lambda word: (counts[word], word))  # the rarest have the lowest ids
    own = [word.decode() for word in [*order[20:], b"never", b"nowhere"]]
    (tmp_path / "own.txt").write_text("\n".join(own), encoding="utf-8")
    denied = order[0].decode()
    (tmp_path / "denied.txt").write_text(f"{denied}\nnoon\n", encoding="utf-8")
    common = ["--window-size", 3, "--dim", 4, "--sweeps", 2, "--memory", "1g", "--deny-list", tmp_path / "denied.txt"]
    monday = ["run", "--input", tmp_path / "mon.txt", "--output", tmp_path / "mon", *common]
    monday += ["--vocabulary", tmp_path / "own.txt"]
    assert simglove(*monday) == 0
    words = rows_of(tmp_path / "mon", "vocabulary")
    assert words == [(word, number, counts[word.encode()]) for number, word in enumerate(own)]
    cells = {(word, other): count for word, other, count in rows_of(tmp_path / "mon", "pairs")}
    assert cells == naive_cells(days[0], tmp_path / "mon", 3)
    vectors = Vectors.load(tmp_path / "mon" / "vectors")
    assert np.isfinite(vectors.matrix).all()
    assert [word for word, norm in zip(vectors.words, vectors.norms, strict=True) if norm == 0] == ["never", "nowhere"]
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert {"words": len(own), "denied": 1, "absent": 2}.items() <= next(
        line.items() for line in told if line["event"] == "vocabulary chosen"
    )
    assert simglove(*monday) == 0
    assert "Nothing to do" in capfd.readouterr().err

    tuesday = ["run", "--input", tmp_path / "tue.txt", "--output", tmp_path / "tue", *common, "--min-count", 2]
    tuesday += ["--vocabulary", tmp_path / "mon" / "vocabulary", "--grow"]
    assert simglove(*tuesday, "--start-from", tmp_path / "mon" / "vectors") == 0
    grown = [word for word, _, _ in rows_of(tmp_path / "tue", "vocabulary")]
    assert grown[: len(own)] == own
    assert {"dawn", "dusk"} <= set(grown[len(own) :])
    assert not {"noon", denied} & set(grown)
    cells = {(word, other): count for word, other, count in rows_of(tmp_path / "tue", "pairs")}
    assert cells == naive_cells(days[1], tmp_path / "tue", 3)
    later = Vectors.load(tmp_path / "tue" / "vectors")
    assert list(later.words) == grown
    assert np.isfinite(later.matrix).all()
    assert later["dawn"].any() and not later["never"].any()
    assert "new" in next(line for line in capfd.readouterr().err.splitlines() if "Starting from" in line)

    copy = tmp_path / "copy.yaml"  # what was saved says it all
    copy.write_text((tmp_path / "tue" / "run.yaml").read_text())
    assert simglove("run", "--config", copy) == 0
    assert "Nothing to do" in capfd.readouterr().err
    (tmp_path / "denied.txt").write_text("dawn\n")
    assert simglove("run", "--config", copy) == 2
    assert "deny_list is 'sha256:" in capfd.readouterr().err


def test_parts_are_merged_under_lists_and_what_is_wrong_is_told_before_counting(
    tmp_path: Path, small_text: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = small_text.split(b"\n")
    for number in range(2):
        (tmp_path / f"{number}.txt").write_bytes(b"\n".join(lines[number::2]))
        given = ["--input", tmp_path / f"{number}.txt", "--output", tmp_path / str(number)]
        assert simglove("count-words", *given) == 0
    frequent = [word.decode() for word, _ in naive.count_words(lines).most_common(4)]
    (tmp_path / "own.csv").write_text(f"word,word_id\n{frequent[3]},1\nnever,0\n{frequent[1]},2\n")
    (tmp_path / "denied.txt").write_text(f"{frequent[0]}\n")
    lists = ["--vocabulary", tmp_path / "own.csv", "--grow", "--deny-list", tmp_path / "denied.txt"]
    parts = [tmp_path / "0" / "word_counts", tmp_path / "1" / "word_counts"]
    assert simglove("merge-words", "--parts", *parts, "--output", tmp_path / "merged", *lists) == 0
    files = [tmp_path / "0.txt", tmp_path / "1.txt"]
    assert simglove("count-words", "--input", *files, "--output", tmp_path / "whole", *lists) == 0
    ours, theirs = (Manifest.load(tmp_path / run / "vocabulary", "vocabulary") for run in ("merged", "whole"))
    assert ours == theirs
    (path,) = (tmp_path / "merged" / "vocabulary").glob("*.parquet")
    words = pq.read_table(path)["word"].to_pylist()
    assert words[:3] == ["never", frequent[3], frequent[1]]
    assert frequent[0] not in words and frequent[2] in words
    capfd.readouterr()
    (tmp_path / "own.csv").write_text("word,word_id\nb,1\n")
    for command in (
        ["run", "--input", files[0], "--output", tmp_path / "new", *lists],
        ["count-words", "--input", files[0], "--output", tmp_path / "new", *lists],
        ["merge-words", "--parts", *parts, "--output", tmp_path / "new", *lists],
    ):
        assert simglove(*command) == 3
        assert (
            capfd.readouterr()
            .err.splitlines()[-1]
            .startswith("simglove: word_id must be 0, 1, 2, ..., each once; got 1 where 0 is due")
        )
        assert not (tmp_path / "new").exists()
