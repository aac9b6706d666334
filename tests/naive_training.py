"""The model a second time, slow and obviously right: plain Python and float64 numpy, no package code."""

import math
from dataclasses import dataclass

import numpy as np

MASK = (1 << 64) - 1


def splitmix64(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def shard_of_word(word: int, num_shards: int) -> int:
    return splitmix64(word) % num_shards


def is_held_out(word: int, context: int, seed: int, fraction: float) -> bool:
    low, high = sorted((word, context))
    return splitmix64(splitmix64(low << 32 | high) ^ seed) < fraction * 2**64


def pmi(count: float, total_pairs: float, first: int, second: int, total_words: int) -> float:
    """In nats; count and total_pairs in the same unit."""
    return math.log(count) - math.log(total_pairs) - math.log(first) - math.log(second) + 2 * math.log(total_words)


def weight(count: float, unit: int, x_max: float, alpha: float) -> float:
    return min(1.0, (count / unit / x_max) ** alpha)


@dataclass
class Model:
    """Cells as dense arrays f and pmi (0 where there is none), and the all-pairs term's numbers."""

    f: np.ndarray
    pmi: np.ndarray
    activities: np.ndarray
    w0: float
    m0: float
    ridge: float

    def objective(self, vectors: np.ndarray) -> float:
        """All of it, pair by pair over ordered pairs i != j."""
        return self.seen_loss(vectors) + self.all_pairs_loss(vectors)

    def seen_loss(self, vectors: np.ndarray) -> float:
        vectors, total = vectors.astype(np.float64), 0.0
        for i in range(len(vectors)):
            for j in range(len(vectors)):
                if i != j:
                    total += self.f[i, j] * (vectors[i] @ vectors[j] - self.pmi[i, j]) ** 2
        return float(total)

    def all_pairs_loss(self, vectors: np.ndarray) -> float:
        """w0 times the term over all ordered pairs, and the ridge."""
        vectors, total = vectors.astype(np.float64), 0.0
        for i in range(len(vectors)):
            for j in range(len(vectors)):
                if i != j:
                    share = self.activities[i] * self.activities[j]
                    total += self.w0 * share * (vectors[i] @ vectors[j] - self.m0) ** 2
        return float(total + 2 * self.ridge * (vectors**2).sum())

    def best_row(self, i: int, vectors: np.ndarray) -> np.ndarray:
        """The one vector of word i that makes the objective least, all others held."""
        vectors = vectors.astype(np.float64)
        dim = vectors.shape[1]
        matrix, right = self.ridge * np.eye(dim), np.zeros(dim)
        for j in range(len(vectors)):
            if i != j:
                share = self.w0 * self.activities[i] * self.activities[j]
                matrix += (self.f[i, j] + share) * np.outer(vectors[j], vectors[j])
                right += (self.f[i, j] * self.pmi[i, j] + share * self.m0) * vectors[j]
        return np.linalg.solve(matrix, right)


def activities(counts: np.ndarray, power: float) -> np.ndarray:
    raised = (np.asarray(counts, np.float64) / np.mean(counts)) ** power
    return raised / raised.mean()


def gram(vectors: np.ndarray, activities: np.ndarray) -> np.ndarray:
    """G = sum_j a_j v_j v_j^T, then s = sum_j a_j v_j."""
    vectors = vectors.astype(np.float64)
    return np.vstack([(vectors * activities[:, None]).T @ vectors, activities @ vectors])


def adagrad(cells: list[tuple[int, int, float, float]], vectors: np.ndarray, squares: np.ndarray, rate: float) -> float:
    """Steps in the given order over (word, context, weight, pmi), as the published tool takes them; returns sum f e^2.

    The gradient is f e c; squares are raised before they are used, both words move from their old values.
    """
    loss = 0.0
    for word, context, f, target in cells:
        v, c = vectors[word].copy(), vectors[context].copy()
        error = sum(float(x) * float(y) for x, y in zip(v, c, strict=True)) - target
        loss += f * error * error
        for row, slope in ((word, f * error * c), (context, f * error * v)):
            squares[row] += slope**2
            vectors[row] -= rate * slope / np.sqrt(squares[row] + 1e-8)
    return loss
