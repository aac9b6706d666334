"""ROOT/latest.json, which names the run that readers take, and ROOT/published/, which keeps every such record.

    published/000003.json    what latest.json was when it was the third; the latest of all is latest.json itself, to the byte
    published/refused-ID.json    figures of a run that did not pass

Rolling back is one more record, the fourth with the content of the second: the history only grows.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.manifest import FILE_NAME, Manifest, sealed
from simglove_spark.manifest_fields import check_record
from simglove_spark.output import hold
from simglove_spark.runs.reading import LOCK
from simglove_spark.storage.claims import claimed
from simglove_spark.storage.paths import StorePath, path_of
from simglove_spark.storage.texts import replace_text

LATEST, HISTORY, CLAIMS = "latest.json", "published", ".publishing"
FORMAT_VERSION = 1
Record = dict[str, Any]


def read_latest(root: Path) -> Record | None:
    """What latest.json says; None where nothing was published.

    Raises
    ------
    InputError
        When it is not what `publish` wrote, to the byte.
    """
    path = root / LATEST
    return _read(path) if path.exists() else None


def read_number(root: Path, number: int) -> Record:
    """The record of that number, from the history (errors as of `read_latest`, also when it is not there)."""
    return _read(history_path(root, number))


def history_path(root: Path, number: int) -> Path:
    """Where the record of that number is kept."""
    return root / HISTORY / f"{number:06d}.json"


def _read(path: Path) -> Record:
    try:
        text = path.read_text(encoding="utf-8")
        record = json.loads(text)
        check_record(record)
        whole = isinstance(record, dict) and record["format_version"] == FORMAT_VERSION and text == to_text(record)
        places = [place_of(path.parent, record[name]) for name in ("path", "vectors")]
        inside = all(".." not in place.parts for place in places)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
        raise _broken(path, f"{type(error).__name__}: {str(error)[:200]}") from error
    if not whole or not inside:
        raise _broken(path, "other text, or another checksum of its own" if inside else "a path out of its folder")
    return dict(record)


def _broken(path: Path, found: str) -> InputError:
    return InputError(
        f"{path.name} must be what simglove publish wrote; got {found} ({path}). "
        f"Bring back a copy of the last whole one from {HISTORY}/, or publish into another folder."
    )


def to_text(record: Record) -> str:
    """A record as it stands in its files, with its own checksum."""
    return json.dumps(sealed(record), indent=1, ensure_ascii=False) + "\n"


def place_of(root: Path, text: str) -> Path:
    """Where a path of a record lies: a whole path or URI as it is, any other below the folder."""
    return path_of(text) if "://" in text or Path(text).is_absolute() else root / text


def name_of(root: Path, folder: Path) -> str:
    """How a record names a folder: by its path below ``root``, or its whole path or URI."""
    if not folder.is_relative_to(root):
        return str(folder)
    return PurePosixPath(*folder.parts[len(root.parts) :]).as_posix()


def switch(root: Path, before: Record | None, record: Record) -> Record:
    """Keep a record in the history, then put it in the place of latest.json, if that is still ``before``; returns it with its checksum.

    Raises
    ------
    ConfigError
        When another publisher was quicker.
    ResourceError
        When the folder cannot be written.
    """
    with alone(root) as still_alone:
        found = read_latest(root)
        if found != before:
            by = "nothing" if found is None else f"number {found['number']}, {found['path']}"
            raise ConfigError(
                f"{LATEST} must be the one that the run was judged against; got {by} by now ({root}). Give the command again."
            )
        try:
            (root / HISTORY).mkdir(exist_ok=True)
            for path in (history_path(root, record["number"]), root / LATEST):
                still_alone()
                replace_text(path, to_text(record))
        except OSError as error:
            raise unwritable(root, error) from error
    return sealed(record)


@contextmanager
def alone(root: Path) -> Iterator[Callable[[], None]]:
    """Hold the folder against other publishers, however this process ends; yields what must be called before each write.

    Raises
    ------
    ConfigError
        When another process holds it.
    ResourceError
        When the folder cannot be written.
    """
    refusal = f"folder must be published into by one at a time; got a second ({root}). Try again when it is done."
    if isinstance(root, StorePath):
        with claimed(root / CLAIMS, refusal) as still_held:
            yield still_held
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / LOCK).open("a")
    except OSError as error:
        raise unwritable(root, error) from error
    with lock:
        hold(lock, refusal)
        yield lambda: None


def unwritable(root: Path, error: OSError) -> ResourceError:
    """What is told of a folder that cannot be written."""
    return ResourceError(f"folder must be writable; got {error.strerror} ({root}). Give another --to.")


def vectors_of(root: Path, record: Record) -> Path:
    """Folder of a record's vectors, after checking that it still holds the very table that was published.

    Raises
    ------
    InputError
    """
    folder = place_of(root, record["vectors"])
    found = Manifest.load(folder, "vectors").content_sha256
    if found != record["tables"]["vectors"]:
        raise InputError(
            f"published vectors must be those that {LATEST} tells, {record['tables']['vectors'][:12]}; got {found[:12]} "
            f"({folder}). Publish them again, or roll back."
        )
    return folder


def resolved(text: str | Path) -> str | Path:
    """A path to vectors: what it is, but for a folder with latest.json or that file, where it is the published vectors'.

    Raises
    ------
    InputError
        When latest.json, or what it names, is broken.
    """
    path = path_of(text)
    root = path.parent if path.name == LATEST and path.is_file() else path
    if not (root / LATEST).is_file() or (path / FILE_NAME).is_file():
        return text
    record = read_latest(root)
    return text if record is None else vectors_of(root, record)


def published(root: Path) -> Record:
    """What latest.json says.

    Raises
    ------
    ConfigError
        When nothing was published.
    InputError
    """
    record = read_latest(root)
    if record is None:
        raise ConfigError(f"folder must have been published into; got no {LATEST} ({root}). Check --to.")
    return record


def previous_of(root: Path, record: Record) -> Record:
    """The record that a rollback returns to.

    Raises
    ------
    ConfigError
        When there is none.
    InputError
    """
    if record["previous"] is None:
        raise ConfigError(
            f"a run must have been published before the present one; got the first, {record['path']} ({root}). "
            "Publish another run."
        )
    return read_number(root, record["previous"]["number"])
