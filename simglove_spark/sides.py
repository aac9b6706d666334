"""One matrix of vectors as the row solver keeps it, with the sums over all of them that the all-pairs term needs."""

import platform
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from llvmlite.binding import get_host_cpu_features
from numpy.typing import NDArray

from simglove_spark.config import TrainConfig
from simglove_spark.kernels import rows as kernels
from simglove_spark.kernels.simd import padded_size

GRAM_SLICE = 8  # rows of G that one thread sums at a time


def _reads_float16() -> bool:
    """Whether the processor that numba compiles for turns float16 into float32 by itself."""
    if numba.config.CPU_NAME == "generic":
        return False
    return platform.machine() in ("aarch64", "arm64") or bool(get_host_cpu_features().get("f16c"))


#: What other words' rows read; where float16 (kept as uint16) costs a call, they read float32
TABLE = np.uint16 if _reads_float16() else np.float32


def padded(size: int, dim: int, kind: type) -> np.ndarray:
    """Zeros[size, D], D the next multiple of eight. Not by `np.zeros`, which leaves huge pages alone."""
    matrix: np.ndarray = np.empty((size, padded_size(dim)), kind)
    matrix[:] = 0
    return matrix


class Side:
    """Vectors of all words in one role.

    Attributes
    ----------
    padded : float32[V, D]
        The vectors, with zeros up to a multiple of eight.
    table : uint16[V, D]
        The same as float16, for the other words' rows to read; float32 where the processor has no float16.
    gram : float64[D + 1, D]
        G = sum_j a_j v_j v_j^T, then s = sum_j a_j v_j.
    """

    def __init__(self, vectors: NDArray[np.float32], activities: NDArray[np.float32]) -> None:
        size, self.dim = vectors.shape
        self.padded = padded(size, self.dim, np.float32)
        self.padded[:, : self.dim] = vectors
        self.table = padded(size, self.dim, TABLE)
        self.activities = activities
        self.gram = np.zeros((self.padded.shape[1] + 1, self.padded.shape[1]))
        self.inverses = np.zeros((kernels.LEVELS, *self.gram[:-1].shape), np.float32)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The vectors without padding, float32[V, dim]: a view."""
        return self.padded[:, : self.dim]

    def set(self, vectors: NDArray[np.float32]) -> None:
        """Take other vectors, padded or not, float32[V, dim or D]."""
        self.padded[:, : vectors.shape[1]] = vectors
        self._fill_table()

    def _fill_table(self) -> None:
        every = np.arange(len(self.padded), dtype=np.int32)
        kernels.put_rows(every, self.padded, self.padded, self.table)

    def rebuild(self, pool: ThreadPoolExecutor) -> None:
        """Make table and sums from the vectors."""
        self._fill_table()
        self.gram[:] = 0
        self._add_gram(pool, self.padded, self.activities, 1.0)

    def put(
        self, pool: ThreadPoolExecutor, words: NDArray[np.int32], rows: NDArray[np.float32], with_gram: bool
    ) -> None:
        """Replace the vectors of some words, and bring table and, if wanted, sums up to date."""
        if with_gram:
            self._add_gram(pool, self.padded[words], self.activities[words], -1.0)
            self._add_gram(pool, rows, self.activities[words], 1.0)
        kernels.put_rows(words, rows, self.padded, self.table)

    def precondition(self, pool: ThreadPoolExecutor, ridge: float) -> None:
        """Make the inverses of the present G."""

        def invert(level: int) -> None:
            g = 2.0 ** (kernels.SPACING * (level - kernels.UNIT_LEVEL))
            kernels.invert(self.gram, self.dim, g, ridge, self.inverses[level])

        _all(pool, invert, range(kernels.LEVELS))

    def common(self, activities: NDArray[np.float32]) -> kernels.Common:
        """What rows of words with these activities need to know of this side, as it is now."""
        gram = self.gram.astype(np.float32)
        return kernels.Common(gram[:-1], gram[-1], self.inverses, activities)

    def _add_gram(
        self, pool: ThreadPoolExecutor, rows: NDArray[np.float32], activities: NDArray[np.float32], sign: float
    ) -> None:
        def add(first: int) -> None:
            last = min(first + GRAM_SLICE, len(self.gram))
            kernels.add_gram(self.gram, first, last, rows, activities, sign)

        _all(pool, add, range(0, len(self.gram), GRAM_SLICE))
        kernels.mirror(self.gram)


def start_vectors(counts: NDArray[np.int64], config: TrainConfig, divisor: float) -> list[NDArray[np.float32]]:
    """Vectors float32[V, dim], uniform in +-0.5/divisor; in two spaces those of the contexts too.

    Words that the corpus lacks (count 0) get zeros, and nothing will move them.
    """
    made = []
    for seed in ([config.seed, 0], [config.seed, 0, 7])[: config.spaces]:
        vectors = np.random.default_rng(seed).random((counts.size, config.dim), np.float32)
        vectors -= np.float32(0.5)
        vectors /= np.float32(divisor)
        vectors[counts == 0] = 0
        made.append(vectors)
    return made


def _all(pool: ThreadPoolExecutor, work: Callable[[int], None], parts: Iterable[int]) -> None:
    list(pool.map(work, parts))


def all_pairs_loss(side: Side, other: Side, m0: float) -> float:
    """sum a_i a_j (<v_i, c_j> - m0)^2 over all ordered pairs, i != j when the two sides are one."""
    activities = side.activities.astype(np.float64)
    gram, pull = side.gram[:-1], side.gram[-1]
    every = (gram * other.gram[:-1]).sum() - 2 * m0 * (pull * other.gram[-1]).sum() + m0**2 * activities.sum() ** 2
    if side is not other:
        return float(every)
    return float(every - (activities**2 * (squares(side) - m0) ** 2).sum())


def squares(side: Side) -> NDArray[np.float64]:
    """|v_i|^2 of each vector, float64[V]."""
    return np.einsum("ij,ij->i", side.vectors, side.vectors, dtype=np.float64)
