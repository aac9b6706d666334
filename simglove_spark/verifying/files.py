"""One table's folder: its manifest, the checksum of each file, and what does not belong there."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from simglove_spark.errors import InputError
from simglove_spark.manifest import FILE_NAME, FileEntry, Manifest, checked_path
from simglove_spark.progress import Task
from simglove_spark.storage.paths import StorePath
from simglove_spark.storage.tables import is_leftover
from simglove_spark.verifying.findings import Findings

HASH_IN_NAME = re.compile(r"-([0-9a-f]{16})\.parquet$")


@dataclass(frozen=True)
class Checked:
    """A table whose manifest could be read.

    ``whole`` are its files with the right bytes, ``manifest`` all that it should have.
    """

    folder: Path
    manifest: Manifest
    whole: frozenset[str]

    @property
    def is_whole(self) -> bool:
        """Whether no file is missing or damaged."""
        return len(self.whole) == len(self.manifest.files)

    def own(self) -> Iterator[tuple[Path, FileEntry]]:
        """The table's own files that are whole, in order of their names."""
        return ((self.folder / e.name, e) for e in self.manifest.own_files if e.path in self.whole)


@dataclass(frozen=True)
class Work:
    """What all checks share: where findings go, threads to work in, and the progress of bytes."""

    found: Findings
    threads: ThreadPoolExecutor
    task: Task


def load_manifest(folder: Path, table: str, found: Findings) -> Manifest | None:
    """A table's manifest, checked to the byte; None when it cannot be used."""
    path = folder / FILE_NAME
    try:
        manifest = Manifest.load(folder, table)
        text = path.read_text(encoding="utf-8")
    except (InputError, ValueError, OSError) as error:
        found.add(path, str(error))
        return None
    if "sha256" not in json.loads(text):
        found.note(path, f"{FILE_NAME} has no checksum of its own: it was written by an earlier version.")
    elif text != manifest.text():
        found.add(path, f"{FILE_NAME} must be as it was written; got other text, or another checksum of its own.")
    return manifest


def check_files(folder: Path, manifest: Manifest, work: Work) -> Checked:
    """Read every file of a table to the last byte, and name those that are not its own."""
    found, known = work.found, {entry.name for entry in manifest.files} | {FILE_NAME}
    for path in sorted(folder.iterdir()):
        if path.name in known:
            continue
        if isinstance(folder, StorePath) and is_leftover(path.name):
            found.note(
                path, f"{path.name} is left by a build that goes on or was killed; the manifest does not name it."
            )
        else:
            found.add(path, f"{path.name} must not be there; got a file that the manifest does not name. Remove it.")
    for entry in manifest.files:
        named = HASH_IN_NAME.search(entry.path)
        if named and not entry.sha256.startswith(named[1]):
            found.add(folder / entry.name, f"{entry.path} must carry its checksum {entry.sha256[:16]}; got {named[1]}.")
    whole = work.threads.map(lambda entry: _is_whole(folder, entry, work), manifest.files)
    checked = Checked(folder, manifest, frozenset(e.path for e, ok in zip(manifest.files, whole, strict=True) if ok))
    found.tables, found.files, found.bytes = (
        found.tables + 1,
        found.files + len(manifest.files),
        found.bytes + manifest.bytes,
    )
    return checked


def _is_whole(folder: Path, entry: FileEntry, work: Work) -> bool:
    try:
        checked_path(folder, entry)
    except (InputError, OSError) as error:
        work.found.add(folder / entry.name, str(error))
        return False
    finally:
        work.task.advance(entry.bytes)
    return True
