"""Words near to words: what is said together, what behaves alike, what completes an analogy.

The three metrics follow the published helper (bojone/simpler_glove, simpler_glove.py).
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simglove_spark.asking import passes
from simglove_spark.asking.known_words import KnownWords
from simglove_spark.asking.metric import Metric
from simglove_spark.choices import check_choice
from simglove_spark.errors import ConfigError, InputError

CONTEXT_WORDS = 100_000
Measure = Literal["pmi", "cosine", "similarity"]


class Neighbours(KnownWords):
    """Questions for words near to words."""

    def most_correlative(
        self, word: str | ArrayLike, topn: int = 20, normalize: bool = False
    ) -> list[tuple[str, float]]:
        """Words with the largest inner product: the predicted pmi in nats, evened as `--count-power` had it.

        Parameters
        ----------
        word
            A word, which is left out of the answer (the published helper keeps it), or a vector of shape (dim,).
        topn
            Number of words wanted.
        normalize
            Cosine instead of the inner product.

        Returns
        -------
        Words and scores, highest first, the lower word_id first in a tie.
        """
        query, asked = self._query(word)
        if normalize:
            return self._nearest(query, topn, asked)
        return self._top(passes.dots(self.matrix, query), topn, asked)

    def most_similar(
        self, word: str | ArrayLike, topn: int = 20, context_words: int = CONTEXT_WORDS
    ) -> list[tuple[str, float]]:
        """Words used like the given one: cosine of vectors times L, where L L^T is the context words' covariance.

        The ``context_words`` most frequent words stand for all contexts: two words are alike when their inner products
        with those contexts are alike. When there are too few of them for a positive definite covariance, a millionth of
        its mean diagonal is added to the diagonal. The first question takes every vector's length in this metric,
        some seconds for millions of words; it is kept, 4 bytes a word.

        Parameters and result are those of `most_correlative`.
        """
        query, asked = self._query(word)
        scores = passes.dots(self.matrix, self._context_metric(context_words).transformed(query))
        return self._top(scores / self._context_lengths(context_words), topn, asked)

    def analogy(self, positive: Sequence[str], negative: Sequence[str] = (), topn: int = 20) -> list[tuple[str, float]]:
        """Words nearest by cosine to the sum of the positive words' vectors less the negative ones'.

        As published the raw vectors are summed; `evaluate.analogies` sums unit vectors. The words asked are left out.
        """
        if isinstance(positive, str) or isinstance(negative, str) or not positive:
            raise ConfigError(
                f"positive and negative must be lists of words; got {positive!r}, {negative!r}. Use [...]."
            )
        plus = [self.word_id(word) for word in positive]
        minus = [self.word_id(word) for word in negative]
        query = self.matrix[plus].sum(axis=0, dtype=np.float64) - self.matrix[minus].sum(axis=0, dtype=np.float64)
        return self._nearest(query, topn, [*plus, *minus])

    def neighbours(
        self, words: Sequence[str] | NDArray[np.integer], topn: int = 20, measure: Measure = "pmi"
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Many words' neighbours in one pass over the matrix.

        Parameters
        ----------
        words
            Words, or their ids. A few hundred at once are asked faster than one by one.
        topn
            Neighbours of each; at most all other words.
        measure
            ``pmi`` and ``cosine`` as in `most_correlative`, ``similarity`` as in `most_similar`.

        Returns
        -------
        Ids intp[n, topn] and scores float32[n, topn], highest first; a word is none of its own neighbours.
        """
        check_choice("measure", measure, get_args(Measure), "Use pmi.")
        self._check_topn(topn)
        ids = self._ids_of(words)
        queries, scale = self.matrix[ids], None
        if measure == "cosine":
            queries, scale = passes.unit_rows(queries), self._safe_norms
        elif measure == "similarity":
            metric, scale = self._context_metric(), self._context_lengths()
            queries = np.array([metric.transformed(query) for query in queries], np.float32).reshape(queries.shape)
        return passes.best_of_many(self.matrix, queries, min(topn, len(self) - 1), scale, ids)

    def _ids_of(self, words: Sequence[str] | NDArray[np.integer]) -> list[int]:
        if not isinstance(words, np.ndarray):
            if isinstance(words, str):
                raise ConfigError(f"words must be a list of words; got {words!r}. Use [...].")
            return [self.word_id(word) for word in words]
        if words.size and not (words.min() >= 0 and words.max() < len(self)):
            raise InputError(
                f"word ids must lie in [0, {len(self):,}); got {words.min()} to {words.max()}. Give ids of these vectors."
            )
        return [int(word) for word in words]

    def _query(self, word: str | ArrayLike) -> tuple[NDArray[np.float64], list[int]]:
        """Vector asked for, and the ids that are no answer."""
        if isinstance(word, str):
            position = self.word_id(word)
            return self.matrix[position].astype(np.float64), [position]
        query = np.asarray(word, dtype=np.float64)
        if query.shape != self.matrix.shape[1:] or not np.isfinite(query).all():
            shape = self.matrix.shape[1:]
            raise InputError(
                f"vector must be finite and of shape {shape}; got shape {query.shape}. Give a word or such."
            )
        return query, []

    def _nearest(self, query: NDArray[np.float64], topn: int, asked: list[int]) -> list[tuple[str, float]]:
        unit = query / (np.linalg.norm(query) or 1.0)
        return self._top(passes.dots(self.matrix, unit) / self._safe_norms, topn, asked)

    @property
    def _safe_norms(self) -> NDArray[np.float32]:
        """Norms to divide by: 1 for a vector of zeros, which has cosine 0 to all."""
        return self._once("safe norms", None, lambda: np.where(self.norms > 0, self.norms, np.float32(1)))

    def _top(self, scores: NDArray[np.floating], topn: int, asked: list[int]) -> list[tuple[str, float]]:
        """The ``topn`` best words but those asked."""
        self._check_topn(topn)
        scores[asked] = -np.inf
        found = passes.best(scores, min(topn, len(self) - len(set(asked))))
        return [(self.words[int(position)], float(scores[position])) for position in found]

    def _check_topn(self, topn: int) -> None:
        if topn < 1:
            raise ConfigError(f"topn must be at least 1; got {topn}. Use 20.")

    def _context_metric(self, context_words: int = CONTEXT_WORDS) -> Metric:
        """Metric of the most frequent words."""
        number = min(context_words, len(self))
        return self._once("contexts", number, lambda: Metric(self.matrix, self.most_frequent(number)))

    def _context_lengths(self, context_words: int = CONTEXT_WORDS) -> NDArray[np.float32]:
        """Lengths of all vectors in that metric: float32[V]."""
        number = min(context_words, len(self))
        return self._once("context lengths", number, lambda: self._context_metric(number).lengths(self.matrix))
