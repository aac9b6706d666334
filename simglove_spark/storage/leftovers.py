"""Where a table is built on this machine's file systems, and who removes it when its builder was killed.

A hidden folder beside the table's place, and beside that a lock file, which the builder holds and the kernel lets go when the process
ends. The names of both tell kernel and file system: only under the same ones does a lock that is free prove that the builder is dead. What
was left on another machine, or before this one was started anew, is nobody's to remove.
"""

import fcntl
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BUILDING, RETIRED, LOCK = ".building-", ".retired-", ".lock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def built_beside(folder: Path) -> Iterator[Path]:
    """A new hidden folder beside ``folder``, gone at the end unless it was renamed; first what the dead left there is removed.

    Raises
    ------
    OSError
        When nothing can be written there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    lock = _beside(folder, BUILDING, f"{_mark(folder.parent)}{uuid.uuid4().hex[:12]}{LOCK}")
    with lock.open("a") as held:
        staging = lock.with_suffix("")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # no locks there, or one who looks for the dead was quicker: never to be taken for dead
            lock.unlink(missing_ok=True)
            staging = _beside(folder, BUILDING, uuid.uuid4().hex[:12])
        try:
            staging.mkdir()
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            lock.unlink(missing_ok=True)


def retired_by(staging: Path, folder: Path) -> Path:
    """Where the table of ``folder`` stands aside while the one that was built in ``staging`` takes its place."""
    return _beside(folder, RETIRED, staging.name.removeprefix(_beside(folder, BUILDING, "").name))


def remove_leftovers(folder: Path) -> None:
    """Remove what dead builders of ``folder`` left: what they built, and the table that they replaced, if another stands."""
    mark = _mark(folder.parent)
    start = _beside(folder, BUILDING, mark).name
    names = [path.name for path in folder.parent.iterdir()] if mark else []
    for lock in (folder.with_name(name) for name in names if name.startswith(start) and name.endswith(LOCK)):
        with suppress(OSError), lock.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            staging = lock.with_suffix("")
            shutil.rmtree(staging, ignore_errors=True)
            if folder.exists():
                shutil.rmtree(retired_by(staging, folder), ignore_errors=True)
            lock.unlink()


def _beside(folder: Path, kind: str, ending: str) -> Path:
    return folder.with_name(f".{folder.name}{kind}{ending}")


def _mark(parent: Path) -> str:
    """Of this kernel since it was started, and of the file system of a folder; nothing where that cannot be told."""
    try:
        told = f"{_BOOT.read_text()}{parent.stat().st_dev}"
    except OSError:
        return ""
    return f"{hashlib.sha256(told.encode()).hexdigest()[:8]}-"
