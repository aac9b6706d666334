"""From counts to pmi and weight: counts cross the wall to the trainer, pmi does not."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simglove_spark.kernels.cells import weigh


@dataclass(frozen=True)
class Weighing:
    """How a pair count becomes what is learned.

        pmi_ij = log x_ij - log X - log n_i - log n_j + 2 log N    (nats)
        f(x)   = min(1, (x / x_max)^alpha)                          x = count / unit

    Parameters
    ----------
    log_counts : float64[V]
        log n_i.
    total_pairs : int
        X in units: the sum of all directed counts.
    total_words : int
        N: the sum of n_i over the vocabulary.
    unit : int
    x_max, alpha : float
    """

    log_counts: NDArray[np.float64]
    total_pairs: int
    total_words: int
    unit: int
    x_max: float
    alpha: float

    def weigh(
        self, words: NDArray[np.int32], contexts: NDArray[np.int32], counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight and pmi of each cell, float32[n]."""
        weights, pmis = np.empty(counts.size, np.float32), np.empty(counts.size, np.float32)
        constants = np.array(
            [
                2 * math.log(self.total_words) - math.log(self.total_pairs),
                math.log(self.x_max) + math.log(self.unit),
                self.alpha,
            ]
        )
        weigh(words, contexts, counts, self.log_counts, constants, weights, pmis)
        return weights, pmis
