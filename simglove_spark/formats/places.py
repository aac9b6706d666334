"""Opening what is to be read: a file, or a folder with certain files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.formats.spelling import AGAIN


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """A file that is there and not empty; errors of reading become an `InputError`."""
    if not path.is_file():
        raise InputError(f"vectors must be a file; got {'a folder' if path.is_dir() else 'nothing'} ({path}).")
    if path.stat().st_size == 0:
        raise InputError(f"vectors must be at least one line; got an empty file ({path}). {AGAIN}")
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        told = error.strerror or " ".join(str(error).split())[:300]
        raise InputError(f"vectors must be readable, whole; got {told} ({path}). {AGAIN}") from error


def files_of(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """Paths of the files that a folder must have."""
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        found = "a folder" if folder.is_dir() else "a file" if folder.exists() else "nothing"
        raise InputError(
            f"vectors must be a folder with {', '.join(names)}; got {found} without {missing[0]} ({folder}). "
            "Give the folder, not a file in it."
        )
    return [folder / name for name in names]


def mapped(path: Path, ndim: int, kinds: str) -> NDArray:
    """An array file, memory-mapped; ``kinds`` are the dtypes it may have, such as ``f4 f2``. Pickles are refused."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # of what kind depends on where the head is damaged
        told = " ".join(str(error).split())[:300]
        raise InputError(f"{path.name} must be an array without pickles; got {told} ({path}). {AGAIN}") from error
    if not isinstance(array, np.ndarray) or array.ndim != ndim or array.dtype.str[1:] not in kinds.split():
        found = f"{array.dtype}{list(array.shape)}" if isinstance(array, np.ndarray) else "an archive"
        raise InputError(
            f"{path.name} must be an array of {ndim} dimensions and {kinds}; got {found} ({path}). {AGAIN}"
        )
    return np.asarray(array)


def refuse_other_size(path: Path, found: int, words: int) -> None:
    """Raise an `InputError` when a file has not one row a word."""
    if found != words:
        raise InputError(f"{path.name} must have a row for each of {words:,} words; got {found:,} ({path}). {AGAIN}")
