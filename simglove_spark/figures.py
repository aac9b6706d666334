"""Figures as people read them, and as JSON knows them."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from simglove_spark.memory import show_size


def figure(entry: tuple[str, Any]) -> tuple[str, str]:
    """Name and value of a figure as people read them: sizes and times with their unit."""
    name, value = entry
    label = name.replace("_", " ")
    if name in ("memory", "peak_memory", "bytes"):
        return label, show_size(value)
    if name.endswith("seconds"):
        return label.removesuffix("seconds").strip() or "took", f"{value:.1f} s" if value < 60 else _clock(value)
    return label, readable(value)


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def readable(value: Any) -> str:
    """A figure with thousands or four digits; those of a list one after another; other things as they are."""
    if isinstance(value, list | tuple):
        return ", ".join(map(readable, value))
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return str(value)
    number = float(value)
    return f"{number:.4g}" if 0 < abs(number) < 1000 or not math.isfinite(number) else f"{number:,.0f}"


def plain(value: Any) -> Any:
    """A value as JSON knows it: numbers of numpy become Python's, NaN and infinity None, and objects their text."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else str(value)
