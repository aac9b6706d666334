"""Disks that are or become full: refused before the work begins, or named with what was needed; what was complete stays."""

import bz2
import errno
import gzip
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pyarrow import orc

from simglove_spark import disk, sampling, table_files, word_table
from simglove_spark.config import SparkConfig
from simglove_spark.disk import Rooms, full_disk, refuse_full_disks
from simglove_spark.errors import ResourceError
from simglove_spark.manifest import Manifest, checked_path
from simglove_spark.sampling import text_bytes
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.session import scratch_folder
from simglove_spark.spark_errors import translated

MIB = 1 << 20


def refusal(rooms: Rooms) -> str:
    with pytest.raises(ResourceError) as caught:
        refuse_full_disks(rooms)
    assert caught.value.exit_code == 4
    return str(caught.value)


def test_output_and_shuffle_on_one_disk_need_room_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * MIB))
    refuse_full_disks(Rooms(tmp_path / "not" / "yet", 3 * MIB, tmp_path, 2 * MIB))
    assert refusal(Rooms(tmp_path / "not" / "yet", 3 * MIB, tmp_path / "scratch", 3 * MIB)) == (
        f"disk must have about 6 MiB free; got 5 MiB ({tmp_path}). "
        "Free some, give another --output, or raise --min-count."
    )
    refuse_full_disks(Rooms(tmp_path, 5 * MIB))
    assert refusal(Rooms(tmp_path, 5 * MIB + MIB)).startswith("disk must have about 6 MiB free; got 5 MiB")


def test_the_shuffle_needs_room_on_a_disk_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, other = Path("/"), Path("/proc")
    free = {here: 10 * MIB, other: 2 * MIB}
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free[folder]))
    refuse_full_disks(Rooms(here, 10 * MIB, other, 2 * MIB))
    assert refusal(Rooms(here, 10 * MIB, other, 3 * MIB)) == (
        "disk must have about 3 MiB free for the shuffle; got 2 MiB (/proc). "
        "Free some, give --spark-conf spark.local.dir=FOLDER on another disk."
    )
    assert refusal(Rooms(here, 11 * MIB, other, 3 * MIB)).startswith("disk must have about 11 MiB free; got 10 MiB (/)")


ROOMS = Rooms(Path("/out"), 12 * MIB, Path("/scratch"), 30 * MIB)
JAVA = "Py4JJavaError: ... java.io.IOException: No space left on device"
PYTHON = 'File "table_files.py", line 60, in write_file\nOSError: [Errno 28] Error writing. No space left on device'
TOLD = [
    (JAVA, "disk must have room for the shuffle, 30 MiB by the forecast; got a full one (/scratch)."),
    (
        JAVA.replace("No space left on device", "File too large"),
        "disk must have room for the shuffle, 30 MiB by the forecast",
    ),
    (PYTHON, "disk must have room for the output, 12 MiB by the forecast; got a full one (/out)."),
]


@pytest.mark.parametrize(("text", "message"), TOLD)
def test_a_full_disk_is_told_with_its_folder_and_what_was_needed(text: str, message: str) -> None:
    found = translated(RuntimeError(text), ROOMS)
    assert isinstance(found, ResourceError)
    assert str(found).startswith(message)
    assert str(found) == str(full_disk(text, ROOMS))
    assert isinstance(translated(RuntimeError(text)), ResourceError)  # nothing was forecast
    assert full_disk("java.io.EOFException", ROOMS) is None


def test_where_spark_keeps_what_it_shuffles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPARK_LOCAL_DIRS", "SPARK_CONF_DIR", "PYSPARK_GATEWAY_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert scratch_folder(SparkConfig()) == Path("/tmp")
    assert scratch_folder(SparkConfig(master="yarn")) is None
    (tmp_path / "spark-defaults.conf").write_text("# x\nspark.driver.memory 3g\nspark.local.dir   /from/file,/b\n")
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert scratch_folder(SparkConfig()) == Path("/from/file")
    given = SparkConfig(spark_conf=("spark.local.dir=/given",), master="local[2,4]")
    assert scratch_folder(given) == Path("/given")
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "/environment,/c")  # Spark prefers it
    assert scratch_folder(given) == Path("/environment")


# --- how much text there is ---


@pytest.mark.parametrize(
    ("name", "pack"), [("a.gz", gzip.compress), ("a.bz2", bz2.compress), ("a.zst", zstandard.compress)]
)
def test_text_is_measured_unpacked(tmp_path: Path, name: str, pack: Any) -> None:
    draw = random.Random(1)
    text = " ".join(f"w{draw.randrange(5000)}" for _ in range(1_500_000)).encode()
    (tmp_path / name).write_bytes(pack(text))
    (tmp_path / "b.txt").write_bytes(b"x" * 1000)
    inputs = [{"path": str(path), "bytes": path.stat().st_size} for path in (tmp_path / name, tmp_path / "b.txt")]
    inputs += [inputs[0], {"path": "/empty.gz", "bytes": 0}, {"path": "s3a://far", "bytes": None}]
    assert text_bytes(inputs, None) == pytest.approx(2 * len(text) + 1000, rel=0.2)
    assert inputs[0]["bytes"] < len(text) / 2


