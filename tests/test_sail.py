"""Sail instead of Spark: the same bytes from every kind of file, and what it cannot do is refused with a reason.

Where Sail does not start (it knows pyspark up to 4.2) only the refusals are tested: README, "Without Java".
"""

import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SPARK
from engine_cases import context_of, corpora, counted, joined

from simglove_spark.cli import main
from simglove_spark.config import CorpusConfig, SparkConfig, TrainConfig
from simglove_spark.corpus import list_inputs
from simglove_spark.engines import sail, turns
from simglove_spark.engines.file_rows import pieces, plan_parts
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.frames import count_pairs, count_words, save_counts
from simglove_spark.session import local_slots, scratch_folder, start_session
from simglove_spark.text_rows import Cleaning
from simglove_spark.training_inputs import check_pairs

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SAIL = SparkConfig(engine="sail", worker_memory="64m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sail")


@pytest.fixture(scope="module")
def cases(folder: Path, small_text: bytes) -> dict[str, CorpusConfig]:
    return corpora(folder, small_text)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator["SparkSession"]:
    """One server for the file; other files then find this process as it was."""
    before = dict(os.environ)
    try:
        session = start_session(SAIL, "tests")
    except ResourceError as error:
        pytest.skip(str(error))
    finally:
        os.environ.clear()
        os.environ.update(before)
    yield session
    sail._session.cache_clear()


@pytest.fixture
def session(server: "SparkSession", monkeypatch: pytest.MonkeyPatch) -> "SparkSession":
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
    return server


@pytest.fixture(scope="module")
def expected(
    server: "SparkSession", spark: "SparkSession", folder: Path, cases: dict[str, CorpusConfig]
) -> dict[str, dict[str, str]]:
    """What Spark gives."""
    context, made = context_of(SPARK), folder / "spark"
    found = {name: counted(corpus, made / name, context) for name, corpus in cases.items()}
    return {**found, "phrases": joined(cases["a.txt"], made / "a.txt", made / "phrases", context)}


@pytest.mark.spark
@pytest.mark.sail
def test_the_same_tables_from_every_kind_of_file(
    expected: dict, session: "SparkSession", folder: Path, cases: dict[str, CorpusConfig]
) -> None:
    context, made = context_of(SAIL), folder / "sail"
    for name, corpus in cases.items():
        assert counted(corpus, made / name, context) == expected[name], name
    assert joined(cases["a.txt"], made / "a.txt", made / "phrases", context) == expected["phrases"]


@pytest.mark.spark
@pytest.mark.sail
@pytest.mark.parametrize("memory", ["1k", "1g"])
def test_the_budget_of_each_worker_changes_no_byte(
    expected: dict, session: "SparkSession", cases: dict[str, CorpusConfig], tmp_path: Path, memory: str
) -> None:
    context = context_of(replace(SAIL, worker_memory=memory))
    assert counted(cases["long.txt"], tmp_path, context) == expected["long.txt"]
    documents = counted(cases["a.txt.gz"], tmp_path / "d", context, min_documents=2)
    assert documents.keys() == expected["a.txt.gz"].keys()


