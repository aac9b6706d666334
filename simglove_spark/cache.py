"""Per-user folders for things that can be made again: the Java shim and the demo's text."""

import os
import stat
import tempfile
from pathlib import Path

from simglove_spark.errors import ResourceError


def cache_folder(name: str) -> Path:
    """Folder of that name that this user can write: in the user's cache, else in the temporary folder.

    Raises
    ------
    ResourceError
        When neither can be written, or when the one in the temporary folder is somebody else's.
    """
    home = _cache_home()
    if home is not None and _is_writable(home / "simglove" / name):
        return home / "simglove" / name
    folder = temporary_home() / name
    if not _is_writable(folder):
        raise _refusal(folder, "one that cannot be written")
    return folder


def _cache_home() -> Path | None:
    """``XDG_CACHE_HOME`` or ``~/.cache``; nothing for a user without a home."""
    given = Path(os.environ.get("XDG_CACHE_HOME") or "")
    if given.is_absolute():  # the XDG specification has relative ones ignored
        return given
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return None


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def temporary_home() -> Path:
    """Folder below the shared temporary folder, only if nobody else could have put anything into it.

    Raises
    ------
    ResourceError
        When it is somebody else's, or others can write it.
    """
    home = Path(tempfile.gettempdir()) / f"simglove-{os.getuid()}"
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        status = home.lstat()  # not stat(): a link could lead anywhere
    except OSError as error:
        raise _refusal(home, error.strerror or str(error)) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise _refusal(home, "one that others own or can write")
    return home


def _refusal(folder: Path, found: str) -> ResourceError:
    return ResourceError(
        f"cache must be a folder that this user alone can write; got {found} ({folder}). "
        "Set XDG_CACHE_HOME to a folder of yours."
    )
