"""Input in a store: which files a URI, folder or pattern stands for, and streams to read them from."""

import fnmatch
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from simglove_spark.errors import InputError
from simglove_spark.storage.paths import StorePath, readable, store_path

BUFFER_BYTES = 8 << 20  # read at once: each reading of a store is a request
_MAGIC = re.compile(r"[*?\[]")


def files_of(uri: str) -> list[dict[str, Any]]:
    """Path, bytes and time of change of each file that a URI, folder or pattern (`*`, `?`, `[...]`, `**/`) stands for.

    Hidden files of folders are left out, as Spark does.

    Raises
    ------
    InputError
        When there is none.
    """
    base, pattern = _cut(uri)
    found = [] if pattern else _own(base)
    root = base.uri.path.rstrip("/") + "/"
    for info in [] if found else base.infos(recursive=True):
        below = info.path.removeprefix(root)
        if info.is_file and info.size is not None and _is_meant(below, pattern):
            found.append({"path": str(base / below), "bytes": info.size, "modified": info.mtime_ns})
    if not found:
        raise InputError(f"--input must match files; got nothing ({uri}). Check the URI or the pattern.")
    return found


def _own(path: StorePath) -> list[dict[str, Any]]:
    """The entry of one file, if the path is one."""
    if not path.uri.key or not path.is_file():
        return []
    status = path.stat()
    return [{"path": str(path), "bytes": status.st_size, "modified": status.st_mtime_ns}]


def _cut(uri: str) -> tuple[StorePath, str]:
    """The folder before the first part with a pattern in it, and the rest."""
    scheme, _, rest = uri.partition("://")
    parts = rest.split("/")
    place = next((number for number, part in enumerate(parts) if number and _MAGIC.search(part)), len(parts))
    return store_path(f"{scheme}://{'/'.join(parts[:place])}"), "/".join(parts[place:])


def _is_meant(below: str, pattern: str) -> bool:
    parts = below.split("/")
    if not pattern:
        return not any(map(is_hidden, parts))
    wanted = pattern.split("/")
    return (
        _fits(parts, wanted)
        or any(  # a folder that fits stands for what lies in it
            _fits(parts[:depth], wanted) and _is_meant("/".join(parts[depth:]), "") for depth in range(1, len(parts))
        )
    )


def is_hidden(name: str) -> bool:
    """Whether Spark passes over a file or folder of that name without a word."""
    return name.startswith(("_", ".")) or name.endswith("._COPYING_")


def _fits(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_fits(parts[skipped:], wanted[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


@contextmanager
def reading(path: str, buffer_bytes: int = BUFFER_BYTES) -> Iterator[BinaryIO]:
    """A file's bytes, wherever it lies."""
    source = readable(path)
    if isinstance(source, Path):
        with source.open("rb") as stream:
            yield stream
        return
    with io.BufferedReader(source, buffer_bytes) as stream:
        yield stream
