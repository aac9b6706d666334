"""Spark's errors put into our words."""

import re
from urllib.parse import unquote

from simglove_spark import errors
from simglove_spark.disk import OWN_WRITER, Rooms, full_disk
from simglove_spark.engines.connect import GONE, is_gone
from simglove_spark.errors import ConfigError, InputError, ResourceError, SimgloveError, StoppedError
from simglove_spark.stopping import STOPPED, ended_by_signal
from simglove_spark.storage.schemes import missing_classes

_LOST = re.compile(r"Py4JNetworkError|^Py4JError\(.An error occurred while calling")  # what py4j makes of a dead JVM
#: What Spark says of files that it cannot read; before Spark 4.1 .zst is among them.
_UNREADABLE = re.compile(
    "PATH_NOT_FOUND|FAILED_READ_FILE|CANNOT_READ_FILE|FileNotFoundException|while reading file|native zStandard library"
)


def translated(error: Exception, rooms: Rooms | None = None) -> SimgloveError:
    """A Spark error as one of ours: a task's own error as it was raised, others by what they tell of."""
    if ended_by_signal.is_set():  # raised in the middle of a call, it may come out as a broken connection
        return StoppedError(STOPPED)
    text = str(error)
    full = full_disk(text, rooms)
    by_writer = full is not None and OWN_WRITER in text  # knows the disk, but not the forecast
    for name in ("ConfigError", "InputError", "ResourceError"):
        own = re.search(rf"simglove_spark\.errors\.{name}: (.*)", text)
        if own and not by_writer:
            return getattr(errors, name)(own.group(1).strip())
    if full is not None:
        return full
    if "OutOfMemoryError" in text or isinstance(error, ConnectionError) or _LOST.search(repr(error)):
        return ResourceError(
            "Spark's JVM must have enough heap; got one that ran out or died. Raise --driver-memory to 20 times the longest compressed line, or row of a column."
        )
    if "MemoryError" in text or "crashed" in text:
        return ResourceError(
            "Python workers must have enough memory; got one that ran out or died. Lower --worker-memory."
        )
    if is_gone(text):
        return ResourceError(GONE)
    if "MALFORMED_RECORD_IN_PARSING" in text:
        return InputError(
            f"input must be JSON, an object a line, its column always of one kind; got another line{_place(text)}. "
            "Mend the file, or give --on-bad-file skip."
        )
    if unknown := missing_classes(text):
        return unknown
    failed = re.search(r"\[(CAST_INVALID_INPUT|DIVIDE_BY_ZERO|ARITHMETIC_OVERFLOW)[^\]]*\].*", text)
    if failed:
        return ConfigError(f"--where must hold for each row; got {failed[0][:400]} Guard it, as try_cast does.")
    if _UNREADABLE.search(text):
        causes = re.findall(r"^Caused by: (?:[\w$]+\.)*(.*)", text, re.MULTILINE)
        return InputError(
            f"input must be readable to the end; got {causes[-1].strip() if causes else first_line(error)}{_place(text)}. "
            "Replace the broken file, or give --on-bad-file skip."
        )
    return SimgloveError(f"Spark job must succeed; got {first_line(error)}. SIMGLOVE_TRACEBACK=1 shows where.")


def _place(text: str) -> str:
    """The file that a Spark error names, in brackets."""
    named = re.search(r"while reading file (?:file:/*(?=/))?(.*?)\. +(?:SQLSTATE|Details)", text)
    return f" ({unquote(named[1])})" if named else ""


def first_line(error: Exception) -> str:
    """The first line of an error that says something, or its kind."""
    lines = [line.strip() for line in re.sub(r"^An error.*\n: ", "", str(error)).splitlines() if line.strip()]
    return lines[0][:400] if lines else type(error).__name__
