"""What inner products and norms say: the pmi of two words, how important a word is, what brings two words together."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simglove_spark.asking import passes
from simglove_spark.asking.sentences import TEXT_WORDS, Sentences
from simglove_spark.errors import InputError

if TYPE_CHECKING:  # its kernels need numba
    from simglove_spark.asking.pair_table import PairTable

PEERS = 500  # at most, on each side
WITHOUT_PEERS = 20


@dataclass(frozen=True)
class Pmi:
    """Two words' pointwise mutual information, in nats.

    Attributes
    ----------
    first, second : str
    inner : float
        Inner product of the vectors, which `most_correlative` ranks by: the pmi that was learned, its counts evened by `--count-power`.
    predicted : float or None
        The plain pmi: ``inner`` less what evening out the counts added. None where it is not learned: of a word with itself,
        of words the corpus lacks, of vectors of two spaces or of GloVe.
    observed : float or None
        From the pair table. None without one, and for a pair that was never seen.
    count : float or None
        Pair count from the pair table, 0 for a pair that was never seen. None without a table.
    """

    first: str
    second: str
    inner: float
    predicted: float | None
    observed: float | None
    count: float | None


@dataclass(frozen=True)
class Importance:
    """How much a word's norm says of it.

    Attributes
    ----------
    norm : float
        Length of the vector.
    percentile : float
        Share of all words whose norm is smaller, in percent. With `--preset simpler-glove` the importance of a word; where counts are
        evened out (the default) the most frequent words come highest.
    among_peers : float or None
        The same among words about as frequent: half as many places up and down as the word has above it, 500 at most. There evening
        out makes no difference: high for words that stand for a subject, low for those that could stand anywhere, whatever the
        settings. None for the 20 most frequent words, which have no peers, and for those that the corpus lacks. Without counts the
        order of ids is taken for that of frequency, as it is in the files of other tools.
    """

    norm: float
    percentile: float
    among_peers: float | None


@dataclass(frozen=True)
class SharedContext:
    """A context of two words: its ``score`` is the lower of those with the ``first`` and with the ``second``."""

    word: str
    score: float
    first: Pmi
    second: Pmi


@dataclass(frozen=True)
class Explanation:
    """What brings two words together: their own pmi, their similarity as in `most_similar`, and the contexts they share, best first."""

    pmi: Pmi
    similarity: float
    contexts: tuple[SharedContext, ...]


class Meaning(Sentences):
    """Questions for what the numbers mean."""

    def pmi(self, first: str, second: str, pairs: "PairTable | None" = None) -> Pmi:
        """Pmi of two words: predicted by the vectors and, with a pair table, observed with its count.

        Raises
        ------
        InputError
            When a word is unknown, or the pair table was not counted under the vectors' vocabulary.
        """
        ids = self.word_id(first), self.word_id(second)
        return self._pmi(ids[0], ids[1], self._counted(ids[0], pairs), pairs)

    def check_pairs(self, pairs: "PairTable") -> None:
        """Refuse a pair table that was not counted under the vectors' vocabulary.

        Raises
        ------
        InputError
            When it was not, or when nobody knows.
        """
        of_pairs = pairs.manifest.parent_sha256("vocabulary")
        own = self.manifest.parent_sha256("vocabulary") if self.manifest else None
        if own is None or own != of_pairs:
            raise InputError(
                f"pairs must be counted under the vectors' vocabulary, {str(own)[:12]}; got {str(of_pairs)[:12]} "
                f"({pairs.folder}). Give the pairs of the same run."
            )

    def observed(self, word: str, pairs: "PairTable", topn: int = 20, least_count: float = 5) -> list[Pmi]:
        """Contexts that were counted beside a word, by their observed pmi.

        Parameters
        ----------
        word
            A word.
        pairs
            A pair table counted under the vectors' vocabulary.
        topn
            Number of contexts wanted.
        least_count
            Pairs that were counted less often are left out: their pmi is chance.

        Returns
        -------
        The word with each, highest first, the lower word_id first in a tie.

        Raises
        ------
        InputError
            As `pmi`.
        """
        self._check_topn(topn)
        position = self.word_id(word)
        row, occurrences = self._counted(position, pairs), pairs.word_counts(self.counts)
        seen = {context: count for context, count in row.items() if count >= least_count and context != position}
        contexts = np.fromiter(seen, np.intp, len(seen))
        rates = np.fromiter(seen.values(), np.float64, len(seen)) / occurrences[contexts]  # its order is that of pmi
        return [self._pmi(position, int(contexts[place]), row, pairs) for place in passes.best(rates, topn)]

    def importance(self, word: str) -> Importance:
        """How important a word is, as far as its norm can tell."""
        position, norms = self.word_id(word), self.norms
        order, ranks = self._by_frequency
        rank, among_peers = int(ranks[position]), None
        if rank >= WITHOUT_PEERS:
            reach = min(PEERS, rank // 2)
            peers = order[rank - reach : rank + reach + 1]
            among_peers = _percent_below(norms[peers[peers != position]], norms[position])
        return Importance(float(norms[position]), _percent_below(norms, norms[position]), among_peers)

    def explain(self, first: str, second: str, topn: int = 20, pairs: "PairTable | None" = None) -> Explanation:
        """The contexts that bring two words together.

        Without a pair table a context's score with a word is its predicted pmi less that with an average text's word, in standard
        deviations over such words (the ``z`` of `keywords`), for the 20,000 most frequent words. With one it is the
        observed pmi times count / (count + 1), which takes from what was counted once or less (Pantel & Lin 2002), for all contexts
        seen with both. Contexts with positive scores for both words are told.

        Parameters
        ----------
        first, second
            Two words.
        topn
            Number of contexts wanted.
        pairs
            A pair table counted under the vectors' vocabulary.

        Raises
        ------
        InputError
            As `pmi`.
        """
        self._check_topn(topn)
        ids = self.word_id(first), self.word_id(second)
        rows = [self._counted(word, pairs) for word in ids]
        contexts, scores = self._seen_with(ids, rows, pairs) if pairs else self._predicted_with(ids)
        lower = scores.min(axis=0)
        found = passes.best(lower, topn)
        shared = [
            SharedContext(
                self.words[int(contexts[place])],
                float(lower[place]),
                *(self._pmi(word, int(contexts[place]), row, pairs) for word, row in zip(ids, rows, strict=True)),
            )
            for place in found
            if lower[place] > 0
        ]
        one, metric = self.matrix[[ids[0]]], self._context_metric()
        similarity = float(one[0] @ metric.transformed(self.matrix[ids[1]])) / float(metric.lengths(one)[0])
        return Explanation(self._pmi(*ids, rows[0], pairs), similarity, tuple(shared))

    def _predicted_with(self, ids: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Contexts, and their scores with both words (float64[2, n])."""
        contexts = self.most_frequent(TEXT_WORDS)
        contexts = contexts[~np.isin(contexts, ids)]
        rows, metric = self.matrix[contexts], self._text_metric
        return contexts, (self.matrix[list(ids)] - metric.mean) @ rows.T / metric.lengths(rows)

    def _seen_with(
        self, ids: tuple[int, int], rows: list[dict[int, float]], pairs: "PairTable"
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Contexts seen with both words, and their scores."""
        contexts = np.array(sorted(rows[0].keys() & rows[1].keys() - set(ids)), np.intp)
        occurrences = pairs.word_counts(self.counts)
        scores = np.empty((2, contexts.size))
        for place, (word, row) in enumerate(zip(ids, rows, strict=True)):
            seen = np.array([row[int(context)] for context in contexts], np.float64)
            chance = pairs.expected(int(occurrences[word]), 1) * occurrences[contexts]
            scores[place] = np.log(seen / chance) * seen / (seen + 1)
        return contexts, scores

    def _counted(self, word: int, pairs: "PairTable | None") -> dict[int, float]:
        """Pair counts of a word by context; nothing without a table."""
        if pairs is None:
            return {}
        self.check_pairs(pairs)
        contexts, counts = pairs.row(word)
        return dict(zip(contexts.tolist(), counts.tolist(), strict=True))

    def _pmi(self, first: int, second: int, row: dict[int, float], pairs: "PairTable | None") -> Pmi:
        inner = float(self.matrix[first].astype(np.float64) @ self.matrix[second])
        count = observed = None
        if pairs is not None and first != second:
            count, occurrences = row.get(second, 0.0), pairs.word_counts(self.counts)
            observed = pairs.pmi(count, int(occurrences[first]), int(occurrences[second]))
        added = self._added(first), self._added(second)
        predicted = None if first == second or None in added else inner - sum(filter(None, added))
        return Pmi(self.words[first], self.words[second], inner, predicted, observed, count)

    def _added(self, word: int) -> float | None:
        """What evening out the counts added to a word's inner products (see docs/model.md); None where they are no pmi."""
        config = self.manifest.config if self.manifest else {}
        if config.get("space", "shared") != "shared" or config.get("model", "pmi") != "pmi":
            return None
        if not self.matrix[word].any():
            return None
        power = config.get("count_power", 1.0)
        if power == 1:
            return 0.0
        if self.counts[word] == 0:
            return None
        return float((1 - power) * (math.log(self.counts[word]) - self._mean_log))

    @property
    def _mean_log(self) -> float:
        """Logarithm of the mean count of the words that the corpus has."""

        def make() -> float:
            return math.log(self.counts.sum(dtype=np.float64) / np.count_nonzero(self.counts))

        return self._once("mean log", None, make)

    @property
    def _by_frequency(self) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Ids in order of frequency, and each word's place among them, -1 for words of count 0."""

        def make() -> tuple[NDArray[np.intp], NDArray[np.int32]]:
            order = self.most_frequent(len(self))
            ranks = np.full(len(self), -1, np.int32)
            ranks[order] = np.arange(len(order))
            return order, ranks

        return self._once("by frequency", None, make)


def _percent_below(norms: NDArray[np.float32], norm: np.float32) -> float:
    return 100 * float(np.mean(norms < norm)) if norms.size else 0.0
