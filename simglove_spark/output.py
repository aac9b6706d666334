"""Where a table is built, and when it is already there.

A table is built in a hidden folder beside its place and renamed into it when its manifest is written. A rename onto a
folder that is not empty fails, so of two writers the first one wins and the other is told; neither can mix its files with
the other's. A build that dies leaves only a hidden folder behind, which the next one removes. In a store, which has no renames: see `storage.tables`.
"""

import errno
import fcntl
import glob
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from simglove_spark import manifest
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.manifest import Manifest
from simglove_spark.storage import tables
from simglove_spark.storage.leftovers import RETIRED, built_beside, retired_by
from simglove_spark.storage.paths import StorePath, path_of
from simglove_spark.storage.schemes import refuse_credentials


def local_path(text: str | Path) -> Path:
    """Path of a folder that must be on this machine; ``file:`` URIs are understood, other schemes are refused."""
    if "://" in (text := str(text).removeprefix("file://")):
        refuse_credentials(text)
        raise ConfigError(
            f"folder must lie in this machine's file systems; got {text!r}. Copy it here first, or give a local or shared path."
        )
    return path_of(text)


def hold(lock: IO[str], refusal: str) -> None:
    """Lock an open file for this process; the lock goes with the process, however it ends.

    Raises
    ------
    ConfigError
        With the message ``refusal``, when another process holds it.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(refusal) from error


def is_complete(
    folder: Path,
    table: str,
    config: dict[str, Any],
    inputs: list[dict[str, Any]],
    parents: list[dict[str, str]],
    overwrite: bool,
) -> bool:
    """Whether ``folder`` holds this very table already, so that there is nothing to do.

    Raises
    ------
    ConfigError
        When something else is there and ``overwrite`` is False, or when what is there is not ours to overwrite.
    """
    if is_empty(folder):
        return False
    if not (folder / manifest.FILE_NAME).is_file():
        raise ConfigError(
            f"output must be new, empty or a complete table; got other content ({folder}). Give another --output."
        )
    try:
        found = Manifest.load(folder, table)
    except InputError as error:
        raise ConfigError(f"output must hold a {table} table or nothing; {error} Or give another --output.") from error
    difference = _difference(found, folder, config, inputs, parents)
    if difference and not overwrite:
        raise ConfigError(
            f"output must be new or hold the same table; got one that differs ({folder}): {difference}. "
            "Give another --output, or --overwrite to build it anew beside it and switch at the end."
        )
    return not overwrite


def is_empty(folder: Path) -> bool:
    """Whether a table may be built in a folder that is new, or holds nothing that counts."""
    if isinstance(folder, StorePath):
        return not (folder / manifest.FILE_NAME).is_file() and not folder.is_file() and tables.leftovers(folder)
    _restore(folder)
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _difference(found: Manifest, folder: Path, config: dict, inputs: list, parents: list) -> str:
    """First thing in which the table at ``folder`` differs from the one asked for, or nothing."""
    for key in sorted({*found.config, *config}):
        if found.config.get(key) != config.get(key):
            return f"{key} is {found.config.get(key)!r} there and {config.get(key)!r} here"
    if found.listed != inputs:
        changed = [entry["path"] for entry in inputs if entry not in found.listed]
        return f"the input {changed[0]} is new or changed" if changed else "it was made from more inputs"
    if found.parents != parents:
        return "it was made from another " + " and ".join(parent["table"] for parent in found.parents or parents)
    sizes = tables.file_sizes(folder)
    for entry in found.files:
        if sizes.get(entry.name) != entry.bytes:
            return f"its file {entry.path} is missing or cut short"
    return ""


def check_writable(folder: Path) -> None:
    """Refuse a place where no table can be built.

    Raises
    ------
    ResourceError
    """
    if isinstance(folder, StorePath):
        tables.check_writable(folder)
    else:
        with _staging(folder):
            pass


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            staging = stack.enter_context(built_beside(folder))
        except OSError as error:
            raise ResourceError(
                f"output must be writable; got {error.strerror} ({folder.parent}). Give another --output."
            ) from error
        yield staging


@contextmanager
def building(folder: Path, overwrite: bool = False) -> Iterator[Path]:
    """Folder of this machine to build a table in; it takes its place at the end, when the caller has saved the manifest into it.

    Raises
    ------
    ConfigError
        When another writer finished the same output first.
    ResourceError
        When the place cannot be written.
    """
    if isinstance(folder, StorePath):
        with tables.building(folder, manifest.FILE_NAME, overwrite) as staging:
            yield staging
        return
    with _staging(folder) as staging:
        yield staging
        _switch(staging, folder, overwrite)


def _switch(staging: Path, folder: Path, overwrite: bool) -> None:
    retired = retired_by(staging, folder)
    try:
        if overwrite and folder.exists():
            folder.rename(retired)
        staging.rename(folder)
    except BaseException as error:  # a signal too: whatever happens, one of the two tables stands
        if retired.exists() and not folder.exists():
            retired.rename(folder)
        if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise ConfigError(
                f"output must not be written by two at once; got a folder that another run just finished ({folder}). "
                "Use that one, or give another --output."
            ) from error
        raise
    finally:
        if folder.exists():
            shutil.rmtree(retired, ignore_errors=True)


def retired_table(folder: Path) -> Path | None:
    """Where the table of ``folder`` stands aside, since a process was killed between the two renames of a switch."""
    if isinstance(folder, StorePath) or folder.exists():
        return None
    aside = sorted(folder.parent.glob(f".{glob.escape(folder.name)}{RETIRED}*"))
    return next((retired for retired in aside if (retired / manifest.FILE_NAME).is_file()), None)


def _restore(folder: Path) -> None:
    """Bring back the table that a process was killed over."""
    retired = retired_table(folder)
    if retired is not None:
        retired.rename(folder)
