"""What is whole is found whole, and what is broken is found: every byte of every kind of file, and every invariant."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import finished
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_training import shard_of_word

from simglove_spark import cli
from simglove_spark.errors import InputError
from simglove_spark.manifest import FILE_NAME, FileEntry, Manifest, file_entry, hash_file
from simglove_spark.progress import Progress
from simglove_spark.schemas import PAIRS
from simglove_spark.table_files import write_file
from simglove_spark.verifying import Findings, verify


def verified(path: Path, threads: int = 2) -> Findings:
    return verify(path, threads, Progress())


def broken(path: Path) -> dict[str, str]:
    """What is found, by the paths relative to the folder."""
    found: dict[str, str] = {}
    for one in verified(path).found:
        name = str(Path(one.path).relative_to(path))
        found[name] = f"{found[name]} {one.what}" if name in found else one.what
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("verify") / "run"
    with pytest.MonkeyPatch.context() as patch:
        finished.finish(folder, patch, space="separate", hand_out="sum")
    yield folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def test_a_whole_run_is_whole(whole: Path) -> None:
    found = verified(whole)
    assert (found.found, found.notes) == ([], [])
    assert (found.tables, found.files) == (4, 14)
    for table in ("word_counts", "vocabulary", "pairs", "vectors"):
        assert verified(whole / table).found == []


KINDS = ["run.json", "run.yaml", "*/_manifest.json", "word_counts/*.parquet", "vocabulary/*.parquet"]
KINDS += ["pairs/*.parquet", "vectors/*.parquet", "vectors/*.npy"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_of_any_file_is_found(whole: Path, kind: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(whole.glob(kind))))
    content = bytearray(before := path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        path.write_bytes(content)
        found = broken(whole)
    finally:
        path.write_bytes(before)
    name = str(path.relative_to(whole))
    assert name in found or str(path.parent.relative_to(whole)) in found, (name, found)


def test_all_that_is_broken_is_told_at_once(run: Path) -> None:
    gone = next((run / "pairs").glob("*.parquet"))
    gone.unlink()
    cut = run / "vectors" / "_matrix.npy"
    cut.write_bytes(cut.read_bytes()[:-1])
    (run / "pairs" / ".part.crc").touch()
    (run / "mine").mkdir()
    shutil.rmtree(run / "vocabulary")
    (run / "word_counts" / "notes.txt").touch()
    found = broken(run)
    assert found[f"pairs/{gone.name}"].startswith(f"{gone.name} must exist; got nothing")
    assert "_matrix.npy must have" in found["vectors/_matrix.npy"]
    foreign = "{} must not be there; got a file that the manifest does not name. Remove it."
    assert found["word_counts/notes.txt"] == foreign.format("notes.txt")
    assert found["pairs/.part.crc"] == foreign.format(".part.crc")
    assert found["mine"] == "mine must not be there; got what belongs to no run. Remove it."
    assert found["vocabulary"].startswith("vocabulary must be the one that run.json tells, ")
    assert len(found) == 6


def test_what_a_kill_leaves_is_noted_and_is_no_damage(run: Path) -> None:
    (run / ".vectors.building-123").mkdir()
    found = verified(run)
    assert found.found == []
    assert [Path(note.path).name for note in found.notes] == [".vectors.building-123"]


def test_word_counts_may_be_deleted_for_privacy(run: Path) -> None:
    shutil.rmtree(run / "word_counts")
    found = verified(run)
    assert found.found == []
    assert "training does without" in found.notes[0].what


def test_a_run_that_is_not_complete_is_told(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "failed"}))
    assert "tell of a complete run; got failed" in " ".join(one.what for one in verified(run).found)


def test_a_table_of_other_parents_is_told_in_a_run_and_noted_elsewhere(run: Path) -> None:
    manifest = Manifest.load(run / "pairs", "pairs")
    replace(manifest, parents=[{"table": "vocabulary", "sha256": "0" * 64}]).save(run / "pairs")
    assert "pairs must be made from the vocabulary beside it" in broken(run)["pairs"]
    for name in ("run.json", "run.yaml"):
        (run / name).unlink()
    shutil.rmtree(run / "vectors")
    found = verified(run)
    assert found.found == []
    assert "pairs must be made from the vocabulary beside it" in found.notes[0].what


def test_a_manifest_whose_paths_lead_out_of_the_folder_is_not_followed(run: Path) -> None:
    manifest = Manifest.load(run / "pairs", "pairs")
    replace(manifest, files=[FileEntry("../vocabulary/x", 1, 1, "0" * 64)]).save(run / "pairs")
    assert "file names must stay inside the folder" in broken(run)["pairs/_manifest.json"]


def test_what_is_no_table_is_an_error(tmp_path: Path) -> None:
    for path, what in ((tmp_path, "others"), (tmp_path / "none", "nothing")):
        with pytest.raises(InputError, match=f"folder must hold a table, a run or latest.json; got {what}"):
            verified(path)


Cells = dict[int, list[tuple[int, int, int]]]


def two_way(*cells: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    return sorted([*cells, *((j, i, n) for i, j, n in cells)])


PAIRS_BROKEN: list[tuple[str, list[tuple[int, int, int]], str]] = [
    ("one direction", [(0, 1, 5)], "hold both directions of each pair, with one count; got others for 2 words"),
    ("two counts", [(0, 1, 5), (1, 0, 4)], "hold both directions of each pair"),
    ("itself", [(0, 0, 5)], "none of a word with itself"),
    ("twice", [(0, 1, 5), (0, 1, 5), (1, 0, 5), (1, 0, 5)], "each once"),
    ("order", [(1, 0, 5), (0, 1, 5)], "sorted"),
    ("zero", [(0, 1, 0), (1, 0, 0)], "counts must be at least 1"),
    ("beyond", [(0, 9, 5), (9, 0, 5)], "word ids must lie in [0, 4); got 0 to 9"),
]


@pytest.mark.parametrize(("what", "cells", "told"), PAIRS_BROKEN, ids=[what for what, _, _ in PAIRS_BROKEN])
def test_cells_that_cannot_be_in_a_pair_table_are_found(
    tmp_path: Path, what: str, cells: list[tuple[int, int, int]], told: str
) -> None:
    words = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 9, "b": 8, "c": 7, "d": 6})
    tables.write_shards(tmp_path / "pairs", {0: cells}, words, num_shards=1)
    assert told in " ".join(one.what for one in verified(tmp_path).found)


def test_pairs_in_the_wrong_shard_with_a_wrong_sum_or_number_are_found(tmp_path: Path) -> None:
    words = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 9, "b": 8, "c": 7})
    good = tables.write_pairs(tmp_path / "good", {(0, 1): 5, (1, 2): 3}, words, num_shards=2)
    assert verified(tmp_path / "good").found == []
    replace(good, details={**good.details, "total_pairs": 17}).save(tmp_path / "good")
    assert broken(tmp_path / "good") == {".": "good must hold total_pairs 17; got 16."}
    replace(good, details={**good.details, "num_shards": 0}).save(tmp_path / "good")
    assert "num_shards is 0" in broken(tmp_path / "good")["_manifest.json"]
    other = 1 - shard_of_word(0, 2)
    tables.write_shards(tmp_path / "wrong", {other: two_way((0, 1, 5))}, words, num_shards=2)
    assert f"cells must be those of shard {other}" in " ".join(broken(tmp_path / "wrong").values())


def test_a_row_in_two_row_groups_is_found(tmp_path: Path) -> None:
    words = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 9, "b": 8, "c": 7})
    cells = two_way((0, 1, 5), (0, 2, 3))
    (folder := tmp_path / "pairs").mkdir()
    parts = [tables.table_of(cells[:1]), tables.table_of(cells[1:])]
    entry = tables.entry(write_file(folder, "shard-00000", PAIRS, parts))
    details = {"num_shards": 1, "total_pairs": 16, "unit": 1, "weighting": "flat", "window_size": 1, "total_words": 24}
    Manifest("pairs", {}, [entry], {}, parents=[words.as_parent()], details=details).save(folder)
    assert "hold a word's row in one row group; got word_id [0] in two" in " ".join(broken(tmp_path).values())


def rewrite(folder: Path, table: str, change: Callable[[pa.Table], pa.Table], name: str | None = None) -> None:
    """Change a table's rows, and the manifest with them: what only the invariants can tell."""
    manifest = Manifest.load(folder, table)
    entry = next(e for e in manifest.own_files if name is None or e.path == name)
    rows = change(pq.read_table(folder / entry.path))
    (folder / entry.path).unlink()
    new = "vectors.parquet" if table == "vectors" else f"{entry.path.rsplit('-', 1)[0]}-{'0' * 16}.parquet"
    pq.write_table(rows, folder / new, use_compliant_nested_type=False)
    if table != "vectors":
        new = (folder / new).rename(folder / new.replace("0" * 16, hash_file(folder / new)[:16])).name
    rest = [other for other in manifest.files if other is not entry]
    replace(manifest, files=[*rest, file_entry(folder, new, rows.num_rows)]).save(folder)


