"""Words of evaluation sets in a vocabulary."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from simglove_spark.vectors import Vectors


def ids_of(vectors: Vectors, words: Iterable[str]) -> NDArray[np.intp]:
    """Id of each word, or -1 without a vector; zeros, of a vocabulary's word that the corpus lacks, point nowhere."""
    known: dict[str, int] = {}
    words = list(words)
    for word in words:
        if word not in known:
            found = vectors.words.find(word)
            known[word] = found if found is not None and vectors.matrix[found].any() else -1
    return np.array([known[word] for word in words], dtype=np.intp)
