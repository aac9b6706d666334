"""run.json is the truth, a run that is done costs no Spark, and --dry-run tells what the command then does."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import finished
import jsonschema
import pytest
from test_counting import all_files

from simglove_spark import cli, counting, output, training
from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.errors import ConfigError, InputError, ResourceError, StoppedError
from simglove_spark.manifest import Manifest, hash_file, sealed
from simglove_spark.progress import Progress
from simglove_spark.run import walk
from simglove_spark.runs import record as record_module
from simglove_spark.runs.plan import Plan
from simglove_spark.runs.reading import read_record, state_of
from simglove_spark.runs.record import Record, counters
from simglove_spark.runs.settling import Settling
from simglove_spark.runs.stages import plan_run, plan_training

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA = json.loads((DOCS / "run.schema.json").read_text())


def schema_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "run.json").read_text())
    jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(found)
    assert sealed(found) == found
    return found


def test_a_complete_run_tells_what_the_schema_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    finished.finish(folder, monkeypatch)
    found = schema_of(folder)
    assert (found["status"], found["exit_code"], found["run_id"], found["pid"]) == (
        "complete",
        0,
        "runrun",
        os.getpid(),
    )
    assert found["inputs"] == {"files": 1, "bytes": 6}
    assert found["run_yaml_sha256"] == hash_file(folder / "run.yaml")
    words = found["stages"]["count-words"]
    kept = Manifest.load(folder / "vocabulary", "vocabulary")
    total = kept.details["total_words"]
    told = {"rows": 1, "bad_words": 0, "bad_files": 0, "words": total + 1, "distinct_words": 31}
    told |= {"kept_words": 30, "kept_occurrences": total, "dropped_words": 1, "dropped_occurrences": 1}
    assert words["counters"] == told
    assert list(words["tables"]) == ["word_counts", "vocabulary"]
    for stage in found["stages"].values():
        assert stage["found"] is False
        for table, sums in stage["tables"].items():
            assert sums["sha256"] == Manifest.load(folder / table, table).content_sha256
            assert sums["manifest_sha256"] == hash_file(folder / table / "_manifest.json")
    assert found["stages"]["train"]["counters"] == {"bad_files": 0, "vectors": 30, "passes": 2}
    assert state_of(folder) == "complete"


def test_every_field_stands_in_the_docs_and_in_the_schema() -> None:
    text = (DOCS / "runs.md").read_text()
    stage = SCHEMA["$defs"]["stage"]["properties"]
    for name in (*SCHEMA["properties"], *stage):
        assert f"`{name}`" in text, name
    names = {"rows", "bad_words", "denied", "absent", "added"}
    names |= set(re.findall(r'"(\w+)": (?:details|manifest|len)', Path(record_module.__file__).read_text()))
    names |= set(re.findall(r'found\["(\w+)"\]', Path(record_module.__file__).read_text()))
    assert len(names) > 12
    for name in names:
        assert f"`{name}`" in text, name


@pytest.mark.parametrize(("error", "status"), [(InputError("no"), "failed"), (StoppedError("stop"), "interrupted")])
def test_a_run_that_fails_tells_it_and_goes_on_at_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    folder = tmp_path / "run"

    def fail(*_: Any) -> None:
        assert schema_of(folder)["status"] == "running"
        assert state_of(folder) == "running"
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_vectors", fail)
        with pytest.raises(type(error)):
            finished.finish(folder, monkeypatch)
    found = schema_of(folder)
    assert (found["status"], found["error"], found["exit_code"]) == (status, str(error), error.exit_code)
    assert state_of(folder) == status
    assert "counters" not in found["stages"]["train"]
    finished.finish(folder, monkeypatch)
    stages = schema_of(folder)["stages"]
    assert {name: stage["found"] for name, stage in stages.items()} == {
        "count-words": True,
        "count-pairs": True,
        "train": False,
    }


def test_neighbours_of_watched_words_are_kept_by_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.txt").write_text("a b c\n")
    road = finished.road_of(tmp_path / "run.txt")
    road = replace(road, resources=replace(road.resources, watch=("w1", "w2")))

    def walked(sha256: str | None) -> list[dict[str, Any]]:
        with monkeypatch.context() as patch:
            finished.counts_small(patch, road)
            walk(tmp_path / "run", road, "run", finished.options_of(road), "id", Progress())
        found = schema_of(tmp_path / "run")
        assert found["stages"]["train"]["sha256"] == (sha256 or found["stages"]["train"]["sha256"])
        return found["neighbours"]

    first = walked(None)
    assert [(one["sweep"], one["word"], len(one["nearest"])) for one in first] == [
        (number, word, 6) for number in (1, 2) for word in ("w1", "w2")
    ]
    sha256 = schema_of(tmp_path / "run")["stages"]["train"]["sha256"]
    shutil.rmtree(tmp_path / "run" / "vocabulary")
    assert walked(sha256) == first  # the words are chosen again, the vectors are found


def test_passes_that_are_made_again_replace_those_before() -> None:
    heard = [{"sweep": n, "word": "a", "nearest": ["b"], "stayed": 0} for n in (1, 2, 3)]
    settling = Settling({"neighbours": [*heard, "x", {"word": "a"}]})
    assert settling.heard == heard
    settling.told(None, "table", {"rows": 3})
    settling.told(None, "sweep", {"sweep": 3})
    settling.told(None, "neighbours", {"sweep": 3, "of": 3, "word": "x\x1b", "nearest": ["y" * 99], "stayed": 2})
    new = {"sweep": 3, "word": "x\ufffd", "nearest": ["y" * 79 + "…"], "stayed": 2}
    assert settling.heard == [*heard[:2], new]
    settling.told(None, "epoch", {"epoch": 1})  # a training anew, which watches no words
    assert settling.heard == []


def test_the_heart_beats_while_a_stage_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "HEARTBEAT_SECONDS", 0.01)
    record = Record(tmp_path, "id", "run", {}, [{"bytes": None}])
    beats = set()
    with record.running():
        for _ in range(200):
            beats.add(read_record(tmp_path)["heartbeat"])
            time.sleep(0.005)
            if len(beats) > 3:
                break
    assert len(beats) > 3
    assert read_record(tmp_path)["status"] == "complete"


def test_a_run_whose_heart_no_longer_beats_is_dead(tmp_path: Path) -> None:
    """A process that is killed with -9 leaves its record as it was."""
    script = "import sys, time; from pathlib import Path; from simglove_spark.runs.record import Record\n"
    script += "with Record(Path(sys.argv[1]), 'id', 'run', {}, []).running():\n print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    assert read_record(tmp_path)["status"] == "running"
    assert state_of(tmp_path) == "running"  # so far
    assert state_of(tmp_path, datetime.now(UTC) + timedelta(seconds=39)) == "running"
    assert state_of(tmp_path, datetime.now(UTC) + timedelta(seconds=41)) == "died"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "run.json must be JSON; got "),
        ("[]", "run.json must hold config and stages as objects; got others ("),
        ('{"stages": {"train": {"rows": "many"}}}', "run.json must hold config and stages as objects; got others ("),
        ('{"status": "done"}', "run.json must tell a status; got 'done' ("),
    ],
)
def test_a_broken_record_is_an_error_of_input(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match=re.escape(told)):
        state_of(tmp_path)


def test_no_record_is_no_state(tmp_path: Path) -> None:
    assert state_of(tmp_path) is None
    (tmp_path / "run.json").write_text('{"status": "running", "heartbeat": "yesterday"}')
    assert state_of(tmp_path) == "died"


def test_counters_of_pairs_and_lists() -> None:
    pairs = Manifest("pairs", {}, [], {}, details={"counters": {"kept_words": 7}, "total_pairs": 20, "total_words": 7})
    assert counters({"pairs": pairs}) == {"kept_words": 7, "bad_files": 0, "cells": 0, "pairs": 20, "words": 7}


def test_a_run_that_is_done_brings_neither_spark_nor_numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    finished.finish(folder, monkeypatch)
    before = all_files(folder)
    script = "import sys; from simglove_spark.cli import main; code = main(sys.argv[1:])\n"
    script += "print(code, [m for m in ('numba', 'llvmlite', 'pyspark', 'py4j', 'pandas') if m in sys.modules])"
    for more in ([], ["--dry-run"]):
        command = [sys.executable, "-c", script, "run", "--config", str(folder / "run.yaml"), *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    assert all_files(folder) == before


def does(plan: Plan) -> list[tuple[str, str]]:
    return [(step.stage, step.does) for step in plan.steps]


def test_a_plan_tells_what_is_there_and_what_would_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    text = tmp_path / "run.txt"
    text.write_text("a b c\n")
    stages = ["count-words", "choose words", "count-pairs", "train"]
    fresh = plan_run(folder, finished.road_of(text))
    assert does(fresh) == [(stage, "build") for stage in stages]
    assert "will take about" in fresh.steps[0].forecast
    assert fresh.steps[2].why == f"{folder / 'pairs'} waits for choose words."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.txt"]
    road = finished.finish(folder, monkeypatch)
    before = all_files(tmp_path)
    assert does(plan_run(folder, road)) == [(stage, "nothing") for stage in stages]
    other = plan_run(folder, finished.road_of(text, dim=5))
    assert does(other)[2:] == [("count-pairs", "nothing"), ("train", "refuse")]
    assert isinstance(other.error, ConfigError)
    assert "dim is 4 there and 5 here" in str(other.error)
    pairs_gone = tmp_path / "pairs"
    (folder / "pairs").rename(pairs_gone)
    assert does(plan_run(folder, road))[2:] == [("count-pairs", "build"), ("train", "unknown")]
    pairs_gone.rename(folder / "pairs")
    aside = folder / ".vectors.retired-1"
    (folder / "vectors").rename(aside)
    assert does(plan_run(folder, road))[3] == ("train", "restore")
    aside.rename(folder / "vectors")
    assert all_files(tmp_path) == before


def test_a_plan_is_refused_as_the_run_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    road = finished.finish(folder, monkeypatch)
    (folder / "foreign").touch()
    for plan in (plan_run(folder, road),):
        with pytest.raises(ConfigError) as real:
            walk(folder, road, "run", {}, "id", Progress())
        assert str(plan.error) == str(real.value)
    (folder / "foreign").unlink()
    with (folder / ".simglove.lock").open("a") as lock:
        output.hold(lock, "held")
        assert "output must be written by one run at a time" in str(plan_run(folder, road).error)
    assert plan_run(folder, road).error is None


def test_a_plan_of_training_forecasts_and_goes_on_from_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    road = finished.finish(folder, monkeypatch)
    places = folder / "vocabulary", folder / "pairs", tmp_path / "new"
    fresh = plan_training(*places, road.training, road.resources)
    assert does(fresh) == [("train", "build")]
    assert fresh.steps[0].forecast.startswith("Training 30 words x 4 dims on ")
    short = plan_training(*places, road.training, RunConfig(memory="100"))
    assert isinstance(short.error, ResourceError)
    from simglove_spark.trainer import checkpoints_of
    from simglove_spark.training_inputs import parents_of

    states = checkpoints_of(places[2], road.training, parents_of(*places[:2], road.training))
    with states.locked():
        states.save({"passes": [{"sweep": 1}]}, {})
        assert "trained by one process at a time" in str(plan_training(*places, road.training, road.resources).error)
    told = plan_training(*places, road.training, road.resources).steps[0].forecast
    assert told.endswith("It goes on from a checkpoint: 1 passes are done.")
    other = plan_training(*places, TrainConfig(dim=4, sweeps=2, seed=9), road.resources)
    assert "checkpoint must be of the same training" in str(other.error)


def test_a_place_that_cannot_be_written_is_told_without_trying(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a b\n")
    plan = plan_run(tmp_path / "file" / "run", finished.road_of(tmp_path / "file"))
    assert str(plan.error) == (
        f"output must be writable; got a place that cannot be written ({tmp_path / 'file'}). Give another --output."
    )


def test_the_command_line_prints_the_plan_and_ends_as_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    finished.finish(folder, monkeypatch)
    for name in ("count_words", "count_pairs", "find_phrases"):
        monkeypatch.setattr(counting, name, None)  # nothing is begun
    given = ["run", "--config", str(folder / "run.yaml"), "--dry-run"]
    assert cli.main(given) == 0
    out, err = capsys.readouterr()
    assert [step["does"] for step in json.loads(out)["steps"]] == ["nothing"] * 4
    assert err == ""
    assert cli.main([*given, "--dim", "9"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["exit_code"] == json.loads(out)["steps"][-1]["exit_code"] == 2
    assert err.startswith("simglove: output must be new or hold the same table; got one that differs (")
    text = str(tmp_path / "run.txt")
    words = ["count-words", "--input", text, "--output", str(tmp_path / "w"), "--dry-run"]
    assert cli.main(words) == 0
    assert [step["does"] for step in json.loads(capsys.readouterr()[0])["steps"]] == ["build", "build"]
    pairs = ["--vocabulary", str(folder / "vocabulary"), "--output", str(tmp_path / "p"), "--dry-run"]
    assert cli.main(["count-pairs", "--input", text, *pairs]) == 0
    assert "nothing can be forecast" in json.loads(capsys.readouterr()[0])["steps"][0]["forecast"]
    joined = ["--words", str(folder), "--output", str(tmp_path / "j"), "--dry-run"]
    assert cli.main(["phrases", "--input", text, *joined]) == 0
    steps = json.loads(capsys.readouterr()[0])["steps"]
    assert [step["stage"] for step in steps] == ["find phrases", "count joined words", "choose words"]
    assert cli.main(["count-words", "--input", str(tmp_path / "no"), "--output", "w", "--dry-run"]) == 3
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert cli.main(given) == 0
    assert "What would be done" in capsys.readouterr()[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.txt"]


class Lake:
    """Stands for a session over tables of a lake: answers the one query of their format, as pyspark does."""

    def __init__(self, known: dict[str, int]) -> None:
        self.known, self.asked = known, ""

    def sql(self, query: str) -> "Lake":
        self.asked = query
        return self

    def first(self) -> tuple[int] | None:
        from pyspark.errors import AnalysisException

        if self.asked not in self.known:
            raise AnalysisException("[TABLE_OR_VIEW_NOT_FOUND]", messageParameters={})
        return (self.known[self.asked],)


@pytest.mark.parametrize(
    "query", ["SELECT snapshot_id FROM lake.a.refs WHERE name = 'main'", "DESCRIBE HISTORY lake.a LIMIT 1"]
)
def test_the_snapshot_of_a_table_is_recorded_and_its_change_refused(query: str) -> None:
    from simglove_spark.counting.snapshots import refuse_other_snapshots, with_snapshots
    from simglove_spark.manifest import listed

    inputs = [{"path": path, "bytes": None, "modified": None} for path in ("a.txt", "table:lake.a", "table:lake.b")]
    found: Any = with_snapshots(Lake({query: 41}), inputs)  # type: ignore[arg-type]
    assert [entry.get("snapshot") for entry in found] == [None, "41", None]
    assert listed(found, []) == inputs
    refuse_other_snapshots(found, found)
    later = with_snapshots(Lake({query: 42}), inputs)  # type: ignore[arg-type]
    with pytest.raises(InputError) as error:
        refuse_other_snapshots(later, found)
    assert str(error.value) == (
        "table must be unchanged since its words were counted; got snapshot 42 after 41 (table:lake.a). "
        "Count the words again."
    )
