"""Which files a corpus is, and whether they are what was said, before anything is started."""

import glob
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from simglove_spark.config import CorpusConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.schemas import UNREADABLE
from simglove_spark.storage.answers import refuse_away
from simglove_spark.storage.corpora import files_of, is_hidden, reading
from simglove_spark.storage.paths import readable
from simglove_spark.storage.schemes import is_store, refuse_credentials
from simglove_spark.tokenizing import load_tokenizer

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


#: Endings of files that Spark unpacks while it reads, and of JSON lines.
COMPRESSED = frozenset({".gz", ".bz2", ".zst", ".zstd", ".lz4", ".snappy", ".deflate"})
JSON_LINES = frozenset({".json", ".jsonl", ".ndjson"})
HEAD_BYTES = 8  # of a file, which show what it is
TABLE = "table:"  # what an input begins with that is the name of a Spark table


def list_inputs(config: CorpusConfig) -> list[dict[str, Any]]:
    """Files of the corpus: path, bytes and time of change, in order of their paths.

    A URI of a scheme that `storage.schemes` does not know, and ``table:NAME``, is handed to Spark as it is, without size or time.
    With ``on_bad_file`` "skip" no file is opened here, and one that cannot be found has neither: see `bad_files`.

    Raises
    ------
    ConfigError
        When a table is named, or ``where`` is given, without ``column``; when the tokenizer is not there; when documents
        are asked of what comes in lines or rows.
    InputError
        When a path matches nothing, all files are empty, or a file's first bytes show that it isn't what was said.
    """
    if not config.input:
        raise InputError("--input must name at least one file; got none. Give the corpus.")
    if config.column is None:
        needy = config.where if config.where is not None else next(filter(is_table, config.input), None)
        if needy is not None:
            raise ConfigError(
                f"--where and {TABLE}NAME must come with --column; got none ({needy}). Name the text's column."
            )
    load_tokenizer(config.tokenizer)
    files: dict[str, dict[str, Any]] = {}
    for text in config.input:
        refuse_credentials(text)
        if not is_here(text):
            files[text] = {"path": text, "bytes": None, "modified": None}
            continue
        files |= {entry["path"]: entry for entry in file_entries(text, config.on_bad_file == "skip")}
    entries = [files[path] for path in sorted(files)]
    if all(entry["bytes"] == 0 for entry in entries):
        raise InputError(
            f"corpus must hold text; got {len(entries)} empty files ({entries[0]['path']}). Check --input."
        )
    if config.on_bad_file == "error":
        for entry in entries:
            if entry["bytes"]:
                check_kind(entry["path"], config.column)
    _check_documents(config, entries)
    return entries


def file_entries(text: str, skip: bool = False) -> list[dict[str, Any]]:
    """Path, bytes and time of change of each file that a path, folder or glob stands for; with ``skip`` of lost ones None."""
    if is_store(text):
        found = files_of(text)
        refuse_names([entry["path"] for entry in found])
        return found
    return [_entry(path, skip) for path in _matches(text.removeprefix("file://"), skip)]


def total_bytes(inputs: list[dict[str, Any]]) -> int:
    """Bytes of all files whose size is known."""
    return sum(entry["bytes"] or 0 for entry in inputs)


def is_plain(path: str) -> bool:
    """Whether an input that is read without ``column`` is plain text that workers read themselves."""
    return is_here(path) and Path(path).suffix not in COMPRESSED


def _check_documents(config: CorpusConfig, entries: list[dict[str, Any]]) -> None:
    others = [entry["path"] for entry in entries if entry["bytes"] != 0 and not is_plain(entry["path"])]
    if config.document_break != "line" and (config.column is not None or others):
        what = f"--column {config.column}" if config.column is not None else others[0]
        raise ConfigError(
            f"--document-break {config.document_break} must be given plain text files; got {what}. "
            "Unpack or copy them, or leave it out: then windows end with each line or row."
        )


def is_table(text: str) -> bool:
    """Whether an input is the name of a Spark table."""
    return text.startswith(TABLE)


def is_here(text: str) -> bool:
    """Whether an input lies where we can read it: in a file system of this machine, or in a store."""
    return not is_table(text) and ("://" not in text or text.startswith("file://") or is_store(text))


def _entry(path: Path, skip: bool) -> dict[str, Any]:
    try:
        stat = path.stat()
    except OSError as error:
        if not skip:
            raise _unreadable(path, error) from error
        return {"path": str(path), "bytes": None, "modified": None}
    return {"path": str(path), "bytes": stat.st_size, "modified": stat.st_mtime_ns}


