"""What a reader of a log, and one at a terminal, sees of long work."""

import io
import json
import math
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simglove_spark.progress import JsonProgress, Progress, TerminalProgress, figure, make_progress, plain, readable


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(Terminal):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(clock):
    stream = io.StringIO()
    return JsonProgress(stream, "run-1", clock), lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def without_head(line: dict) -> dict:
    return {key: value for key, value in line.items() if key not in ("time", "level", "run_id", "stage")}


def test_every_line_tells_when_and_which_run(log):
    progress, lines = log
    progress.event("sweep", sweep=1, loss=0.5)
    progress.note("All is well.")
    for line in lines():
        assert list(line)[:5] == ["time", "level", "run_id", "stage", "event"]
        assert line["time"].endswith("Z")
        assert abs(datetime.fromisoformat(line["time"]) - datetime.now(UTC)) < timedelta(minutes=1)
        assert line["run_id"] == "run-1"
    assert [without_head(line) for line in lines()] == [
        {"event": "sweep", "sweep": 1, "loss": 0.5},
        {"event": "note", "text": "All is well."},
    ]


def test_fields_cannot_hide_the_run(log):
    progress, lines = log
    progress.event("sweep", run_id="other", event="else", stage="mine", level="loud")
    [line] = lines()
    assert (line["run_id"], line["event"], line["stage"], line["level"]) == ("run-1", "sweep", None, "info")


def test_task_reports_start_end_and_every_five_seconds(log, clock):
    progress, lines = log
    with progress.task("count pairs", total=100, unit="cells") as task:
        for _ in range(12):  # one a second
            clock.now += 1
            task.advance(5)
    assert [without_head(line) for line in lines()] == [
        {"event": "start", "task": "count pairs", "total": 100, "unit": "cells"},
        progress_line(done=25, seconds=5.0, left=15.0),
        progress_line(done=50, seconds=10.0, left=10.0),
        {**figures(done=60, seconds=12.0), "event": "end", "complete": True},
    ]


def figures(done: int, seconds: float) -> dict:
    return {"task": "count pairs", "done": done, "total": 100, "unit": "cells", "seconds": seconds, "rate": 5.0}


def progress_line(done: int, seconds: float, left: float) -> dict:
    return {**figures(done, seconds), "event": "progress", "eta_seconds": left}


def test_two_tasks_report_each_for_itself(log, clock):
    progress, lines = log
    with progress.task("a") as first, progress.task("b") as second:
        clock.now += 5
        first.advance()
        second.advance()
    assert [line["task"] for line in lines() if line["event"] == "progress"] == ["a", "b"]


def test_figures_told_beside_a_task_are_in_its_lines_until_others_are(log, clock):
    progress, lines = log
    with progress.task("train", total=10) as task:
        task.tell(sweep=1, loss=math.nan)
        clock.now += 5
        task.set(5)
        task.tell(sweep=2)
    assert [(line.get("sweep"), line.get("loss", "none")) for line in lines()] == [
        (None, "none"),
        (1, None),
        (2, "none"),
    ]


def test_unknown_total_has_no_eta_until_it_is_set(log, clock):
    progress, lines = log
    with progress.task("read") as task:
        clock.now += 5
        task.set(10)
        clock.now += 5
        task.set(20, total=60)
    reports = [line for line in lines() if line["event"] == "progress"]
    assert [(line["total"], line["eta_seconds"]) for line in reports] == [(None, None), (60, 20.0)]


def test_failed_task_ends_as_incomplete(log):
    progress, lines = log
    with pytest.raises(KeyError), progress.task("train"):
        raise KeyError
    assert (lines()[-1]["event"], lines()[-1]["complete"], lines()[-1]["rate"]) == ("end", False, None)


def test_lines_of_many_threads_stay_whole_and_nothing_is_lost(log, clock):
    progress, lines = log
    with progress.task("train", total=8000) as task, ThreadPoolExecutor(8) as pool:

        def work(thread: int) -> None:
            for _ in range(1000):
                task.advance()
            progress.event("thread", thread=thread, text="x" * 1000)

        list(pool.map(work, range(8)))
    assert task.done == 8000
    assert sorted(line["thread"] for line in lines() if line["event"] == "thread") == list(range(8))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float32("inf"), None),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (True, True),
        ([1, (math.nan, "x")], [1, [None, "x"]]),
        (np.array([1.0, np.nan]), [1.0, None]),
        ({"loss": math.inf, 3: None}, {"loss": None, "3": None}),
        (ValueError("text"), "text"),
    ],
)
def test_values_become_json(value, expected):
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)
    json.dumps(plain(value), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((1234567, "1,234,567"), (1234.5678, "1,235"), (0.12345678, "0.1235"), (0, "0"), (0.0, "0"), (7, "7")),
        *((["king", 2], "king, 2"), ([], ""), ((1234.5,), "1,234")),
        *(
            (999, "999"),
            (math.nan, "nan"),
            (np.float32(2.5), "2.5"),
            (True, "True"),
            ("as is", "as is"),
            (None, "None"),
        ),
    ],
)
def test_readable_figures(value, text):
    assert readable(value) == text


