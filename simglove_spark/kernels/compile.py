"""The one way in which our kernels are compiled."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba

#: Sums may be reordered for SIMD; NaN and infinity keep their meaning, so that they can be caught.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


def can_cache() -> bool:
    """Whether numba can keep compiled code: not inside a zip archive, and some cache folder can be written."""
    here = Path(__file__)
    if any(parent.suffix == ".zip" and parent.is_file() for parent in here.parents):
        return False
    # where numba looks: the folder it is told, else beside the source, else the user's cache
    beside, user = here.parent / "__pycache__", Path.home() / ".cache" / "numba"
    folders = [Path(numba.config.CACHE_DIR)] if numba.config.CACHE_DIR else [beside, user]
    return any(_can_write(folder) for folder in folders)


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


kernel: Callable[[Callable], Any] = partial(
    numba.njit, nogil=True, cache=can_cache(), fastmath=FASTMATH, error_model="numpy"
)

#: For what other kernels with floats call. Left as a function of its own it may be optimised in two ways, by itself and
#: inside a caller, and which of the two a process runs depends on what it compiled and what it found in the cache:
#: other last digits.
inlined: Callable[[Callable], Any] = partial(
    numba.njit, nogil=True, cache=can_cache(), fastmath=FASTMATH, error_model="numpy", forceinline=True
)

#: The same for functions with another's code inside that may change unnoticed: never kept on disk.
compiled_anew: Callable[[Callable], Any] = partial(numba.njit, nogil=True, fastmath=FASTMATH, error_model="numpy")
