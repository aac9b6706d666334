"""From counts to what is trained on: pmi and weight of each cell, and which cells are held out."""

import numpy as np

from simglove_spark.kernels.compile import inlined, kernel
from simglove_spark.kernels.hashes import is_held_out


@inlined
def weight_of(log_count, constants):
    """The weight f of a count whose logarithm is given."""
    return np.exp(constants[2] * min(constants[3], log_count - constants[1]))


@kernel
def fill_tables(constants, logs, weights):
    """Fill logarithm (float64[m]) and weight (float32[m]) of the counts 0 to m - 1; those of 0 are left alone."""
    for count in range(1, logs.size):
        logs[count] = np.log(np.float64(count))
        weights[count] = weight_of(logs[count], constants)


@kernel
def weigh(words, contexts, counts, log_counts, constants, small_logs, small_weights, weights, pmis):
    """Fill weight and pmi of each cell.

        pmi = log x_ij - log X - log n_i - log n_j + 2 log N,  f = min(1, (x / x_max)^alpha)

    Parameters
    ----------
    words, contexts : int32[n]
    counts : int64[n]
        In units: x = count / unit.
    log_counts : float64[V]
        log n_i.
    constants : float64[4]
        2 log N - log X (X in units), log x_max + log unit, alpha, and the most that log (x / x_max) may be.
    small_logs, small_weights : float64[m], float32[m]
        From `fill_tables`.
    weights, pmis : float32[n]
        Filled.
    """
    for cell in range(counts.size):
        count = counts[cell]
        if 0 < count < small_logs.size:
            log_count = small_logs[count]
            weights[cell] = small_weights[count]
        else:
            log_count = np.log(np.float64(count))
            weights[cell] = weight_of(log_count, constants)
        pmis[cell] = log_count + constants[0] - log_counts[words[cell]] - log_counts[contexts[cell]]


@kernel
def split_held_out(words, contexts, seed, threshold, held_out):
    """Fill ``held_out`` (bool[n]); ``threshold`` is the held-out share times 2^64. Returns how many there are."""
    found = 0
    for cell in range(words.size):
        held_out[cell] = is_held_out(words[cell], contexts[cell], seed, threshold)
        found += held_out[cell]
    return found


@kernel
def count_cells(words, own, row, sizes):
    """Add to ``sizes`` (int64[n]) the cells of each of the words ``own`` (int32[n], ascending).

    ``words`` (int32[m]) are those of more cells, ascending; ``row`` (int64) is the place in ``own`` of the last cell before
    them, 0 at first. Returns that of their last one, or -1 when a word is none of ``own``.
    """
    for word in words:
        while row < own.size and own[row] < word:
            row += 1
        if row == own.size or own[row] != word:
            return -1
        sizes[row] += 1
    return row
