"""Room on disks: what a stage needs where, refused before it begins when it isn't there, and named when it runs out."""

import errno
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from simglove_spark.errors import ResourceError
from simglove_spark.memory import show_size
from simglove_spark.storage.paths import StorePath
from simglove_spark.storage.tables import scratch_of

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TOLD_AS = re.compile(r"No space left on device|Disk quota exceeded|File too large")
OWN_WRITER = "in write_file"  # stands in the traceback of a worker that could not write its file of a table


class Rooms(NamedTuple):
    """What a stage needs on disk.

    Attributes
    ----------
    output : Path
        Where the table is written.
    output_bytes : int
    scratch : Path or None
        Where Spark on this machine keeps what it shuffles; None where a cluster has places of its own.
    scratch_bytes : int
    """

    output: Path
    output_bytes: int
    scratch: Path | None = None
    scratch_bytes: int = 0


def refuse_full_disks(rooms: Rooms) -> None:
    """Stop before anything is begun for which a disk has not enough room.

    Raises
    ------
    ResourceError
    """
    if isinstance(rooms.output, StorePath):  # one file at a time is written here first
        rooms = rooms._replace(output=scratch_of(rooms.output), output_bytes=0)
    output = _there(rooms.output)
    scratch = _there(rooms.scratch) if rooms.scratch is not None else output
    if scratch.stat().st_dev == output.stat().st_dev:
        _refuse(output, rooms.output_bytes + rooms.scratch_bytes, "", "another --output, or raise --min-count")
        return
    _refuse(output, rooms.output_bytes, "", "another --output, or raise --min-count")
    _refuse(scratch, rooms.scratch_bytes, " for the shuffle", "--spark-conf spark.local.dir=FOLDER on another disk")


def _refuse(folder: Path, needed: int, purpose: str, other: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ResourceError(
            f"disk must have about {show_size(needed)} free{purpose}; got {show_size(free)} ({folder}). "
            f"Free some, give {other}."
        )


def _there(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def full_disk(text: str, rooms: Rooms | None) -> ResourceError | None:
    """What a Spark error that tells of a full disk means, or None when it tells of something else.

    Parameters
    ----------
    text : str
        The error, with the tracebacks of workers.
    rooms : Rooms or None
        What was forecast.
    """
    if not _TOLD_AS.search(text):
        return None
    if rooms is None:
        return ResourceError("disk must have room; got a full one. Free some, or set spark.local.dir.")
    if OWN_WRITER in text:
        return ResourceError(
            f"disk must have room for the output, {show_size(rooms.output_bytes)} by the forecast; got a full one "
            f"({rooms.output}). Free some, or give another --output."
        )
    return ResourceError(
        f"disk must have room for the shuffle, {show_size(rooms.scratch_bytes)} by the forecast; got a full one "
        f"({rooms.scratch or 'spark.local.dir of a worker'}). "
        "Free some, or give --spark-conf spark.local.dir=FOLDER on another disk."
    )
