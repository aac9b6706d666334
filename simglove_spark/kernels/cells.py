"""From counts to what is trained on: pmi and weight of each cell, and which cells are held out."""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.hashes import is_held_out


@kernel
def weigh(words, contexts, counts, log_counts, constants, weights, pmis):
    """Fill weight and pmi of each cell.

        pmi = log x_ij - log X - log n_i - log n_j + 2 log N,  f = min(1, (x / x_max)^alpha)

    Parameters
    ----------
    words, contexts : int32[n]
    counts : int64[n]
        In units: x = count / unit.
    log_counts : float64[V]
        log n_i.
    constants : float64[3]
        2 log N - log X (X in units), log x_max + log unit, alpha.
    weights, pmis : float32[n]
        Filled.
    """
    for cell in range(counts.size):
        log_count = np.log(np.float64(counts[cell]))
        pmis[cell] = log_count + constants[0] - log_counts[words[cell]] - log_counts[contexts[cell]]
        weights[cell] = np.exp(constants[2] * min(0.0, log_count - constants[1]))


@kernel
def split_held_out(words, contexts, seed, threshold, held_out):
    """Fill ``held_out`` (bool[n]); ``threshold`` is the held-out share times 2^64. Returns how many there are."""
    found = 0
    for cell in range(words.size):
        held_out[cell] = is_held_out(words[cell], contexts[cell], seed, threshold)
        found += held_out[cell]
    return found
