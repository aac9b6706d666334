"""Manifests: they come back as they were, and whatever was changed by hand is noticed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simglove_spark.errors import InputError
from simglove_spark.manifest import (
    FILE_NAME,
    FileEntry,
    Manifest,
    checked_path,
    file_entry,
    hash_file,
    hash_json,
    new_manifest,
    sealed,
)
from simglove_spark.schemas import PAIRS, VOCABULARY, WORD_COUNTS, check, describe, vectors_schema

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OPTIONS = st.dictionaries(st.text(max_size=5), JSON, max_size=4)
ENTRIES = st.lists(
    st.builds(
        FileEntry,
        st.text("ab飞/.", min_size=1, max_size=5).map(lambda text: "x" + text.replace("..", "")),
        st.integers(0, 2**40),
        st.integers(0, 2**40),
        st.text("0123456789abcdef", min_size=8, max_size=8),
    ),
    max_size=3,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.parquet").write_bytes(b"0123456789")
    entry = file_entry(tmp_path, "a.parquet", rows=4)
    details = {"total_pairs": 2**40, "unit": 2520}
    parents = [{"table": "vocabulary", "sha256": "12" * 32}]
    manifest = new_manifest("pairs", PAIRS, [entry], {"window_size": 3}, details=details, parents=parents)
    manifest.save(tmp_path)
    return tmp_path


def change(folder: Path, **changes: Any) -> None:
    raw = json.loads((folder / FILE_NAME).read_text())
    (folder / FILE_NAME).write_text(json.dumps(sealed({**raw, **changes})))


def refusal(folder: Path, table: str = "pairs") -> str:
    with pytest.raises(InputError) as caught:
        Manifest.load(folder, table)
    assert caught.value.exit_code == 3
    return str(caught.value)


@settings(max_examples=60, deadline=None)
@given(config=OPTIONS, details=OPTIONS, files=ENTRIES, seed=st.integers(0, 2**62))
def test_a_manifest_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, config: dict, details: dict, files: list[FileEntry], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    manifest = new_manifest("vocabulary", VOCABULARY, files, config, details=details, seed=seed)
    manifest.save(folder)
    loaded = Manifest.load(folder, "vocabulary")
    assert loaded == manifest
    assert loaded.config_hash == manifest.config_hash
    assert loaded.content_sha256 == manifest.content_sha256
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_what_stands_in_it(folder: Path) -> None:
    raw = json.loads((folder / FILE_NAME).read_text())
    assert set(raw) == {
        *("format_version", "table", "schema", "files", "config", "config_hash", "inputs", "bad_files"),
        *("parents", "versions", "seed", "details", "sha256"),
    }
    assert raw["files"] == [{"path": "a.parquet", "rows": 4, "bytes": 10, "sha256": hash_file(folder / "a.parquet")}]
    assert raw["schema"] == {"word_id": "int32", "context_id": "int32", "count": "int64"}
    assert raw["config_hash"] == hash_json({"window_size": 3})
    assert {"python", "numpy", "pyarrow", "simglove-spark"} <= set(raw["versions"])
    manifest = Manifest.load(folder, "pairs")
    assert (manifest.rows, manifest.bytes) == (4, 10)
    assert manifest.parent_sha256("vocabulary") == "12" * 32
    assert manifest.parent_sha256("pairs") is None
    assert manifest.as_parent() == {"table": "pairs", "sha256": manifest.content_sha256}


def test_a_checksum_known_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_file(tmp_path / "abc") == abc
    assert file_entry(tmp_path, "abc", 1) == FileEntry("abc", 1, 3, abc)
    assert hash_json({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_files_stand_in_order_of_their_names() -> None:
    entries = [FileEntry(name, 0, 0, "") for name in ("b", "c", "a")]
    assert [entry.path for entry in new_manifest("pairs", PAIRS, entries, {}).files] == ["a", "b", "c"]


@settings(max_examples=60, deadline=None)
@given(config=OPTIONS)
def test_the_order_of_options_does_not_matter_and_their_values_do(config: dict) -> None:
    assert hash_json(dict(reversed(config.items()))) == hash_json(config)
    assert hash_json({**config, "new option": 1}) != hash_json(config)


def test_content_is_what_the_table_holds_not_where_when_or_how() -> None:
    entry = FileEntry("a", 1, 2, "ab")
    base = new_manifest("pairs", PAIRS, [entry], {"window_size": 3}, details={"unit": 1})
    same = [
        replace(base, config={"window_size": 3, "overwrite": True}),
        replace(base, inputs=[{"path": "/x"}]),
        replace(base, parents=[{"table": "vocabulary", "sha256": "1"}]),
        replace(base, versions={"python": "2.7"}),
        replace(base, seed=9),
    ]
    assert {manifest.content_sha256 for manifest in same} == {base.content_sha256}
    other = [
        replace(base, table="vectors"),
        replace(base, schema={**base.schema, "count": "int32"}),
        replace(base, details={"unit": 2}),
        replace(base, files=[replace(entry, sha256="ac")]),
        replace(base, files=[replace(entry, path="b")]),
        replace(base, files=[replace(entry, rows=2)]),
        replace(base, files=[entry, entry]),
    ]
    assert len({manifest.content_sha256 for manifest in [base, *other]}) == len(other) + 1


def test_no_manifest(tmp_path: Path) -> None:
    rest = "Give the folder of a finished stage, or run that stage again."
    assert refusal(tmp_path / "x") == (
        f"pairs must be a complete table with a _manifest.json; got nothing ({tmp_path / 'x'}). {rest}"
    )
    assert f"got a folder without it ({tmp_path})" in refusal(tmp_path)


def test_another_table_or_format(folder: Path) -> None:
    path = folder / FILE_NAME
    assert refusal(folder, "vectors") == (
        f"table must be 'vectors' in format 1; got 'pairs' in format 1 ({path}). "
        "Give the folder of a vectors table of this version."
    )
    change(folder, format_version=2)
    assert "must be 'pairs' in format 1; got 'pairs' in format 2" in refusal(folder)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b'{"format_version": 1}',
        b'{"format_version": 1, "table": "pairs"}',
    ],
)
def test_broken_manifests(folder: Path, text: bytes) -> None:
    (folder / FILE_NAME).write_bytes(text)
    message = refusal(folder)
    assert message.startswith("manifest must be JSON that this tool wrote; got ")
    assert message.endswith(f" ({folder / FILE_NAME}). Run the stage that made the folder again.")


@pytest.mark.parametrize(
    "changes",
    [
        {"files": None},
        {"files": [{"path": "a"}]},
        {"files": ["a.parquet"]},
        {"files": [{"path": 5, "rows": 1, "bytes": 1, "sha256": ""}]},
        {"unknown": 1},
        {"details": {"passes": [{"loss": 10**400}]}},
    ],
)
def test_manifests_with_other_entries(folder: Path, changes: dict[str, Any]) -> None:
    change(folder, **changes)
    assert "manifest must be JSON that this tool wrote" in refusal(folder)


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.parquet", "below/../../a.parquet"])
def test_files_outside_the_folder(folder: Path, path: str) -> None:
    change(folder, files=[{"path": path, "rows": 1, "bytes": 1, "sha256": "0"}])
    assert refusal(folder) == (
        f"file names must stay inside the folder; got {path!r} ({folder / FILE_NAME}). Do not use it."
    )


def test_a_file_as_it_was_written_is_taken(folder: Path) -> None:
    (entry,) = Manifest.load(folder, "pairs").files
    assert checked_path(folder, entry) == folder / "a.parquet"


@pytest.mark.parametrize("data", [b"0123456788", b"012345678", b"01234567890", b""])
def test_a_file_that_was_changed_is_noticed(folder: Path, data: bytes) -> None:
    (entry,) = Manifest.load(folder, "pairs").files
    (folder / "a.parquet").write_bytes(data)
    with pytest.raises(InputError) as caught:
        checked_path(folder, entry)
    assert str(caught.value) == (
        f"a.parquet must have 10 bytes with checksum {entry.sha256[:12]}; got {len(data)} bytes with another content "
        f"({folder}). The file was changed or damaged: run the stage that made it again."
    )


def test_a_file_that_is_gone_is_noticed(folder: Path) -> None:
    (entry,) = Manifest.load(folder, "pairs").files
    (folder / "a.parquet").unlink()
    with pytest.raises(InputError) as caught:
        checked_path(folder, entry)
    assert str(caught.value) == (
        f"a.parquet must exist; got nothing ({folder}). Run the stage that made the folder again."
    )


def test_schemas_are_checked_by_name_order_and_type() -> None:
    check(PAIRS, PAIRS, "here")
    assert describe(vectors_schema(3))["vector"] == "fixed_size_list<item: float>[3]"
    others = [
        WORD_COUNTS,
        pa.schema(list(PAIRS)[::-1]),
        pa.schema([*PAIRS, ("more", pa.int8())]),
        pa.schema([("word_id", pa.int64()), *list(PAIRS)[1:]]),
    ]
    for schema in others[:1] + others[2:]:
        with pytest.raises(
            InputError, match=r"columns must be .*; got .* \(here\)\. Give a table that this tool wrote"
        ):
            check(schema, PAIRS, "here")
