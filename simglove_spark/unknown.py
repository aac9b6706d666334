"""A vector for words that nobody knows: the mean of the rarest, as the published tool has it."""

import numpy as np

from simglove_spark.errors import InputError
from simglove_spark.vectors import Vectors

UNKNOWN, RAREST = "<unk>", 100


def with_unknown(vectors: Vectors) -> Vectors:
    """The same vectors and the word `UNKNOWN`, whose vector is the mean of the 100 rarest; its count is 0.

    Raises
    ------
    InputError
        When there is such a word already.
    """
    if UNKNOWN in vectors.words:
        raise InputError(f"words must leave {UNKNOWN} free; got it among them. Export without it.")
    rarest = vectors.most_frequent(len(vectors))[-RAREST:]
    mean = vectors.matrix[rarest].mean(axis=0, dtype=np.float64)
    return Vectors([*vectors.words, UNKNOWN], np.vstack([vectors.matrix, mean]), np.append(vectors.counts, 0))
