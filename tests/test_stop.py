"""A signal while Spark counts: exit code 7, one line, and nothing that looks whole."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from simglove_spark import session

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_counting(tmp_path: Path, number: signal.Signals) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b c d e f g\n" * 2_000_000)
    output = tmp_path / "run"
    # what was started in the background ignores Ctrl-C, and so would we
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from simglove_spark.cli import entry; entry()"
    command = [sys.executable, "-c", code, "run"]
    command += ["--input", str(text), "--output", str(output), "--driver-memory", "1g"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYSPARK", "SPARK"))}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stderr is not None
        for line in child.stderr:  # a job runs when its tasks are counted
            if '"progress"' in line and '"total": null' not in line:
                break
        time.sleep(0.2)
        child.send_signal(number)
        rest = child.stderr.read()
        assert child.wait(60) == 7, rest
    assert "Traceback" not in rest
    assert rest.strip().splitlines()[-1].startswith("simglove: stopped")
    assert json.loads((output / "run.json").read_text())["status"] == "interrupted"
    assert not [path for path in output.iterdir() if path.is_dir()]


@pytest.mark.parametrize("ours", [True, False])
def test_only_a_session_of_our_own_is_silenced(monkeypatch: pytest.MonkeyPatch, ours: bool) -> None:
    made = threading.Event()
    if ours:
        made.set()
    monkeypatch.setattr(session, "_ours", made)
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    levels: list[str] = []
    session._hush(SimpleNamespace(setLogLevel=levels.append))
    assert levels == (["OFF"] if ours else [])
