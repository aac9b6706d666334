"""Training that was stopped, on disk: all that is needed to go on as if nothing had happened.

Beside the output ``NAME`` lies ``.NAME.checkpoint/`` with one folder ``state-NUMBER`` of arrays and ``state.json``. A state
is written under another name, renamed, and only then is the one before deleted: a kill at any moment leaves a whole one. For an
output in a store states are written in this user's cache, and each is put beside the output too (`storage.states`).
"""

import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import ConfigError
from simglove_spark.manifest import hash_json
from simglove_spark.output import hold
from simglove_spark.storage.paths import StorePath
from simglove_spark.storage.states import Mirror, kept_here

META = "state.json"
#: What reading a state comes to that a crash of the machine has torn: the one before it may be whole.
_TORN = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RecursionError, TokenError)


class Checkpoints:
    """The states of one training.

    Parameters
    ----------
    output : Path
        Where the vectors will go.
    identity : dict
        What must be the same for a state to be gone on from: options, and the tables trained on.
    """

    def __init__(self, output: Path, identity: dict[str, Any]) -> None:
        beside = output.parent / f".{output.name}.checkpoint"
        self.folder, self.mirror = beside, None
        if isinstance(beside, StorePath):
            self.folder = kept_here(beside)
            self.mirror = Mirror(self.folder, beside, META)
        self.identity = json.loads(json.dumps(identity))

    @property
    def lock(self) -> Path:
        """File that the process holds which trains."""
        return self.folder / "lock"

    @property
    def refusal(self) -> str:
        """What a second process is told."""
        return (
            f"output must be trained by one process at a time; got a second ({self.folder}). "
            "Wait, or give another --output."
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against other trainings of the same output; the lock goes with the process.

        Raises
        ------
        ConfigError
            When another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.lock.open("a") as lock:
            hold(lock, self.refusal)
            try:
                yield
            finally:
                if not self._states():
                    shutil.rmtree(self.folder, ignore_errors=True)  # nothing is kept

    def save(self, told: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Write a state, switch to it, and delete the one before.

        Parameters
        ----------
        told : dict
            JSON values.
        arrays : dict
            By name.
        """
        before = self._states()
        number = before[-1][0] + 1 if before else 1
        building = self.folder / f"building-{number}"
        for left in self.folder.glob("building-*"):
            shutil.rmtree(left, ignore_errors=True)
        building.mkdir(parents=True)
        checksums = {name: _write(building / f"{name}.npy", array) for name, array in arrays.items()}
        meta = {"identity": self.identity, "told": told, "checksums": checksums}
        with (building / META).open("w") as file:
            json.dump({**meta, "sha256": hash_json(meta)}, file)
            file.flush()
            os.fsync(file.fileno())
        _sync(building)
        building.rename(self.folder / f"state-{number}")
        _sync(self.folder)
        if self.mirror is not None:
            self.mirror.send(self.folder / f"state-{number}")
        for _, old in before:
            shutil.rmtree(old, ignore_errors=True)

    def load(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
        """The latest whole state; None when there is none.

        Raises
        ------
        ConfigError
            When it is that of another training.
        """
        if self.mirror is not None:
            self.mirror.fetch()
        for _, folder in reversed(self._states()):
            try:
                meta = self._meta(folder)
                arrays = {name: _read(folder, name, crc) for name, crc in meta["checksums"].items()}
            except _TORN:
                continue
            return meta["told"], arrays
        return None

    def peek(self) -> dict[str, Any] | None:
        """What the latest state tells, without its arrays; None when there is none (errors as of `load`)."""
        for _, folder in reversed(self._states()):
            try:
                return dict(self._meta(folder)["told"])
            except _TORN:
                continue
        return None

    def _meta(self, folder: Path) -> dict[str, Any]:
        meta: dict[str, Any] = json.loads((folder / META).read_text())
        if meta.pop("sha256") != hash_json(meta):
            raise ValueError("other values than the checksum was taken of")
        if meta["identity"] != self.identity:
            self._refuse(meta["identity"])
        return meta

    def _refuse(self, other: dict[str, Any]) -> None:
        mine, theirs = self.identity.get("config", {}), other.get("config", {})
        keys = [key for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key)]
        differs = (
            f"{keys[0]} is {theirs.get(keys[0])} there and {mine.get(keys[0])} here" if keys else "of other tables"
        )
        raise ConfigError(
            f"output's checkpoint must be of the same training; got one that differs ({self.folder}): {differs}. "
            "Give the same options to go on, or --overwrite to begin anew."
        )

    def remove_states(self) -> None:
        """Delete the states; who holds the lock keeps it."""
        if self.mirror is not None:
            self.mirror.clear()
        for _, folder in self._states():
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _states(self) -> list[tuple[int, Path]]:
        """Numbers and folders, ascending."""
        found = self.folder.glob("state-*")
        return sorted((int(path.name.partition("-")[2]), path) for path in found if path.name[6:].isdigit())


def _sync(folder: Path) -> None:
    """See to it that names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, array: NDArray[Any]) -> int:
    with path.open("wb") as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())
    return _checksum(array)


def _read(folder: Path, name: str, checksum: int) -> NDArray[Any]:
    """An array of a state, whose content has a checksum; mapped first, so that no head of a file can ask for memory it does not fill."""
    if not name.isidentifier():
        raise ValueError(f"{name} is no array of a state")
    array = np.load(folder / f"{name}.npy", mmap_mode="r")
    if _checksum(array) != checksum:
        raise ValueError(f"{name} has another content")
    return np.array(array)


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
