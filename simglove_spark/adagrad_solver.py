"""AdaGrad's epochs: cells mixed in buffers that are filled from many shards at once.

With one thread the bytes are the same each time; more threads step on each other's vectors now and then, as in the
published tool. When shards do not fit the memory, buffers are filled from as many as do, so memory then changes the order.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simglove_spark.config import TrainConfig
from simglove_spark.errors import DivergedError
from simglove_spark.kernels.adagrad import ALL_DONE, adagrad_cells
from simglove_spark.shards import Rows, Shard
from simglove_spark.vectors_table import first_not_finite

CELLS_PER_BUFFER = 1 << 20


class Cells(NamedTuple):
    """Single cells: words and contexts int32[n], weights and pmis float32[n]."""

    words: NDArray[np.int32]
    contexts: NDArray[np.int32]
    weights: NDArray[np.float32]
    pmis: NDArray[np.float32]


class AdagradSolver:
    """Vectors and the squares of all slopes so far.

    Parameters
    ----------
    counts : int64[V]
    config : TrainConfig
    threads : int
    group : int
        Shards that are mixed at once.
    keep : bool
        Whether their permuted cells stay in memory.
    """

    name = "epoch"

    def __init__(self, counts: NDArray[np.int64], config: TrainConfig, threads: int, group: int, keep: bool) -> None:
        self.config, self.threads, self.group, self.keep = config, threads, group, keep
        size = (counts.size, config.dim)
        self.vectors = np.random.default_rng([config.seed, 0]).random(size, np.float32)
        self.vectors -= np.float32(0.5)
        self.vectors /= np.float32(config.dim)
        self.squares = np.ones(size, np.float32)
        self._mixed: dict[int, Cells] = {}

    def run(self, number: int, shards: Iterable[tuple[int, Shard]]) -> float:
        """Make one epoch.

        Returns
        -------
        loss : float
            Sum of f (<v_i, v_j> - pmi_ij)^2 over the cells, each as met.

        Raises
        ------
        DivergedError
            When an error is no longer finite; names epoch and word.
        """
        stream, loss = iter(shards), np.zeros((self.threads, 1))
        with ThreadPoolExecutor(self.threads, thread_name_prefix="adagrad") as pool:
            while group := [self._mix(shard, decoded.rows) for shard, decoded in islice(stream, self.group)]:
                for buffer in self._buffers(number, group):
                    self._step(pool, number, buffer, loss)
        bad = first_not_finite(self.vectors)
        if bad is not None:
            raise self._diverged(number, "vectors", bad)
        return float(loss.sum())

    def _diverged(self, number: int, what: str, *word_ids: int) -> DivergedError:
        where = " and ".join(str(word_id) for word_id in word_ids)
        return DivergedError(
            f"{what} must be finite; got NaN or infinity for word_id {where} (epoch {number}). "
            f"Lower --learning-rate (now {self.config.learning_rate}).",
            word_ids,
        )

    def _mix(self, shard: int, rows: Rows) -> Cells:
        if shard in self._mixed:
            return self._mixed[shard]
        order = np.random.default_rng([self.config.seed, 2, shard]).permutation(rows.cells)
        cells = Cells(rows.word_of_cells()[order], rows.contexts[order], rows.weights[order], rows.pmis[order])
        if self.keep:
            self._mixed[shard] = cells
        return cells

    def _buffers(self, number: int, group: list[Cells]) -> Iterator[Cells]:
        """Each buffer takes an equal slice of every shard."""
        total = sum(cells.words.size for cells in group)
        buffers = -(-total // CELLS_PER_BUFFER)
        for buffer in np.random.default_rng([self.config.seed, 3, number]).permutation(buffers):
            parts = [_slice(cells, int(buffer), buffers) for cells in group]
            yield Cells(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _step(self, pool: ThreadPoolExecutor, number: int, cells: Cells, loss: NDArray[np.float64]) -> None:
        rng = np.random.default_rng([self.config.seed, 4, number, int(cells.words[0]), cells.words.size])
        orders = np.array_split(rng.permutation(cells.words.size).astype(np.int32), self.threads)

        def step(thread: int) -> int:
            rate = np.float32(self.config.learning_rate)
            return int(adagrad_cells(orders[thread], *cells, self.vectors, self.squares, rate, loss[thread]))

        for bad in pool.map(step, range(self.threads)):
            if bad != ALL_DONE:
                raise self._diverged(number, "errors", int(cells.words[bad]), int(cells.contexts[bad]))


def _slice(cells: Cells, part: int, parts: int) -> Cells:
    size = cells.words.size
    chosen = slice(part * size // parts, (part + 1) * size // parts)
    return Cells(cells.words[chosen], cells.contexts[chosen], cells.weights[chosen], cells.pmis[chosen])
