"""A vector for words that nobody knows: the mean of the rarest, as the published tool has it."""

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.vectors import Vectors

UNKNOWN, RAREST = "<unk>", 100


def unknown_vector(vectors: Vectors) -> NDArray[np.float32]:
    """Mean of the 100 rarest words' vectors, float32[dim]: that of the word `UNKNOWN`.

    Raises
    ------
    InputError
        When there is such a word already.
    """
    if UNKNOWN in vectors.words:
        raise InputError(f"words must leave {UNKNOWN} free; got it among them. Export without it.")
    rarest = vectors.most_frequent(len(vectors))[-RAREST:]
    return vectors.matrix[rarest].mean(axis=0, dtype=np.float64).astype(np.float32)
