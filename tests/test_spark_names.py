"""What Spark's history server shows of a run: names of the application and of its jobs, read from a real event log."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from test_observing import check_facets, kinds_of_facets

from simglove_spark.engines.connect import followed
from simglove_spark.jvm import launched
from simglove_spark.progress import Progress
from simglove_spark.spark_jobs import PROPERTIES, named_jobs

COMMAND = "from simglove_spark.cli import entry; entry()"


def event_log(folder: Path) -> list[dict[str, Any]]:
    [log] = folder.iterdir()
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def walked(
    tmp_path_factory: pytest.TempPathFactory, small_text: bytes
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run by the command line whose Spark keeps an event log, without a terminal.

    Its tokenizer, which warns of something, is a module of the present folder, on nobody's PYTHONPATH.
    """
    folder = tmp_path_factory.mktemp("names")
    (folder / "corpus.txt").write_bytes(small_text)
    (folder / "events").mkdir()
    log = {"enabled": "true", "dir": f"file://{folder / 'events'}", "compress": "false", "rolling.enabled": "false"}
    (folder / "loud.py").write_text(
        "import warnings\ndef cut(text):\n    warnings.warn('cut by hand')\n    return [*text.split(), 'loud']\n"
    )
    options = ["--input", "corpus.txt", "--output", "run", "--dim", "4", "--min-count", "1"]
    options += ["--driver-memory", "1g", "--worker-memory", "64m", "--master", "local[1]", "--tokenizer", "loud:cut"]
    options += ["--spark-conf", *(f"spark.eventLog.{key}={value}" for key, value in log.items())]
    options += ["spark.sql.shuffle.partitions=2"]
    environment = {
        **os.environ,
        "SIMGLOVE_RUN_ID": "daily__2026-11-23T00:00:00+00:00",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": "lineage.jsonl", "append": True}),
    }
    command = [sys.executable, "-c", COMMAND, "run", *map(str, options)]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.spark
def test_the_history_server_shows_run_stage_and_work(walked: tuple[Path, Any]) -> None:
    events = event_log(walked[0] / "events")
    run = "daily__2026-11-23T00:00:00+00:00"
    [started] = [event for event in events if event["Event"] == "SparkListenerApplicationStart"]
    assert started["App Name"] == f"simglove run {run}"
    jobs = [event["Properties"] for event in events if event["Event"] == "SparkListenerJobStart"]
    assert {job["spark.jobGroup.id"] for job in jobs} == {f"simglove count-words {run}", f"simglove count-pairs {run}"}
    described = {job["spark.job.description"] for job in jobs}
    assert described == {f"count {what} (simglove count-{what} {run})" for what in ("words", "pairs")}


@pytest.mark.spark
def test_all_that_a_run_says_is_json_with_its_stage(walked: tuple[Path, Any]) -> None:
    lines = [json.loads(line) for line in walked[1].stderr.splitlines()]
    assert {line["run_id"] for line in lines} == {"daily__2026-11-23T00:00:00+00:00"}
    assert {line["stage"] for line in lines} == {"run", "count-words", "count-pairs", "train"}
    warned = [line for line in lines if line["level"] == "warning" and "cut by hand" in line["text"]]
    assert warned
    assert {line["event"] for line in warned} == {"note"}
    assert json.loads((walked[0] / "run" / "run.json").read_text())["run_id"] == lines[0]["run_id"]


@pytest.mark.spark
def test_each_stage_tells_its_lineage(walked: tuple[Path, Any]) -> None:
    events = [json.loads(line) for line in (walked[0] / "lineage.jsonl").read_text().splitlines()]
    told = [(event["job"]["name"], event["eventType"]) for event in events]
    stages = ["count-words", "count-pairs", "train"]
    ends = [(f"simglove.run.{name}", kind) for name in stages for kind in ("START", "COMPLETE")]
    assert told == [("simglove.run", "START"), *ends, ("simglove.run", "COMPLETE")]
    datasets = {
        event["job"]["name"].rpartition(".")[2]: [
            {Path(entry["name"]).name for entry in event[end]} for end in ("inputs", "outputs")
        ]
        for event in events
        if event["eventType"] == "COMPLETE"
    }
    assert datasets["count-words"] == [{"corpus.txt"}, {"word_counts", "vocabulary"}]
    assert datasets["count-pairs"] == [{"corpus.txt", "vocabulary"}, {"pairs"}]
    assert datasets["train"] == [{"vocabulary", "pairs"}, {"vectors"}]
    assert sum(check_facets(event, kinds_of_facets()) for event in events) > 20


@pytest.mark.spark
def test_a_module_in_the_present_folder_is_found_by_the_workers_too(
    walked: tuple[Path, Any], small_text: bytes
) -> None:
    counted = {row["word"]: row["count"] for row in pq.read_table(walked[0] / "run" / "word_counts").to_pylist()}
    assert counted == {**Counter(small_text.decode().split()), "loud": sum(map(bool, small_text.split(b"\n")))}


class Context:
    """What a SparkContext keeps of names."""

    def __init__(self) -> None:
        self.kept: dict[str, str | None] = {"spark.job.description": "somebody's"}

    def getLocalProperty(self, name: str) -> str | None:  # noqa: N802
        return self.kept.get(name)

    def setLocalProperty(self, name: str, value: str | None) -> None:  # noqa: N802
        self.kept[name] = value

    def setJobGroup(self, group: str, description: str) -> None:  # noqa: N802
        self.kept |= dict(zip(PROPERTIES, (group, description, "false"), strict=True))


def test_a_given_session_has_its_names_back() -> None:
    progress, context = Progress(run_id="r1"), Context()
    with pytest.raises(KeyError), progress.stage("count-words"), progress.task("count words") as task:
        with named_jobs(context, "count words", task):
            assert context.kept["spark.jobGroup.id"] == "simglove count-words r1"
            assert context.kept["spark.job.description"] == "count words (simglove count-words r1)"
        assert context.kept == {**dict.fromkeys(PROPERTIES), "spark.job.description": "somebody's"}
        with named_jobs(context, "count words", task):
            raise KeyError
    assert context.kept == {**dict.fromkeys(PROPERTIES), "spark.job.description": "somebody's"}


def test_spark_connect_gets_tags() -> None:
    tags: list[str] = []
    handlers: list[Any] = []
    ways = {"registerProgressHandler": handlers.append, "removeProgressHandler": handlers.remove}
    spark: Any = SimpleNamespace(addTag=tags.append, removeTag=tags.remove, **ways)
    progress = Progress(run_id="r1")
    with progress.stage("count-pairs"), progress.task("count pairs") as task:
        with followed(spark, "count pairs, kept", task):
            assert [tag.rpartition(" ")[0] for tag in tags] == ["simglove count-pairs r1: count pairs  kept"]
            assert len(handlers) == 1
        assert tags == handlers == []


def test_a_jvm_of_spark_submit_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched(None) is None
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert launched(lambda line, level: None) is None
