"""Questions to vectors, as the page asks them: JSON values in, JSON values out."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from simglove_spark.asking.meaning import Pmi, SharedContext
from simglove_spark.errors import ConfigError
from simglove_spark.pages.explore.text_words import words_of
from simglove_spark.pages.telling_words import telling_words
from simglove_spark.shown import short_text
from simglove_spark.vectors import Vectors

if TYPE_CHECKING:  # its kernels need numba
    from simglove_spark.asking.pair_table import PairTable

Question = dict[str, Any]
Answer = dict[str, Any]
MOST = 100  # words in one list
UNKNOWN_SHOWN = 20
EXAMPLES = 5


class Answers:
    """What the page may ask; every public method takes one question.

    Parameters
    ----------
    vectors : Vectors
    pairs : PairTable or None
        With it a word's observed contexts are told, and the counts behind two words.

    Raises
    ------
    InputError
        When the pairs were not counted under the vectors' vocabulary.
    """

    def __init__(self, vectors: Vectors, pairs: "PairTable | None" = None) -> None:
        self.vectors, self.pairs = vectors, pairs
        if pairs is not None:
            vectors.check_pairs(pairs)

    def prepare(self) -> None:
        """Make what first questions need: seconds of work where words are many."""
        first = self.vectors.words[0]
        self.vectors.most_similar(first, 1)
        self.vectors.keywords([first], 1)

    def about(self, question: Question) -> Answer:
        """What is asked here, and a few words to begin with."""
        del question
        size, dim = self.vectors.matrix.shape
        config = self.vectors.manifest.config if self.vectors.manifest else {}
        return {
            "words": size,
            "dim": dim,
            "pairs": self.pairs is not None,
            "power": config.get("count_power"),
            "examples": [short_text(word) for word in telling_words(self.vectors, EXAMPLES)],
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
            "similar": _rows(self.vectors.most_similar(word, most)),
            "together": _rows(self.vectors.most_correlative(word, most)),
            "observed": None if self.pairs is None else self._observed(self.pairs, word, most),
        }

    def analogy(self, question: Question) -> Answer:
        """first is to second as third is to what?"""
        first, second, third = (_text(question, name) for name in ("first", "second", "third"))
        return {"words": _rows(self.vectors.analogy([second, third], [first], _number(question)))}

    def keywords(self, question: Question) -> Answer:
        """Words of a text that stand out of an average one."""
        pieces, most = self.vectors.reading.words(_text(question, "text")), _number(question)
        words = list(words_of(pieces, self.vectors.words))
        sentence, times = self.vectors.sentence(words), Counter(words)
        found = self.vectors.keywords(sentence, most) if sentence.ids.size else []
        return {
            "known": sentence.ids.size,
            "unknown": len(sentence.unknown),
            "unknown_words": [short_text(word) for word in sentence.unknown[:UNKNOWN_SHOWN]],
            "words": [(short_text(word), score, times[word]) for word, score in found],
        }

    def pair(self, question: Question) -> Answer:
        """Predicted and observed pmi of two words, and the contexts that they share."""
        first, second = (_text(question, name) for name in ("first", "second"))
        found = self.vectors.explain(first, second, _number(question), self.pairs)
        return {
            "first": short_text(first),
            "second": short_text(second),
            "inner": found.pmi.inner,
            "predicted": found.pmi.predicted,
            "similarity": found.similarity,
            "counted": self.pairs is not None,
            "observed": found.pmi.observed,
            "times": found.pmi.count,
            "shared": [self._shared(context) for context in found.contexts],
        }

    def _observed(self, pairs: "PairTable", word: str, most: int) -> list[tuple[str, float | None, float | None]]:
        found = self.vectors.observed(word, pairs, most)
        return [(short_text(one.second), one.observed, one.count) for one in found]

    def _shared(self, context: SharedContext) -> tuple[str, float, float | None, float | None]:
        return short_text(context.word), context.score, self._pmi(context.first), self._pmi(context.second)

    def _pmi(self, pmi: Pmi) -> float | None:
        """As observed, where pairs were counted, else as predicted."""
        return pmi.predicted if self.pairs is None else pmi.observed


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
