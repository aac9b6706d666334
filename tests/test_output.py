"""Where tables are built: nothing half done is ever seen, nothing is lost, the first of two writers wins."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simglove_spark import output
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.manifest import FileEntry, Manifest, checked_path, new_manifest
from simglove_spark.output import building, is_complete, local_path
from simglove_spark.schemas import PAIRS, WORD_COUNTS
from simglove_spark.storage import leftovers
from simglove_spark.table_files import by_shard, commit, counter, read_batches, report_batch, row_groups, write_file

CONFIG = {"lowercase": False, "min_count": 5}
INPUTS = [{"path": "/a.txt", "bytes": 3, "modified": 1}]
PARENTS = [{"table": "word_counts", "sha256": "0" * 64}]


def words(*pairs: tuple[str, int]) -> pa.Table:
    return pa.table([[word for word, _ in pairs], [count for _, count in pairs]], schema=WORD_COUNTS)


def build(folder: Path, overwrite: bool = False, **changes: Any) -> None:
    with building(folder, overwrite) as staging:
        row = write_file(staging, "words", WORD_COUNTS, [words(("a", changes.pop("count", 1)))])
        files, _, _ = commit(staging, [row])
        given = {"config": CONFIG, "inputs": INPUTS, "parents": PARENTS, **changes}
        new_manifest("word_counts", WORD_COUNTS, files, **given).save(staging)


def count_in(folder: Path) -> int:
    files = Manifest.load(folder, "word_counts").files
    return sum(batch["count"][0].as_py() for batch in read_batches(folder, files))


def complete(folder: Path, overwrite: bool = False, **changes: Any) -> bool:
    given = {"table": "word_counts", "config": CONFIG, "inputs": INPUTS, "parents": PARENTS, **changes}
    return is_complete(folder, overwrite=overwrite, **given)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_and_an_empty_folder_are_not_complete(tmp_path: Path) -> None:
    assert not complete(tmp_path / "new")
    assert not complete(tmp_path)
    assert not complete(tmp_path, overwrite=True)


def test_the_same_table_is_complete_and_overwriting_builds_it_all_the_same(tmp_path: Path) -> None:
    build(tmp_path / "t")
    assert complete(tmp_path / "t")
    assert not complete(tmp_path / "t", overwrite=True)


DIFFERENCES: list[tuple[dict[str, Any], str]] = [
    ({"config": {**CONFIG, "min_count": 6}}, "min_count is 5 there and 6 here"),
    ({"config": {**CONFIG, "window_size": 2}}, "window_size is None there and 2 here"),
    ({"config": {"lowercase": False}}, "min_count is 5 there and None here"),
    ({"inputs": [{**INPUTS[0], "bytes": 4}]}, "the input /a.txt is new or changed"),
    ({"inputs": [{**INPUTS[0], "modified": 2}]}, "the input /a.txt is new or changed"),
    ({"inputs": [*INPUTS, {"path": "/b", "bytes": 1, "modified": 1}]}, "the input /b is new or changed"),
    ({"inputs": []}, "it was made from more inputs"),
    ({"parents": [{**PARENTS[0], "sha256": "1" * 64}]}, "it was made from another word_counts"),
]


@pytest.mark.parametrize(("changes", "difference"), DIFFERENCES)
def test_a_table_that_differs_is_refused_with_what_differs(
    tmp_path: Path, changes: dict[str, Any], difference: str
) -> None:
    folder = tmp_path / "t"
    build(folder)
    with pytest.raises(ConfigError) as caught:
        complete(folder, **changes)
    assert str(caught.value) == (
        f"output must be new or hold the same table; got one that differs ({folder}): {difference}. "
        "Give another --output, or --overwrite to build it anew beside it and switch at the end."
    )
    assert caught.value.exit_code == 2
    assert not complete(folder, overwrite=True, **changes)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_a_table_is_never_overwritten(tmp_path: Path, overwrite: bool) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    file.write_text("precious")
    for path in (folder, file):
        with pytest.raises(ConfigError) as caught:
            complete(path, overwrite)
        assert str(caught.value) == (
            f"output must be new, empty or a complete table; got other content ({path}). Give another --output."
        )
    assert (folder / "thesis.tex").read_text() == file.read_text() == "precious"


def test_a_table_of_another_kind_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "word_counts"
    build(folder, count=7)
    for overwrite in (False, True):  # count-pairs --vocabulary V --output V --overwrite would remove the vocabulary
        with pytest.raises((ConfigError, InputError)):
            complete(folder, overwrite, table="pairs")
    assert count_in(folder) == 7


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"cut")])
def test_a_table_that_lost_a_file_is_not_taken_for_complete(tmp_path: Path, damage: Any) -> None:
    folder = tmp_path / "t"
    build(folder)
    damage(next(folder.glob("*.parquet")))  # readers say: run the stage again; so that must not be "nothing to do"
    with suppress(ConfigError, InputError):
        assert not complete(folder)


def test_a_table_is_seen_only_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "t"
    with building(folder) as staging:
        (staging / "x").write_text("")
        assert not folder.exists()
        assert names(folder.parent) == [staging.name, f"{staging.name}.lock"]
        assert staging.name.startswith(".t.building-")
    assert names(folder.parent) == ["t"]
    assert names(folder) == ["x"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), building(tmp_path / "t") as staging:
        (staging / "x").write_text("")
        raise error
    assert names(tmp_path) == []


def test_an_error_while_overwriting_leaves_the_old_table(tmp_path: Path) -> None:
    build(tmp_path / "t", count=7)
    with pytest.raises(RuntimeError), building(tmp_path / "t", overwrite=True) as staging:
        (staging / "x").write_text("")
        raise RuntimeError
    assert names(tmp_path) == ["t"]
    assert count_in(tmp_path / "t") == 7


def test_overwriting_switches_and_removes_the_old_table(tmp_path: Path) -> None:
    build(tmp_path / "t", count=7)
    build(tmp_path / "t", overwrite=True, count=8)
    assert names(tmp_path) == ["t"]
    assert count_in(tmp_path / "t") == 8
    assert len(names(tmp_path / "t")) == 2


def test_of_two_writers_the_first_wins_and_the_other_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    with pytest.raises(ConfigError) as caught, building(folder) as staging:
        (staging / "late").write_text("")
        build(folder, count=7)
    assert str(caught.value) == (
        f"output must not be written by two at once; got a folder that another run just finished ({folder}). "
        "Use that one, or give another --output."
    )
    assert count_in(folder) == 7
    assert names(tmp_path) == ["t"]


def test_of_two_that_overwrite_the_last_wins_whole(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    build(folder, count=6)
    with building(folder, overwrite=True) as staging:
        build(folder, overwrite=True, count=7)
        row = write_file(staging, "words", WORD_COUNTS, [words(("a", 8))])
        new_manifest("word_counts", WORD_COUNTS, commit(staging, [row])[0], CONFIG).save(staging)
    assert count_in(folder) == 8
    assert names(tmp_path) == ["t"]


def test_a_switch_that_fails_keeps_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "t"
    build(folder, count=7)
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if ".building-" in self.name:
            raise OSError("disk is gone")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises((ConfigError, ResourceError, OSError)):
        build(folder, overwrite=True, count=8)
    monkeypatch.undo()
    assert count_in(folder) == 7


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"output must be writable; got .* \(.*/file\)\.") as caught:
        build(tmp_path / "file" / "t")
    assert caught.value.exit_code == 4


def test_local_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    here = Path(os.path.realpath(tmp_path))
    assert local_path("a/../b") == here / "b"
    assert local_path("file:///a/b") == Path("/a/b")
    assert local_path("~/x") == Path("/home/somebody/x")
    with pytest.raises(ConfigError, match="folder must lie in this machine"):
        local_path("s3a://bucket/x")


# --- files of a table ---


def test_a_file_carries_its_checksum_and_sums(tmp_path: Path) -> None:
    tables = [words(("a", 2**40), ("b", 1)), words(("c", 2))]
    row = write_file(tmp_path, "words", WORD_COUNTS, tables)
    entry = FileEntry(row["name"], row["rows"], row["bytes"], row["sha256"])
    path = checked_path(tmp_path, entry)
    assert names(tmp_path) == [path.name] == [f"words-{row['sha256'][:16]}.parquet"]
    assert (row["rows"], row["total"]) == (3, 2**40 + 3)
    assert pq.ParquetFile(path).num_row_groups == 2
    assert pq.read_table(path).equals(pa.concat_tables(tables))


def test_the_same_rows_give_the_same_file(tmp_path: Path) -> None:
    cells = pa.table([[0, 0], [1, 2], [3, 4]], schema=PAIRS)
    assert write_file(tmp_path, "shard", PAIRS, [cells]) == write_file(tmp_path, "shard", PAIRS, [cells])
    assert len(names(tmp_path)) == 1


def test_a_file_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    def tables():
        yield words(("a", 1))
        raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        write_file(tmp_path, "words", WORD_COUNTS, tables())
    assert names(tmp_path) == []


def test_commit_keeps_what_was_reported_and_removes_all_else(tmp_path: Path) -> None:
    kept = write_file(tmp_path, "words", WORD_COUNTS, [words(("a", 5))])
    write_file(tmp_path, "words", WORD_COUNTS, [words(("a", 6))])  # of a task that ran twice
    (tmp_path / ".words.123.abc").write_text("half")
    report = [kept, counter("rows", 3), counter("bad_rows", 0), counter("rows", 4)]
    files, total, counters = commit(tmp_path, report_batch(report).to_pylist())
    assert [entry.path for entry in files] == names(tmp_path) == [kept["name"]]
    assert (total, counters) == (5, {"rows": 7, "bad_rows": 0})


@pytest.mark.parametrize("cuts", [[5], [0, 5], [1, 0, 2, 2], [1, 1, 1, 1, 1]])
def test_sorted_batches_come_apart_by_shard_however_they_are_cut(cuts: list[int]) -> None:
    shards, values = [-1, 0, 0, 0, 3], [10, 11, 12, 13, 14]
    batches, start = [], 0
    for size in cuts:
        part = [pa.array(column[start : start + size], pa.int32()) for column in (shards, values)]
        batches.append(pa.RecordBatch.from_arrays(part, ["shard", "value"]))
        start += size
    found = [
        (shard, [value for part in parts for value in part["value"].to_pylist()]) for shard, parts in by_shard(batches)
    ]
    assert found == [(-1, [10]), (0, [11, 12, 13]), (3, [14])]


def test_row_groups_gather_small_tables() -> None:
    tables = [words(*[("a", 1)] * size) for size in (1, 2, 3, 7, 1)]
    assert [table.num_rows for table in row_groups(tables, 4)] == [4, 4, 4, 2]
    assert list(row_groups([], 4)) == []


def test_the_name_of_the_manifest_is_the_one_that_is_looked_for() -> None:
    assert output.manifest.FILE_NAME == "_manifest.json"


@pytest.mark.parametrize("when", ["before the new table stands", "after"])
def test_a_signal_during_the_switch_leaves_one_of_the_two_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    folder = tmp_path / "t"
    build(folder, count=7)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if ".building-" in self.name:
            if when == "after":
                rename(self, target)
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(folder, overwrite=True, count=8)
    monkeypatch.undo()
    assert count_in(folder) == (8 if when == "after" else 7)
    assert names(tmp_path) == ["t"]


def test_a_table_is_restored_after_a_kill_between_the_two_renames(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    build(folder)
    folder.rename(tmp_path / ".t.retired-0123456789ab")
    assert complete(folder)
    assert names(tmp_path) == ["t"]


def test_files_that_the_driver_cannot_see_are_told(tmp_path: Path) -> None:
    row = write_file(tmp_path, "words", WORD_COUNTS, [words(("a", 8))])
    (tmp_path / row["name"]).unlink()
    with pytest.raises(ResourceError, match="output must be a folder that driver and workers share"):
        commit(tmp_path, [row])


# --- what killed builders leave ---

BUILDER = """
import sys, time
from pathlib import Path
from simglove_spark.output import building
with building(Path(sys.argv[1]), overwrite=True) as staging:
    (staging / "x").write_text("half")
    print(staging, flush=True)
    time.sleep(60)
