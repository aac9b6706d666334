"""The same code on a real Spark Connect server: the same bytes and numbers as in a session of Spark's own."""

import gzip
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import SPARK
from connect_server import connect_server
from engine_cases import context_of, corpora, counted, joined

from simglove_spark.cli import main
from simglove_spark.config import CorpusConfig, SparkConfig
from simglove_spark.engines import connect
from simglove_spark.engines.addresses import remote_address
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.frames import count_pairs, count_words, save_counts
from simglove_spark.progress import Progress
from simglove_spark.session import local_slots, scratch_folder, start_session, worker_memory
from simglove_spark.spark_vectors.functions import keywords, neighbours, pmi, register, sentence_vector
from simglove_spark.vectors import Vectors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CASES = ("a.txt", "a.txt.gz", "a.parquet words")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("connect")


@pytest.fixture(scope="module")
def cases(folder: Path, small_text: bytes) -> dict[str, CorpusConfig]:
    return corpora(folder, small_text)


@pytest.fixture(scope="module")
def expected(spark: "SparkSession", folder: Path, cases: dict[str, CorpusConfig]) -> dict[str, dict[str, str]]:
    """What a session of Spark's own gives."""
    context, made = context_of(SPARK), folder / "classic"
    found = {name: counted(cases[name], made / name, context) for name in CASES}
    return {**found, "phrases": joined(cases["a.txt"], made / "a.txt", made / "phrases", context)}


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    (folder / "server").mkdir()
    with connect_server(folder / "server") as address:
        yield address


@pytest.fixture(scope="module")
def config(expected: dict, server: str) -> Iterator[SparkConfig]:
    """How the server is asked for; other files then find this process as it was."""
    config = SparkConfig(spark_remote=server, worker_memory="64m")
    before = dict(os.environ)
    session = start_session(config, "tests")
    yield config
    session.stop()
    connect.remote_session.cache_clear()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def remote(config: SparkConfig) -> "SparkSession":
    return start_session(config, "tests")


@pytest.mark.spark
def test_the_same_tables(expected: dict, folder: Path, cases: dict[str, CorpusConfig], config: SparkConfig) -> None:
    context, made = context_of(config), folder / "remote"
    assert {name: counted(cases[name], made / name, context) for name in CASES} == {
        name: expected[name] for name in CASES
    }
    assert joined(cases["a.txt"], made / "a.txt", made / "phrases", context) == expected["phrases"]


@pytest.mark.spark
def test_the_command_line_counts_there(
    config: SparkConfig, server: str, cases: dict[str, CorpusConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--input", *cases["a.txt"].input, "--output", str(tmp_path / "out"), "--min-count", "1"]
    assert main(["count-words", *options, "--spark-remote", server, "--worker-memory", "64m"]) == 0
    assert (
        '"event": "end", "task": "count words"' in capsys.readouterr().err
    )  # of its tasks a quick server may tell nothing
    assert (tmp_path / "out/vocabulary/_manifest.json").exists()


@pytest.mark.spark
def test_frames_in_a_session_of_the_server(
    expected: dict, remote: "SparkSession", folder: Path, tmp_path: Path
) -> None:
    frame = remote.read.parquet(str(folder / "a.parquet"))
    import pyarrow.parquet as pq

    known = pq.read_table(folder / "classic/a.txt/vocabulary").to_pydict()
    assert dict(map(tuple, count_words(frame, "body").collect())) == dict(
        zip(known["word"], known["count"], strict=True)
    )
    cells = pq.read_table(folder / "classic/a.parquet words/pairs").to_pylist()
    vocabulary = remote.read.parquet(str(folder / "classic/a.txt/vocabulary")).drop("count")
    for words in (folder / "classic/a.txt/vocabulary", vocabulary):
        found = count_pairs(frame, words, "body", window_size=3, worker_memory="64m").collect()
        assert sorted(map(tuple, found)) == sorted(tuple(cell.values()) for cell in cells)
    made = save_counts(frame, tmp_path, "news", "body", min_count=1, window_size=3, num_shards=3, worker_memory="64m")
    assert (
        made.files
        == save_counts(
            frame, tmp_path, "news", "body", min_count=1, window_size=3, num_shards=3, worker_memory="64m"
        ).files
    )


@pytest.mark.spark
def test_vectors_are_asked_there(remote: "SparkSession", tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(300)]
    matrix = np.random.default_rng(3).standard_normal((len(words), 8)).astype(np.float32)
    Vectors(words, matrix, np.arange(len(words), 0, -1)).save(
        tmp_path / "v", config={"space": "shared", "count_power": 0.75}
    )
    vectors = Vectors.load(tmp_path / "v")
    frame = remote.createDataFrame([("w1 w2 nowhere", "w1", "w2")], "t string, a string, b string")
    columns = (
        keywords("t", 2, vectors=tmp_path / "v"),
        sentence_vector("t", vectors=tmp_path / "v"),
        pmi("a", "b", vectors=tmp_path / "v"),
    )
    own = (
        vectors.keywords(["w1", "w2"], 2),
        vectors.sentence_vector(["w1", "w2"]).tolist(),
        vectors.pmi("w1", "w2").predicted,
    )
    register(remote, tmp_path / "v")
    frame.createOrReplaceTempView("texts")
    for asked in (
        frame.select(*columns),
        remote.sql("SELECT keywords(t, 2), sentence_vector(t), pmi(a, b) FROM texts"),
    ):
        row = asked.collect()[0]
        assert ([tuple(pair) for pair in row[0]], row[1], row[2]) == own
    found = [row.neighbour for row in neighbours(remote, tmp_path / "v", 1).orderBy("word").collect()]
    ids, _ = vectors.neighbours(sorted(words), 1, "cosine")
    assert found == [words[number] for number in ids.ravel()]


@pytest.mark.spark
def test_the_ml_stage_there(remote: "SparkSession", tmp_path: Path) -> None:
    from simglove_spark.spark_vectors.ml import SimplerGlove, SimplerGloveModel

    frame = remote.createDataFrame([("a b c a b",), ("b c d a",)], "t string")
    options = {"worker_memory": "64m", "num_shards": 3}
    stage = SimplerGlove(inputCol="t", outputCol="v", vectorSize=4, minCount=1, workDir=str(tmp_path), options=options)
    model = stage.fit(frame)
    found = [row.v.toArray() for row in model.transform(frame).collect()]
    own = model.vectors.sentence_vector(["b", "c", "d", "a"], "mean")
    assert any(np.allclose(row, own) for row in found)
    model.write().overwrite().save(str(tmp_path / "model"))
    again = SimplerGloveModel.load(str(tmp_path / "model")).transform(frame).collect()
    assert np.array_equal(found, [row.v.toArray() for row in again])


@pytest.mark.spark
def test_what_goes_wrong_in_a_task_is_told_as_ours(folder: Path, config: SparkConfig, tmp_path: Path) -> None:
    context = context_of(config)
    (tmp_path / "bad.txt").write_bytes(b"a b\xff a b")
    with pytest.raises(InputError, match="words must be UTF-8; got 1 that are not"):
        counted(CorpusConfig(input=(str(tmp_path / "bad.txt"),)), tmp_path / "out", context)
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"a b c\n" * 1000)[:-20])
    with pytest.raises(InputError, match=r"input must be readable to the end; got .*cut\.txt\.gz"):
        counted(CorpusConfig(input=(str(tmp_path / "cut.txt.gz"),)), tmp_path / "out", context)
    with pytest.raises(InputError, match=r"must be a table that Spark knows; got .*nowhere"):
        counted(CorpusConfig(input=("table:nowhere",), column="x"), tmp_path / "out", context)
    assert not list((tmp_path / "out").glob("[!.]*"))


