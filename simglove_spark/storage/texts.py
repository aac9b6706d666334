"""Small files that are written whole, on this machine or in a store."""

import os
from contextlib import suppress
from pathlib import Path

from simglove_spark.storage.paths import StorePath


def replace_text(path: Path, text: str) -> None:
    """Write a small file so that no reader ever sees half of it, nor an empty one after a crash of the machine."""
    if isinstance(path, StorePath):
        path.write_text(text)
        return
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        temporary.write_text(text, encoding="utf-8")
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):  # which would hide the one that is told
            temporary.unlink()
