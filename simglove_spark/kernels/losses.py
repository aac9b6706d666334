"""Losses of one cell: functions of (inner product, pmi, weight), all float32, that return loss and slope d loss / d inner product.

Write yours in the same way, with `numba.njit` or plain, and give it as ``--loss module:function``.
"""

import numpy as np

from simglove_spark.kernels.compile import inlined

HUBER_WIDTH = np.float32(1.0)  # nats


@inlined
def least_squares(product, pmi, weight):
    """f e^2, the loss that is built in; e = product - pmi."""
    error = product - pmi
    return weight * error * error, np.float32(2.0) * weight * error


@inlined
def huber(product, pmi, weight):
    """f e^2 up to an error of one nat, and straight from there: outliers pull less (Huber 1964)."""
    error = product - pmi
    if abs(error) <= HUBER_WIDTH:
        return weight * error * error, np.float32(2.0) * weight * error
    slope = np.float32(2.0) * weight * HUBER_WIDTH
    return slope * (abs(error) - np.float32(0.5) * HUBER_WIDTH), slope if error > 0 else -slope


@inlined
def one_sided(product, pmi, weight):
    """f e^2 where the product is below the pmi, a tenth of it above: a pair may be nearer than its count can tell."""
    error = product - pmi
    share = weight if error < 0 else np.float32(0.1) * weight
    return share * error * error, np.float32(2.0) * share * error
