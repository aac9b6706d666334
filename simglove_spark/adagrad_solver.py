"""AdaGrad's epochs: cells mixed in buffers that are filled from many shards at once.

With one thread the bytes are the same each time; more threads step on each other's vectors now and then, as in the
published tool. When shards do not fit the memory, buffers are filled from as many as do, so memory then changes the order.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simglove_spark.config import TrainConfig
from simglove_spark.custom_loss import load_loss
from simglove_spark.errors import DivergedError
from simglove_spark.kernels.adagrad import ALL_DONE, adagrad_cells, adagrad_squares
from simglove_spark.shards import Rows, Shard
from simglove_spark.sides import padded, start_vectors
from simglove_spark.vectors_table import first_not_finite

CELLS_PER_BUFFER = 1 << 20
UNMOVED = np.float32(1e30)  # squares so large that a step is nothing to float32; infinity is none for an estimated root


class Mixed(NamedTuple):
    """Single cells: words and contexts int32[n] as rows of the solver's matrix, weights and pmis float32[n]."""

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

    Attributes
    ----------
    matrix, squares : float32[V or 2 V, D]
        In two spaces the contexts' rows follow the words'. GloVe's biases stand in two more components, (b, 1) for words and
        (1, b) for contexts, and the ones never move.
    """

    name = "epoch"
    shards_done = 0  # an epoch is made as a whole

    def __init__(self, counts: NDArray[np.int64], config: TrainConfig, threads: int, group: int, keep: bool) -> None:
        self.config, self.threads, self.group, self.keep = config, threads, group, keep
        self.learning_rate = config.learning_rate
        self._loss = load_loss(config.loss) if config.loss else None
        self.size, starts = counts.size, start_vectors(counts, config, config.dim)
        self.matrix = padded(counts.size * len(starts), config.dim + config.biases, np.float32)
        # stanfordnlp/GloVe sums (rate x slope)^2 from 1: the same as slope^2 from 1 / rate^2, and a rate of 1 times what is left
        self._rate_in_squares = config.learning_rate if config.model == "glove" else 1.0
        self.squares = np.full_like(self.matrix, self._rate_in_squares**-2)
        for place, vectors in enumerate(starts):
            rows = slice(place * self.size, (place + 1) * self.size)
            self.matrix[rows, : config.dim] = vectors
            if config.biases:
                bias, one = config.dim + place, config.dim + 1 - place
                self.matrix[rows, bias] = vectors[:, 0][::-1]  # as small as a component
                self.matrix[rows, one], self.squares[rows, one] = 1, UNMOVED
        self._first_context = self.size * (len(starts) - 1)
        self._mixed: dict[int, Mixed] = {}
        self.between_buffers: Callable[[], None] = lambda: None

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Vectors of the words, float32[V, dim]."""
        return self.matrix[: self.size, : self.config.dim]

    @property
    def other_vectors(self) -> NDArray[np.float32]:
        """Vectors of the words as contexts: in one space the same."""
        return self.matrix[-self.size :, : self.config.dim]

    @property
    def scored(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Rows whose inner products are predictions: of words, and of contexts."""
        return self.matrix[: self.size], self.matrix[-self.size :]

    def run(self, number: int, shards: Iterable[tuple[int, Shard]], num_shards: int) -> float:
        """Make one epoch.

        Returns
        -------
        loss : float
            Sum of f (<v_i, c_j> - pmi_ij)^2 over the cells, each as met.

        Raises
        ------
        DivergedError
            When an error is no longer finite; names epoch and word.
        """
        del num_shards
        stream, loss = iter(shards), np.zeros((self.threads, 8))  # a cache line each
        with ThreadPoolExecutor(self.threads, thread_name_prefix="adagrad") as pool:
            while group := [self._mix(shard, decoded.rows) for shard, decoded in islice(stream, self.group)]:
                for buffer in self._buffers(number, group):
                    self.between_buffers()
                    self._step(pool, number, buffer, loss)
                del group  # before the next is read
        bad = first_not_finite(self.matrix)
        if bad is not None:
            raise self._diverged(number, "vectors", bad % self.size)
        return float(loss.sum())

    def _diverged(self, number: int, what: str, *word_ids: int) -> DivergedError:
        where = " and ".join(str(word_id) for word_id in word_ids)
        return DivergedError(
            f"{what} must be finite; got NaN or infinity for word_id {where} (epoch {number}). "
            f"Lower --learning-rate (now {self.learning_rate:g}).",
            word_ids,
        )

    def _mix(self, shard: int, rows: Rows) -> Mixed:
        if shard in self._mixed:
            return self._mixed[shard]
        order = np.random.default_rng([self.config.seed, 2, shard]).permutation(rows.size)
        contexts = rows.contexts[order] + np.int32(self._first_context)
        mixed = Mixed(rows.word_of_cells()[order], contexts, rows.weights[order], rows.pmis[order])
        if self.keep:
            self._mixed[shard] = mixed
        return mixed

    def _buffers(self, number: int, group: list[Mixed]) -> Iterator[Mixed]:
        """Each buffer takes an equal slice of every shard."""
        total = sum(cells.words.size for cells in group)
        buffers = -(-total // CELLS_PER_BUFFER)
        for buffer in np.random.default_rng([self.config.seed, 3, number]).permutation(buffers):
            parts = [_slice(cells, int(buffer), buffers) for cells in group]
            yield Mixed(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _step(self, pool: ThreadPoolExecutor, number: int, cells: Mixed, loss: NDArray[np.float64]) -> None:
        rng = np.random.default_rng([self.config.seed, 4, number, int(cells.words[0]), cells.words.size])
        order = rng.permutation(cells.words.size)
        # so that the kernel reads them one after the other
        cells = Mixed(cells.words[order], cells.contexts[order], cells.weights[order], cells.pmis[order])
        orders = np.array_split(np.arange(cells.words.size, dtype=np.int32), self.threads)
        rate = np.float32(self.learning_rate / self._rate_in_squares)

        def step(thread: int) -> int:
            arrays = (*cells, self.matrix, self.squares, rate, loss[thread])
            if self._loss is None:
                return int(adagrad_squares(orders[thread], *arrays))
            return int(adagrad_cells(orders[thread], *arrays, self._loss))

        for bad in pool.map(step, range(self.threads)):
            if bad != ALL_DONE:
                word, context = int(cells.words[bad]), int(cells.contexts[bad]) - self._first_context
                raise self._diverged(number, "errors", word, context)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the epochs to come depend on."""
        return {"matrix": self.matrix, "squares": self.squares, "learning_rate": np.array(self.learning_rate)}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go back to a state."""
        self.matrix[:], self.squares[:] = arrays["matrix"], arrays["squares"]
        self.learning_rate = float(arrays["learning_rate"])

    def be_careful(self) -> str:
        """Make divergence less likely; tells how."""
        self.learning_rate /= 2
        return f"--learning-rate {self.learning_rate:g}"


def _slice(cells: Mixed, part: int, parts: int) -> Mixed:
    size = cells.words.size
    chosen = slice(part * size // parts, (part + 1) * size // parts)
    return Mixed(cells.words[chosen], cells.contexts[chosen], cells.weights[chosen], cells.pmis[chosen])
