"""Plain twins of `simglove_spark.kernels.simd`, for running kernels as Python."""

from typing import Any

import numpy as np

LANES = 8


def _floats(array: np.ndarray) -> np.ndarray:
    return (array.view(np.float16) if array.dtype == np.uint16 else array).astype(np.float32)


def _put(array: np.ndarray, floats: np.ndarray) -> None:
    array[:] = floats.astype(np.float16).view(np.uint16) if array.dtype == np.uint16 else floats


def zeros() -> np.ndarray:
    return np.zeros(LANES, np.float32)


def spread(number: float) -> np.ndarray:
    return np.full(LANES, number, np.float32)


def spread_lane(floats: np.ndarray, lane: int) -> np.ndarray:
    return spread(floats[lane])


def load(array: np.ndarray, place: int) -> np.ndarray:
    return _floats(array[place : place + LANES])


def load_row(matrix: np.ndarray, row: int, place: int) -> np.ndarray:
    return load(matrix[row], place)


def store(array: np.ndarray, place: int, floats: np.ndarray) -> None:
    _put(array[place : place + LANES], floats)


def store_row(matrix: np.ndarray, row: int, place: int, floats: np.ndarray) -> None:
    store(matrix[row], place, floats)


def add(a: np.ndarray, b: np.ndarray) -> Any:
    return a + b


def subtract(a: np.ndarray, b: np.ndarray) -> Any:
    return a - b


def multiply(a: np.ndarray, b: np.ndarray) -> Any:
    return a * b


def multiply_add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> Any:
    return a * b + c


def over_root(a: np.ndarray, b: np.ndarray) -> Any:
    return a / np.sqrt(b)


def total(floats: np.ndarray) -> np.float32:
    return floats.sum(dtype=np.float32)


def totals(*eight: np.ndarray) -> np.ndarray:
    return np.array([total(floats) for floats in eight], np.float32)
