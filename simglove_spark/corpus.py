"""From paths to what workers read: a DataFrame of text or of lists of words, or byte ranges. One row is a window's end."""

import glob
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from simglove_spark.config import CorpusConfig
from simglove_spark.errors import InputError
from simglove_spark.text_ranges import pieces as pieces_of_ranges
from simglove_spark.text_ranges import plan
from simglove_spark.text_rows import Piece, pieces

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# what Spark reads as text without an error and without sense, by the file's first bytes
# A text may begin with "ORC" or "BZh", so these need what follows in such a file and in no text.
_MAGIC = {
    re.compile(rb"\x1f\x8b"): ("gzip", (".gz",)),
    re.compile(rb"BZh[1-9](1AY&|\x17rE8)"): ("bzip2", (".bz2",)),
    re.compile(rb"\x28\xb5\x2f\xfd"): ("zstd", (".zst", ".zstd")),
    re.compile(rb"\xfd7zXZ\x00"): ("xz", ()),
    re.compile(rb"PK\x03\x04"): ("zip", ()),
    re.compile(rb"PAR1"): ("Parquet", ()),
    re.compile(rb"ORC.{0,4}[\x00-\x08\x0e-\x1f\x7f-\xff]", re.DOTALL): ("ORC", ()),
    re.compile(rb"\xff\xfe|\xfe\xff"): ("UTF-16 text", ()),
}


def list_inputs(config: CorpusConfig) -> list[dict[str, Any]]:
    """Files of the corpus: path, bytes and time of change, in order of their paths.

    A URI other than ``file:`` is handed to Spark as it is, without size or time.

    Raises
    ------
    InputError
        When a path matches nothing, all files are empty, or a file's first bytes show that it isn't what was said.
    """
    if not config.input:
        raise InputError("--input must name at least one file; got none. Give the corpus.")
    files: dict[str, dict[str, Any]] = {}
    for text in config.input:
        if "://" in text and not text.startswith("file://"):
            files[text] = {"path": text, "bytes": None, "modified": None}
            continue
        for path in _matches(text.removeprefix("file://")):
            stat = path.stat()
            files[str(path)] = {"path": str(path), "bytes": stat.st_size, "modified": stat.st_mtime_ns}
    entries = [files[path] for path in sorted(files)]
    if all(entry["bytes"] == 0 for entry in entries):
        raise InputError(
            f"corpus must hold text; got {len(entries)} empty files ({entries[0]['path']}). Check --input."
        )
    for entry in entries:
        if entry["bytes"]:
            _check_kind(Path(entry["path"]), config.column)
    return entries


def _matches(text: str) -> list[Path]:
    named = Path(text).expanduser()
    found = [named] if named.exists() else [Path(match) for match in glob.glob(str(named), recursive=True)]  # noqa: PTH207
    files = [file for path in found for file in (_files_below(path) if path.is_dir() else [path])]
    if not files:
        what = "a folder without files" if found else "nothing"
        raise InputError(f"--input must match files; got {what} ({text}). Check the path or the pattern.")
    hidden = next((file for file in files if _is_hidden(file.name)), None)
    if hidden is not None:
        raise InputError(
            f"file names must not begin with '_' or '.', which Spark passes over; got {hidden.name!r} ({hidden}). Rename it."
        )
    colon = next((file for file in files if ":" in file.name), None)
    if colon is not None:
        raise InputError(
            f"file names must not hold ':', which Spark cannot read; got {colon.name!r} ({colon}). Rename it."
        )
    return [file.absolute() for file in files]