"""


@contextmanager
def builder(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Another process that builds, and where it does."""
    environment = {**os.environ, "PYTHONPATH": str(Path(output.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", BUILDER, folder], stdout=subprocess.PIPE, env=environment) as child:
        try:
            assert child.stdout is not None
            yield child, Path(child.stdout.readline().decode().strip())
        finally:
            child.kill()


def test_what_a_killed_builder_left_goes_with_the_next_build_and_what_a_living_one_builds_stays(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    (tmp_path / "t.building-1").mkdir()  # of another name, however like
    with builder(folder) as (_, living), builder(folder) as (dead, left), builder(tmp_path / "t.u") as (other, foreign):
        build(folder, count=7)
        assert living.is_dir() and left.is_dir() and foreign.is_dir()
        for child in (dead, other):
            child.kill()
            child.wait()
        assert (left / "x").is_file()
        build(folder, overwrite=True, count=8)
        assert (living / "x").is_file() and foreign.is_dir()
        assert names(tmp_path) == sorted(
            ["t", "t.building-1", *(f"{path.name}{end}" for path in (living, foreign) for end in ("", ".lock"))]
        )
    output.check_writable(folder)
    output.check_writable(tmp_path / "t.u")
    assert names(tmp_path) == ["t", "t.building-1"]
    assert count_in(folder) == 8


def test_a_table_that_a_killed_builder_replaced_goes_only_when_another_stands(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    build(folder, count=7)
    with builder(folder) as (child, left):
        child.kill()
        child.wait()
    retired = leftovers.retired_by(left, folder)
    folder.rename(retired)  # as if it had been killed between the two renames
    output.check_writable(folder)
    assert names(tmp_path) == [retired.name]
    assert complete(folder)
    assert names(tmp_path) == ["t"]
    with builder(folder) as (child, left):
        child.kill()
        child.wait()
    shutil.copytree(folder, leftovers.retired_by(left, folder))  # or after them
    build(folder, overwrite=True, count=8)
    assert names(tmp_path) == ["t"]


def test_what_was_left_elsewhere_or_without_a_lock_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    with builder(folder) as (child, left):
        child.kill()
        child.wait()
    for path in (left, left.with_name(f"{left.name}.lock")):
        mark = path.name.removeprefix(".t.building-").partition("-")[0]
        path.rename(path.with_name(path.name.replace(mark, "0123abcd")))  # of another machine
    (tmp_path / ".t.building-0123456789ab").mkdir()  # of an earlier version
    before = names(tmp_path)
    build(folder, count=7)
    assert names(tmp_path) == sorted([*before, "t"])


@pytest.mark.parametrize("how", ["no locks", "no mark"])
def test_where_the_dead_cannot_be_told_nothing_is_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if how == "no locks":
        monkeypatch.setattr(leftovers.fcntl, "flock", refused)
    else:
        monkeypatch.setattr(leftovers, "_BOOT", tmp_path / "none")
    folder = tmp_path / "t"
    with building(folder, overwrite=True) as staging:
        build(folder, count=7)
        assert staging.is_dir()
        (staging / "x").write_text("")
    assert names(tmp_path) == ["t"]
    assert names(folder) == ["x"]
