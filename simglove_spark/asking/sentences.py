"""Sums of words: a sentence's vector, its likeness to others, and its keywords.

The inner product of a word with the sum of a sentence's vectors is the word's predicted pmi with the whole sentence, and large for
its keywords (Su Jianlin 2017). Where counts were evened out (`--count-power`) that sum is mostly stop words. So a sentence is
compared with an average text: the mean and covariance of the vectors of the most frequent words, each counted as often as the corpus has it.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from simglove_spark.asking import passes
from simglove_spark.asking.metric import Metric
from simglove_spark.asking.neighbours import Neighbours
from simglove_spark.choices import check_choice
from simglove_spark.errors import ConfigError, InputError

TEXT_WORDS = 20_000  # most frequent words that stand for an average text; they are some 95 % of it
SHOWN = 5
SIF = 1e-3  # as published
How = Literal["sum", "mean", "sif", "whitened"]
KeywordMeasure = Literal["z", "inner", "cosine", "sif"]
Candidates = Literal["text", "vocabulary"]


class UnknownWordsWarning(UserWarning):
    """Words of a sentence were passed over."""


@dataclass(frozen=True)
class Sentence:
    """A sentence as far as it is known.

    Attributes
    ----------
    ids : intp[n]
        The known words, in order, as often as they stand there.
    unknown : tuple of str
        Words outside the vocabulary, or of which nothing was learned (their vectors are zeros); each once, in order.
    """

    ids: NDArray[np.intp]
    unknown: tuple[str, ...]


def told(words: Sequence[str]) -> str:
    """The first of some words, for a message."""
    return ", ".join(repr(word)[:80] for word in words[:SHOWN]) + ", ..." * (len(words) > SHOWN)


#: A text, which is cut into words as the corpus was; or its words; or what `Sentences.sentence` made of them.
Words = str | Sequence[str] | Sentence


class Sentences(Neighbours):
    """Questions for many words at once. Unknown ones are passed over with an `UnknownWordsWarning`, or told by `sentence`."""

    def sentence(self, words: str | Sequence[str]) -> Sentence:
        """Look a sentence's words up; what comes out may be asked for in place of the words, without a warning.

        Raises
        ------
        ConfigError
            When a text (str) cannot be cut as the corpus was, see `Reading.words`.
        """
        if isinstance(words, str):
            words = self.reading.words(words)
        ids = {word: self.learned_id(word) for word in dict.fromkeys(words)}
        known = [found for word in words if (found := ids[word]) is not None]
        return Sentence(np.array(known, np.intp), tuple(word for word, found in ids.items() if found is None))

    def learned_id(self, word: str) -> int | None:
        """Id of a word of which something was learned; None of others, whose vectors are zeros, and of unknown ones."""
        found = self.words.find(word) if isinstance(word, str) else None
        return found if found is not None and self.matrix[found].any() else None

    def sentence_vector(self, words: Words, how: How = "sum") -> NDArray[np.float32]:
        """Vector of a sentence: float32[dim].

        Parameters
        ----------
        words
            Text, words, or what `sentence` made of them.
        how
            ``sum`` or ``mean`` of the words' vectors; ``sif``: the sum of vectors times 0.001 / (0.001 + p(word)) (Arora et al.
            2017, without the removal of a component, which needs all sentences at once); ``whitened``: the sum less that of as
            many words of an average text, in coordinates in which words of an average text have covariance 1, over the square
            root of their number (Su et al. 2021 whiten sentence vectors so).

        Raises
        ------
        ConfigError
            When vectors without counts are to have ``sif``.
        InputError
            When no word is known.
        """
        return self.sentence_vectors([words], how)[0]

    def sentence_vectors(self, sentences: Sequence[Words], how: How = "sum") -> NDArray[np.float32]:
        """Vectors of many sentences: float32[n, dim]; as `sentence_vector`, and the error names the sentence's place."""
        check_choice("how", how, get_args(How), "Use sum.")
        known = [self._known(words, place) for place, words in enumerate(sentences)]
        sums = np.array([self._sum(ids, how == "sif") for ids in known]).reshape(len(known), self.matrix.shape[1])
        sizes = np.array([len(ids) for ids in known], np.float64).reshape(-1, 1)
        if how == "mean":
            sums /= sizes
        elif how == "whitened":
            metric = self._text_metric
            sums = metric.whitened((sums - sizes * metric.mean) / np.sqrt(sizes))
        return sums.astype(np.float32)

    def sentence_similarity(self, first: Words, second: Words, how: How = "whitened") -> float:
        """Cosine of two sentences' vectors; with ``how`` sum or mean as published. Errors are those of `sentence_vector`."""
        one, other = passes.unit_rows(self.sentence_vectors([first, second], how)).astype(np.float64)
        return float(one @ other)

    def keywords(
        self, words: Words, topn: int = 10, measure: KeywordMeasure = "z", candidates: Candidates = "text"
    ) -> list[tuple[str, float]]:
        """Words that the sentence calls for.

        Parameters
        ----------
        words
            Text, words, or what `sentence` made of them.
        topn
            Number of keywords wanted.
        measure
            ``z``: the sum of a word's inner products with the other words of the sentence, less that with as many words of an
            average text, in standard deviations of such sums. ``inner`` as published: the inner product with the sum of the
            sentence, itself included; fit for vectors of `--count-power 1`. ``cosine``: the same of unit vectors. ``sif``: the
            same of vectors weighed as in `sentence_vector`.
        candidates
            ``text``: the sentence's own words, as published. ``vocabulary``: all words.

        Returns
        -------
        Words and scores, highest first, the lower word_id first in a tie.

        Raises
        ------
        ConfigError
            When vectors without counts are to have ``sif``.
        InputError
            When no word is known.
        """
        check_choice("measure", measure, get_args(KeywordMeasure), "Use the first.")
        check_choice("candidates", candidates, get_args(Candidates), "Use the first.")
        self._check_topn(topn)
        ids = self._known(words)
        own, times = np.unique(ids, return_counts=True)
        scores = self._scores(ids, own, times, measure)
        if candidates == "text":
            return [(self.words[int(own[place])], float(scores[place])) for place in passes.best(scores, topn)]
        everywhere = self._scores_of_all(ids, measure)
        everywhere[own] = scores  # a word of the sentence does not speak for itself
        return self._top(everywhere, topn, [])

    def _scores(
        self, ids: NDArray[np.intp], own: NDArray[np.intp], times: NDArray[np.intp], measure: KeywordMeasure
    ) -> NDArray[np.float64]:
        """Scores of the sentence's own words, each with the times it stands there."""
        rows, total = self.matrix[own].astype(np.float64), self._sum(ids, measure == "sif")
        if measure == "sif":
            return rows @ total * self._sif(own)
        if measure != "z":
            scale = np.linalg.norm(rows, axis=1) * (np.linalg.norm(total) or 1.0) if measure == "cosine" else 1.0
            return rows @ total / scale
        metric = self._text_metric
        itself = times * (np.einsum("ij,ij->i", rows, rows) - rows @ metric.mean)
        others = len(ids) - times
        above = rows @ (total - len(ids) * metric.mean) - itself
        return np.where(others > 0, above / (metric.lengths(self.matrix[own]) * np.sqrt(np.maximum(others, 1))), 0.0)

    def _scores_of_all(self, ids: NDArray[np.intp], measure: KeywordMeasure) -> NDArray[np.float32]:
        """Scores of all words, as if none stood in the sentence."""
        total = self._sum(ids, measure == "sif")
        if measure == "sif":
            return passes.dots(self.matrix, total) * self._sif(slice(None)).astype(np.float32)
        if measure == "inner":
            return passes.dots(self.matrix, total)
        if measure == "cosine":
            return passes.dots(self.matrix, total / (np.linalg.norm(total) or 1.0)) / self._safe_norms
        metric = self._text_metric
        lengths = self._once("text lengths", None, lambda: metric.lengths(self.matrix))
        return passes.dots(self.matrix, (total - len(ids) * metric.mean) / math.sqrt(len(ids))) / lengths

    def _known(self, words: Words, place: int | None = None) -> NDArray[np.intp]:
        """Ids of the known words; warns of the others."""
        sentence = words if isinstance(words, Sentence) else self.sentence(words)
        shown = told(sentence.unknown)
        if not sentence.ids.size:
            where = "" if place is None else f" (sentence {place})"
            raise InputError(
                f"sentence must have a word of the vocabulary's {len(self):,}; got {shown or 'no word'}{where}. "
                "Cut and spell it as the corpus is."
            )
        if sentence.unknown and sentence is not words:
            warnings.warn(f"words outside the vocabulary were passed over: {shown}", UnknownWordsWarning, stacklevel=3)
        return sentence.ids

    def _sum(self, ids: NDArray[np.intp], weighed: bool) -> NDArray[np.float64]:
        own, times = np.unique(ids, return_counts=True)  # a long text has many words and few different ones
        weights = self._sif(own) if weighed else np.ones(own.size)
        total: NDArray[np.float64] = (times * weights) @ self.matrix[own]
        return total

    def _sif(self, ids: NDArray[np.intp] | slice) -> NDArray[np.float64]:
        """Weights of words by their frequency, which is that of the corpus."""
        total = self._once("occurrences", None, lambda: int(self.counts.sum()))
        if total == 0:
            raise ConfigError(
                "sif must have word counts; got vectors without. Use whitened for sentences, z for keywords."
            )
        weights: NDArray[np.float64] = SIF / (SIF + self.counts[ids] / total)
        return weights

    @property
    def _text_metric(self) -> Metric:
        """Mean and covariance of the vectors of an average text's words."""

        def make() -> Metric:
            ids = self.most_frequent(TEXT_WORDS)
            counts = self.counts[ids] if self.counts.any() else np.ones(len(ids))
            return Metric(self.matrix, ids, counts / counts.sum(dtype=np.float64))

        return self._once("text", None, make)
