"""One Spark session for all tests that need one, and small corpora."""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simglove_spark.config import SparkConfig

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK = SparkConfig(
    master="local[2,4]",
    driver_memory="1g",
    worker_memory="64m",
    spark_conf=("spark.sql.shuffle.partitions=2", "spark.default.parallelism=2"),
)
HERE = Path(__file__).parent
#: Spark's workers are forks of a process that has the kernels; else each of some hundred imports and loads them anew.
WARM = "spark.python.daemon.module=warm_daemon"

#: Files that take long, in this order, so that none is left over for one process alone at the end; before them some that need
#: no kernels, while these are compiled.
FIRST = ["storage", "architecture", "security", "docstrings"]
LONGEST = [
    "wheel",
    "cluster",
    "connect",
    "counting",
    "bad_files",
    "faults",
    "frames",
    "disk",
    "resume",
    "storage_road",
    "stop",
    "spark_vectors",
    "spark_ml",
    "spark_names",
    "worker_memory",
]


def pytest_configure(config: pytest.Config) -> None:
    """Compile the kernels once, beside the collecting, where several processes are going to need them."""
    if getattr(config.option, "numprocesses", None):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        warming = subprocess.Popen([sys.executable, HERE / "warming.py"], env=environment)
        config.add_cleanup(warming.wait)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first. Slow tests, long ones and those in a browser run only where asked for: pytest -m slow, -m soak, -m faults, -m browser."""
    places = {f"test_{name}": place for place, name in enumerate(FIRST + LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
    for marker in ("slow", "soak", "faults", "browser"):
        if marker not in config.option.markexpr:
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(pytest.mark.skip(reason=f"{marker}: pytest -m {marker}"))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[SparkSession]":
    """Local Spark, started as the stages start it; they find it as the running session."""
    from simglove_spark.session import start_session

    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.mktemp("spark"))
        patch.setenv("TMPDIR", folder)  # the workers' copies of vocabularies go there, and so do the driver's
        patch.setattr(tempfile, "tempdir", folder)
        before = dict(os.environ)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        session = start_session(replace(SPARK, spark_conf=(*SPARK.spark_conf, WARM)), "tests")
        os.environ.clear()  # the JVM runs: other tests see the environment that they would see alone
        os.environ.update(before)
        yield session
        session.stop()


@pytest.fixture(scope="session")
def small_text() -> bytes:
    """300 rows over 60 words of one to four characters, Zipf-like; rows of 0 to 40 words."""
    choice = random.Random(7)
    words = ["".join(choice.choice("abcé飞𐍈") for _ in range(1 + number // 15)) + str(number) for number in range(60)]
    weights = [1 / (1 + number) for number in range(60)]
    rows = [" ".join(choice.choices(words, weights, k=choice.randrange(41))) for _ in range(300)]
    return "\n".join(rows).encode()


@pytest.fixture
def corpus(tmp_path: Path, small_text: bytes) -> Path:
    """The small text as a file."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(small_text)
    return path