def seen(terminal: Terminal) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_terminal_shows_bar_figures_and_lines_above(monkeypatch, clock):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    progress = TerminalProgress(terminal, clock)
    with progress.task("count pairs", total=1000, unit="cells") as task:
        clock.now += 2
        task.set(500)
        progress.event("sweep", sweep=1, loss=0.25, cells_per_second=1234567.0)
        progress.event("sweep", sweep=12, loss=0.125, cells_per_second=234567.0)
    assert re.search(r"count pairs ━.* 500 / 1,000 cells", seen(terminal))
    assert "sweep         sweep         1  loss      0.25  cells per second 1,234,567\n" in seen(terminal)
    assert "sweep         sweep        12  loss     0.125  cells per second   234,567\n" in seen(terminal)
    assert seen(terminal).endswith("count pairs   500 cells in 2.0 s, 250 cells/s\n")
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h") == 1, "cursor is back"


@pytest.mark.parametrize(
    ("name", "value", "label", "text"),
    [
        ("memory", 3 << 30, "memory", "3.0 GiB"),
        ("bytes", 2048, "bytes", "2 KiB"),
        ("seconds", 1.25, "took", "1.2 s"),
        ("eta_seconds", 59.94, "eta", "59.9 s"),
        ("eta_seconds", 60, "eta", "1:00"),
        ("eta_seconds", 36_725.4, "eta", "10:12:05"),
        ("held_out_loss", 0.5, "held out loss", "0.5"),
    ],
)
def test_figures_have_their_units(name, value, label, text):
    assert figure((name, value)) == (label, text)


@pytest.mark.parametrize(("width", "shown"), [(80, False), (109, True), (150, True)])
def test_a_wide_terminal_shows_what_is_told_beside_the_bar(monkeypatch, clock, width, shown):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    progress = TerminalProgress(terminal, clock)
    with progress.task("train", total=137_602_380, unit="cells") as task:
        task.set(68_448_852)
        task.tell(sweep=2, of=6, loss=6.7451)
        progress.note("now")
    bars = [line for line in seen(terminal).replace("\r", "\n").split("\n") if "68,448,852 / " in line]
    assert bars
    assert ("sweep 2  of 6  loss" in bars[-1]) == shown
    assert all(len(line.rstrip()) <= width and "-:--:--" in line for line in bars)


def test_terminal_is_whole_again_after_an_error():
    terminal = Terminal()
    progress = TerminalProgress(terminal)
    with pytest.raises(KeyError), progress.task("outer"), progress.task("inner"):
        raise KeyError
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")
    assert seen(terminal).count("not finished") == 2
    with progress.task("next"):
        pass
    assert "next" in seen(terminal)


def test_words_of_a_corpus_cannot_steer_the_terminal():
    terminal = Terminal()
    TerminalProgress(terminal).note("nearest: [red]\x1b[2J\x07 \x9b")
    assert terminal.getvalue() == "nearest: [red]\ufffd[2J\ufffd \ufffd\n"


@pytest.mark.parametrize("make", [TerminalProgress, lambda stream: JsonProgress(stream, "r")])
@pytest.mark.parametrize("error", [BrokenPipeError("nobody reads"), OSError("terminal closed")])
def test_log_that_cannot_be_written_does_not_end_the_work(make, error):
    progress = make(Broken(error))
    with progress.task("train", total=2) as task:
        task.advance(2)
        progress.event("sweep", loss=1.0)
        progress.note("text")
    assert task.done == 2


def test_stream_decides_how_progress_is_told(monkeypatch):
    assert type(make_progress(Terminal())) is TerminalProgress
    assert type(make_progress(io.StringIO())) is JsonProgress
    monkeypatch.setattr(sys, "stderr", None)
    assert type(make_progress()) is Progress


def test_each_run_has_its_own_id(capsys):
    for _ in range(2):
        make_progress().note("x")
    first, second = (json.loads(line)["run_id"] for line in capsys.readouterr().err.splitlines())
    assert first != second


def test_quiet_says_nothing(capfd):
    for progress in (Progress(), make_progress(quiet=True), make_progress(Terminal(), quiet=True)):
        with progress.task("train", total=3, unit="cells") as task:
            task.advance(3)
        progress.event("sweep", loss=1.0)
        progress.note("text")
    assert capfd.readouterr() == ("", "")
