"""What a sensor and a person on call are told of a run: state, stage, time, what is next, and an exit code for each."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import finished
import pytest

from simglove_spark import cli, training
from simglove_spark.errors import InputError, StoppedError
from simglove_spark.runs.reading import STAGES, read_record
from simglove_spark.runs.status import CODES, Status, status_of

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def record(folder: Path, **values: Any) -> None:
    """A run of ten minutes that has counted words and counts pairs."""
    stages = {"count-words": {"status": "complete", "started": ago(600), "seconds": 120.5}}
    stages["count-pairs"] = {"status": "running", "started": ago(450)}
    told = {
        "run_id": "nightly-1",
        "command": "run",
        "status": "running",
        "host": "node7",
        "pid": 42,
        "started": ago(600),
    }
    told |= {"heartbeat": ago(4), "heartbeat_seconds": 10, "stages": stages}
    (folder / "run.json").write_text(json.dumps({**told, **values}))


def told(folder: Path, *names: str) -> tuple[Any, ...]:
    found = status_of(folder, NOW)
    return tuple(getattr(found, name) for name in names)


WHAT = ("state", "stage", "next", "code")


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    record(tmp_path)
    assert told(tmp_path, *WHAT) == ("running", "count-pairs", "train", 10)
    assert told(tmp_path, "seconds", "heartbeat_age") == (600, 4)
    assert told(tmp_path, "run_id", "host", "pid", "exit_code", "error") == ("nightly-1", "node7", 42, None, None)
    assert status_of(tmp_path, NOW).stages == {
        "count-words": {"status": "complete", "seconds": 120.5},
        "count-pairs": {"status": "running", "seconds": 450},
        "train": {"status": "waiting", "seconds": None},
    }
    record(tmp_path, stages={})
    assert told(tmp_path, *WHAT) == ("running", None, "count-words", 10)
    last = {name: {"status": "complete" if name != "train" else "running"} for name in STAGES}
    record(tmp_path, stages=last)
    assert told(tmp_path, *WHAT) == ("running", "train", None, 10)


def test_a_run_whose_heart_no_longer_beats(tmp_path: Path) -> None:
    record(tmp_path, heartbeat=ago(300))
    assert told(tmp_path, *WHAT) == ("died", "count-pairs", "count-pairs", 11)
    assert told(tmp_path, "seconds", "heartbeat_age") == (300, 300)
    assert status_of(tmp_path, NOW).stages["count-pairs"] == {"status": "running", "seconds": 150}


def test_runs_that_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    for error in (InputError("pairs must be whole; got half (x). Mend it."), StoppedError("stopped by SIGTERM")):

        def fail(*_: Any, error: Exception = error) -> None:
            found = status_of(folder)
            assert (found.state, found.stage, found.next) == ("running", "train", None)
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(training, "train_vectors", fail)
            with pytest.raises(type(error)):
                finished.finish(folder, monkeypatch)
        found = status_of(folder)
        state = "interrupted" if error.exit_code == 7 else "failed"
        assert (found.state, found.exit_code, found.error) == (state, error.exit_code, str(error))
        assert (found.stage, found.next, found.code) == ("train", "train", CODES[found.state])
        assert found.seconds is not None
    finished.finish(folder, monkeypatch)
    found = status_of(folder)
    assert (found.state, found.stage, found.next, found.code) == ("complete", None, None, 0)
    assert {stage["status"] for stage in found.stages.values()} == {"complete"}
    assert tuple(read_record(folder)["stages"]) == STAGES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "folder must be that of a run, with a run.json; got none ("),
        ("{", "run.json must be JSON; got "),
        ('{"status": "odd"}', "run.json must tell a status; got 'odd' ("),
    ],
)
def test_what_is_no_run_is_an_error_of_input(
    tmp_path: Path, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        status_of(tmp_path)
    assert cli.main(["status", str(tmp_path)]) == 3
    assert message in capsys.readouterr().err


def test_values_of_other_kinds_are_unknown_times_and_act_on_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path, started="\x1b[2J", heartbeat=7, run_id=["x"], stages={"train": {"status": 5, "started": []}})
    assert told(tmp_path, "state", "seconds", "heartbeat_age") == ("died", None, None)
    assert cli.main(["status", str(tmp_path)]) == 11
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "unknown time" in out


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(
        tmp_path, status="failed", ended=ago(90), exit_code=4, error="disk must have room; got none (/x). Free some."
    )
    assert cli.main(["status", str(tmp_path)]) == 12
    assert capsys.readouterr().out.splitlines() == [
        f"nightly-1 failed: 8:30, begun {ago(600)}",
        "exit code 4: disk must have room; got none (/x). Free some.",
        "  count-words   complete, 2:00",
        "  count-pairs   running, 6:00",
        "  train         waiting",
        "the same command goes on at count-pairs",
    ]
    assert cli.main(["status", f"file://{tmp_path}", "--json"]) == 12
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"path", *Status.__dataclass_fields__}
    assert (printed["path"], printed["state"], printed["next"]) == (str(tmp_path), "failed", "count-pairs")
    record(tmp_path, heartbeat=datetime.now(UTC).isoformat())
    assert cli.main(["status", str(tmp_path)]) == 10
    beat, to_come = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r"last heartbeat \d\.\d s ago, of process 42 of node7", beat)
    assert to_come == "next: train"


def test_a_reader_who_goes_away_changes_no_exit_code(tmp_path: Path) -> None:
    record(tmp_path, status="failed", ended=ago(90), exit_code=4)
    command = f"{sys.executable} -c 'from simglove_spark.cli import entry; entry()' status {tmp_path}"
    script = f"{command} | true; echo ${{PIPESTATUS[0]}}"
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout == "12\n"


def test_it_needs_neither_spark_nor_numba(tmp_path: Path) -> None:
    record(tmp_path)
    script = "import sys; from simglove_spark.cli import main; code = main(['status', sys.argv[1]])\n"
    script += "print([code, [name for name in ('numba', 'pyspark') if name in sys.modules]])"
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[11, []]"
