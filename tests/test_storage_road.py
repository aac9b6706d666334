"""The whole road from a bucket into a bucket, by the command line, against an S3 server that fails now and then."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count, product
from pathlib import Path

import pytest
from s3_server import BUCKET, KEY, SECRET, environment, make_bucket, serving

from simglove_spark.manifest import Manifest
from simglove_spark.storage.paths import StorePath, path_of

pytestmark = pytest.mark.spark
pytest.importorskip("moto", reason="needs the extra test")

SCRIPT = """
import json, sys
from simglove_spark.cli import main
for line in sys.stdin:
    arguments = json.loads(line)
    print(f">>> {' '.join(arguments[:2])}", flush=True)
    print(f">>> {main(arguments)}", flush=True)
"""
HOW = [
    "--dim",
    "8",
    "--sweeps",
    "2",
    "--min-count",
    "2",
    "--seed",
    "3",
    "--driver-memory",
    "1g",
    "--worker-memory",
    "64m",
]
STAGES = ["word_counts", "vocabulary", "pairs", "vectors"]


def commands(here: Path, there: Path, words: list[str]) -> list[tuple[int, list[str]]]:
    """A run here and one in the bucket, phrases of both, and questions: each with the code that it must end with."""
    vectors, corpus = f"{there}/run/vectors", f"{there}/corpus"
    asked = [
        (0, ["run", "--input", f"{here}/corpus", "--output", f"{here}/run", *HOW]),
        (0, ["run", "--input", f"s3a://{BUCKET}/road/corpus/*.txt", "--output", f"{there}/run", *HOW]),
        (0, ["run", "--input", f"{corpus}/", "--output", f"{there}/run", *HOW]),
        (0, ["similar", words[0], "--vectors", vectors]),
        (0, ["explain", *words[:2], "--vectors", vectors, "--pairs", f"{there}/run/pairs"]),
        (0, ["export", "--vectors", vectors, "--format", "word2vec-text", "--output", f"{there}/v.txt"]),
        (0, ["evaluate", "--vectors", f"{there}/v.txt", "--similarity", f"{there}/set.txt", "--json"]),
        (2, ["run", "--input", corpus, "--output", f"{there}/run", "--window-size", "3", *HOW]),
        (3, ["run", "--input", corpus, "--output", f"{there}/other", "--column", "text", *HOW]),
    ]
    for folder in (here, there):
        of = ["--input", f"{folder}/corpus", "--words", f"{folder}/run", "--output", f"{folder}/joined"]
        asked.append((0, ["phrases", *of, "--min-count", "3", "--threshold", "0.05"]))
    return asked


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory, small_text: bytes) -> Iterator[tuple[Path, Path, list[int], str]]:
    """The folder here and the one in the bucket, how each command ended, and all that was printed; every 40th request is refused."""
    here = tmp_path_factory.mktemp("road")
    with serving() as (url, faults), pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment(url), "XDG_CACHE_HOME": str(here / "cache")}.items():
            patch.setenv(name, value)
        make_bucket()
        there, words = path_of(f"s3://{BUCKET}/road"), list(dict.fromkeys(small_text.decode().split()))
        (here / "corpus").mkdir()
        for part, folder in product(range(2), (here, there)):
            (folder / "corpus" / f"{part}.txt").write_bytes(b"\n".join(small_text.split(b"\n")[part::2]))
        (there / "set.txt").write_text("".join(f"{words[n]}\t{words[n + 1]}\t{n}\n" for n in range(5)))
        number, asked = count(1), commands(here, there, words)
        with faults.of("slow", 10**6, lambda method, path: next(number) % 40 == 0), (here / "log").open("w") as log:
            subprocess.run(
                [sys.executable, "-c", SCRIPT],
                input="\n".join(json.dumps(arguments) for _, arguments in asked),
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=400,
                check=False,
                env={name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))},
            )
        everything = (here / "log").read_text()
        ends = [int(code) for code in re.findall(r"^>>> (\d+)$", everything, re.MULTILINE)]
        assert ends == [code for code, _ in asked], everything
        yield here, there, ends, everything


def test_every_command_ends_as_it_should(road: tuple[Path, Path, list[int], str]) -> None:
    everything = road[3]
    assert "Traceback" not in everything
    assert re.search(r"Nothing to do: s3://lake/road/run is complete", everything)
    assert "window_size is 10 there and 3 here" in everything


def test_the_tables_are_those_of_a_run_on_disk(road: tuple[Path, Path, list[int], str]) -> None:
    """Byte for byte: whatever reads them, and however the input was cut and the store failed."""
    here, there, _, _ = road
    places = [("run", table) for table in STAGES] + [
        ("joined", table) for table in ("phrases", "word_counts", "vocabulary")
    ]
    for folder, table in places:
        local, stored = (Manifest.load(base / folder / table, table) for base in (here, there))
        assert stored.content_sha256 == local.content_sha256, table
        assert stored.rows > 0
        assert {path.name for path in (there / folder / table).iterdir() if not path.name.startswith(".")} == {
            "_manifest.json",
            *(entry.name for entry in stored.files),
        }
    assert isinstance(there, StorePath)
    assert not [info.path for info in there.infos(recursive=True) if info.is_file and "checkpoint" in info.path]
    inputs = Manifest.load(there / "run" / "pairs", "pairs").inputs
    assert [entry["path"] for entry in inputs] == [f"s3://lake/road/corpus/{part}.txt" for part in range(2)]
    assert all(entry["bytes"] and entry["modified"] for entry in inputs)


def test_run_json_and_configuration_lie_in_the_store(road: tuple[Path, Path, list[int], str]) -> None:
    there = road[1]
    record = json.loads((there / "run" / "run.json").read_text())
    assert record["status"] == "complete" and set(record["stages"]) == {"count-words", "count-pairs", "train"}
    assert "dim: 8" in (there / "run" / "run.yaml").read_text()


def test_nothing_of_it_holds_a_credential(road: tuple[Path, Path, list[int], str]) -> None:
    here, there, _, everything = road
    assert isinstance(there, StorePath)
    written = [there / info.path.removeprefix("lake/road/") for info in there.infos(recursive=True) if info.is_file]
    assert len(written) > 20
    texts = [path.read_bytes() for path in written] + [p.read_bytes() for p in here.rglob("*") if p.is_file()]
    for secret in (SECRET, KEY):
        assert secret not in everything
        assert not [text for text in texts if secret.encode() in text]
