"""Words that show what vectors are like: neither stop words nor rare ones."""

import numpy as np
from numpy.typing import NDArray

from simglove_spark.vectors import Vectors

FIRST_RANK, LAST_RANK = 150, 10_000


def telling_words(vectors: Vectors, number: int) -> list[str]:
    """At most so many words, by rank evenly on a scale of logarithms."""
    order = vectors.most_frequent(len(vectors))
    first, last = min(FIRST_RANK, len(order) // 2), min(LAST_RANK, len(order) - 1)
    return [vectors.words[int(order[rank])] for rank in even_ranks(first, last, number)]


def even_ranks(first: int, last: int, most: int) -> NDArray[np.intp]:
    """At most so many ranks from ``first`` to ``last``, evenly on a scale of logarithms as far as whole numbers are."""
    return np.unique(np.geomspace(first + 1, last + 1, most).round().astype(np.intp) - 1)
