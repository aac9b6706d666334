"""Files that cannot be read whole: found by reading them to the end, and left out altogether or refused by name."""

import bz2
import gzip
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import orc
from test_counting import KEEP_ALL, WINDOW, all_files, checksums, context, corpus_of, nothing_left, run_stages

from simglove_spark import counting, merging, sampling
from simglove_spark.bad_files import reason_against
from simglove_spark.cli import main
from simglove_spark.config import CorpusConfig, RunConfig
from simglove_spark.corpus import list_inputs
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.progress import Progress
from simglove_spark.spark_errors import translated

TEXT = b"\n".join(b"row %d of w%d words" % (number, number * number % 97) for number in range(3000))
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def parquet(rows: list[Any], name: str = "text", **options: Any) -> bytes:
    with pa.BufferOutputStream() as out:
        pq.write_table(pa.table({name: rows, "n": range(len(rows))}), out, **options)
        return out.getvalue().to_pybytes()


def orc_file(rows: list[Any]) -> bytes:
    with pa.BufferOutputStream() as out:
        orc.write_table(pa.table({"text": rows}), out)
        return out.getvalue().to_pybytes()


def write_all(folder: Path, files: dict[str, bytes | None]) -> dict[str, Path]:
    """Files with these bytes; None is a link that leads nowhere, which not even root can read."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in files}
    for name, data in files.items():
        if data is None:
            paths[name].symlink_to(folder / "gone")
        else:
            paths[name].write_bytes(data)
    return paths


LINES = [line.decode() for line in TEXT.split(b"\n")]
BAD_TEXT: dict[str, tuple[bytes | None, str]] = {
    "gone.txt": (None, "input must be readable; got No such file or directory"),
    "kind.txt": (gzip.compress(TEXT), "input must be text; got gzip"),
    "kind.gz": (TEXT, "a .gz file must be compressed; got other bytes"),
    "cut.gz": (gzip.compress(TEXT)[:-300], "input must be readable to the end; got Truncated compressed stream"),
    "last.gz": (gzip.compress(TEXT)[:-1], "input must be readable to the end; got "),
    "cut.bz2": (bz2.compress(TEXT)[:-300], "input must be readable to the end; got Truncated compressed stream"),
    "cut.zst": (zstandard.compress(TEXT)[:-30], "input must be readable to the end; got Truncated compressed stream"),
    **{f"flip.{end}": (flipped(pack(TEXT)), "input must be readable to the end; got ") for end, pack in PACKED.items()},
}
BAD_COLUMNS: dict[str, tuple[bytes | None, str]] = {
    "page.parquet": (
        flipped(parquet(LINES, compression="zstd", write_page_checksum=True)),
        "input must be readable to the end; got ",
    ),
    "cut.parquet": (parquet(LINES)[:-9], "input must be"),
    "other.parquet": (parquet(LINES, "body"), "--column must name a column; got 'text'"),
    "n.parquet": (parquet([1, 2]), "column 'text' must hold text or lists of words; got int64"),
    "plain.parquet": (TEXT, "with --column the input must be Parquet, ORC or JSON lines"),
    "cut.orc": (orc_file(LINES)[:-200], "input must be"),
    "line.jsonl": (b'{"text": "a b"}\n' * 3 + b'{"text": "a', "input must be JSON, an object a line; got "),
    "deep.jsonl": (b'{"text": ' + b"[" * 100_000, "input must be"),
    "list.jsonl": (b'{"text": "a b"}\n[1]\n', "input must be JSON, an object a line; got list instead of an object"),
    "kinds.jsonl": (
        b'{"text": "a b"}\n{"text": ["a"]}\n',
        "input must be JSON, an object a line; got 'text' that holds text here",
    ),
    "number.json": (
        b'{"text": "a"}\n{"text": 5}\n',
        "input must be JSON, an object a line; got 'text' that holds neither",
    ),
    "cut.json.gz": (
        gzip.compress(b'{"text": "a b"}\n' * 999)[:-9],
        "input must be readable to the end; got Truncated compressed stream",
    ),
    "gone.parquet": (None, "input must be readable; got No such file or directory"),
}
GOOD_TEXT = {"a.txt": TEXT, "a.gz": gzip.compress(TEXT) * 2, "b.bz2": bz2.compress(b"other words"), "empty.gz": b""}
GOOD_COLUMNS = {
    "a.parquet": parquet(LINES),
    "b.orc": orc_file([*LINES, None]),
    "c.jsonl": b'\xef\xbb\xbf{"text": "c d \\u98de"}\r\n\n{"n": 5}\n{"text": null}',
    "d.json.gz": gzip.compress(b'{"text": "e f"}'),
    "none.parquet": parquet(pa.array([], pa.string())),
}


@pytest.mark.parametrize(("name", "column"), [*((n, None) for n in BAD_TEXT), *((n, "text") for n in BAD_COLUMNS)])
def test_each_way_of_being_broken_has_its_reason(tmp_path: Path, name: str, column: str | None) -> None:
    data, reason = (BAD_TEXT if column is None else BAD_COLUMNS)[name]
    path = write_all(tmp_path, {name: data})[name]
    found = reason_against(str(path), column)
    assert found is not None
    assert found.startswith(reason)
    assert str(path) in found
    assert "\n" not in found


@pytest.mark.parametrize(("name", "column"), [*((n, None) for n in GOOD_TEXT), *((n, "text") for n in GOOD_COLUMNS)])
def test_nothing_is_said_against_whole_files(tmp_path: Path, name: str, column: str | None) -> None:
    path = write_all(tmp_path, {**GOOD_TEXT, **GOOD_COLUMNS})[name]
    if path.stat().st_size:
        assert reason_against(str(path), column) is None
        assert reason_against(str(path), column, all_columns=True) is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken")


@settings(max_examples=150, deadline=None)
@given(data=st.data(), end=st.sampled_from(sorted(PACKED)), cut=st.booleans())
def test_no_damage_passes_that_changes_a_byte(folder: Path, data: st.DataObject, end: str, cut: bool) -> None:
    packed = PACKED[end](TEXT)
    place = data.draw(st.integers(1, len(packed) - 1))
    damaged = packed[:place] + (b"" if cut else bytes([packed[place] ^ (1 << place % 8)]) + packed[place + 1 :])
    path = folder / f"a.{end}"
    path.write_bytes(damaged)
    if reason_against(str(path), None) is None:  # a bit of a header that means nothing
        with pa.input_stream(path, compression={"gz": "gzip", "bz2": "bz2", "zst": "zstd"}[end]) as stream:
            assert stream.read() == TEXT


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_all(tmp_path, {"a.txt": TEXT})["a.txt"]
    path.chmod(0)
    assert str(reason_against(str(path), None)).startswith("input must be readable; got Permission denied")


def test_a_missing_file_is_refused_or_listed_without_a_size(tmp_path: Path) -> None:
    paths = write_all(tmp_path, {"a.txt": TEXT, "b.txt": None})
    for inputs in ([tmp_path], list(paths.values()), [tmp_path / "*.txt"]):
        with pytest.raises(InputError, match=r"input must .*b\.txt"):
            list_inputs(corpus_of(*inputs))
        assert [entry["bytes"] for entry in list_inputs(corpus_of(*inputs, on_bad_file="skip"))] == [len(TEXT), None]
    never = tmp_path / "never.txt"
    assert list_inputs(corpus_of(never, on_bad_file="skip")) == [{"path": str(never), "bytes": None, "modified": None}]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(tmp_path / "below", {"a.txt": TEXT})
    scan = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("below"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for way in ("error", "skip"):
        with pytest.raises(InputError, match=r"input must be readable; got Permission denied \(.*below\)"):
            list_inputs(corpus_of(tmp_path, on_bad_file=way))


# --- through the stages ---


class Notes(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def without_reasons(manifest: Manifest) -> list[dict[str, Any]]:
    return [{key: value for key, value in entry.items() if key != "reason"} for entry in manifest.bad_files]


@pytest.mark.parametrize("column", [None, "text"])
@pytest.mark.spark
@pytest.mark.usefixtures("spark")
def test_the_rest_is_counted_as_if_bad_files_were_not_named(tmp_path: Path, column: str | None) -> None:
    good, bad = (GOOD_TEXT, BAD_TEXT) if column is None else (GOOD_COLUMNS, BAD_COLUMNS)
    paths = write_all(tmp_path / "corpus", {**good, **{name: data for name, (data, _) in bad.items()}})
    skip = corpus_of(tmp_path / "corpus", column=column, on_bad_file="skip")
    here = context()
    here.progress = notes = Notes()
    counting.count_words(skip, KEEP_ALL, tmp_path / "run", here)
    counting.count_pairs(skip, WINDOW, tmp_path / "run" / "vocabulary", tmp_path / "run" / "pairs", here)
    alone = run_stages(corpus_of(*(paths[name] for name in good), column=column), tmp_path / "alone")
    for table in ("word_counts", "vocabulary", "pairs"):
        ours, theirs = (Manifest.load(run / table, table) for run in (tmp_path / "run", alone))
        assert checksums(tmp_path / "run", table) == checksums(alone, table)
        assert ours.content_sha256 == theirs.content_sha256
        assert (ours.inputs, theirs.bad_files) == (theirs.inputs, [])
        assert {Path(entry["path"]).name for entry in ours.bad_files} == set(bad)
        assert all(entry["reason"].startswith(bad[Path(entry["path"]).name][1]) for entry in ours.bad_files)
        assert ours.listed == list_inputs(skip)
    told = (
        f"{len(bad)} of {len(bad) + len(good)} files cannot be read whole and are left out; the manifest names them. "
    )
    assert sum(text.startswith(told) for text in notes.texts) == 2
    before = all_files(tmp_path / "run")
    run_stages(skip, tmp_path / "run")  # nothing to do
    assert all_files(tmp_path / "run") == before


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("name", ["cut.gz", "flip.bz2", "flip.zst", "gone.txt", "kind.txt"])
def test_without_the_option_a_bad_file_is_an_error_that_names_it(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write_all(tmp_path / "corpus", {"a.txt": TEXT, name: BAD_TEXT[name][0]})
    assert main(["count-words", "--input", str(tmp_path / "corpus"), "--output", str(tmp_path / "run")]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("simglove: input must be ")
    assert str(paths[name]) in last
    assert "Traceback" not in last
    assert nothing_left(tmp_path / "run")


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("name", ["page.parquet", "cut.orc", "line.jsonl", "cut.json.gz", "other.parquet"])
def test_without_the_option_a_bad_table_is_an_error_that_names_it(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = BAD_COLUMNS[name][0] or b""
    if name == "line.jsonl":
        lines = b'{"text": "a b"}\n' * (1 + sampling.SAMPLE_BYTES // 16) + lines  # beyond what is looked at before
    paths = write_all(tmp_path / "corpus", {"a.parquet": parquet(LINES), name: lines})
    arguments = ["--input", str(tmp_path / "corpus"), "--column", "text", "--output", str(tmp_path / "run")]
    assert main(["count-words", *arguments]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert str(paths[name]) in last or (name == "line.jsonl" and version("pyspark") < "4")  # which does not tell
    assert "Traceback" not in last
    assert nothing_left(tmp_path / "run")


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
def test_bad_files_alone_are_an_error_and_mended_ones_a_new_corpus(tmp_path: Path) -> None:
    bad = write_all(tmp_path / "corpus", {"a.gz": BAD_TEXT["cut.gz"][0], "b.txt": None})
    skip, output = corpus_of(tmp_path / "corpus", on_bad_file="skip"), tmp_path / "run"
    with pytest.raises(InputError) as caught:
        counting.count_words(skip, KEEP_ALL, output, context())
    assert str(caught.value) == (
        "corpus must hold a file that can be read; got 2 that cannot. input must be readable to the end; got Truncated "
        f"compressed stream ({bad['a.gz']}). Replace the broken file."
    )
    assert nothing_left(output)
    (tmp_path / "corpus" / "c.txt").write_bytes(TEXT)
    run_stages(skip, output)
    with pytest.raises(ConfigError, match="--on-bad-file must be as the vocabulary was counted; got error"):
        (tmp_path / "corpus" / "b.txt").unlink()
        (tmp_path / "corpus" / "a.gz").write_bytes(gzip.compress(TEXT))
        counting.count_pairs(corpus_of(tmp_path / "corpus"), WINDOW, output / "vocabulary", output / "pairs", context())
    with pytest.raises(InputError, match="vocabulary must be counted from the same input, unchanged since"):
        counting.count_pairs(skip, WINDOW, output / "vocabulary", output / "pairs", context())
    with pytest.raises(ConfigError, match=r"the input .*a\.gz is new or changed"):
        counting.count_words(skip, KEEP_ALL, output, context())


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
def test_merged_tables_name_the_bad_files_of_all_parts(tmp_path: Path) -> None:
    parts: list[CorpusConfig] = []
    for day in ("mon", "tue"):
        write_all(tmp_path / day, {"a.txt": TEXT, "b.gz": BAD_TEXT["cut.gz"][0]})
        parts.append(corpus_of(tmp_path / day, on_bad_file="skip"))
        counting.count_words(parts[-1], KEEP_ALL, tmp_path / f"{day}-words", context())
    counts = [tmp_path / f"{day}-words" / "word_counts" for day in ("mon", "tue")]
    for _ in range(2):  # the second time there is nothing to do
        merging.merge_words(counts, KEEP_ALL, tmp_path / "week", RunConfig(), Progress())
    vocabulary = Manifest.load(tmp_path / "week" / "vocabulary", "vocabulary")
    assert [Path(entry["path"]).parent.name for entry in vocabulary.bad_files] == ["mon", "tue"]
    assert len(vocabulary.inputs) == 2
    folders = [tmp_path / f"{day}-pairs" for day in ("mon", "tue")]
    for part, folder in zip(parts, folders, strict=True):
        counting.count_pairs(part, WINDOW, tmp_path / "week" / "vocabulary", folder, context())
        assert len(Manifest.load(folder, "pairs").bad_files) == 1
    merged = merging.merge_pairs(folders, tmp_path / "week" / "vocabulary", tmp_path / "all", RunConfig(), Progress())
    assert merged.bad_files == vocabulary.bad_files
    assert json.loads((tmp_path / "all" / "_manifest.json").read_text())["bad_files"] == vocabulary.bad_files


def test_zstd_on_a_spark_that_cannot_read_it_is_told_so() -> None:
    cause = "native zStandard library not available: this version of libhadoop was built without zstd support"
    found = translated(RuntimeError(f"An error occurred.\nCaused by: java.lang.RuntimeException: {cause}\n\tat org"))
    assert isinstance(found, InputError)
    assert str(found) == (
        f"input must be readable to the end; got RuntimeException: {cause}. Replace the broken file, or give --on-bad-file skip."
    )
