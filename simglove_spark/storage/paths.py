"""A file or folder of a store that behaves as a `pathlib.Path`, as far as tables and corpora need it.

What a store has not (renames, links, appending) is refused: all that pathlib does on this machine goes through `__fspath__`.
"""

import errno
import io
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PosixPath
from typing import Any
from uuid import uuid4

import pyarrow as pa
from pyarrow import fs

from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.storage.schemes import Parts, file_system, first_words, is_store, split

CHUNK_BYTES = 16 << 20  # of a request for a part of a file
PAUSES = (0.5, 1, 2, 4, 8)  # seconds
_AWAY, _THEN = "store must answer", "The same command goes on when it does."
_LOCAL = fs.LocalFileSystem()
_DENIED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|NO_SUCH_BUCKET|HTTP status 40[13]|ermission|nauthori|orbidden"
)


class StorePath(PosixPath):
    """A path in a store, such as s3://bucket/runs/first; made by `path_of`."""

    @property
    def uri(self) -> Parts:
        """The parts of the URI."""
        return split(str(self))

    @property
    def file_system(self) -> fs.FileSystem:
        """Where it lies."""
        return file_system(self.uri)

    def __str__(self) -> str:
        scheme, *rest = self.parts
        return f"{scheme}//{'/'.join(rest)}"

    def __repr__(self) -> str:
        return f"StorePath({str(self)!r})"

    def __fspath__(self) -> str:
        raise NotImplementedError(f"a path in a store must not be used as one of this machine; got {self}")

    def exists(self, **_how: Any) -> bool:  # noqa: D102 - as in pathlib
        return self._info().type != fs.FileType.NotFound

    def is_file(self, **_how: Any) -> bool:  # noqa: D102
        return self._info().is_file

    def is_dir(self, **_how: Any) -> bool:  # noqa: D102
        return self._info().type == fs.FileType.Directory

    def stat(self, **_how: Any) -> os.stat_result:
        """Size and time of change."""
        info = self._info()
        if info.type == fs.FileType.NotFound:
            raise FileNotFoundError(2, "No such file in the store", str(self))
        mode = stat.S_IFREG if info.is_file else stat.S_IFDIR
        return os.stat_result((mode, 0, 0, 1, 0, 0, info.size or 0, 0, 0, 0), {"st_mtime_ns": info.mtime_ns or 0})

    def iterdir(self) -> Iterator["StorePath"]:  # type: ignore[override]
        """What lies in the folder."""
        yield from (self / info.base_name for info in self.infos())

    def infos(self, recursive: bool = False) -> list[fs.FileInfo]:
        """What pyarrow tells of all that lies in the folder, by one listing; nothing of a folder that is not there."""
        selector = fs.FileSelector(self.uri.path, allow_not_found=True, recursive=recursive)
        with told(self):
            return self.file_system.get_file_info(selector)

    def sizes(self) -> dict[str, int]:
        """Names and bytes of the folder's files."""
        return {info.base_name: info.size for info in self.infos() if info.is_file}

    def open(self, mode: str = "r", *_how: Any, **_more: Any) -> Any:
        """Open for reading, ``rb`` or ``r``; `put` writes."""
        if mode not in ("r", "rb"):
            raise NotImplementedError(f"a store's file must be opened for reading; got mode {mode} ({self})")
        with told(self):
            file = StoreFile(self, self.file_system.open_input_file(self.uri.path))
        return file if mode == "rb" else io.TextIOWrapper(file, encoding="utf-8")

    def read_bytes(self) -> bytes:  # noqa: D102
        with told(self), self.file_system.open_input_file(self.uri.path) as stream:
            return _asked_again(stream.read)

    def read_text(self, *_how: Any, **_more: Any) -> str:  # noqa: D102
        return self.read_bytes().decode()

    def write_bytes(self, data: Any) -> int:  # noqa: D102
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            self.put(Path(file.name))
        return len(data)

    def write_text(self, data: str, *_how: Any, **_more: Any) -> int:  # noqa: D102
        return self.write_bytes(data.encode())

    def put(self, local: Path) -> None:
        """Write a whole file of this machine: seen whole or not at all, whenever this is interrupted.

        pyarrow's copying does it outside Python, where no signal comes between: a stream that Python closes because of an
        error would leave half a file as if it were whole.
        """
        target = self if self.uri.scheme != "hdfs" else self.with_name(f".{self.name}.{uuid4().hex[:12]}")
        with told(self, writing=True):
            fs.copy_files(
                str(local),
                target.uri.path,
                source_filesystem=_LOCAL,
                destination_filesystem=self.file_system,
                chunk_size=CHUNK_BYTES,
            )
            if target is not self:  # HDFS shows a file while it is written, but renames at once
                self.unlink(missing_ok=True)
                self.file_system.move(target.uri.path, self.uri.path)

    def fetch(self, local: Path) -> None:
        """Copy the file to one of this machine."""
        copy = partial(
            fs.copy_files,
            self.uri.path,
            str(local),
            source_filesystem=self.file_system,
            destination_filesystem=_LOCAL,
            chunk_size=CHUNK_BYTES,
        )
        with told(self):
            _asked_again(copy)

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: D102
        try:
            with told(self, writing=True):
                self.file_system.delete_file(self.uri.path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def mkdir(self, *_how: Any, **_more: Any) -> None:
        """Nothing: a store's folders are there with their files."""

    def resolve(self, *_how: Any) -> "StorePath":  # noqa: D102
        return self

    def absolute(self) -> "StorePath":  # noqa: D102
        return self

    def expanduser(self) -> "StorePath":  # noqa: D102
        return self

    def _info(self) -> fs.FileInfo:
        with told(self):
            return self.file_system.get_file_info(self.uri.path)


class StoreFile(io.RawIOBase):
    """A store's file, open for reading. What the store does not answer is told as such by each reading, also through pyarrow: it must
    not be taken for a broken file.
    """

    def __init__(self, path: StorePath, stream: pa.NativeFile) -> None:
        self.path, self.stream = path, stream

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as many bytes as the buffer holds, or all that are left."""
        with told(self.path):
            return _asked_again(lambda: self.stream.readinto(buffer))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; nothing is read."""
        with told(self.path):
            return self.stream.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self.stream.tell()

    def close(self) -> None:
        """Let the connection go."""
        self.stream.close()
        super().close()


def path_of(text: str | Path) -> Path:
    """The path of a file or folder, on this machine or in a store; ``file:`` URIs are understood.

    Raises
    ------
    ConfigError
        When the scheme is unknown, or the URI carries credentials or has no path below its bucket.
    """
    if isinstance(text, StorePath):
        return text
    text = str(text).removeprefix("file://")
    if "://" not in text:
        return Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - resolve() would follow links
    if not is_store(text):
        raise ConfigError(
            f"folder must be a path, or a URI of s3, s3a, gs, abfss, hdfs or file; got {_shown(text)}. Give one of these."
        )
    if not split(text).key:
        raise ConfigError(
            f"folder must lie below its bucket; got {text!r}. Give it a name, as in s3://bucket/runs/first."
        )
    return store_path(text)


def store_path(uri: str) -> StorePath:
    """The path of a store's URI, a bucket itself too."""
    parts = split(uri)
    return StorePath(f"{parts.scheme}:", parts.authority, parts.key)


def readable(path: str | Path) -> Path | StoreFile:
    """What pyarrow reads a file from, by parts: its path, or a stream of one in a store."""
    found = store_path(str(path)) if is_store(str(path)) else Path(path)
    return found.open("rb") if isinstance(found, StorePath) else found


def _asked_again(read: Callable[[], Any]) -> Any:
    """What a reading gives. The SDK tries again by itself, but not where a refusal is longer than the bytes that were asked for."""
    for pause in PAUSES:
        try:
            return read()
        except OSError as error:
            if "flush response stream" not in str(error):
                raise
            time.sleep(pause)
    return read()


@contextmanager
def told(path: StorePath, writing: bool = False) -> Iterator[None]:
    """Tell in our words what a store answers when it does not do as asked, without a secret in it.

    Raises
    ------
    FileNotFoundError
        As pathlib does.
    InputError
        When it denies reading.
    ResourceError
        When it denies writing, or does not answer after all tries.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(2, "No such file in the store", str(path)) from error
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # of the copy on this machine
            raise
        found = first_words(str(error))
    else:
        return
    if _DENIED.search(found):
        kind, rule = (ResourceError, "writable") if writing else (InputError, "readable")
        raise kind(
            f"store must be {rule}; got {found} ({path}). Check the bucket's name, and the environment's credentials and region."
        )
    raise ResourceError(f"{_AWAY}; got {found} ({path}), after all tries. {_THEN}")


def refuse_away(error: BaseException) -> None:
    """Raise what a store did not answer, when a library made a text of it: ORC's reader does.

    Raises
    ------
    ResourceError
    """
    found = re.search(f"{_AWAY}; .*{_THEN}", str(error))
    if found:
        raise ResourceError(found[0]) from None


def _shown(text: str) -> str:
    return f"{text.partition('://')[0]}://..."