def plus(column: str) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        values = rows[column].to_numpy().copy()
        values[-1] += 1
        place = rows.schema.get_field_index(column)
        return rows.set_column(place, rows.schema.field(column), pa.array(values, rows.schema.field(column).type))

    return change


def backwards(rows: pa.Table) -> pa.Table:
    return rows.take(pa.array(np.arange(rows.num_rows)[::-1]))


def swapped(rows: pa.Table) -> pa.Table:
    """The words of the first two rows in each other's place."""
    words = rows["word"].to_pylist()
    return rows.set_column(0, "word", pa.array([words[1], words[0], *words[2:]]))


def reordered(rows: pa.Table) -> pa.Table:
    """The first two words with each other's ids."""
    other = rows.take(pa.array([1, 0, *range(2, rows.num_rows)]))
    return other.set_column(1, rows.schema.field("word_id"), rows["word_id"])


CHANGES = [
    ("word_counts", plus("count"), "hold total_words"),
    ("word_counts", backwards, "hold words of its number, ascending"),
    ("vocabulary", plus("count"), "hold total_words"),
    ("vocabulary", plus("word_id"), "word ids must be 0, 1, 2, ..."),
    ("vocabulary", reordered, "be ordered by count and word"),
    ("vectors", plus("count"), "hold what the arrays beside it hold"),
    ("vectors", swapped, "hold what the arrays beside it hold"),
]


