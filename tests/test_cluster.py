"""A cluster of several processes, started as docker/compose.yaml starts it: the same bytes as on one machine."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from composed import HOSTS, ROOT, TOOLS, Composed, composed, until
from packed import packed, packed_whole
from test_counting import context, corpus_of, run_stages

from simglove_spark import counting
from simglove_spark.config import PairsConfig, PhrasesConfig, VocabularyConfig
from simglove_spark.manifest import Manifest
from simglove_spark.vectors import Vectors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

TOKENIZER = """
import json, os, re, sys
from pathlib import Path
import numba, simglove_spark

if "SEEN" in os.environ:  # in the workers alone
    told = [sys.executable, simglove_spark.__file__, numba.__file__]
    Path(os.environ["SEEN"], str(os.getpid())).write_text(json.dumps(told))

def between_blanks(text):
    return re.split("[ \\t\\n\\v\\f\\r]+", text)
"""
READ = {"lowercase": True, "tokenizer": "own_words:between_blanks"}
ARCHIVED = "/environment/"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Master and two workers."""
    with composed(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module for --py-files whose function cuts as we do without it."""
    path = tmp_path_factory.mktemp("own") / "own_words.py"
    path.write_text(TOKENIZER)
    return path


@pytest.fixture(scope="module")
def alone(cluster: Composed, tokenizer: Path, spark: "SparkSession") -> Path:
    """What this machine alone makes of the corpus, with that tokenizer."""
    spark.sparkContext.addPyFile(str(tokenizer))
    corpus = corpus_of(cluster.corpus, **READ)
    return run_stages(corpus, cluster.data.parent / "alone", VocabularyConfig(), PairsConfig())


def contents(folder: Path, *tables: str) -> list[str]:
    """Checksums of tables."""
    return [Manifest.load(folder / table, table).content_sha256 for table in tables]


def run(command: list[Any], environment: dict[str, str], folder: Path) -> None:
    arguments = [str(part) for part in command]
    ended = subprocess.run(
        arguments, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=500
    )
    assert ended.returncode == 0, ended.stderr


def submitter(
    cluster: Composed, folder: Path, archive: Path, tokenizer: Path, **variables: str
) -> Callable[..., list[Path]]:
    """What submits a job of ours with a packed environment; it returns where the workers found interpreter, package and numba.

    ``variables``: of the executors.
    """
    environment = cluster.environment | {"PYTHONPATH": str(ROOT), "PYSPARK_DRIVER_PYTHON": sys.executable}
    environment["PYSPARK_PYTHON"] = "./environment/bin/python"
    command = [ROOT / "docker" / "entrypoint.sh", "spark-submit", "--master", cluster.master]
    command += ["--archives", f"{archive}#environment", "--py-files", tokenizer]
    given = ["--input", cluster.corpus, "--lowercase", "--tokenizer", READ["tokenizer"]]

    def submit(job: str, *options: Any) -> list[Path]:
        seen = folder / f"seen-by-{job}"
        seen.mkdir()
        own = {"SEEN": str(seen), **variables}
        told = [part for name, value in own.items() for part in ("--conf", f"spark.executorEnv.{name}={value}")]
        run([*command, *told, ROOT / "jobs" / job, *given, "--worker-memory", "300m", *options], environment, folder)
        return [Path(place) for path in seen.iterdir() for place in json.loads(path.read_text())]

    return submit


@pytest.mark.soak
def test_the_job_of_the_compose_file_walks_the_whole_road(cluster: Composed, alone: Path, tmp_path: Path) -> None:
    cluster.start_history()
    command = [*cluster.command("road"), "--dim=8", "--sweeps=2", f"--spark-conf=spark.executorEnv.PYTHONPATH={ROOT}"]
    command += ["--spark-conf=spark.scheduler.minRegisteredResourcesRatio=1"]  # no task before both hosts are there
    run(command, cluster.environment | cluster.variables("road") | {"PYTHONPATH": str(ROOT)}, tmp_path)
    made, tables = cluster.data / "runs" / "first", ("word_counts", "vocabulary", "pairs")
    assert contents(made, *tables) == contents(alone, *tables)
    assert "pairs" in Vectors.load(made / "vectors", verify=True)

    until(lambda: cluster.history("applications")[0]["attempts"][0]["completed"])
    (application,) = cluster.history("applications")
    assert application["name"].startswith("simglove run ")
    executors = cluster.history(f"applications/{application['id']}/allexecutors")
    assert {entry["hostPort"].split(":")[0] for entry in executors if entry["id"] != "driver"} == set(HOSTS)
    assert sum(entry["totalTasks"] for entry in executors) > 2  # which of the hosts has them is Spark's affair
    settings = dict(cluster.history(f"applications/{application['id']}/environment")["sparkProperties"])
    assert settings["spark.executor.memoryOverhead"] == "1408m"  # a worker of 1 GiB, and 384 MiB
    assert "spark.driver.bindAddress" not in settings  # ours for this machine alone would cut the workers off


def test_a_job_in_a_packed_environment_with_a_tokenizer_of_ones_own(
    cluster: Composed, alone: Path, tokenizer: Path, tmp_path: Path
) -> None:
    submit = submitter(cluster, tmp_path, packed(tmp_path), tokenizer)
    found = submit("count_pairs.py", "--vocabulary", alone / "vocabulary", "--output", tmp_path / "pairs")
    assert contents(tmp_path, "pairs") == contents(alone, "pairs")
    assert [ARCHIVED in str(place) for place in found[:2]] == [True, True]
    assert not list(tmp_path.glob("*warehouse*"))


@pytest.fixture(scope="module")
def joined(cluster: Composed, alone: Path) -> Path:
    """What this machine alone joins in it."""
    corpus, output = corpus_of(cluster.corpus, **READ), cluster.data.parent / "joined"
    counting.find_phrases(corpus, PhrasesConfig(min_count=3), alone, output, context())
    return output


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Archives of an environment of the package and all that it needs, with its kernels compiled and without."""
    return packed_whole(tmp_path_factory.mktemp("whole"))


@pytest.mark.soak
@pytest.mark.parametrize("cache", ["absent", "unwritable", "shared", "carried"])
def test_all_jobs_in_an_environment_that_holds_everything(
    cluster: Composed, alone: Path, joined: Path, tokenizer: Path, whole: dict[bool, Path], tmp_path: Path, cache: str
) -> None:
    folders = {"unwritable": "/proc/nowhere", "shared": str(tmp_path / "kernels")}
    variables = {"NUMBA_CACHE_DIR": folders[cache]} if cache in folders else {}
    archive = whole[cache == "carried"]
    with tarfile.open(archive) as held:
        assert any(name.endswith(".nbi") for name in held.getnames()) == (cache == "carried")
    submit = submitter(cluster, tmp_path, archive, tokenizer, **variables)
    found = submit("count_words.py", "--output", tmp_path)
    found += submit("find_phrases.py", "--words", tmp_path, "--min-count", 3, "--output", tmp_path / "joined")
    found += submit("count_pairs.py", "--vocabulary", tmp_path / "vocabulary", "--output", tmp_path / "pairs")
    tables = ("word_counts", "vocabulary", "pairs")
    assert contents(tmp_path, *tables) == contents(alone, *tables)
    tables = ("phrases", "word_counts", "vocabulary")
    assert contents(tmp_path / "joined", *tables) == contents(joined, *tables)
    assert all(ARCHIVED in str(place) for place in found)
    assert any((tmp_path / "kernels").rglob("*.nbi")) == (cache == "shared")


def test_the_entrypoint_finds_java_and_runs_any_command() -> None:
    command = [ROOT / "docker" / "entrypoint.sh", "sh", "-c", "echo $JAVA_HOME; exit 3"]
    environment = {"PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ["HOME"]}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert (Path(ended.stdout.strip()) / "bin" / "java").is_file()


def test_the_entrypoint_says_what_it_lacks(tmp_path: Path) -> None:
    entrypoint = ROOT / "docker" / "entrypoint.sh"
    environment = {"PATH": os.environ["PATH"], "JAVA_HOME": str(tmp_path)}
    for command, message in {
        (): "must be master, worker, history or a command",
        ("worker",): "SPARK_MASTER_URL: must be spark://HOST:PORT",
    }.items():
        ended = subprocess.run([entrypoint, *command], env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert message in ended.stderr
