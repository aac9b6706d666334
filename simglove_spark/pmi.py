"""From counts to pmi and weight: counts cross the wall to the trainer, pmi does not."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simglove_spark.config import TrainConfig
from simglove_spark.kernels.cells import fill_tables, weigh
from simglove_spark.manifest import Manifest

SMALL_COUNTS = 1 << 16


@dataclass(frozen=True)
class Weighing:
    """How a pair count becomes what is learned.

        pmi_ij = log x_ij - log X - log n_i - log n_j + 2 log N    (nats; with GloVe log x_ij alone)
        f(x)   = min(1, (x / x_max)^alpha)                          x = count / unit

    Each n_i is first evened out to mean (n_i / mean)^count_power (Levy, Goldberg & Dagan 2015, for contexts alone); the mean is
    over the words that the corpus has.

    Parameters
    ----------
    log_counts : float64[V]
        log n_i, evened out, -inf where n_i is 0; zeros with GloVe.
    constant : float
        2 log N - log X, X in units; with GloVe - log unit.
    log_x_max : float
        log of x_max in units.
    alpha : float
    truncate : bool
        Whether no weight exceeds 1.
    """

    log_counts: NDArray[np.float64]
    constant: float
    log_x_max: float
    alpha: float
    truncate: bool = True

    @classmethod
    def of(cls, pairs: Manifest, counts: NDArray[np.int64], config: TrainConfig) -> "Weighing":
        """The weighing of a pair table counted in text where words have these counts.

        Subsampling may leave nothing of a word. It then has no pairs either, and any finite logarithm does.
        """
        unit = pairs.details["unit"]
        log_x_max = math.log(config.x_max) + math.log(unit)
        if config.model == "glove":
            return cls(np.zeros(counts.size), -math.log(unit), log_x_max, config.alpha, not config.no_truncate_weight)
        constant = 2 * math.log(pairs.details["total_words"]) - math.log(pairs.details["total_pairs"])
        seen, power = counts > 0, config.count_power
        mean = math.log(pairs.details["total_words"] / np.count_nonzero(seen))
        logs = np.log(counts[seen])
        evened = np.full(counts.size, -np.inf)
        evened[seen] = mean + power * (logs - mean) if power != 1 else logs
        return cls(evened, constant, log_x_max, config.alpha, not config.no_truncate_weight)

    @cached_property
    def _tables(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Logarithm and weight of small counts, which most are."""
        logs, weights = np.zeros(SMALL_COUNTS), np.zeros(SMALL_COUNTS, np.float32)
        fill_tables(self._constants, logs, weights)
        return logs, weights

    @cached_property
    def _constants(self) -> NDArray[np.float64]:
        return np.array([self.constant, self.log_x_max, self.alpha, 0.0 if self.truncate else np.inf])

    def weigh(
        self,
        words: NDArray[np.int32],
        contexts: NDArray[np.int32],
        counts: NDArray[np.int64],
        weights: NDArray[np.float32],
        pmis: NDArray[np.float32],
    ) -> None:
        """Fill ``weights`` and ``pmis`` of the cells."""
        weigh(words, contexts, counts, self.log_counts, self._constants, *self._tables, weights, pmis)
