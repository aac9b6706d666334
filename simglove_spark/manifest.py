"""A table's manifest: what the table is, what it was made from, and which files belong to it.

`_manifest.json` is written last and by one atomic rename, so a folder with a manifest is complete and a
file that no manifest names does not exist. A parent is named by `content_sha256`, which covers the
files' own checksums: the same table counted again is the same parent, wherever it lies.
"""

import hashlib
import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from simglove_spark.errors import InputError
from simglove_spark.manifest_fields import Details, check_fields, escapes
from simglove_spark.schemas import describe
from simglove_spark.storage.paths import StorePath, hash_file
from simglove_spark.storage.texts import replace_text

FILE_NAME = "_manifest.json"
FORMAT_VERSION = 1


@lru_cache(maxsize=1)
def software_versions() -> dict[str, str]:
    """Versions of what decides the bytes of a table."""
    versions = {"python": platform.python_version()}
    for name in ("simglove-spark", "numpy", "pyarrow", "numba", "pyspark", "icu4py", "rjieba"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True)
class FileEntry:
    """One data file: path inside the folder, rows, bytes, checksum (rows is 0 for a file that lies beside the table).

    ``stored`` is its name in a store, where that is another: there each name carries its content (`storage.tables`).
    """

    path: str
    rows: int
    bytes: int
    sha256: str
    stored: str = ""

    @property
    def name(self) -> str:
        """The name under which it lies in the folder."""
        return self.stored or self.path

    def without_place(self) -> dict[str, Any]:
        """What the file is, wherever it lies."""
        return {key: value for key, value in asdict(self).items() if key != "stored"}


@dataclass(frozen=True)
class Manifest:
    """All that a reader must know of a table before it opens a file.

    ``bad_files`` are those named as input that could not be read whole and were left out, each with a ``reason``.
    ``details`` holds what only one kind of table has: for pairs `window_size`, `weighting`, `unit`, `num_shards`,
    `total_pairs` (in units) and `total_words`.
    """

    table: str
    schema: dict[str, str]
    files: list[FileEntry]
    config: dict[str, Any]
    inputs: list[dict[str, Any]] = field(default_factory=list)
    bad_files: list[dict[str, Any]] = field(default_factory=list)
    parents: list[dict[str, str]] = field(default_factory=list)
    seed: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=software_versions)
    format_version: int = FORMAT_VERSION

    @property
    def config_hash(self) -> str:
        """Checksum of the options that decide the table's content."""
        return hash_json(self.config)

    @property
    def content_sha256(self) -> str:
        """Checksum of the content: table, schema, details and the files' checksums, not of where or when."""
        return hash_json([self.table, self.schema, self.details, [entry.without_place() for entry in self.files]])

    @property
    def listed(self) -> list[dict[str, Any]]:
        """All files that were named as input, counted or left out, as `corpus.list_inputs` lists them."""
        return listed(self.inputs, self.bad_files)

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(entry.rows for entry in self.files)

    @property
    def own_files(self) -> list[FileEntry]:
        """Files of the table itself, without those beside it."""
        return [entry for entry in self.files if not entry.path.startswith("_")]

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(entry.bytes for entry in self.files)

    def as_parent(self) -> dict[str, str]:
        """How a table made from this one names it."""
        return {"table": self.table, "sha256": self.content_sha256}

    def parent_sha256(self, table: str) -> str | None:
        """Checksum of the parent of that kind, if there is one."""
        return next((parent["sha256"] for parent in self.parents if parent["table"] == table), None)

    def save(self, folder: Path) -> None:
        """Write the manifest into ``folder``, atomically; its files must be there already."""
        replace_text(folder / FILE_NAME, self.text())

    def text(self) -> str:
        """The file's text, to the byte: all fields, then the checksums of the options and of all that stands before."""
        files = [entry.without_place() | ({"stored": entry.stored} if entry.stored else {}) for entry in self.files]
        values = {**asdict(self), "files": files, "config_hash": self.config_hash}
        return json.dumps(sealed(values), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, folder: Path, table: str) -> "Manifest":
        """Read and check the manifest of a complete table.

        Raises
        ------
        InputError
            When there is none, when it is broken, or when it tells of another table or format.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            found = "nothing" if not folder.exists() else "a folder without it"
            raise InputError(
                f"{table} must be a complete table with a {FILE_NAME}; got {found} ({folder}). "
                "Give the folder of a finished stage, or run that stage again."
            )
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw["format_version"] != FORMAT_VERSION or raw["table"] != table:
                raise InputError(
                    f"table must be {table!r} in format {FORMAT_VERSION}; got {raw['table']!r} in format "
                    f"{raw['format_version']} ({path}). Give the folder of a {table} table of this version."
                )
            _check_sums(raw)
            check_fields(raw)
            files = [FileEntry(**entry) for entry in raw["files"]]
            manifest = cls(**{**raw, "files": files, "details": Details(raw["details"])})
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
            raise InputError(
                f"manifest must be JSON that this tool wrote; got {type(error).__name__}: {error} ({path}). "
                "Run the stage that made the folder again."
            ) from error
        for entry in manifest.files:
            for name in (entry.path, entry.name):
                if escapes(name):
                    raise InputError(f"file names must stay inside the folder; got {name!r} ({path}). Do not use it.")
        return manifest


def _check_sums(raw: dict[str, Any]) -> None:
    """Take the checksums out of a manifest's JSON, and refuse values that are not those they were taken of."""
    told = raw.pop("sha256", None)  # which older tables have not
    if told is not None and told != hash_json(raw):
        raise ValueError("other values than its checksum was taken of")
    if raw.pop("config_hash") != hash_json(raw["config"]):
        raise ValueError("another config than its checksum was taken of")


