"""What others hear of a run: metrics that Prometheus parses, lineage that OpenLineage's classes take, warnings of libraries."""

import io
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
import tables
from openlineage.client import facet_v2
from prometheus_client.parser import text_string_to_metric_families

from simglove_spark.cli import main
from simglove_spark.config import ObserveConfig
from simglove_spark.errors import ConfigError
from simglove_spark.manifest import Manifest
from simglove_spark.observing import lineage, outbox
from simglove_spark.observing.datasets import dataset_name
from simglove_spark.observing.libraries import LibraryWarnings
from simglove_spark.observing.metrics import gateway_of
from simglove_spark.observing.observed import observed
from simglove_spark.progress import JsonProgress, Progress, TerminalProgress

RUN = "scheduled__2026-11-23T00:00:00+00:00"


class Receiver(ThreadingHTTPServer):
    """Takes what is sent: method, path and body; answers with a status, after some seconds."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: list[tuple[str, str, bytes]] = []
        self.status, self.delay = 200, 0.0
        self.url = f"http://127.0.0.1:{self.server_port}"


class Taking(BaseHTTPRequestHandler):
    server: Receiver

    def take(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.delay)
        self.server.taken.append((self.command, self.path, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST = take  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vocabulary and pairs in a folder where OpenLineage is not configured."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:  # its client sets some of its own
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = tables.write_vocabulary(tmp_path / "vocabulary", tables.word_counts(40))
    tables.write_pairs(tmp_path / "pairs", tables.random_pairs(40, 300), words, unit=2)
    return tmp_path


def train(folder: Path, *options: str) -> int:
    places = ["--vocabulary", folder / "vocabulary", "--pairs", folder / "pairs", "--output", folder / "vectors"]
    return main(["train", *map(str, places), "--dim", "4", "--sweeps", "3", "--run-id", RUN, *options])


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]


# --- metrics ---


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by the name and the labels, in order of theirs, but for the run id, which is the same in all."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("run_id") == RUN
            name = sample.name.removeprefix("simglove_")
            found[(name, *(labels[label] for label in sorted(labels)))] = sample.value
    return found


def test_a_file_of_metrics_tells_of_the_stage(counted: Path) -> None:
    began = time.time()
    assert train(counted, "--metrics", str(counted / "new" / "train.prom"), "--held-out", "0.1") == 0
    assert [path.name for path in (counted / "new").iterdir()] == ["train.prom"]
    found = samples((counted / "new" / "train.prom").read_text())
    manifest = Manifest.load(counted / "vectors", "vectors")
    last = manifest.details["passes"][-1]
    assert found["exit_code", "train"] == 0
    assert found["table_rows", "train", "vectors"] == 40
    assert found["table_bytes", "train", "vectors"] == manifest.bytes
    assert found["training_pass", "train"] == 3
    over = {
        "trained": "loss",
        "held_out": "held_out_loss",
        "all_pairs": "all_pairs_loss",
        "baseline": "held_out_baseline",
    }
    assert {key[1]: value for key, value in found.items() if key[0] == "training_loss"} == pytest.approx(
        {label: last[name] for label, name in over.items()}
    )
    assert found["training_cells_per_second", "train"] > 0
    assert found["driver_peak_memory_bytes", "train"] > found["training_memory_bytes", "train"] / 2 > 2**20
    assert began - 1 < found["start_time_seconds", "train"] <= found["end_time_seconds", "train"] < time.time() + 1
    assert 0 < found["duration_seconds", "train"] < 60


def test_a_gateway_gets_the_group_as_a_whole(counted: Path, receiver: Receiver) -> None:
    assert train(counted, "--metrics", f"{receiver.url}/metrics/job/nightly/corpus/news") == 0
    assert {(method, path) for method, path, _ in receiver.taken} == {("PUT", "/metrics/job/nightly/corpus/news")}
    assert samples(receiver.taken[-1][2].decode())["exit_code", "train"] == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://g:9091", ("http://g:9091", "simglove-train", {})),
        ("http://g:9091/", ("http://g:9091", "simglove-train", {})),
        ("https://g/way/metrics/job/a%2Fb/x/1/y/2", ("https://g/way", "a/b", {"x": "1", "y": "2"})),
    ],
)
def test_a_gateways_url_may_name_the_group(url: str, expected: tuple[str, str, dict[str, str]]) -> None:
    assert gateway_of(url, "simglove-train") == expected


def test_counted_figures_of_tables_are_metrics(counted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = Manifest.load(counted / "vocabulary", "vocabulary")
    other = tables.write_pairs(counted / "other", tables.random_pairs(40, 90, seed=6), words, unit=2)
    for name in ("pairs", "other"):
        part = Manifest.load(counted / name, "pairs")
        part.details["counters"] = {"bad_words": 3}
        part.save(counted / name)
    parts = ["--parts", counted / "pairs", counted / "other"]
    whole = [*parts, "--vocabulary", counted / "vocabulary", "--output", counted / "merged"]
    options = ["--metrics", str(counted / "m.prom"), "--run-id", RUN]
    assert main(["merge-pairs", *map(str, whole), *options]) == 0
    found = samples((counted / "m.prom").read_text())
    total = part.details["total_pairs"] + Manifest.load(counted / "pairs", "pairs").details["total_pairs"]
    assert total > other.details["total_pairs"] > 0
    assert found["pairs", "merge-pairs", "pairs"] == total / 2
    assert found["words", "merge-pairs", "pairs"] == words.details["total_words"]
    assert found["counter", "bad_words", "merge-pairs", "pairs"] == 6
    told = said(capsys)[-2]
    assert (told["event"], told["table"], told["path"]) == ("table", "pairs", str(counted / "merged"))


def test_how_a_stage_failed_is_in_metrics_and_log(counted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (counted / "pairs" / "_manifest.json").unlink()
    assert train(counted, "--metrics", str(counted / "m.prom")) == 3
    assert samples((counted / "m.prom").read_text())["exit_code", "train"] == 3
    began, ended = said(capsys)
    assert (began["event"], began["status"], began["level"], began["stage"]) == ("stage", "running", "info", "train")
    assert began["reads"][1] == {"table": "pairs", "path": str(counted / "pairs")}
    assert (ended["status"], ended["exit_code"], ended["level"], ended["run_id"]) == ("failed", 3, "error", RUN)
    assert ended["error"].startswith("pairs must be a complete table")


@pytest.mark.parametrize("how", ["nobody", "refusing", "unwritable"])
def test_a_failing_collector_fails_no_run(
    counted: Path, receiver: Receiver, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.status = 500
    (counted / "file").write_text("")
    target = {"nobody": "http://127.0.0.1:9", "refusing": receiver.url, "unwritable": str(counted / "file" / "a.prom")}
    assert train(counted, "--metrics", target[how]) == 0
    [warned] = [line for line in said(capsys) if line["level"] == "warning"]
    assert warned["text"].startswith(f"metrics to {target[how]} could not be sent; got ")
    assert warned["text"].endswith(". The work goes on without.")
    assert (counted / "vectors" / "_manifest.json").is_file()


def test_a_collector_that_never_answers_is_waited_for_once(
    counted: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "WAIT_SECONDS", 0.5)
    receiver.delay = 30
    began = time.monotonic()
    assert train(counted, "--metrics", receiver.url) == 0
    assert time.monotonic() - began < 20
    [warned] = [line for line in said(capsys) if line["level"] == "warning"]
    assert "no answer within" in warned["text"]


# --- lineage ---


def sent(receiver: Receiver) -> list[dict[str, Any]]:
    assert {(method, path) for method, path, _ in receiver.taken} == {("POST", "/api/v1/lineage")}
    return [json.loads(body) for _, _, body in receiver.taken]


def kinds_of_facets() -> dict[str, type]:
    """The client's own classes, made from the standard's JSON schemas, by the address of their schema."""
    modules = [part for part in vars(facet_v2).values() if isinstance(part, ModuleType)]
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    return {kind._get_schema(): kind for kind in kinds if hasattr(kind, "_get_schema")}


def check_facets(value: Any, known: dict[str, type]) -> int:
    """Make each facet anew by its class, which knows what must and may be in it; returns how many there are."""
    if isinstance(value, list):
        return sum(check_facets(entry, known) for entry in value)
    if not isinstance(value, dict):
        return 0
    found = sum(check_facets(entry, known) for entry in value.values())
    if "_schemaURL" in value:
        assert value["_producer"].startswith("urn:simglove-spark:")
        own = {key: entry for key, entry in value.items() if not key.startswith("_")}
        known[value["_schemaURL"]](**own)
        found += 1
    return found


def test_events_of_a_stage_tell_what_was_read_and_written(
    counted: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "nightly")
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", "airflow/words.train/019c1f2e-0000-7000-8000-000000000001")
    assert train(counted) == 0
    began, ended = sent(receiver)
    assert [event["eventType"] for event in (began, ended)] == ["START", "COMPLETE"]
    assert began["job"] == ended["job"]
    assert (began["job"]["namespace"], began["job"]["name"]) == ("nightly", "simglove.train")
    assert UUID(began["run"]["runId"]) == UUID(ended["run"]["runId"])
    facets = ended["run"]["facets"]
    assert facets["tags"]["tags"][0] == {"key": "run_id", "value": RUN, "source": "simglove"}
    parent = facets["parent"]["job"]
    assert (parent["namespace"], parent["name"]) == ("airflow", "words.train")
    assert facets["parent"]["root"]["run"]["runId"] == facets["parent"]["run"]["runId"]
    assert [entry["name"] for entry in began["inputs"]] == [str(counted / "vocabulary"), str(counted / "pairs")]
    pairs = Manifest.load(counted / "pairs", "pairs")
    read = ended["inputs"][1]
    assert read["namespace"] == "file"
    assert read["facets"]["version"]["datasetVersion"] == pairs.content_sha256
    assert read["inputFacets"]["dataQualityMetrics"]["columnMetrics"]["count"]["sum"] == pairs.details["total_pairs"]
    [written], vectors = ended["outputs"], Manifest.load(counted / "vectors", "vectors")
    assert "outputFacets" not in began["outputs"][0] or not began["outputs"][0]["outputFacets"]
    statistics = written["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (vectors.rows, vectors.bytes)
    assert written["facets"]["version"]["datasetVersion"] == vectors.content_sha256
    assert {field["name"]: field["type"] for field in written["facets"]["schema"]["fields"]} == vectors.schema
    assert sum(check_facets(event, kinds_of_facets()) for event in (began, ended)) > 20


def test_parts_of_a_run_have_it_as_their_parent(
    counted: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    progress = observed(ObserveConfig(run_id=RUN))
    with progress.stage("run"):
        for name in ("count-words", "train"):
            with progress.stage(name):
                pass
    events = sent(receiver)
    whole = events[0]["run"]["runId"]
    assert [(event["job"]["name"], event["eventType"]) for event in events] == [
        ("simglove.run", "START"),
        ("simglove.run.count-words", "START"),
        ("simglove.run.count-words", "COMPLETE"),
        ("simglove.run.train", "START"),
        ("simglove.run.train", "COMPLETE"),
        ("simglove.run", "COMPLETE"),
    ]
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in events[1:-1]} == {whole}
    assert "parent" not in events[0]["run"]["facets"]
    assert len({event["run"]["runId"] for event in events}) == 3


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ConfigError("--dim must be less; got more. Lower it."), "FAIL"), (KeyboardInterrupt(), "ABORT")],
)
def test_a_stage_that_ends_otherwise_says_how_by_the_file_transport(
    counted: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, kind: str
) -> None:
    transport = {"type": "file", "log_file_path": str(counted / "events.jsonl"), "append": True}
    (counted / "openlineage.yml").write_text(json.dumps({"transport": transport}))
    progress = observed(ObserveConfig(run_id=RUN))
    with pytest.raises(type(error)), progress.stage("train", writes=[("vectors", counted / "vectors")]):
        raise error
    began, ended = map(json.loads, (counted / "events.jsonl").read_text().splitlines())
    assert (began["eventType"], ended["eventType"]) == ("START", kind)
    told = ended["run"]["facets"]["errorMessage"]
    assert told["message"].startswith(str(error) or "stopped; ")
    assert type(error).__name__ in told["stackTrace"]
    assert check_facets([began, ended], kinds_of_facets()) > 8


def test_the_corpus_is_one_dataset_for_what_was_named(
    counted: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    (counted / "texts").mkdir()
    for name in ("a.csv", "b.csv"):
        (counted / "texts" / name).write_text("word,context,count\na,b,2\nb,a,2\n")
    command = [
        "import-pairs",
        "--format",
        "csv",
        "--output",
        str(counted / "new"),
        "--input",
        str(counted / "texts" / "*.csv"),
    ]
    assert main(command) == 0
    began, ended = sent(receiver)
    [read] = ended["inputs"]
    assert (read["namespace"], read["name"]) == ("file", str(counted / "texts"))
    assert began["inputs"][0]["name"] == read["name"]
    size = sum(path.stat().st_size for path in (counted / "texts").iterdir())
    statistics = read["inputFacets"]["inputStatistics"]
    assert (statistics["size"], statistics["fileCount"]) == (size, 2)
    assert len(read["facets"]["version"]["datasetVersion"]) == 64
    assert [entry["name"] for entry in ended["outputs"]] == [
        str(counted / "new" / name) for name in ("vocabulary", "pairs")
    ]


def test_credentials_in_what_is_read_are_told_to_nobody(
    counted: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    secret = "s3://KEY:SECRET@bucket/x.txt"
    for command in (
        ["import-vectors", "--input", secret, "--output", "again"],
        ["evaluate", "--vectors", "vectors", "--sets", secret],
        ["export", "--vectors", "vectors", "--format", "numpy", "--output", "v", "--scores", secret],
        ["report", ".", "--output", "page.html", "--evaluation", secret],
    ):
        assert main(command) == 2
        assert "SECRET" not in "".join(capsys.readouterr())
    assert receiver.taken == []


def test_what_is_done_with_vectors_is_told_too(
    counted: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """evaluate, export, report and import-vectors: what they read and write, and how they failed."""
    assert train(counted) == 0
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    (counted / "set.txt").write_text("".join(f"w{n}\tw{n + 1}\t{n}\n" for n in range(9)))
    capsys.readouterr()
    asked = [
        ["evaluate", "--vectors", "vectors", "--sets", "set.txt", "--json"],
        ["export", "--vectors", "vectors", "--format", "word2vec-text", "--output", "v.txt"],
        ["import-vectors", "--input", "v.txt", "--output", "again"],
        ["report", ".", "--output", "page.html", "--map-words", "9", "--projection", "pca"],
        ["evaluate", "--vectors", "v.txt", "--sets", "none.txt"],
    ]
    for number, command in enumerate(asked):
        assert main([*command, "--run-id", RUN, "--metrics", "m.prom"]) == (3 if number == 4 else 0)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
        assert {line["run_id"] for line in lines if line["event"] == "stage"} == {RUN}
        assert samples((counted / "m.prom").read_text())["exit_code", command[0]] == (3 if number == 4 else 0)
    events = sent(receiver)
    assert [(event["job"]["name"], event["eventType"]) for event in events[::2]] == [
        (f"simglove.{command[0]}", "START") for command in asked
    ]
    assert [event["eventType"] for event in events[1::2]] == ["COMPLETE"] * 4 + ["FAIL"]
    named = [
        [[Path(entry["name"]).name for entry in event[end]] for end in ("inputs", "outputs")] for event in events[1::2]
    ]
    assert named == [
        [["set.txt", "vectors"], []],
        [["vectors"], ["v.txt"]],
        [["v.txt"], ["again"]],
        [["vocabulary", "pairs", "vectors"], ["page.html"]],
        [["none.txt", "v.txt"], []],
    ]
    versions = [Manifest.load(counted / name, "vectors").content_sha256 for name in ("vectors", "again")]
    assert events[1]["inputs"][1]["facets"]["version"]["datasetVersion"] == versions[0]
    assert events[5]["outputs"][0]["facets"]["version"]["datasetVersion"] == versions[1]
    assert sum(check_facets(event, kinds_of_facets()) for event in events) > 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3a://lake/corpus/a.txt", ("s3://lake", "corpus/a.txt")),
        ("gs://lake/corpus/", ("gs://lake", "corpus")),
        ("abfss://c@a.dfs.core.windows.net/x", ("abfss://c@a.dfs.core.windows.net", "/x")),
        ("hdfs://name:8020/user/x", ("hdfs://name:8020", "/user/x")),
        ("table:lake.articles", ("spark", "lake.articles")),
        ("file:///a/b", ("file", "/a/b")),
        ("/a/*/b?.txt", ("file", "/a")),
    ],
)
def test_datasets_are_named_as_openlineage_names_them(text: str, expected: tuple[str, str]) -> None:
    assert dataset_name(text) == expected


@pytest.mark.parametrize("how", ["nobody", "refusing"])
def test_a_failing_server_fails_no_run(
    counted: Path,
    receiver: Receiver,
    how: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receiver.status = 404
    url = {"nobody": "http://127.0.0.1:9", "refusing": receiver.url}[how]
    for name, value in {"TYPE": "http", "URL": url, "RETRY": '{"total": 0, "connect": 0}'}.items():
        monkeypatch.setenv(f"OPENLINEAGE__TRANSPORT__{name}", value)
    assert train(counted) == 0
    [warned] = [line for line in said(capsys) if line["level"] == "warning"]
    assert warned["text"].startswith("lineage to OpenLineage could not be sent; got ")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "OPENLINEAGE__TRANSPORT__TYPE",
            "no.such.Transport",
            "No lineage is sent: OpenLineage is not configured well; got ",
        ),
        ("OPENLINEAGE_PARENT_ID", "airflow/job/not-a-uuid", "OPENLINEAGE_PARENT_ID must be namespace/name/run id"),
    ],
)
def test_a_wrong_configuration_is_told(
    counted: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "console")
    monkeypatch.setenv(name, value)
    notes: list[tuple[str, str]] = []
    lineage.lineage_listener(lambda text, level: notes.append((text, level)))
    assert [(text.startswith(told), level) for text, level in notes] == [(True, "warning")]


def test_missing_libraries_name_their_extra(
    counted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("openlineage.client", "prometheus_client"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    assert train(counted) == 0
    assert [line["text"] for line in said(capsys) if line["level"] == "warning"] == [
        "No lineage is sent: OpenLineage is configured; got import of openlineage.client halted; None in sys.modules. "
        "pip install 'simglove-spark[lineage]'."
    ]
    assert train(counted, "--metrics", "m.prom") == 4
    assert "--metrics must have prometheus-client; got " in (told := capsys.readouterr().err)
    assert told.endswith(". pip install 'simglove-spark[metrics]'.\n")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OPENLINEAGE_URL": "http://x"}, True),
        ({"OPENLINEAGE_CONFIG": "x.yml"}, True),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "http"}, True),
        ({"OPENLINEAGE_URL": "http://x", "OPENLINEAGE_DISABLED": "True"}, False),
        ({"OPENLINEAGE_NAMESPACE": "x"}, False),
    ],
)
def test_lineage_is_sent_where_it_is_configured(counted: Path, environment: dict[str, str], expected: bool) -> None:
    assert lineage.is_configured(environment) is expected


# --- run id, listeners, libraries ---


def test_a_retry_with_the_same_run_id_is_safe(
    counted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIMGLOVE_RUN_ID", "by-environment")
    assert train(counted) == 0
    assert {line["run_id"] for line in said(capsys)} == {RUN}, "an option wins over the environment"
    before = Manifest.load(counted / "vectors", "vectors")
    assert train(counted) == 0
    assert Manifest.load(counted / "vectors", "vectors") == before
    assert [line.get("status") for line in said(capsys)] == ["running", None, "complete"]
    assert main(["merge-words", "--parts", "nowhere", "--output", "x"]) == 2
    assert {line["run_id"] for line in said(capsys)} == {"by-environment"}


@pytest.mark.parametrize("run_id", ["", "a b", "a\nb", "a,b", "x" * 251, "été"])
def test_an_impossible_run_id_is_refused(run_id: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ObserveConfig(run_id=run_id)
    expected = f"--run-id must be 1 to 250 letters, digits and _.~:+@=-; got {run_id!r}. Leave it out for a new one."
    assert str(caught.value) == expected


@pytest.mark.parametrize("metrics", ["m.txt", "ftp://x/y", "http://", "http://me:word@gateway:9091"])
def test_an_impossible_place_for_metrics_is_refused(metrics: str) -> None:
    with pytest.raises(ConfigError, match=r"--metrics must be a file that ends in \.prom, or an http or https URL"):
        ObserveConfig(metrics=metrics)


def test_a_listener_that_fails_is_dropped_and_told() -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    stream = io.StringIO()
    progress = JsonProgress(stream, "r")
    progress.listeners.append(Broken())  # type: ignore[arg-type]
    with progress.stage("train"):
        progress.event("sweep", sweep=1)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["text"] for line in lines if line["level"] == "warning"] == [
        "Broken hears no more: RuntimeError: started"
    ]
    assert lines[-1]["status"] == "complete"


def test_stages_within_stages_are_told_by_their_own_names() -> None:
    stream = io.StringIO()
    progress = JsonProgress(stream, "r")
    with progress.stage("run"):
        with progress.stage("train"), progress.task("train", unit="cells"):
            pass
        progress.note("between")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["stage"]) for line in lines] == [
        ("stage", "run"),
        ("stage", "train"),
        ("start", "train"),
        ("end", "train"),
        ("stage", "train"),
        ("note", "run"),
        ("stage", "run"),
    ]


@pytest.mark.parametrize("kind", [JsonProgress, TerminalProgress])
def test_what_libraries_say_stays_in_the_log(kind: type[Progress]) -> None:
    stream = io.StringIO()
    progress = kind(stream)  # type: ignore[arg-type]
    progress.listeners.append(LibraryWarnings(progress))
    shown = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with progress.stage("run"), progress.stage("train"):
            warnings.warn("an old\nname", FutureWarning, stacklevel=1)
            logging.getLogger("some.library").error("broken %d", 7)
            logging.getLogger("some.library").info("nothing")
            logging.getLogger("py4j.client").error("a traceback")
    assert warnings.showwarning is shown
    logging.getLogger("some.library").error("after")
    text = stream.getvalue()
    assert "FutureWarning: an old" in text
    assert "some.library: broken 7" in text
    assert not any(other in text for other in ("nothing", "a traceback", "after"))
    if kind is JsonProgress:
        told = [json.loads(line) for line in text.splitlines()]
        assert [line["level"] for line in told if line["event"] == "note"] == ["warning", "error"]
