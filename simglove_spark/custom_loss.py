"""A loss of the user's own, given as ``module:function``: how it is found, checked, and used by the solvers.

The function takes (inner product, pmi, weight) as float32 and returns (loss, slope), the slope being d loss / d inner
product. AdaGrad steps along the slope. The row solver solves the weighted squares that have the same slopes, again in each
sweep: that lowers a loss whose slope points towards the pmi and grows no faster than the error, and others are refused.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import ConfigError
from simglove_spark.kernels.gather import Cells
from simglove_spark.kernels.reweigh import reweigh
from simglove_spark.user_function import load_function, reason


@lru_cache
def load_loss(name: str) -> Callable[..., Any]:
    """The compiled function of a name ``module:function``; modules in the present folder are found too.

    Raises
    ------
    ConfigError
        When there is none, or it cannot be compiled, or does not return two numbers.
    """
    rule, hint = "--loss must be MODULE:FUNCTION", "Give one that can be imported here."
    return compiled(load_function(name, rule, hint), name)


def compiled(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function compiled by numba and tried once."""
    try:
        made = function if hasattr(function, "py_func") else numba.njit(function)
        loss, slope = made(np.float32(0.5), np.float32(0.25), np.float32(1.0))
        float(loss), float(slope)
    except Exception as error:  # whatever numba or the function raises
        raise ConfigError(
            f"--loss must take (product, pmi, weight) and return (loss, slope), in what numba compiles; got {reason(error)} ({name}). "
            "See simglove_spark/kernels/losses.py."
        ) from error
    return made


def _refuse_growing(function: Callable[..., Any], name: str) -> None:
    """Refuse what solving weighted squares need not lower: weights that are negative, or that grow with the error."""
    for sign in (1.0, -1.0):
        before = np.inf
        for size in np.logspace(-2, 1.5, 30):
            error = np.float32(sign * size)
            weight = float(function(error, np.float32(0.0), np.float32(1.0))[1]) / (2 * float(error))
            if not 0 <= weight <= before * 1.001 + 1e-6:
                what = f"weight {weight:.3g} at an error of {error:.3g}"
                raise ConfigError(
                    f"--loss must have a slope towards the pmi that grows no faster than the error with --solver rows; got {what} "
                    f"({name}). Use --solver adagrad --all-pairs-weight 0."
                )
            before = weight


class Reweighing:
    """Turns a loss into weights of squares for some rows at a time.

    Parameters
    ----------
    function : compiled function
    name : str
        For messages.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function, self.name = function, name
        _refuse_growing(function, name)

    def rows(
        self,
        words: NDArray[np.int32],
        bounds: NDArray[np.int64],
        cells: Cells,
        table: NDArray[np.uint16],
        vectors: NDArray[np.float32],
    ) -> tuple[float, NDArray[np.int64], Cells]:
        """Loss of the rows' cells, and their bounds and cells with new weights.

        Raises
        ------
        ConfigError
            When a slope points away from the pmi.
        """
        sizes = bounds[:, 1] - bounds[:, 0]
        ends = np.cumsum(sizes)
        places = np.repeat(bounds[:, 0] - (ends - sizes), sizes) + np.arange(sizes.sum())
        weights = np.empty(places.size, np.float32)
        loss, bad = reweigh(words, bounds, cells, table, vectors, self.function, weights)
        if bad >= 0:
            raise ConfigError(
                f"--loss must have a slope towards the pmi with --solver rows; got weight {weights[bad]} ({self.name}). "
                "Use --solver adagrad --all-pairs-weight 0."
            )
        columns = (cells.contexts[places], weights, cells.pmis[places])
        for column in columns:
            column.flags.writeable = False
        return loss, np.column_stack([ends - sizes, ends]), Cells(*columns)
