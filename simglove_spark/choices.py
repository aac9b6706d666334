"""Options of functions that are one of a few words."""

from collections.abc import Iterable

from simglove_spark.errors import ConfigError


def check_choice(name: str, value: object, choices: Iterable[str], hint: str = "Name one of them.") -> None:
    """Raise a `ConfigError` when a value is none of the choices."""
    known = tuple(choices)
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(known)}; got {value!r}. {hint}")
