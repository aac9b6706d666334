"""What befalls outputs and inputs from outside: two writers, full and read-only disks, files that change between stages, clocks."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import tables
from fuzzing import READERS, carry_out, make_run, make_tables, training
from killing import Session
from test_architecture import MODULES
from test_disk import IN_OWN_NAMESPACE, can_mount

from simglove_spark import word_table
from simglove_spark.errors import InputError
from simglove_spark.manifest import FILE_NAME, Manifest
from simglove_spark.vectors import Vectors

# --- files that change between stages ---


@pytest.mark.parametrize("damage", ["flipped", "deleted", "cut", "another's"])
@pytest.mark.parametrize("table", ["vocabulary", "pairs"])
def test_a_file_that_changed_between_two_stages_is_named(tmp_path: Path, table: str, damage: str) -> None:
    make_tables(tmp_path)
    for path in sorted((tmp_path / table).glob("*.parquet")):
        kept = path.read_bytes()
        if damage == "flipped":
            path.write_bytes(kept[:100] + bytes([kept[100] ^ 1]) + kept[101:])
        elif damage == "cut":
            path.write_bytes(kept[:-1])
        elif damage == "deleted":
            path.unlink()
        else:
            path.write_bytes(next(other for other in tmp_path.glob("*/*.parquet") if other != path).read_bytes())
        ended = carry_out(training(tmp_path, "out"))
        assert ended.code == 3
        assert f"simglove: {path.name} must " in ended.told
        assert not (tmp_path / "out").exists()
        path.write_bytes(kept)
    assert carry_out(training(tmp_path, "out")).code == 0


def test_a_table_without_its_manifest_is_none(tmp_path: Path) -> None:
    for table in ("vocabulary", "pairs"):
        shutil.rmtree(tmp_path, ignore_errors=True)
        tmp_path.mkdir()
        make_tables(tmp_path)
        (tmp_path / table / FILE_NAME).unlink()
        ended = carry_out(training(tmp_path, "out"))
        assert (ended.code, f"{table} must be a complete table" in ended.told) == (3, True)


def test_a_vocabulary_that_is_replaced_under_a_running_job_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers ask for the content that the driver saw: what lies there now must not be counted under its name."""
    monkeypatch.setattr(word_table, "temporary_home", lambda: tmp_path / "home")
    (tmp_path / "home").mkdir()
    seen = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 2, "b": 1}).content_sha256
    shutil.rmtree(tmp_path / "vocabulary")
    now = tables.write_vocabulary(tmp_path / "vocabulary", {"b": 2, "a": 1}).content_sha256
    with pytest.raises(InputError) as caught:
        word_table.shared_word_table(str(tmp_path / "vocabulary"), seen)
    assert str(caught.value) == (
        f"vocabulary must stay as it is while it is counted under; got {now[:12]} in place of {seen[:12]} "
        f"({tmp_path / 'vocabulary'}). Give the same command again."
    )
    assert list((tmp_path / "home").iterdir()) == []
    assert word_table.shared_word_table(str(tmp_path / "vocabulary"), now).ids.tolist() == [0, 1]


def test_a_signal_that_an_import_swallowed_is_still_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyarrow's lazy import of pandas did, once in 24 times: it then failed with an OptionError, exit code 1."""

    def interrupted(*_: object) -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 1)
        raise ValueError("option is registered already")

    monkeypatch.setattr("simglove_spark.vectors.Vectors.load", interrupted)
    ended = carry_out(["similar", "a", "--vectors", "none"])
    assert (ended.code, ended.told.startswith("simglove: stopped by a signal")) == (7, True)


# --- two writers ---


def test_of_two_trainings_of_one_output_one_goes_on_and_the_other_is_told(tmp_path: Path) -> None:
    make_tables(tmp_path)
    pair = [Session(tmp_path / f"log{number}") for number in (1, 2)]
    try:
        for session in pair:
            session.give([*training(tmp_path, "out")[:-6], "--sweeps", "50", "--threads", "1", "--memory", "64m"])
        codes = sorted(session.wait() or 0 for session in pair)
    finally:
        for session in pair:
            session.end()
    assert codes in ([0, 2], [0, 0])  # the second may have come when all was done
    assert len(Vectors.load(tmp_path / "out", verify=True)) == 24
    assert not list(tmp_path.glob(".out.building*"))


# --- disks ---

SCRIPT = """
import json, sys
from simglove_spark import cli
print(json.dumps([cli.main(command) for command in json.loads(sys.argv[1])]))
"""


@pytest.mark.skipif(not can_mount(), reason="no mount namespaces here")
@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_no_stage_leaves_anything_half_on_a_disk_that_is(tmp_path: Path, kind: str) -> None:
    """Every command without Spark; the two counting stages are in test_disk.py."""
    small, told, commands = tmp_path / "small", tmp_path / "told", []
    small.mkdir()
    names = [
        "vocabulary and pairs",
        "vectors table, exported",
        "word_counts, merged",
        "pairs, merged",
        "pairs, exported",
    ]
    names += ["pairs as Parquet", "npy", "faiss", "run.json"]
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        folder.mkdir()
        READERS[name].make(folder)
        out = str(small / str(number))
        commands.append([text.replace(str(folder / "out"), out) for text in READERS[name].command(folder)])
    before = "dd if=/dev/zero of={0}/filler bs=1k 2>/dev/null" if kind == "full" else "mount -o remount,ro {0}"
    script = f'mount -t tmpfs -o size=64k none {small} && {{ {before.format(small)}; }}; "$@" > {told}; find {small} -type f > {told}.left'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        [*IN_OWN_NAMESPACE, "bash", "-c", script, "bash", sys.executable, "-c", SCRIPT, json.dumps(commands)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    codes = json.loads(told.read_text().splitlines()[-1])
    messages = [line for line in ended.stderr.splitlines() if line.startswith("simglove: ")]
    assert dict(zip(names, codes, strict=True)) == dict.fromkeys(names, 4), ended.stderr[-3000:]
    reason = "No space left on device" if kind == "full" else "Read-only file system"
    assert len(messages) == len(names)
    assert all(reason in message or "disk must have about" in message for message in messages), messages
    left = [Path(line).name for line in (tmp_path / "told.left").read_text().split()]
    assert left == (["filler"] if kind == "full" else [])


# --- clocks ---


def test_only_what_is_told_comes_from_the_clock_on_the_wall() -> None:
    """Durations and limits are monotonic; a clock that jumps moves a time that is told, or drops a cached copy, and nothing else."""
    told = {"progress", "formats.lineage", "runs.record", "runs.reading", "runs.status", "observing.stages"}
    told |= {"storage.copies"}
    asking = {
        "time.time",
        "time.time_ns",
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.localtime",
    }
    found = {
        name.removeprefix("simglove_spark.")
        for name, source in MODULES.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in asking
    }
    assert found <= told


def test_files_dated_in_the_future_or_the_past_are_the_same_files(tmp_path: Path) -> None:
    """Which tables go together is asked of their content: dates of their files mean nothing."""
    make_run(tmp_path)
    assert carry_out(training(tmp_path, "first")).code == 0
    for number, path in enumerate(sorted(tmp_path.rglob("*"))):
        moment = 4_000_000_000 if number % 2 else 1
        os.utime(path, (moment, moment))
    assert carry_out(training(tmp_path, "second")).code == 0
    assert carry_out(training(tmp_path, "first")).code == 0  # nothing to do
    sums = [Manifest.load(tmp_path / name, "vectors").content_sha256 for name in ("first", "second")]
    assert sums[0] == sums[1]
