"""Questions to vectors, as the page asks them: JSON values in, JSON values out."""

from collections import Counter
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import ConfigError
from simglove_spark.pages.explore.pair_rows import PairRows
from simglove_spark.pages.explore.text_words import words_of
from simglove_spark.shown import short_text
from simglove_spark.vectors import Vectors, unit_rows

Question = dict[str, Any]
Answer = dict[str, Any]
MOST = 100  # words in one list
LEAST_TIMES = 5  # pairs met less often have a pmi by chance
UNKNOWN_SHOWN = 20
EXAMPLES = 5


class Answers:
    """What the page may ask; every public method takes one question.

    Parameters
    ----------
    vectors : Vectors
    pairs : PairRows or None
        With them a word's observed contexts are told, and the counts behind two words.
    """

    def __init__(self, vectors: Vectors, pairs: PairRows | None = None) -> None:
        self.vectors, self.pairs = vectors, pairs
        self._alike = Lock()

    def prepare(self) -> None:
        """Make what the first question about likeness needs: seconds of work where words are many."""
        self._similar(self.vectors.words[0], 1)

    def _similar(self, word: str, most: int) -> list[tuple[str, float]]:
        with self._alike:  # what is made once is not made by two questions at once
            return _rows(self.vectors.most_similar(word, most))

    def about(self, question: Question) -> Answer:
        """What is asked here, and a few words to begin with."""
        del question
        size, dim = self.vectors.matrix.shape
        config = self.vectors.manifest.config if self.vectors.manifest else {}
        order = self.vectors.most_frequent(len(self.vectors))
        first, last = min(200, len(order) // 4), min(4000, len(order) - 1)
        places = np.unique(np.geomspace(first + 1, last + 1, EXAMPLES).round().astype(int)) - 1
        return {
            "words": size,
            "dim": dim,
            "pairs": self.pairs is not None,
            "power": config.get("count_power"),
            "examples": [short_text(self.vectors.words[int(order[place])]) for place in places],
        }

    def word(self, question: Question) -> Answer:
        """What behaves like a word, what is said with it, and what was counted beside it."""
        word, most = _text(question, "word"), _number(question)
        word_id = self.vectors.word_id(word)
        count = int(self.vectors.counts[word_id])
        return {
            "word": short_text(word),
            "count": count,
            "rank": int(np.count_nonzero(self.vectors.counts > count)) + 1,
            "norm": float(self.vectors.norms[word_id]),
            "similar": self._similar(word, most),
            "together": _rows(self.vectors.most_correlative(word, most)),
            "observed": None if self.pairs is None else self._observed(self.pairs, word_id, most),
        }

    def analogy(self, question: Question) -> Answer:
        """first is to second as third is to what?"""
        first, second, third = (_text(question, name) for name in ("first", "second", "third"))
        return {"words": _rows(self.vectors.analogy([second, third], [first], _number(question)))}

    def keywords(self, question: Question) -> Answer:
        """Words of a text by their inner product with the sum of all its words' vectors."""
        found = list(words_of(_text(question, "text"), self.vectors.words))
        known = Counter(word for word, is_known in found if is_known)
        unknown = list(dict.fromkeys(word for word, is_known in found if not is_known))
        return {
            "known": known.total(),
            "unknown": len(unknown),
            "unknown_words": [short_text(word) for word in unknown[:UNKNOWN_SHOWN]],
            "words": [
                (short_text(word), score, known[word])
                for word, score in keywords(self.vectors, known, _number(question))
            ],
        }

    def pair(self, question: Question) -> Answer:
        """Predicted and observed pmi of two words, and the contexts that they share."""
        names = [_text(question, name) for name in ("first", "second")]
        first, second = (self.vectors.word_id(name) for name in names)
        both = self.vectors.matrix[[first, second]].astype(np.float64)
        units = unit_rows(both).astype(np.float64)
        answer = {
            "first": short_text(names[0]),
            "second": short_text(names[1]),
            "predicted": float(both[0] @ both[1]),
            "cosine": float(units[0] @ units[1]),
        }
        if self.pairs is None:
            return {**answer, "counted": False}
        contexts, times = self.pairs.row(first)
        beside = contexts == second
        observed = float(self.pairs.pmi(first, contexts[beside], times[beside])[0]) if beside.any() else None
        return {
            **answer,
            "counted": True,
            "times": float(times[beside].sum()),
            "observed": observed,
            "shared": self._shared(self.pairs, first, second, _number(question)),
        }

    def _observed(self, pairs: PairRows, word_id: int, most: int) -> list[tuple[str, float, float]]:
        contexts, times, pmi = _often(pairs, word_id)
        best = np.argsort(-pmi, kind="stable")[:most]
        return [(self._word(contexts[place]), float(pmi[place]), float(times[place])) for place in best]

    def _shared(self, pairs: PairRows, first: int, second: int, most: int) -> list[tuple[str, float, float]]:
        """Contexts of both words with their two pmis, by the smaller one."""
        contexts, _, pmi = _often(pairs, first)
        others, _, other_pmi = _often(pairs, second)
        shared, here, there = np.intersect1d(contexts, others, assume_unique=True, return_indices=True)
        here_pmi, there_pmi = pmi[here], other_pmi[there]
        best = np.argsort(-np.minimum(here_pmi, there_pmi), kind="stable")[:most]
        return [(self._word(shared[place]), float(here_pmi[place]), float(there_pmi[place])) for place in best]

    def _word(self, word_id: int) -> str:
        return short_text(self.vectors.words[int(word_id)])


def keywords(vectors: Vectors, words: Counter[str], topn: int) -> list[tuple[str, float]]:
    """Words of a text by their inner product with the sum of its vectors (Su 2017), the highest first.

    Parameters
    ----------
    vectors : Vectors
    words : Counter
        How often each word stands in the text; all of them are known.
    topn : int

    Returns
    -------
    Words and inner products; in a tie the one that stands first in the text comes first.
    """
    if not words:
        return []
    rows = vectors.matrix[[vectors.word_id(word) for word in words]].astype(np.float64)
    scores = rows @ (np.array(list(words.values()), np.float64) @ rows)
    distinct = list(words)
    return [(distinct[place], float(scores[place])) for place in np.argsort(-scores, kind="stable")[:topn]]


def _often(pairs: PairRows, word_id: int) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """A word's contexts that were met often enough, how often, and their pmi."""
    contexts, times = pairs.row(word_id)
    kept = times >= LEAST_TIMES
    return contexts[kept], times[kept], pairs.pmi(word_id, contexts[kept], times[kept])


def _rows(found: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return [(short_text(word), score) for word, score in found]


def _text(question: Question, name: str) -> str:
    value = question.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{name} must be text; got {value!r}. Type a word.")
    return value.strip()


def _number(question: Question) -> int:
    number = question.get("topn", 20)
    if type(number) is not int or not 1 <= number <= MOST:
        raise ConfigError(f"topn must be a whole number between 1 and {MOST}; got {number!r}. Use 20.")
    return number


#: What may be asked, by the last part of the address.
QUESTIONS = ("about", "word", "analogy", "keywords", "pair")
