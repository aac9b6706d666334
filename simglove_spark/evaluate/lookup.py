"""Words of evaluation sets in a vocabulary."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from simglove_spark.vectors import Vectors


def ids_of(vectors: Vectors, words: Iterable[str]) -> NDArray[np.intp]:
    """Id of each word, looked up once, or -1 where there is no vector or nothing was learned."""
    words = list(words)
    known = {word: vectors.learned_id(word) for word in dict.fromkeys(words)}
    ids = {word: -1 if found is None else found for word, found in known.items()}
    return np.array([ids[word] for word in words], dtype=np.intp)
