"""What can go wrong, and the exit code each kind gives to a scheduler.

    SimgloveError            1  anything else
    ├── ConfigError          2  options that contradict each other, or an output that exists
    ├── InputError           3  text, tables or vectors that are missing, empty or broken
    ├── ResourceError        4  not enough memory, disk or Java
    ├── DivergedError        5  a NaN or an infinite value while training
    ├── QualityError         6  a quality gate was not passed
    └── StoppedError         7  stopped from outside; the same command goes on

Messages follow one template: ``{subject} must {rule}; got {value} ({where}). {what to do}``.
"""

import errno


class SimgloveError(Exception):
    """Base of all errors that a user can mend; its text is shown without a traceback."""

    exit_code = 1


class ConfigError(SimgloveError):
    """Options that are impossible, contradict each other, or would overwrite something."""

    exit_code = 2


class InputError(SimgloveError):
    """A corpus, table or vectors file that is missing, empty, foreign or corrupt."""

    exit_code = 3


class ResourceError(SimgloveError):
    """Memory, disk or a program that the machine does not have."""

    exit_code = 4


class DivergedError(SimgloveError):
    """Training met a NaN or an infinite value; ``word_ids`` are the words concerned."""

    exit_code = 5

    def __init__(self, message: str, word_ids: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.word_ids = word_ids


class QualityError(SimgloveError):
    """A quality gate was not passed."""

    exit_code = 6


class StoppedError(SimgloveError):
    """A signal stopped the run; complete tables are kept and the same command goes on."""

    exit_code = 7


def ending(error: BaseException) -> tuple[str, int, str]:
    """How a command that an error ended is recorded: status (interrupted or failed), exit code, message."""
    code, message = explain(error)
    return "interrupted" if code == StoppedError.exit_code else "failed", code, message


def explain(error: BaseException) -> tuple[int, str]:
    """Exit code and message for any error that ended a command."""
    if isinstance(error, SimgloveError):
        return error.exit_code, str(error)
    if isinstance(error, KeyboardInterrupt):
        what = str(error) or "stopped; finished stages are kept, and the same command goes on from there."
        return StoppedError.exit_code, what
    if isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError":
        what = f"Spark's JVM must answer; got {error}. It died: give the same command again, with more --driver-memory."
        return ResourceError.exit_code, what
    if isinstance(error, MemoryError):
        what = str(error) or "an allocation that failed"
        return ResourceError.exit_code, f"memory must suffice; got {what}. Lower --memory, --dim or --max-vocab."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        what = f"{error.strerror} ({error.filename})"
        return ResourceError.exit_code, f"disk must have room; got {what}. Free some, or give another --output."
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        what = f"{error.strerror} ({error.filename})"
        return ResourceError.exit_code, f"output must be writable; got {what}. Give another --output."
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        what = f"{error.strerror} ({str(error.filename)[:200]})"
        return ConfigError.exit_code, f"path must be one that this machine can have; got {what}. Give another."
    return 1, f"unexpected {type(error).__name__}: {error}. SIMGLOVE_TRACEBACK=1 shows where; please report it."
