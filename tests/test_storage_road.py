"""The whole road from a bucket into a bucket, by the command line, against an S3 server that fails now and then."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
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


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory, small_text: bytes) -> Iterator[tuple[Path, Path, list[str], str]]:
    """A run here and one in the bucket, phrases of both, and questions; what was printed, command by command, and all logs."""
    here = tmp_path_factory.mktemp("road")
    (here / "corpus").mkdir()
    with serving() as (url, faults), pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment(url), "XDG_CACHE_HOME": str(here / "cache")}.items():
            patch.setenv(name, value)
        make_bucket()
        there = path_of(f"s3://{BUCKET}/road")
        for part in range(2):
            for folder in (here, there):
                (folder / "corpus" / f"{part}.txt").write_bytes(small_text[part::2] if part else small_text)
        vectors = f"{there}/run/vectors"
        commands = [
            ["run", "--input", str(here / "corpus"), "--output", str(here / "run"), *HOW],
            ["run", "--input", f"s3a://{BUCKET}/road/corpus/*.txt", "--output", f"{there}/run", *HOW],
            ["run", "--input", f"{there}/corpus/", "--output", f"{there}/run", *HOW],
            ["similar", "a0", "--vectors", vectors],
            ["explain", "a0", "b1", "--vectors", vectors, "--pairs", f"{there}/run/pairs"],
            ["export", "--vectors", vectors, "--format", "word2vec-text", "--output", f"{there}/v.txt"],
            ["evaluate", "--vectors", f"{there}/v.txt", "--similarity", f"{there}/set.txt", "--json"],
            ["run", "--input", f"{there}/corpus", "--output", f"{there}/run", "--window-size", "3", *HOW],
            ["run", "--input", f"{there}/corpus", "--output", f"{there}/other", *HOW, "--column", "text"],
        ]
        for folder in (here, there):
            joined = [
                "--input",
                str(folder / "corpus"),
                "--words",
                str(folder / "run"),
                "--output",
                str(folder / "joined"),
            ]
            commands.append(["phrases", *joined, "--min-count", "3", "--threshold", "0.05"])
        words = (line.split()[0] for line in (small_text.decode() + " x").splitlines() if len(line.split()) > 2)
        (there / "set.txt").write_text(
            "".join(f"{word}\t{next(words)}\t{n}\n" for n, word in zip(range(4), words, strict=False))
        )
        number = count(1)
        with faults.of("slow", 10**6, lambda method, path: next(number) % 40 == 0):
            done = subprocess.run(
                [sys.executable, "-c", SCRIPT],
                input="\n".join(map(json.dumps, commands)),
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
                env={name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))},
            )
        assert isinstance(there, StorePath)
        yield here, there, re.split(r"^>>> (?=[a-z])", done.stdout, flags=re.MULTILINE)[1:], done.stdout + done.stderr


def test_every_command_ends_as_it_should(road: tuple[Path, Path, list[str], str]) -> None:
    _, _, printed, everything = road
    ends = [int(one.strip().rpartition(">>> ")[2]) for one in printed]
    assert ends == [0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0], everything
    assert "Traceback" not in everything
    assert re.search(r"Nothing to do: s3://lake/road/run is complete", everything)
    assert "window_size is 10 there and 3 here" in everything


def test_the_tables_are_those_of_a_run_on_disk(road: tuple[Path, Path, list[str], str]) -> None:
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
    inputs = Manifest.load(there / "run" / "pairs", "pairs").inputs
    assert [entry["path"] for entry in inputs] == [f"s3://lake/road/corpus/{part}.txt" for part in range(2)]
    assert all(entry["bytes"] and entry["modified"] for entry in inputs)


def test_run_json_and_configuration_lie_in_the_store(road: tuple[Path, Path, list[str], str]) -> None:
    there = road[1]
    record = json.loads((there / "run" / "run.json").read_text())
    assert record["status"] == "complete" and set(record["stages"]) == {"count-words", "count-pairs", "train"}
    assert "dim: 8" in (there / "run" / "run.yaml").read_text()


def test_nothing_of_it_holds_a_credential(road: tuple[Path, Path, list[str], str]) -> None:
    here, there, _, everything = road
    assert isinstance(there, StorePath)
    written = [there / info.path.removeprefix("lake/road/") for info in there.infos(recursive=True) if info.is_file]
    assert len(written) > 20
    texts = [path.read_bytes() for path in written] + [p.read_bytes() for p in here.rglob("*") if p.is_file()]
    for secret in (SECRET, KEY):
        assert secret not in everything
        assert not [text for text in texts if secret.encode() in text]