@pytest.mark.sail
def test_the_whole_road_by_the_command_line(
    session: "SparkSession", cases: dict[str, CorpusConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--input", *cases["a.txt"].input, "--output", str(tmp_path / "run"), "--min-count", "1", "--dim", "4"]
    assert main(["run", *options, "--engine", "sail", "--worker-memory", "64m"]) == 0
    assert (tmp_path / "run/vectors/_manifest.json").exists()
    assert main(["run", *options, "--engine", "sail", "--worker-memory", "64m"]) == 0
    assert "Nothing to do" in capsys.readouterr().err


@pytest.mark.sail
def test_frames_in_a_session_of_sail(session: "SparkSession", folder: Path, tmp_path: Path) -> None:
    frame = session.read.parquet(str(folder / "a.parquet"))
    rows = [(row or "").split() for row in pq.read_table(folder / "a.parquet")["body"].to_pylist()]
    counts: dict[str, int] = {}
    for word in (word for row in rows for word in row):
        counts[word] = counts.get(word, 0) + 1
    assert dict(map(tuple, count_words(frame, "body").collect())) == counts
    words = session.createDataFrame(list(zip(counts, range(len(counts)), strict=True)), "word string, word_id int")
    flat = count_pairs(frame, words, "body", window_size=1, distance_weighting="flat", num_shards=3)
    found = {(row.word_id, row.context_id): row["count"] for row in flat.collect()}
    ids = {word: number for number, word in enumerate(counts)}
    near: dict[tuple[int, int], int] = {}
    for row in rows:
        for first, second in pairwise(row):
            for pair in {(ids[first], ids[second]), (ids[second], ids[first])} if first != second else ():
                near[pair] = near.get(pair, 0) + 1
    assert found == near
    made = save_counts(frame.where("n > 5"), tmp_path, "news", "body", min_count=1, worker_memory="64m")
    assert made.rows > 0
    assert check_pairs(tmp_path / "pairs", tmp_path / "vocabulary", TrainConfig()) == made


@pytest.mark.sail
def test_what_goes_wrong_in_a_worker_is_told_as_ours(session: "SparkSession", tmp_path: Path) -> None:
    context = context_of(SAIL)
    (tmp_path / "bad.txt").write_bytes(b"a b\xff a b")
    with pytest.raises(
        InputError, match=r"words must be UTF-8; got 1 that are not \(.*bad\.txt\)\. Give --on-bad-bytes"
    ):
        counted(CorpusConfig(input=(str(tmp_path / "bad.txt"),)), tmp_path / "out", context)
    cut = tmp_path / "cut.txt.gz"
    cut.write_bytes(gzip.compress(b"a b c\n" * 1000)[:-20])
    with pytest.raises(InputError, match=r"input must be readable to the end; got .*cut\.txt\.gz\)\. Replace"):
        counted(CorpusConfig(input=(str(cut),)), tmp_path / "out", context)
    (tmp_path / "ok.txt").write_text("a b c\n")
    both = CorpusConfig(input=(str(cut), str(tmp_path / "ok.txt")), on_bad_file="skip")
    assert counted(both, tmp_path / "skipped", context)
    with pytest.raises(
        InputError, match=r"that Spark knows; got .*nowhere.* With --engine sail give files, for it has no tables\."
    ):
        counted(CorpusConfig(input=("table:nowhere",), column="x"), tmp_path / "out", context)
    assert not list((tmp_path / "out").glob("[!.]*"))


@pytest.mark.sail
def test_a_server_that_is_killed_is_told_of_and_the_command_goes_on_anew(
    session: "SparkSession", cases: dict[str, CorpusConfig], tmp_path: Path
) -> None:
    script = (
        "import os, psutil, signal, sys, threading\n"
        "from simglove_spark.cli import main\n"
        "from simglove_spark.engines import turns\n"
        "def kill():\n"
        " for child in psutil.Process().children(): child.send_signal(signal.SIGKILL)\n"
        "import simglove_spark.session as s\n"
        "start = s.sail_session\n"
        "def killed(slots):\n session = start(slots); kill(); return session\n"
        "s.sail_session = killed\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    path = tmp_path / "killed.py"
    path.write_text(script)
    options = ["count-words", "--input", *cases["a.txt"].input, "--output", str(tmp_path / "out"), "--engine", "sail"]
    done = subprocess.run([sys.executable, path, *options], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 4
    assert "Spark Connect server must stay until the work is done; got one that is gone." in done.stderr
    assert main([*options, "--min-count", "1"]) == 0


@pytest.mark.sail
def test_the_server_ends_with_the_process_that_started_it(session: "SparkSession", tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom simglove_spark.engines import sail\nprint(sail._start(2), flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert int(starter.stdout.readline()) > 0
        (child,) = psutil.Process(starter.pid).children()
        starter.send_signal(signal.SIGKILL)
        child.wait(timeout=20)


# --- without a server ---


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("--master", {"master": "local[2]"}),
        ("--driver-memory", {"driver_memory": "2g"}),
        ("--spark-remote", {"spark_remote": "sc://here"}),
        ("--spark-conf", {"spark_conf": ("a=b",)}),
    ],
)
def test_options_of_spark_are_refused(option: str, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        SparkConfig(engine="sail", **given)
    value = next(iter(given.values()))
    assert str(caught.value) == (
        f"{option} must be left out with --engine sail, which starts no Spark; got {value if isinstance(value, str) else 'a=b'}. "
        "Leave it out."
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"input": ("a.parquet",), "column": "x", "where": "n > 1"},
            "--where must be left out with --engine sail, whose workers read files without SQL; got n > 1. Use --engine spark.",
        ),
        (
            {"input": ("s3a://lake/a.txt",)},
            "--engine sail must be given files of this machine; got s3a://lake/a.txt. Copy them here, or use --engine spark.",
        ),
        (
            {"input": ("a.txt.snappy",)},
            "--engine sail must be given files that Arrow can unpack, .gz, .bz2 or .zst; got a.txt.snappy. Use --engine spark.",
        ),
    ],
)
def test_inputs_of_spark_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sail.check_corpus([{"path": path} for path in given["input"]], CorpusConfig(**given))
    assert str(caught.value) == message


def test_a_sail_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sail, "SERVER", "simglove_spark.no_such_module")
    with pytest.raises(ResourceError) as caught:
        sail._start(2)
    assert str(caught.value).startswith("--engine sail must have a Sail that starts; got ")
    assert str(caught.value).endswith(
        "No module named simglove_spark.no_such_module. pip install 'simglove-spark[sail]'."
    )


def test_spark_submit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    with pytest.raises(ConfigError) as caught:
        start_session(SAIL, "tests")
    assert str(caught.value) == (
        "--engine sail must be run without spark-submit, which starts Spark; got both. Run the job with python."
    )


def test_slots_are_cores_and_nothing_is_spilled() -> None:
    assert local_slots(SAIL) == len(os.sched_getaffinity(0))
    assert scratch_folder(SAIL) is None


def test_workers_read_rows_of_every_kind(cases: dict[str, CorpusConfig], small_text: bytes) -> None:
    rows = [row.split() for row in small_text.split(b"\n")]
    for name in ("a.txt.gz", "a.parquet body", "a.jsonl.gz body", "a.parquet words", "a.orc words", "a.jsonl.gz words"):
        corpus = cases[name]
        for slots in (1, 3, 50):
            tasks = plan_parts(list_inputs(corpus), corpus.column, slots)
            assert len(tasks) <= slots
            batch = pa.RecordBatch.from_arrays([pa.array(range(len(tasks)))], ["id"])
            found = [
                row
                for piece in pieces(iter([batch]), tasks, corpus.column, Cleaning())
                for row in piece.column.to_pylist()
            ]
            split = [row.split() if isinstance(row, str) else [word for word in row if word] for row in found]
            assert sorted(row for row in split if row) == sorted([w.decode() for w in row] for row in rows if row), name


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"body": 7}', "'body' that holds neither text nor a list of words"),
        ('{"body": ["a", 7]}', "'body' that holds neither text nor a list of words"),
        ('{"body": ["a"]}', "'body' that holds text here and a list of words there"),
        ("[]", "list instead of an object"),
    ],
)
def test_json_that_is_something_else(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "a b"}\n\n{"n": 1}\n' + line)
    tasks = plan_parts([{"path": str(path)}], "body", 1)
    batch = pa.RecordBatch.from_arrays([pa.array([0])], ["id"])
    with pytest.raises(InputError) as caught:
        list(pieces(iter([batch]), tasks, "body", Cleaning()))
    assert str(caught.value) == f"input must be JSON, an object a line; got {reason} ({path}). Replace the broken file."


def test_so_many_take_their_turn_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_turns", turns._turns)
    turns.limit(2)
    at_work, most, lock, batch = 0, 0, threading.Lock(), pa.RecordBatch.from_arrays([pa.array([1])], ["n"])

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.02)
        yield from batches
        with lock:
            at_work -= 1

    finished = [threading.Event() for _ in range(8)]

    def make(number: int) -> None:
        list(turns.in_turn(iter([batch]), work))
        finished[number].set()

    def waiting() -> Iterator[pa.RecordBatch]:  # reads what the makers make: it must not hold a turn meanwhile
        for event in finished:
            event.wait(20)
        yield batch

    makers = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    made: list[pa.RecordBatch] = []
    readers = [threading.Thread(target=lambda: made.extend(turns.in_turn(waiting(), work))) for _ in range(3)]
    for thread in (*readers, *makers):
        thread.start()
    for thread in (*readers, *makers):
        thread.join(timeout=20)
    assert (most, at_work, len(made)) == (2, 0, 3)
    with pytest.raises(ValueError, match="mine"):
        list(turns.in_turn(iter([]), lambda _: (_ for _ in ()).throw(ValueError("mine"))))
    assert list(turns.in_turn(iter([]), iter)) == []  # its turn was given back