def _files_below(folder: Path) -> list[Path]:
    """Files of a folder and its sub-folders, without hidden ones (`_SUCCESS`, checksums)."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(_is_hidden(part) for part in path.relative_to(folder).parts)
    ]


def _is_hidden(name: str) -> bool:
    """Whether Spark passes over a file or folder of that name without a word."""
    return name.startswith(("_", ".")) or name.endswith("._COPYING_")


def _check_kind(path: Path, column: str | None) -> None:
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise InputError(f"input must be readable; got {error.strerror} ({path}). Check its permissions.") from error
    kind, suffixes = next((known for magic, known in _MAGIC.items() if magic.match(head)), ("text", ()))
    if column is not None:
        if kind != "Parquet":
            raise InputError(
                f"with --column the input must be Parquet; got {kind} ({path}). Leave --column out for text."
            )
        _check_column(path, column)
    elif kind != "text" and path.suffix not in suffixes:
        hint = (
            "Give --column NAME." if kind == "Parquet" else "Give plain text, or .gz, .bz2 or .zst under that ending."
        )
        raise InputError(f"input must be text; got {kind} ({path}). {hint}")
    elif kind == "text" and path.suffix in (".gz", ".bz2", ".zst", ".zstd"):
        raise InputError(f"a {path.suffix} file must be compressed; got other bytes ({path}). Rename or replace it.")


def _check_column(path: Path, column: str) -> None:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"input must be whole Parquet; got {error} ({path}). Replace the file.") from error
    if column not in schema.names:
        raise InputError(
            f"--column must name a column; got {column!r} ({path}). Its columns: {', '.join(schema.names)}."
        )
    kind = schema.field(column).type
    inner = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    if not any(test(inner) for test in texts):
        raise InputError(f"column {column!r} must hold text or lists of words; got {kind} ({path}). Name another one.")


#: Endings of files that Spark unpacks while it reads.
COMPRESSED = frozenset({".gz", ".bz2", ".zst", ".zstd", ".lz4", ".snappy", ".deflate"})


@dataclass(frozen=True)
class Source:
    """A DataFrame, and what a worker makes of its batches."""

    frame: "DataFrame"
    pieces: Callable[[Iterator[pa.RecordBatch]], Iterator[Piece]]


def source_of(frame: "DataFrame", lowercase: bool) -> Source:
    """Of any DataFrame with one column of text (string or binary) or of lists of words."""
    return Source(frame, partial(pieces, lowercase=lowercase))


def read_corpus(
    spark: "SparkSession", inputs: list[dict[str, Any]], config: CorpusConfig, slots: int | None
) -> list[Source]:
    """Sources over the files that `list_inputs` found.

    Plain text is read by the workers themselves, in byte ranges; Spark reads what is compressed, Parquet, and what lies
    elsewhere than in a file system of this machine. ``slots`` is the number of tasks that run at once, None on a cluster.
    """
    plain = [entry for entry in inputs if _is_plain(entry, config)]
    others = [entry for entry in inputs if not _is_plain(entry, config)]
    sources = []
    if tasks := plan(plain, slots):
        frame = spark.range(0, len(tasks), 1, len(tasks))
        sources.append(Source(frame, partial(pieces_of_ranges, tasks=tasks, lowercase=config.lowercase)))
    if others:
        sources.append(source_of(_read_by_spark(spark, others, config.column), config.lowercase))
    return sources


def _is_plain(entry: dict[str, Any], config: CorpusConfig) -> bool:
    return config.column is None and entry["bytes"] is not None and Path(entry["path"]).suffix not in COMPRESSED


def _read_by_spark(spark: "SparkSession", inputs: list[dict[str, Any]], column: str | None) -> "DataFrame":
    from pyspark.sql import functions as f
    from pyspark.sql.types import ArrayType

    paths = [entry["path"] if "://" in entry["path"] else _file_uri(entry["path"]) for entry in inputs]
    # half a file counted as a whole one would be a wrong table, whatever the cluster's settings allow
    reader = spark.read.options(ignoreCorruptFiles="false", ignoreMissingFiles="false")
    if column is None:
        return reader.text(paths).select(f.col("value").cast("binary").alias("text"))
    frame = reader.parquet(*paths)
    chosen = f.col("`" + column.replace("`", "``") + "`")
    if isinstance(frame.schema[column].dataType, ArrayType):
        return frame.select(chosen.alias("text"))
    return frame.select(chosen.cast("binary").alias("text"))


def _file_uri(path: str) -> str:
    """URI of a listed file; what Spark would take for a pattern is escaped, since the file is named to the letter."""
    return "file://" + "".join("\\" + char if char in "*?[]{}\\" else char for char in path)