def new_manifest(
    table: str, schema: pa.Schema, files: Iterable[FileEntry], config: dict[str, Any], **rest: Any
) -> Manifest:
    """Manifest of a table just written; files are put in order of their names."""
    ordered = sorted(files, key=lambda entry: entry.path)
    return Manifest(table=table, schema=describe(schema), files=ordered, config=config, **rest)


def listed(inputs: list[dict[str, Any]], bad_files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Files counted and files left out, in order of their paths, as they are known before they are read."""
    found = ("reason", "snapshot")
    plain = [{key: entry[key] for key in entry if key not in found} for entry in [*inputs, *bad_files]]
    return sorted(plain, key=itemgetter("path"))


def sealed(values: dict[str, Any]) -> dict[str, Any]:
    """JSON values with their own checksum, ``sha256``, as the last of them."""
    rest = {key: value for key, value in values.items() if key != "sha256"}
    return {**rest, "sha256": hash_json(rest)}


def hash_json(value: Any) -> str:
    """SHA-256 of a JSON value in one fixed spelling."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def file_entry(folder: Path, name: str, rows: int = 0) -> FileEntry:
    """Entry for a finished file of a folder."""
    path = folder / name
    return FileEntry(path=name, rows=rows, bytes=path.stat().st_size, sha256=hash_file(path))


def inside(folder: Path, entry: FileEntry) -> Path:
    """Path of a table's file, there or not.

    Raises
    ------
    InputError
        When a link leads it out of the folder.
    """
    path = folder / entry.name
    if not isinstance(folder, StorePath) and not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"files of a table must lie in its folder; got a link to {str(path.resolve())!r} ({path}). Copy the file there."
        )
    return path


def checked_path(folder: Path, entry: FileEntry) -> Path:
    """Path of a table's file after checking that it is the file the manifest tells of.

    Raises
    ------
    InputError
        When the file is missing, has another size, or another checksum.
    """
    path = inside(folder, entry)
    if not path.is_file():
        raise _missing(folder, entry)
    size = path.stat().st_size
    if size != entry.bytes or hash_file(path) != entry.sha256:
        raise _damaged(folder, entry, size)
    return path


def checked_source(folder: Path, entry: FileEntry) -> Path | pa.NativeFile:
    """What pyarrow reads a table's file from, checked as by `checked_path`: its path, or of one in a store its bytes."""
    if not isinstance(folder, StorePath):
        return checked_path(folder, entry)
    try:
        data = (folder / entry.name).read_bytes()
    except FileNotFoundError as error:
        raise _missing(folder, entry) from error
    if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise _damaged(folder, entry, len(data))
    return pa.BufferReader(data)


def known_source(folder: Path, entry: FileEntry) -> Path | pa.NativeFile:
    """As `checked_source` of a file that was checked before: in a store, where it is fetched again, it is checked again."""
    return checked_source(folder, entry) if isinstance(folder, StorePath) else folder / entry.name


def _missing(folder: Path, entry: FileEntry) -> InputError:
    return InputError(f"{entry.path} must exist; got nothing ({folder}). Run the stage that made the folder again.")


def _damaged(folder: Path, entry: FileEntry, size: int) -> InputError:
    return InputError(
        f"{entry.path} must have {entry.bytes:,} bytes with checksum {entry.sha256[:12]}; got {size:,} bytes with "
        f"another content ({folder}). The file was changed or damaged: run the stage that made it again."
    )
