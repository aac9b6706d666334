"""The row solver's sweeps: rows in random order, in blocks that are solved at once from the vectors before the block.

The bytes of the result do not depend on the number of threads: a block's rows do not see each other, each is solved by
one serial kernel call, and G and s are summed entry by entry in a fixed order.
"""

import itertools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from simglove_spark.config import TrainConfig
from simglove_spark.errors import DivergedError
from simglove_spark.kernels import rows as kernels
from simglove_spark.shards import Rows, Shard
from simglove_spark.vectors_table import first_not_finite

ROWS_PER_BLOCK = 1024
STEPS = 3
CELLS_PER_CHUNK = 1 << 15
GRAM_SLICE = 16  # rows of G that one thread sums at a time


class RowSolver:
    """Vectors, and the sums over all of them that the all-pairs term needs.

    Parameters
    ----------
    counts : int64[V]
        Occurrences n_i.
    config : TrainConfig
    threads : int
    """

    name = "sweep"

    def __init__(self, counts: NDArray[np.int64], config: TrainConfig, threads: int) -> None:
        self.config, self.threads = config, threads
        size = (counts.size, config.dim)
        self.vectors = np.random.default_rng([config.seed, 0]).random(size, np.float32)
        self.vectors -= np.float32(0.5)
        self.vectors /= np.float32(config.dim**0.5)
        activities = (counts / counts.mean()) ** config.all_pairs_power
        self.activities = (activities / activities.mean()).astype(np.float32)
        self.options = np.array([config.all_pairs_weight, config.all_pairs_pmi, config.l2, STEPS], np.float32)
        self.gram = np.zeros((config.dim + 1, config.dim))

    def run(self, number: int, shards: Iterable[tuple[int, Shard]]) -> float:
        """Make one sweep.

        Returns
        -------
        loss : float
            Sum of f (<v_i, v_j> - pmi_ij)^2 over the cells, each as it stood when its block began.

        Raises
        ------
        DivergedError
            When a component is no longer finite; names sweep, shard and word.
        """
        with ThreadPoolExecutor(self.threads, thread_name_prefix="row-solver") as pool:
            self.gram[:] = 0
            self._add_gram(pool, self.vectors, self.activities, 1.0)
            return sum(self._solve_shard(pool, number, shard, decoded.rows) for shard, decoded in shards)

    def _solve_shard(self, pool: ThreadPoolExecutor, number: int, shard: int, rows: Rows) -> float:
        order = np.random.default_rng([self.config.seed, 2, number, shard]).permutation(rows.words.size)
        loss = 0.0
        for first in range(0, order.size, ROWS_PER_BLOCK):
            block = order[first : first + ROWS_PER_BLOCK]
            words, bounds = rows.words[block], rows.bounds[block]
            solved, block_loss = self._solve_block(pool, words, bounds, rows)
            loss += block_loss
            unlucky = first_not_finite(solved)
            if unlucky is not None or not np.isfinite(block_loss):
                bad = int(words[unlucky or 0])  # with finite vectors, some row of the block has an infinite loss
                raise DivergedError(
                    f"vectors must be finite; got NaN or infinity for word_id {bad} (sweep {number}, shard {shard}). "
                    f"Raise --l2 (now {self.config.l2}) or lower --all-pairs-weight (now {self.config.all_pairs_weight}).",
                    (bad,),
                )
            if self.config.all_pairs_weight > 0:
                self._add_gram(pool, self.vectors[words], self.activities[words], -1.0)
                self._add_gram(pool, solved, self.activities[words], 1.0)
            self.vectors[words] = solved
        return loss

    def _solve_block(
        self, pool: ThreadPoolExecutor, words: NDArray[np.int32], bounds: NDArray[np.int64], rows: Rows
    ) -> tuple[NDArray[np.float32], float]:
        solved = np.empty((words.size, self.config.dim), np.float32)
        gram = self.gram.astype(np.float32)

        def solve(chunk: slice) -> float:
            return kernels.solve_rows(
                words[chunk],
                bounds[chunk],
                rows.contexts,
                rows.weights,
                rows.pmis,
                self.vectors,
                gram,
                self.activities,
                self.options,
                solved[chunk],
            )

        return solved, sum(pool.map(solve, _chunks(bounds)))

    def _add_gram(
        self, pool: ThreadPoolExecutor, vectors: NDArray[np.float32], activities: NDArray[np.float32], sign: float
    ) -> None:
        def add(first: int) -> None:
            last = min(first + GRAM_SLICE, self.config.dim + 1)
            kernels.add_gram(self.gram, first, last, vectors, activities, sign)

        list(pool.map(add, range(0, self.config.dim + 1, GRAM_SLICE)))

    def all_pairs_loss(self) -> float:
        """w0 times the all-pairs term, plus the ridge: w0 sum_{i != j} a_i a_j (<v_i, v_j> - m0)^2 + 2 lambda sum |v_i|^2."""
        vectors, activities = self.vectors, self.activities.astype(np.float64)
        gram, pull = self.gram[:-1], self.gram[-1]
        m0 = self.config.all_pairs_pmi
        squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
        every = (gram * gram).sum() - 2 * m0 * (pull * pull).sum() + m0**2 * activities.sum() ** 2
        diagonal = (activities**2 * (squares - m0) ** 2).sum()
        return self.config.all_pairs_weight * (every - diagonal) + 2 * self.config.l2 * squares.sum()


def _chunks(bounds: NDArray[np.int64]) -> list[slice]:
    """Rows cut into chunks of about as many cells, by their cells alone; a row counts for a few hundred more."""
    work = np.cumsum(bounds[:, 1] - bounds[:, 0] + 256)
    cuts = np.searchsorted(work, np.arange(CELLS_PER_CHUNK, work[-1], CELLS_PER_CHUNK))
    edges = sorted({0, *cuts.tolist(), len(work)})
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
