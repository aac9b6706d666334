"""What is taken for a corpus, and what is refused and how."""

import bz2
import gzip
import lzma
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from simglove_spark.config import CorpusConfig
from simglove_spark.corpus import list_inputs
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.progress import Progress
from simglove_spark.session import watched
from simglove_spark.sources import Source, _read, read_corpus

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ASKS_FOR_TEXT = "Give plain text, or .gz, .bz2 or .zst under that ending."


def config(*paths: Path | str, column: str | None = None) -> CorpusConfig:
    return CorpusConfig(input=tuple(map(str, paths)), column=column)


def listed(*paths: Path | str, column: str | None = None) -> list[str]:
    return [entry["path"] for entry in list_inputs(config(*paths, column=column))]


def refusal(*paths: Path | str, column: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        list_inputs(config(*paths, column=column))
    assert caught.value.exit_code == 3
    return str(caught.value)


def write(path: Path, data: bytes = b"text\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_file_is_listed_with_size_and_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"12345")
    os.utime(path, ns=(1, 1_234_567_891_234_567_891))
    found = list_inputs(config(path))
    assert found == [{"path": str(path), "bytes": 5, "modified": 1_234_567_891_234_567_891}]


def test_folders_globs_and_uris_are_listed_once_and_in_order(tmp_path: Path) -> None:
    names = ["b.txt", "a.txt", "below/deeper/c", "below/d.gz.txt", "é [1]*?.txt"]
    paths = [write(tmp_path / name) for name in names]
    everything = sorted(map(str, paths))
    assert listed(tmp_path) == everything
    assert listed(tmp_path, tmp_path / "a.txt", f"file://{tmp_path}/b.txt") == everything
    assert listed(tmp_path / "*.txt") == sorted(str(tmp_path / name) for name in names if "/" not in name)
    assert listed(tmp_path / "**" / "*") == everything
    assert listed(tmp_path / "[ab].txt") == [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    assert listed(tmp_path / "é [1]*?.txt") == [str(tmp_path / "é [1]*?.txt")]  # a file of that name comes first


def test_relative_paths_and_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.txt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert listed("a.txt") == listed("*.txt") == listed("~/a.txt") == listed("./a.txt") == [str(path)]


def test_other_uris_are_left_to_spark(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt")
    found = list_inputs(config("oss://bucket/*.txt", path))
    assert {"path": "oss://bucket/*.txt", "bytes": None, "modified": None} in found
    assert len(found) == 2


def test_hidden_files_of_a_folder_are_passed_over(tmp_path: Path) -> None:
    visible = write(tmp_path / ".run" / "_corpus" / "a.txt")  # hidden parents of what is named don't matter
    for name in ("_SUCCESS", ".a.txt.crc", "_tmp/x.txt", ".git/y.txt"):
        write(tmp_path / ".run" / "_corpus" / name)
    assert listed(tmp_path / ".run" / "_corpus") == [str(visible)]


@pytest.mark.parametrize("name", ["_a.txt", ".a.txt"])
def test_a_hidden_file_that_is_named_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    message = refusal(path)
    assert message.startswith("file names must not begin with '_' or '.'")
    assert message.endswith(f", which Spark passes over; got {name!r} ({path}). Rename it.")


def test_no_input(tmp_path: Path) -> None:
    assert refusal() == "--input must name at least one file; got none. Give the corpus."
    missing = tmp_path / "missing.txt"
    assert refusal(missing) == f"--input must match files; got nothing ({missing}). Check the path or the pattern."
    pattern = tmp_path / "*.txt"
    assert refusal(pattern) == f"--input must match files; got nothing ({pattern}). Check the path or the pattern."
    assert "got a folder without files" in refusal(tmp_path)
    write(tmp_path / "_SUCCESS")
    assert "got a folder without files" in refusal(tmp_path)
    there = write(tmp_path / "a.txt")
    assert "got nothing" in refusal(there, missing)


def test_empty_files(tmp_path: Path) -> None:
    empty = [write(tmp_path / name, b"") for name in ("a.txt", "b.gz")]
    assert refusal(*empty) == f"corpus must hold text; got 2 empty files ({empty[0]}). Check --input."
    full = write(tmp_path / "c.txt")
    assert listed(tmp_path) == [*map(str, empty), str(full)]


def zipped(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        archive.writestr("a.txt", "text")
    return (tmp_path / "made.zip").read_bytes()


def parquet(tmp_path: Path) -> bytes:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "made.parquet")
    return (tmp_path / "made.parquet").read_bytes()


KINDS: list[tuple[str, str, Any]] = [
    ("a.txt", "gzip", lambda _: gzip.compress(b"text")),
    ("a.bz2", "gzip", lambda _: gzip.compress(b"text")),
    ("a.txt", "bzip2", lambda _: bz2.compress(b"text")),
    ("a.gz", "bzip2", lambda _: bz2.compress(b"text")),
    ("a", "zstd", lambda _: zstandard.compress(b"text")),
    ("a.xz", "xz", lambda _: lzma.compress(b"text")),
    ("a.zip", "zip", zipped),
    ("a.txt", "UTF-16 text", lambda _: "text".encode("utf-16")),
    ("a.txt", "UTF-16 text", lambda _: b"\xfe\xff" + "text".encode("utf-16-be")),
]


@pytest.mark.parametrize(("name", "kind", "data"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_not_text_under_its_ending_is_refused(tmp_path: Path, name: str, kind: str, data: Any) -> None:
    path = write(tmp_path / "corpus" / name, data(tmp_path))
    assert refusal(path) == f"input must be text; got {kind} ({path}). {ASKS_FOR_TEXT}"


@pytest.mark.parametrize("kind", ["Parquet", "ORC"])
def test_what_has_columns_asks_for_one(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.txt", parquet(tmp_path) if kind == "Parquet" else b"ORC\x0a\x03")
    assert refusal(path) == f"input must be text; got {kind} ({path}). Give --column NAME."


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".zst"])
def test_plain_text_under_the_ending_of_a_compressed_file_is_refused(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"a{ending}")
    assert refusal(path) == f"a {ending} file must be compressed; got other bytes ({path}). Rename or replace it."


@pytest.mark.parametrize(
    ("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".zst", zstandard.compress)]
)
def test_compressed_files_under_their_ending_are_text(tmp_path: Path, ending: str, pack: Any) -> None:
    path = write(tmp_path / f"a{ending}", pack(b"text"))
    assert listed(path) == [str(path)]


@pytest.mark.parametrize("data", [b"B", b"\x1f", b"PK!", b"\xef\xbb\xbfbom", b"BZ", b"x" * 100])
def test_short_texts_and_those_that_begin_like_something_else_are_text(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "a.txt", data)
    assert listed(path) == [str(path)]


def test_the_second_file_is_looked_at_too(tmp_path: Path) -> None:
    write(tmp_path / "a.txt")
    path = write(tmp_path / "b.txt", gzip.compress(b"text"))
    assert refusal(tmp_path) == f"input must be text; got gzip ({path}). {ASKS_FOR_TEXT}"


def test_with_a_column_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    assert refusal(path, column="text") == (
        f"with --column the input must be Parquet, ORC or JSON lines (.json, .jsonl, .ndjson); got text ({path}). Leave --column out for text."
    )


def test_a_column_must_be_there_and_hold_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a"], "n": [1], "list": [[1]], "words": [["a"]]}), path)
    assert listed(path, column="text") == listed(path, column="words") == [str(path)]
    assert refusal(path, column="body") == (
        f"--column must name a column; got 'body' ({path}). Its columns: text, n, list, words."
    )
    assert refusal(path, column="n") == (
        f"column 'n' must hold text or lists of words; got int64 ({path}). Name another one."
    )
    assert "got list<element: int64>" in refusal(path, column="list")


@pytest.mark.parametrize("cut", [4, 30, -4])
def test_parquet_that_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "a.parquet", parquet(tmp_path)[:cut])
    message = refusal(path, column="text")
    assert message.startswith("input must be whole Parquet; got ")
    assert message.endswith(f" ({path}). Replace the file.")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt")
    path.chmod(0)
    assert refusal(path) == f"input must be readable; got Permission denied ({path}). Check its permissions."


NAMES = ["a b.txt", "[a]*?.txt", "{a,b}.txt", "per%20cent+.txt", "飞机.txt", "back\\slash.txt", "hash#mark.txt"]


def rows_of(sources: list[Source]) -> list[str]:
    """All rows, as the workers get them."""
    batches = [(source, batch) for source in sources for batch in source.frame._collect_as_arrow()]
    return [
        row for source, batch in batches for piece in source.pieces(iter([batch])) for row in piece.column.to_pylist()
    ]


@pytest.mark.spark
def test_files_are_read_to_the_letter_of_their_names(tmp_path: Path, spark: "SparkSession") -> None:
    for number, name in enumerate(NAMES):
        write(tmp_path / name, b"row %d" % number)
        write(tmp_path / "decoys" / name.translate(str.maketrans("[]*?{},", "xxxxxxx")), b"decoy")
    paths = config(*(tmp_path / name for name in NAMES))
    expected = [f"row {number}" for number in range(len(NAMES))]
    assert sorted(rows_of(read_corpus(spark, list_inputs(paths), paths, 2))) == expected
    by_spark = _read(spark, "text", list_inputs(paths), paths)
    assert sorted(bytes(row.text).decode() for row in by_spark.collect()) == expected


@pytest.mark.spark
@pytest.mark.parametrize("name", ["colon:name.txt", "a.txt._COPYING_"])
def test_names_that_spark_does_not_take_are_refused_or_read(tmp_path: Path, spark: "SparkSession", name: str) -> None:
    path = write(tmp_path / name, b"row")
    with Progress().task("read") as task:
        try:
            inputs = list_inputs(config(path))
            with watched(spark, "read", task):
                rows = rows_of(read_corpus(spark, inputs, config(path), 2))
        except InputError:
            return
    assert rows == ["row"]


@pytest.mark.spark
@pytest.mark.parametrize("column", ["text", "my.column", "tick`ed", "TEXT"])
def test_columns_are_read_to_the_letter_of_their_names(tmp_path: Path, spark: "SparkSession", column: str) -> None:
    pq.write_table(pa.table({"other": ["no"], column: ["yes"]}), tmp_path / "a.parquet")
    named = config(tmp_path / "a.parquet", column=column)
    (source,) = read_corpus(spark, list_inputs(named), named, 2)
    assert source.frame.columns == ["text"]
    assert rows_of([source]) == ["yes"]


@pytest.mark.parametrize("level", range(1, 10))
def test_bzip2_of_every_level_is_known(tmp_path: Path, level: int) -> None:
    packed = tmp_path / "text.bz2"
    packed.write_bytes(bz2.compress(b"a b c\n", level))
    assert [entry["path"] for entry in list_inputs(CorpusConfig(input=(str(packed),)))] == [str(packed)]
    packed.rename(tmp_path / "text.txt")
    with pytest.raises(InputError, match="input must be text; got bzip2"):
        list_inputs(CorpusConfig(input=(str(tmp_path / "text.txt"),)))


@pytest.mark.parametrize("text", [b"ORCHESTRA of", b"BZh is no word", b"PK", b"ORC\nand more"])
def test_a_text_may_begin_like_another_kind(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "text.txt").write_bytes(text)
    assert len(list_inputs(CorpusConfig(input=(str(tmp_path / "text.txt"),)))) == 1


def test_the_ending_tells_what_is_read_by_a_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.json")
    with pytest.raises(InputError, match=r"ending must tell what it is; got Parquet .*\.parquet"):
        list_inputs(config(tmp_path / "a.json", column="text"))


@pytest.mark.parametrize(("given", "options"), [("table:lake.texts", {}), ("corpus.txt", {"where": "n > 1"})])
def test_tables_and_conditions_need_a_column(given: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="--where and table:NAME must come with --column"):
        list_inputs(CorpusConfig(input=(given,), **options))