def _unreadable(path: Path | str, error: OSError) -> InputError:
    return InputError(f"input must be readable; got {error.strerror or error} ({path}). Check its permissions.")


def _matches(text: str, skip: bool) -> list[Path]:
    named = Path(text).expanduser()
    if skip and glob.escape(text) == text and not named.exists():
        return [named.absolute()]  # it was there when somebody wrote its name down
    found = [named] if named.exists() else [Path(match) for match in glob.glob(str(named), recursive=True)]  # noqa: PTH207
    files = [file for path in found for file in (_files_below(path) if path.is_dir() else [path])]
    if not files:
        what = "a folder without files" if found else "nothing"
        raise InputError(f"--input must match files; got {what} ({text}). Check the path or the pattern.")
    refuse_names(list(map(str, files)))
    return [file.absolute() for file in files]


def refuse_names(paths: list[str]) -> None:
    """Refuse files that Spark passes over or cannot read, by their names.

    Raises
    ------
    InputError
    """
    for path in paths:
        name = Path(path).name
        if is_hidden(name):
            raise InputError(
                f"file names must not begin with '_' or '.', which Spark passes over; got {name!r} ({path}). Rename it."
            )
        if ":" in name:
            raise InputError(
                f"file names must not hold ':', which Spark cannot read; got {name!r} ({path}). Rename it."
            )


def _files_below(folder: Path) -> list[Path]:
    """Files of a folder and its sub-folders, without hidden ones (`_SUCCESS`, checksums); links that lead nowhere too.

    A folder that cannot be listed is an error: what lies in it would be lost without a word.
    """
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_refuse_folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        paths = (Path(place, name) for name in names if not is_hidden(name))
        found += [path for path in paths if path.is_file() or not path.exists()]
    return sorted(found)


def _refuse_folder(error: OSError) -> None:
    raise _unreadable(error.filename, error) from error


def kind_by_name(path: str) -> str:
    """What a file read by ``--column`` is, by its ending (before that of a compression): "JSON", "ORC", else "Parquet"."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    last = [suffix for suffix in suffixes if suffix not in COMPRESSED][-1:]
    return "JSON" if last and last[0] in JSON_LINES else "ORC" if last == [".orc"] else "Parquet"


def check_kind(path: str, column: str | None) -> None:
    """Refuse a file whose first bytes, or whose schema, show that it isn't what was said.

    Raises
    ------
    InputError
    """
    try:
        with reading(path, HEAD_BYTES) as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    suffix = Path(path).suffix
    kind, suffixes = next((known for magic, known in _MAGIC.items() if magic.match(head)), ("text", ()))
    if column is not None and kind in ("Parquet", "ORC"):
        if kind_by_name(path) != kind:
            raise InputError(
                f"a file's ending must tell what it is; got {kind} ({path}). Rename it to end in .{kind.lower()}."
            )
        _check_column(path, kind, column)
    elif column is not None and kind_by_name(path) != "JSON":
        raise InputError(
            f"with --column the input must be Parquet, ORC or JSON lines (.json, .jsonl, .ndjson); got {kind} ({path}). "
            "Leave --column out for text."
        )
    elif kind != "text" and suffix not in suffixes:
        columns = kind in ("Parquet", "ORC")
        hint = "Give --column NAME." if columns else "Give plain text, or .gz, .bz2 or .zst under that ending."
        raise InputError(f"input must be text; got {kind} ({path}). {hint}")
    elif kind == "text" and suffix in (".gz", ".bz2", ".zst", ".zstd"):
        raise InputError(f"a {suffix} file must be compressed; got other bytes ({path}). Rename or replace it.")


def _check_column(path: str, file_kind: str, column: str) -> None:
    try:
        schema = pq.read_schema(readable(path)) if file_kind == "Parquet" else orc.ORCFile(readable(path)).schema
    except UNREADABLE as error:
        refuse_away(error)
        raise InputError(f"input must be whole {file_kind}; got {error} ({path}). Replace the file.") from error
    if column not in schema.names:
        raise InputError(
            f"--column must name a column; got {column!r} ({path}). Its columns: {', '.join(schema.names)}."
        )
    kind = schema.field(column).type
    inner = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    if not any(test(inner) for test in texts):
        raise InputError(f"column {column!r} must hold text or lists of words; got {kind} ({path}). Name another one.")
