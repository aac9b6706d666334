"""Sentences and documents as `Vectors` take them."""

import re

import numpy as np
from numpy.typing import NDArray

from simglove_spark.asking.sentences import Sentence
from simglove_spark.evaluate.lookup import ids_of
from simglove_spark.vectors import Vectors

#: What the settings of an evaluation say of the weights.
SIF_TOLD = "sif: vectors times 0.001 / (0.001 + p(word))"
_WORD = re.compile(r"[^\W_]+")


def cut(text: str) -> list[str]:
    """Words of a text: runs of letters and digits, in lower case."""
    return _WORD.findall(text.lower())


class Texts:
    """Texts as ids of the words that have vectors.

    Attributes
    ----------
    sentences : list of Sentence
        Each text's known words; the unknown ones are not named.
    covered : float
        Share of all words that have vectors.
    """

    def __init__(self, texts: list[list[str]], vectors: Vectors) -> None:
        every = ids_of(vectors, (word for text in texts for word in text))  # looks each word up once for all texts
        ends = np.cumsum([len(text) for text in texts])
        self.sentences = [Sentence(ids[ids >= 0], ()) for ids in np.split(every, ends[:-1])]
        self.covered = np.count_nonzero(every >= 0) / max(1, len(every))

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """Which texts have a word with a vector: bool[texts]."""
        return np.array([sentence.ids.size > 0 for sentence in self.sentences])
