"""Neighbours of watched words after each pass: the nearest ones, in the log and on a terminal, and no byte of the table changes."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_trainer import ADAGRAD, options, saved, write

from simglove_spark import cli
from simglove_spark.config import RunConfig
from simglove_spark.progress import JsonProgress, Progress
from simglove_spark.watched_words import NEAREST, WatchedWords


class Told(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def event(self, name: str, /, **fields: Any) -> None:
        self.events.append({"event": name, **fields})

    def note(self, text: str) -> None:
        self.notes.append(text)


@settings(deadline=None)
@given(size=st.integers(1, 12), seed=st.integers(0, 99), zero=st.booleans())
def test_the_nearest_are_those_of_a_plain_loop(size: int, seed: int, zero: bool) -> None:
    matrix = np.random.default_rng(seed).integers(-3, 4, (size, 3)).astype(np.float32)
    matrix[0] *= not zero
    progress = Told()
    WatchedWords(["w0"], pa.array([f"w{n}" for n in range(size)]), progress).tell(matrix, sweep=1)
    cosines = {}
    for other in range(1, size):
        length = np.sqrt(np.float32(sum(x * x for x in matrix[other])))
        cosines[f"w{other}"] = (
            sum(x * y for x, y in zip(matrix[0], matrix[other], strict=True)) / length if length else 0
        )
    (told,) = progress.events
    assert len(told["nearest"]) == min(NEAREST, size - 1) == len(set(told["nearest"]))
    found = [cosines[word] for word in told["nearest"]]
    assert found == pytest.approx(sorted(cosines.values(), reverse=True)[: len(found)], abs=1e-5)


def test_how_many_stayed_is_told_and_unknown_words_once() -> None:
    progress = Told()
    watched = WatchedWords(["a", "no\udcff", "a", "b"], pa.array([*"abcdefghij"]), progress)
    assert progress.notes == ["--watch: 'no?' is not in the vocabulary."]
    matrix = np.eye(10, dtype=np.float32)
    matrix[:7] += 1
    watched.tell(matrix, sweep=1)
    watched.tell(matrix[::-1].copy(), sweep=2)
    told = {(event["word"], event["sweep"]): event for event in progress.events}
    assert sorted(told) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert told["a", 1]["stayed"] == 0
    assert sorted(told["a", 1]["nearest"]) == [*"bcdefg"]
    both = set(told["a", 1]["nearest"]) & set(told["a", 2]["nearest"])
    assert told["a", 2]["stayed"] == len(both)


@pytest.mark.parametrize(("given", "weighting", "name"), [({}, "harmonic", "sweep"), (ADAGRAD, "flat", "epoch")])
def test_each_pass_tells_of_the_words_and_of_the_time_left(
    tmp_path: Path, given: dict[str, Any], weighting: str, name: str
) -> None:
    folder, stream = write(tmp_path, weighting), io.StringIO()
    run = RunConfig(threads=1, memory="1g", watch=("w1", "w2"))
    watched = saved(folder, options(**given, held_out=0.1), run, JsonProgress(stream, "run-1"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [(line[name], line["of"], line["word"]) for line in lines if line["event"] == "neighbours"]
    assert told == [(number, 3, word) for number in (1, 2, 3) for word in ("w1", "w2")]
    passes = [line for line in lines if line["event"] == name]
    assert [line["eta_seconds"] for line in passes] == [
        round(left * line["seconds"], 1) for left, line in zip((2, 1, 0), passes, strict=True)
    ]
    assert {"loss", "held_out_loss", "cells_per_second", "memory"} <= passes[0].keys()
    end = next(line for line in lines if line["event"] == "end")
    assert (end[name], end["of"], end["loss"]) == (3, 3, passes[1]["loss"])
    plain = write(tmp_path / "plain", weighting)
    assert saved(plain, options(**given, held_out=0.1)).content_sha256 == watched.content_sha256


def test_the_command_takes_words_to_watch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path)
    paths = [part for name in ("vocabulary", "pairs") for part in (f"--{name}", str(folder / name))]
    words = ["--watch", "w1", "w2", "--sweeps", "1", "--dim", "4"]
    assert cli.main(["train", *paths, "--output", str(tmp_path / "vectors"), *words]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["word"] for line in lines if line["event"] == "neighbours"] == ["w1", "w2"]
    assert "watch:\n- w1\n- w2\n" in (tmp_path / "vectors.yaml").read_text()
