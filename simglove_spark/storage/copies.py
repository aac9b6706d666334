"""Local copies of what lies in a store and must be a file of this machine.

A table that is mapped into memory is fetched once a machine into this user's cache, by the checksum of its content, and checked.
Any other file, such as an evaluation set, is fetched for as long as this process runs.
"""

import fcntl
import shutil
import tempfile
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from simglove_spark.cache import cache_folder
from simglove_spark.errors import InputError, ResourceError
from simglove_spark.manifest import FILE_NAME, Manifest, hash_file
from simglove_spark.memory import show_size
from simglove_spark.storage.paths import StorePath, path_of, store_path

DAYS_KEPT = 30  # of a table that nobody asked for


def fetched(text: str | Path) -> Path:
    """The path itself on this machine; of a file, folder or vectors table in a store a local copy.

    Raises
    ------
    InputError
        When there is nothing, or a table that is not as its manifest tells.
    ResourceError
        When there is no room for the copy.
    """
    path = path_of(text)
    if not isinstance(path, StorePath):
        return path
    if (path / FILE_NAME).is_file():
        return _table(path)
    return _borrowed(str(path))


def _table(folder: StorePath) -> Path:
    manifest = Manifest.load(folder, "vectors")
    home = cache_folder("tables")
    copy = home / f"vectors-{manifest.content_sha256[:32]}"
    with (home / f".{copy.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process fetches, the others wait for it
        if not (copy / FILE_NAME).is_file():
            shutil.rmtree(copy, ignore_errors=True)
            _clean(home)
            _fetch_table(folder, manifest, copy)
    copy.touch()  # used today
    return copy


def _fetch_table(folder: StorePath, manifest: Manifest, copy: Path) -> None:
    _refuse_no_room(copy.parent, manifest.bytes)
    staging = Path(tempfile.mkdtemp(prefix=f".{copy.name}.", dir=copy.parent))
    try:
        for entry in manifest.files:
            _fetch_file(folder / entry.name, staging / entry.path)
            if hash_file(staging / entry.path) != entry.sha256:
                raise InputError(
                    f"{entry.path} must have checksum {entry.sha256[:12]}; got another content ({folder}). "
                    "The file was changed or damaged: run the stage that made it again."
                )
        replace(manifest, files=[replace(entry, stored="") for entry in manifest.files]).save(staging)
        staging.rename(copy)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _refuse_no_room(home: Path, needed: int) -> None:
    free = shutil.disk_usage(home).free
    if needed > free:
        raise ResourceError(
            f"disk must have {show_size(needed)} for a copy of the table; got {show_size(free)} ({home}). "
            "Free some, or set XDG_CACHE_HOME to a folder on another disk."
        )


def _clean(home: Path) -> None:
    """Remove copies that nobody asked for in a month; who has one mapped keeps it."""
    for old in home.iterdir():
        if time.time() - old.stat().st_mtime > DAYS_KEPT * 86400:
            shutil.rmtree(old, ignore_errors=True)


@lru_cache(maxsize=1)
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="simglove-")  # goes with the process


@lru_cache(maxsize=256)
def _borrowed(uri: str) -> Path:
    path = store_path(uri)
    local = Path(tempfile.mkdtemp(dir=_scratch().name)) / path.name
    below = [info.path for info in path.infos(recursive=True) if info.is_file and ".." not in info.path.split("/")]
    if path.is_file() or not below:
        _fetch_file(path, local)
        return local
    for name in (inside.removeprefix(path.uri.path).lstrip("/") for inside in below):
        (local / name).parent.mkdir(parents=True, exist_ok=True)
        _fetch_file(path / name, local / name)
    return local


def _fetch_file(path: StorePath, local: Path) -> None:
    try:
        path.fetch(local)
    except FileNotFoundError as error:
        raise InputError(f"file or folder must exist; got nothing ({path}). Check the URI.") from error