def test_columns_are_measured_as_text(tmp_path: Path) -> None:
    table = pa.table({"text": ["the same words again"] * 100_000, "n": range(100_000)})
    pq.write_table(table, tmp_path / "a.parquet")
    orc.write_table(table, tmp_path / "a.orc", compression="zlib")
    for path in (tmp_path / "a.parquet", tmp_path / "a.orc"):
        measured = text_bytes([{"path": str(path), "bytes": path.stat().st_size}], "text")
        assert measured == pytest.approx(2_000_000, rel=0.3)
    assert text_bytes([{"path": "a.lz4", "bytes": 10}], None) == 10 * sampling.UNKNOWN_EXPANSION


# --- disks that fill ---


def test_a_table_that_cannot_be_written_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> str:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(table_files, "hash_file", fail)
    with pytest.raises(ResourceError) as caught:
        table_files.write_file(tmp_path, "words-00001", WORD_COUNTS, [pa.table([["a"], [1]], schema=WORD_COUNTS)])
    assert str(caught.value) == (
        f"disk must have room for the output; got No space left on device after 1 rows of words-00001 ({tmp_path}). "
        "Free some, or give another --output."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_vocabulary_that_cannot_be_copied_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tables

    manifest = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 2, "b": 1})

    def fail(*_: Any) -> None:
        raise OSError("1000000 requested and 131056 written")  # as numpy says it

    monkeypatch.setattr(word_table, "temporary_home", lambda: tmp_path / "home")
    monkeypatch.setattr(word_table.np, "save", fail)
    (tmp_path / "home").mkdir()
    with pytest.raises(ResourceError) as caught:
        word_table.shared_word_table(str(tmp_path / "vocabulary"), manifest.content_sha256)
    assert str(caught.value) == (
        "temporary folder must have 82 B for the workers' vocabulary; got 1000000 requested and 131056 written "
        f"({tmp_path / 'home'}). Free some, or set TMPDIR."
    )
    assert list((tmp_path / "home").iterdir()) == []


IN_OWN_NAMESPACE = ["unshare", "--map-root-user", "--mount"]


def can_mount() -> bool:
    """Whether a small disk can be had here, in a mount namespace that goes with its process; root is not needed."""
    if shutil.which("unshare") is None:
        return False
    command = [*IN_OWN_NAMESPACE, "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def rich_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five megabytes that promise few pairs, so that no forecast refuses; then 300,000 words that have many."""
    path, draw = tmp_path_factory.mktemp("rich") / "text.txt", random.Random(3)
    rows = [" ".join(f"w{draw.randrange(6000)}" for _ in range(1000)) for _ in range(300)]
    path.write_text("a b a b a b a b a b\n" * 270_000 + "\n".join(rows))
    return path


FULL = """
import subprocess, sys
from simglove_spark.cli import main
scratch, outputs, options = sys.argv[1], sys.argv[2:4], sys.argv[4:]
for output in outputs:  # in one Spark; the second has room for its shuffle
    code = main([*options, "--output", output])
    print(f">>> {code}", file=sys.stderr, flush=True)
    subprocess.run(["mount", "-o", "remount,size=500m", scratch], check=True)
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, rich_text: Path) -> dict[str, tuple[str, Path, Path]]:
    """What is told of two runs, the code at its end; the disk of 3 MB, where one shuffles and one writes; what was written."""
    place = tmp_path_factory.mktemp("full")
    scratch, small, kept = place / "scratch", place / "small", place / "kept"
    for folder in (scratch, small):
        folder.mkdir()
    options = ["run", "--input", str(rich_text), "--min-count", "1", "--num-shards", "2", "--dim", "4"]
    options += ["--master", "local[1,2]", "--driver-memory", "600m", "--worker-memory", "300m"]
    options += ["--spark-conf", f"spark.local.dir={scratch}"]
    command = [sys.executable, "-c", FULL, str(scratch), str(place / "run"), str(small / "run"), *options]
    mounts = " && ".join(f"mount -t tmpfs -o size=3m none {folder}" for folder in (scratch, small))
    script = f'{mounts} && "$@"; code=$?; cp -rT {small / "run"} {kept}; exit $code'
    ended = subprocess.run(
        [*IN_OWN_NAMESPACE, "bash", "-c", script, "bash", *command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    shuffled, written, _ = re.split(r"(?<=>>> \d)\n", ended.stderr)
    return {"shuffle": (shuffled, scratch, place / "run"), "output": (written, small, kept)}


@pytest.mark.spark
@pytest.mark.skipif(not can_mount(), reason="no mount namespaces here")
@pytest.mark.parametrize("which", ["shuffle", "output"])
def test_a_disk_that_fills_ends_with_exit_code_4_and_nothing_lost(
    full: dict[str, tuple[str, Path, Path]], which: str
) -> None:
    told, small, kept = full[which]
    last, code = told.splitlines()[-2:]
    assert code == ">>> 4", told
    assert last.startswith(f"simglove: disk must have room for the {which}, ")
    assert f"by the forecast; got a full one ({small}" in last
    for table in ("word_counts", "vocabulary"):
        for entry in Manifest.load(kept / table, table).files:
            checked_path(kept / table, entry)
    assert not (kept / "pairs").exists()
    assert not [path for path in kept.iterdir() if "building" in path.name]
