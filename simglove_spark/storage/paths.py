"""A file or folder of a store that behaves as a `pathlib.Path`, as far as tables and corpora need it.

What a store has not (renames, links, appending) is refused: all that pathlib does on this machine goes through `__fspath__`.
"""

import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PosixPath
from typing import Any
from uuid import uuid4

import pyarrow as pa
from pyarrow import fs

from simglove_spark.errors import ConfigError
from simglove_spark.storage.answers import asked_again, lost, told
from simglove_spark.storage.schemes import Parts, file_system, is_store, split

READ_BYTES = 4 << 20  # at once
CHUNK_BYTES = 16 << 20  # of a request for a part of a file
READINGS = 5  # at most, of a file that is replaced while it is read
_LOCAL = fs.LocalFileSystem()


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

    def open(self, mode: str = "r", buffering: int = -1, *_how: Any, **_more: Any) -> Any:
        """Open for reading, ``rb`` (of which each reading is a request, unless it is buffered) or ``r``; `put` writes."""
        if mode not in ("r", "rb"):
            raise NotImplementedError(f"a store's file must be opened for reading; got mode {mode} ({self})")
        with told(self):
            file = StoreFile(self, self.file_system.open_input_file(self.uri.path))
        binary = file if buffering < 1 else io.BufferedReader(file, buffering)
        return binary if mode == "rb" else io.TextIOWrapper(binary, encoding="utf-8")

    def read_bytes(self) -> bytes:
        """All bytes of the file, of one version of it: its size is asked first, so one that is replaced just then could be cut."""
        for _ in range(READINGS):
            with told(self), self.file_system.open_input_file(self.uri.path) as stream:
                found = asked_again(stream.read)
            if self._info().size == len(found):
                break
        return found

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
        before = self._version()
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
        self._refuse_lost(local, before)

    def _refuse_lost(self, local: Path, before: Any) -> None:
        """Raise what pyarrow's copying keeps to itself: an upload that failed with its bytes, or when it was completed."""
        found = self._version()
        if found == before and (found is None or hash_file(self) != hash_file(local)):
            raise lost(self)

    def _version(self) -> Any:
        """What changes when the file is replaced by another: its ETag, as far as the store has one; None where no file is."""
        try:
            with told(self, writing=True), self.file_system.open_input_stream(self.uri.path) as stream:
                info = stream.metadata()
            return info or (self.stat().st_size, self.stat().st_mtime_ns)
        except FileNotFoundError:
            return None

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
            asked_again(copy)

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
            return asked_again(lambda: self.stream.readinto(buffer))

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


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb", READ_BYTES) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]  # what is buffered has readinto


def readable(path: str | Path) -> Path | StoreFile:
    """What pyarrow reads a file from, by parts: its path, or a stream of one in a store."""
    found = store_path(str(path)) if is_store(str(path)) else Path(path)
    return found.open("rb") if isinstance(found, StorePath) else found


def _shown(text: str) -> str:
    return f"{text.partition('://')[0]}://..."
