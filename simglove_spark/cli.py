"""The `simglove` command: parses, prints, and turns errors into exit codes. Nothing else in the package prints.

Options come from the command line, then from ``--config FILE.yaml``, then from ``--preset``, then from the dataclasses.
"""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import yaml
from cyclopts import App, CycloptsError
from cyclopts.config import Dict
from rich.console import Console

from simglove_spark import (
    commands_count,
    commands_demo,
    commands_evaluate,
    commands_exchange,
    commands_export,
    commands_look,
    commands_questions,
    commands_road,
    commands_runs,
)
from simglove_spark.errors import ConfigError, explain
from simglove_spark.presets import PRESETS
from simglove_spark.shown import plain_text
from simglove_spark.stopping import STOPPED, ended_by_signal
from simglove_spark.storage.paths import path_of

MOST_SHOWN = 2000  # characters of a message

app = App(
    name="simglove",
    help="Word vectors whose inner product is pointwise mutual information, counted on Apache Spark.",
    version=version("simglove-spark"),
    result_action="return_value",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)
MODULES = (
    commands_demo,
    commands_road,
    commands_count,
    commands_exchange,
    commands_questions,
    commands_evaluate,
    commands_look,
    commands_export,
    commands_runs,
)
for _module in MODULES:
    for _name, _function in _module.COMMANDS.items():
        app.command(_function, name=_name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code (see `simglove_spark.errors`; those of `status` are its own)."""
    ended_by_signal.clear()
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # what runs in the background is not Ctrl-C's
        signal.signal(signal.SIGINT, _stop)
    logging.getLogger().addHandler(logging.NullHandler())  # py4j logs tracebacks of what we tell in a line
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    code = 0
    try:
        app.config = _sources(arguments)
        code = app(_parsable(arguments), exit_on_error=False, print_error=False, console=Console(soft_wrap=True)) or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    except (Exception, KeyboardInterrupt) as raised:
        # a signal in the middle of an import comes out as whatever the half of a module makes of it
        error = KeyboardInterrupt(STOPPED) if ended_by_signal.is_set() else raised
        code, message = (2, f"{error} Try --help.") if isinstance(error, CycloptsError) else explain(error)
        print(f"simglove: {_line(message)}", file=sys.stderr)
        if os.environ.get("SIMGLOVE_TRACEBACK"):
            traceback.print_exception(error)
        return code


def entry() -> NoReturn:
    """What the installed command and the jobs call."""
    sys.exit(main())


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # a KeyboardInterrupt, as of Ctrl-C: py4j lets only that pass through a call into the JVM
    ended_by_signal.set()
    raise KeyboardInterrupt(STOPPED)


def _line(message: str) -> str:
    """A message on one line, whatever it quotes of a file: nothing in it acts on the terminal, and its end with the remedy stays."""
    text = plain_text(" ".join(message.splitlines()))
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN * 3 // 4]} … {text[-MOST_SHOWN // 4 :]}"


def _parsable(arguments: list[str]) -> list[str]:
    """The arguments, with the ``-`` of standard input where the parser takes it for a word."""
    if arguments[:1] and arguments[0] in commands_questions.COMMANDS and "--" not in arguments and "-" in arguments:
        return [*(argument for argument in arguments if argument != "-"), "--", "-"]
    return arguments


def _sources(arguments: list[str]) -> list[Dict]:
    """Where options that are not on the command line come from, first wins."""
    sources, options = [], {}
    path = _option(arguments, "config")
    if path is not None:
        options = _load_yaml(path_of(path))
        sources.append(Dict(options, source=path, use_commands_as_keys=False))
    preset = _option(arguments, "preset") or options.get("preset", "default")
    if isinstance(preset, str) and preset in PRESETS:  # any other is refused by the parser
        known = Dict(PRESETS[preset], source=f"preset {preset}", use_commands_as_keys=False, allow_unknown=True)
        sources.append(known)
    return sources


def _option(arguments: list[str], name: str) -> str | None:
    """Value of an option that must be known before the others are read."""
    for place, argument in enumerate(arguments):
        if argument.startswith(f"--{name}="):
            return argument.partition("=")[2]
        if argument == f"--{name}" and place + 1 < len(arguments):
            return arguments[place + 1]
    return None


def _is_plain(value: Any) -> bool:
    """Whether it is no list or object, and no number that a float cannot hold."""
    return not isinstance(value, list | dict | set | bytes) and not (isinstance(value, int) and abs(value) >= 2**63)


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        options = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # a value as of a date that is none
        raise ConfigError(
            f"--config must be a YAML file; got {' '.join(str(error).split())} ({path}). Mend it."
        ) from error
    if options is None:
        return {}
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise ConfigError(
            f"--config must hold options by name; got {type(options).__name__} ({path}). Write `dim: 100`."
        )
    for name, value in options.items():
        if not all(_is_plain(one) for one in (value if isinstance(value, list) else [value])):
            raise ConfigError(
                f"--config must hold numbers, text and lists of these; got another {type(value).__name__} for {name[:100]} ({path}). Mend it."
            )
    if "config" in options:
        raise ConfigError(f"a configuration file must not name another; got config ({path}). Put all into one file.")
    return options