@pytest.mark.spark
def test_settings_of_the_server_alone_are_refused(config: SparkConfig, server: str) -> None:
    with pytest.raises(ConfigError) as caught:
        start_session(replace(config, spark_conf=("spark.local.dir=/tmp",)), "tests")
    assert str(caught.value) == (
        "--spark-conf must be a setting of a session with --spark-remote; got spark.local.dir, which is its server's "
        f"({server}). Give it to the server when it is started."
    )
    own = start_session(replace(config, spark_conf=("spark.sql.shuffle.partitions=3",)), "tests")
    assert own.conf.get("spark.sql.shuffle.partitions") == "3"
    assert own.conf.get("spark.sql.adaptive.enabled") == "false"
    own.stop()
    connect.remote_session.cache_clear()


# --- without a server ---


@pytest.mark.parametrize("address", ["local[2]", "sc://", "http://host:15002", "sc://host:x", "host"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        remote_address(SparkConfig(spark_remote=address))
    start = f"--spark-remote (or SPARK_REMOTE) must be the address of a Spark Connect server; got {address!r} ("
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith("). Write sc://HOST:15002.")


def test_which_engine_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://there")
    assert remote_address(SparkConfig()) == "sc://there"
    assert remote_address(SparkConfig(spark_remote="sc://here:7")) == "sc://here:7"
    assert remote_address(SparkConfig(master="local[2]")) is None
    assert remote_address(SparkConfig(engine="sail")) is None
    assert local_slots(SparkConfig()) is scratch_folder(SparkConfig()) is None
    assert worker_memory(SparkConfig()) == 1280 << 20


@pytest.mark.parametrize(
    ("option", "given"), [("--master", {"master": "local[2]"}), ("--driver-memory", {"driver_memory": "2g"})]
)
def test_what_a_server_has_itself_is_refused(option: str, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        SparkConfig(spark_remote="sc://here", **given)
    assert str(caught.value) == (
        f"{option} must be left out with --spark-remote, whose server has its own; got {next(iter(given.values()))}. Leave it out."
    )


def test_a_server_that_does_not_answer_is_told_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("grpc")
    monkeypatch.setattr(connect.os, "environ", {})
    with pytest.raises(ResourceError) as caught:
        start_session(SparkConfig(spark_remote="sc://127.0.0.1:1"), "tests")
    assert str(caught.value) == (
        "Spark Connect server must answer; got [Errno 111] Connection refused (sc://127.0.0.1:1). Start it, or mend the address."
    )


def test_work_is_stopped_on_the_server_when_we_are() -> None:
    called: list[tuple[str, str]] = []
    names = ("addTag", "removeTag", "interruptTag", "registerProgressHandler", "removeProgressHandler")
    session: Any = SimpleNamespace(**{name: lambda value, name=name: called.append((name, value)) for name in names})
    with (
        pytest.raises(KeyboardInterrupt),
        Progress().task("count") as task,
        connect.followed(session, "count, words", task),
    ):
        handler = dict(called)["registerProgressHandler"]
        handler([SimpleNamespace(stage_id=1, num_tasks=4, num_completed_tasks=3)], 1, "a", False)  # type: ignore[operator]
        handler([SimpleNamespace(stage_id=1, num_tasks=2, num_completed_tasks=0)], 1, "b", False)  # type: ignore[operator]
        assert (task.done, task.total) == (3, 6)
        raise KeyboardInterrupt
    tag = dict(called)["addTag"]
    assert re.fullmatch(r"simglove count \w+: count  words [0-9a-f]{8}", tag)
    assert ("interruptTag", tag) in called
    assert called[-2:] == [("removeProgressHandler", handler), ("removeTag", tag)]
