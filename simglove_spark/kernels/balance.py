"""Whether pairs stand in both directions with one count, without putting the two beside each other."""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.hashes import splitmix64


@kernel
def add_balance(words, contexts, counts, balance):
    """Add a hash of each cell's pair and count to its word, and take it from its context.

    The two directions of a pair have one hash, so with all cells of a symmetric table every word is at 0 again; with any
    others a word stays that is not, but for a chance of 2^-64.

    Parameters
    ----------
    words, contexts : int32[:]
    counts : int64[:]
    balance : uint64[V]
    """
    for cell in range(words.size):
        word, context = words[cell], contexts[cell]
        low, high = (word, context) if word < context else (context, word)
        pair = splitmix64(np.uint64(low) << np.uint64(32) | np.uint64(high))
        value = splitmix64(pair ^ np.uint64(counts[cell]))
        balance[word] += value
        balance[context] -= value
