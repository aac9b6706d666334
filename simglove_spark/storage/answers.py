"""What a store answers: asked again where that helps, and told in our words where it does not do as asked."""

import errno
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from simglove_spark.errors import InputError, ResourceError
from simglove_spark.storage.schemes import first_words

PAUSES = (0.5, 1, 2, 4, 8)  # seconds
_AWAY, _THEN = "store must answer", "The same command goes on when it does."
_DENIED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|NO_SUCH_BUCKET|HTTP status 40[13]|ermission|nauthori|orbidden"
)


def asked_again(read: Callable[[], Any]) -> Any:
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
def told(path: Path, writing: bool = False) -> Iterator[None]:
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


def lost(path: Path) -> ResourceError:
    """What is told of a file that was written and is not there."""
    return ResourceError(f"{_AWAY}; got nothing of what was written ({path}), after all tries. {_THEN}")


def refuse_away(error: BaseException) -> None:
    """Raise what a store did not answer, when a library made a text of it: ORC's reader does.

    Raises
    ------
    ResourceError
    """
    found = re.search(f"{_AWAY}; .*{_THEN}", str(error))
    if found:
        raise ResourceError(found[0]) from None
