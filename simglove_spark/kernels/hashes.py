"""Hashes that decide where a word or pair belongs: the same on every machine, in every version."""

import numpy as np

from simglove_spark.kernels.compile import kernel


@kernel
def splitmix64(value):
    """SplitMix64's output function of a uint64 (Steele, Lea & Flood 2014)."""
    value = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def shard_of_words(shards, num_shards):
    """Fill ``shards`` (int32[V]) with each word's shard."""
    for word in range(shards.size):
        shards[word] = splitmix64(word) % np.uint64(num_shards)


@kernel
def is_held_out(word, context, seed, threshold):
    """Whether a pair is kept out of training: by the hash of its two ids in order, both directions alike.

    ``threshold`` is the held-out share times 2^64 (uint64).
    """
    low, high = (word, context) if word < context else (context, word)
    key = np.uint64(low) << np.uint64(32) | np.uint64(high)
    return splitmix64(splitmix64(key) ^ np.uint64(seed)) < threshold
