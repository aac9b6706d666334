"""A function of the user's own, given as ``module:function``: how it is found, here and in Spark's workers."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simglove_spark.errors import ConfigError


def load_function(name: str, rule: str, hint: str) -> Callable[..., Any]:
    """The function of a name ``module:function``; modules in the present folder are found too.

    Parameters
    ----------
    name : str
    rule, hint : str
        Beginning and end of the message when there is none.

    Raises
    ------
    ConfigError
        When it cannot be imported, or is no function.
    """
    module, _, function = name.partition(":")
    sys.path.append(str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function)
        if not callable(found):
            raise TypeError(f"{function} is no function")
    except Exception as error:  # whatever importing somebody's module raises
        raise ConfigError(f"{rule}; got {name} ({reason(error)}). {hint}") from error
    finally:
        sys.path.pop()
    return found


def reason(error: Exception) -> str:
    """What went wrong in somebody's code, on one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
