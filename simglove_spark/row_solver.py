"""The row solver's sweeps: rows in random order, in blocks that are solved at once from the vectors before the block.

The bytes of the result do not depend on the number of threads: a block's rows do not see each other, each is solved by
one serial kernel call, and G and s are summed entry by entry in a fixed order.
"""

import itertools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simglove_spark.config import TrainConfig
from simglove_spark.custom_loss import Reweighing, load_loss
from simglove_spark.errors import DivergedError
from simglove_spark.kernels import rows as kernels
from simglove_spark.shards import Rows, Shard
from simglove_spark.sides import Side, all_pairs_loss, padded, squares, start_vectors
from simglove_spark.vectors_table import first_not_finite

# Rows of a block move at once, from each other's old vectors: in one space that overshoots when they are a large part of all,
# and without all pairs, which hold vectors back, sooner
ROWS_PER_BLOCK, ROWS_WITHOUT_ALL_PAIRS, LEAST_BLOCKS = 1024, 256, 64
STEPS, STEPS_TO_THE_END = 2, 20  # of conjugate gradients
CELLS_PER_CHUNK = 1 << 14
PRECONDITIONERS_PER_SWEEP = 8  # G changes little once the first sweep is over


class RowSolver:
    """Vectors in one space, or in two, and their sweeps.

    Parameters
    ----------
    counts : int64[V]
        Occurrences n_i.
    config : TrainConfig
    threads : int

    Attributes
    ----------
    sides : tuple of Side
        The words' vectors; in two spaces also those of the contexts.
    seen : bool[V]
        Words that the corpus has. The others take no part: they weigh nothing in any sum and stay as they start.
    """

    name = "sweep"

    def __init__(self, counts: NDArray[np.int64], config: TrainConfig, threads: int) -> None:
        self.config, self.threads = config, threads
        self.reweighing = Reweighing(load_loss(config.loss), config.loss) if config.loss else None
        self.l2, self.shards_done, self.loss_so_far = config.l2, 0, 0.0
        self.seen = counts > 0
        most = ROWS_PER_BLOCK if config.all_pairs_weight > 0 else ROWS_WITHOUT_ALL_PAIRS
        self.rows_per_block = min(most, max(1, int(self.seen.sum()) // LEAST_BLOCKS))
        # without all pairs G is only the preconditioner, for which a context's share of the cells is best
        power = config.all_pairs_power if config.all_pairs_weight > 0 else 1.0
        activities = (counts[self.seen] / counts[self.seen].mean()) ** power
        self.activities = np.zeros(counts.size, np.float32)
        self.activities[self.seen] = activities / activities.mean()
        starts = start_vectors(counts, config, config.dim**0.5)
        self.sides = tuple(Side(vectors, self.activities) for vectors in starts)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Vectors of the words, float32[V, dim]."""
        return self.sides[0].vectors

    @property
    def other_vectors(self) -> NDArray[np.float32]:
        """Vectors of the words as contexts: in one space the same."""
        return self.sides[-1].vectors

    @property
    def scored(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Rows whose inner products are predictions: of words, and of contexts."""
        return self.sides[0].padded, self.sides[-1].padded

    def run(self, number: int, shards: Iterable[tuple[int, Shard]], num_shards: int) -> float:
        """Make one sweep over ``num_shards`` shards, or what is left of it after a stop between two of them.

        Returns
        -------
        loss : float
            Sum of f (<v_i, c_j> - pmi_ij)^2 over the cells, each as it stood when its block began.

        Raises
        ------
        DivergedError
            When a component is no longer finite; names sweep, shard and word.
        """
        every = -(-num_shards // PRECONDITIONERS_PER_SWEEP)
        with ThreadPoolExecutor(self.threads, thread_name_prefix="row-solver") as pool:
            if self.shards_done == 0:
                self.loss_so_far = 0.0
                for side in self.sides:
                    side.rebuild(pool)
            for shard, decoded in shards:
                if self.shards_done % every == 0:
                    for side in self.sides:
                        side.precondition(pool, self.l2)
                self.loss_so_far += self._solve_shard(pool, number, shard, decoded.rows)
                self.shards_done += 1
        self.shards_done = 0
        return self.loss_so_far

    def solve_only(self, wanted: NDArray[np.bool_], shards: Iterable[tuple[int, Shard]]) -> None:
        """Solve the rows of the words ``wanted`` (bool[V]) to the end, each from all vectors as they are before."""
        with ThreadPoolExecutor(self.threads, thread_name_prefix="row-solver") as pool:
            side = self.sides[0]
            side.rebuild(pool)
            side.precondition(pool, self.l2)
            solved, options = np.zeros_like(side.padded), self._options(STEPS_TO_THE_END)
            for shard, decoded in shards:
                rows = np.flatnonzero(wanted[decoded.rows.words])
                for first in range(0, rows.size, ROWS_PER_BLOCK):
                    block = rows[first : first + ROWS_PER_BLOCK]
                    words, new, _ = self._solved(pool, decoded.rows, block, 0, f"start, shard {shard}", options)
                    solved[words] = new
            words = np.arange(wanted.size, dtype=np.int32)[wanted]
            side.put(pool, words, solved[words], with_gram=False)

    def _solve_shard(self, pool: ThreadPoolExecutor, number: int, shard: int, rows: Rows) -> float:
        losses, options = [], self._options(STEPS)
        for place in range(len(self.sides)):
            seed = [self.config.seed, 2 + 10 * place, number, shard]
            own = np.flatnonzero(self.seen[rows.words])
            order = own[np.random.default_rng(seed).permutation(own.size)]
            blocks = (order[first : first + self.rows_per_block] for first in range(0, order.size, self.rows_per_block))
            where = f"sweep {number}, shard {shard}"
            losses.append(sum(self._solve_block(pool, rows, np.sort(block), place, where, options) for block in blocks))
        return losses[0]

    def _solve_block(
        self,
        pool: ThreadPoolExecutor,
        rows: Rows,
        block: NDArray[np.intp],
        place: int,
        where: str,
        options: kernels.Options,
    ) -> float:
        words, solved, loss = self._solved(pool, rows, block, place, where, options)
        self.sides[place].put(pool, words, solved, self.config.all_pairs_weight > 0)
        return loss

    def _solved(
        self,
        pool: ThreadPoolExecutor,
        rows: Rows,
        block: NDArray[np.intp],
        place: int,
        where: str,
        options: kernels.Options,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], float]:
        """Words of a block, their new vectors, and the loss before."""
        side, other = self.sides[place], self.sides[place - 1]
        words, bounds = rows.words[block], rows.bounds[block]
        solved = padded(words.size, self.config.dim, np.float32)
        common = other.common(self.activities)

        def solve(chunk: slice) -> float:
            own, ends, cells, loss = words[chunk], bounds[chunk], rows.cells, None
            if self.reweighing is not None:
                loss, ends, cells = self.reweighing.rows(own, ends, cells, other.table, side.padded)
            met = kernels.solve_rows(own, ends, cells, other.table, side.padded, common, options, solved[chunk])
            return met if loss is None else loss

        loss = float(sum(pool.map(solve, _chunks(bounds))))
        unlucky = first_not_finite(solved)
        if unlucky is not None or not np.isfinite(loss):
            bad = int(words[unlucky or 0])  # with finite vectors, some row of the block has an infinite loss
            raise DivergedError(
                f"vectors must be finite; got NaN or infinity for word_id {bad} ({where}). "
                f"Raise --l2 (now {self.l2}) or lower --all-pairs-weight (now {self.config.all_pairs_weight}).",
                (bad,),
            )
        return words, solved, loss

    def _options(self, steps: int) -> kernels.Options:
        config, activity = self.config, self.activities.sum(dtype=np.float64)
        own = 1.0 if len(self.sides) == 1 else 0.0
        floats = (config.all_pairs_weight, config.all_pairs_pmi, self.l2, activity, own)
        w0, m0, ridge, total, share = map(np.float32, floats)
        return kernels.Options(w0, m0, ridge, total, share, steps)

    def all_pairs_loss(self) -> float:
        """The all-pairs term with the ridge: w0 sum a_i a_j (<v_i, c_j> - m0)^2 + lambda sum (|v_i|^2 + |c_i|^2)."""
        first, last = self.sides[0], self.sides[-1]
        ridge = self.l2 * (squares(first).sum() + squares(last).sum())
        return self.config.all_pairs_weight * all_pairs_loss(first, last, self.config.all_pairs_pmi) + float(ridge)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the sweeps to come depend on; between two shards of a sweep, what is left of it too."""
        arrays: dict[str, NDArray[Any]] = {
            "l2": np.array(self.l2),
            "shards_done": np.array(self.shards_done),
            "loss_so_far": np.array(self.loss_so_far),
        }
        for place, side in enumerate(self.sides):
            arrays[f"vectors_{place}"] = side.padded
            if self.shards_done:
                arrays |= {f"gram_{place}": side.gram, f"inverses_{place}": side.inverses}
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go back to a state."""
        self.l2, self.loss_so_far = float(arrays["l2"]), float(arrays["loss_so_far"])
        self.shards_done = int(arrays["shards_done"])
        for place, side in enumerate(self.sides):
            side.set(arrays[f"vectors_{place}"])
            if self.shards_done:
                side.gram[:], side.inverses[:] = arrays[f"gram_{place}"], arrays[f"inverses_{place}"]

    def be_careful(self) -> str:
        """Make divergence less likely; tells how."""
        self.l2 = max(10 * self.l2, 0.1)
        return f"--l2 {self.l2:g}"


def _chunks(bounds: NDArray[np.int64]) -> list[slice]:
    """Rows cut into chunks of about as many cells, by their cells alone; a row counts for a few hundred more."""
    work = np.cumsum(bounds[:, 1] - bounds[:, 0] + 256)
    cuts = np.searchsorted(work, np.arange(CELLS_PER_CHUNK, work[-1], CELLS_PER_CHUNK))
    edges = sorted({0, *cuts.tolist(), len(work)})
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