@pytest.mark.parametrize(("table", "change", "told"), CHANGES)
def test_rows_that_break_an_invariant_are_found(
    run: Path, table: str, change: Callable[[pa.Table], pa.Table], told: str
) -> None:
    rewrite(run / table, table, change)
    assert told in " ".join(one.what for one in verified(run / table).found)


def renewed(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change an array beside a vectors table, and its entry in the manifest."""
    array = np.load(folder / name)
    change(array)
    np.save(folder / name, array)
    manifest = Manifest.load(folder, "vectors")
    files = [file_entry(folder, name) if entry.path == name else entry for entry in manifest.files]
    replace(manifest, files=files).save(folder)


def test_arrays_that_break_an_invariant_are_found(run: Path) -> None:
    vectors = run / "vectors"

    def swap(array: np.ndarray) -> None:
        array[:2] = array[1::-1].copy()

    def spoil(array: np.ndarray) -> None:
        array[3, 1] = np.nan

    renewed(vectors, "_word_order.npy", swap)
    assert "put the words in order of their bytes" in broken(vectors)["_word_order.npy"]
    renewed(vectors, "_word_order.npy", swap)
    renewed(vectors, "_words_alone.npy", spoil)
    assert broken(vectors) == {"_words_alone.npy": "_words_alone.npy must be finite; got NaN or infinity for 1 words."}
    renewed(vectors, "_matrix.npy", spoil)
    found = verified(vectors)
    assert found.rows_not_finite == 1
    assert {Path(one.path).name for one in found.found} == {"_matrix.npy", "_words_alone.npy", "vectors.parquet"}


def test_vectors_of_other_words_than_the_vocabulary_are_found(run: Path) -> None:
    renewed(run / "vectors", "_counts.npy", lambda counts: counts.__setitem__(0, 10**6))
    rewrite(
        run / "vectors",
        "vectors",
        lambda rows: rows.set_column(
            2, rows.schema.field("count"), pa.array([10**6, *rows["count"].to_pylist()[1:]], pa.int64())
        ),
    )
    assert "have the words, ids and counts of its vocabulary" in broken(run)["vectors"]


def test_the_command_tells_all_and_ends_with_3(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    assert cli.main(["verify", str(run)]) == 0
    told = json.loads(capsys.readouterr()[0])
    assert (told["path"], told["findings"], told["tables"], told["files"]) == (str(run), [], 4, 14)
    (run / "vectors" / "_counts.npy").unlink()
    (run / "pairs" / FILE_NAME).unlink()
    assert cli.main(["verify", str(run), "--threads", "1"]) == 3
    out, err = capsys.readouterr()
    assert len(json.loads(out)["findings"]) == 3  # run.json names the pairs too
    last = err.splitlines()[-1]
    assert last == (
        f"simglove: folder must be whole; got 3 things that are not ({run}). Run the stages again that made what is broken."
    )
    import sys

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert cli.main(["verify", str(run)]) == 3
    assert "Broken" in (out := capsys.readouterr()[0])
    assert "3 things are broken." in " ".join(out.split())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table", "tables"),
        ("files", [{"path": "x", "rows": 1, "bytes": "many", "sha256": ""}]),
        ("parents", [5]),
        ("details", None),
        ("config", []),
        ("inputs", {}),
        ("format_version", 2),
        ("more", 1),
    ],
)
def test_a_manifest_of_other_kinds_is_told_and_is_no_crash(run: Path, name: str, value: Any) -> None:
    path = run / "pairs" / FILE_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    for folder in (run, run / "pairs"):
        found = verified(folder).found
        assert [one for one in found if one.path == str(path)], found
