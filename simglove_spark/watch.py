"""What is told of each pass: losses over the cells trained on and those held out, speed and memory."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from simglove_spark.adagrad_solver import AdagradSolver
from simglove_spark.config import TrainConfig
from simglove_spark.errors import ConfigError, DivergedError
from simglove_spark.kernels.rows import loss_of_rows, squares_at_zero
from simglove_spark.memory import own_memory
from simglove_spark.row_solver import RowSolver
from simglove_spark.shards import Rows, Shard


class Watch:
    """Sees the shards go by, and makes the record of a pass.

    Parameters
    ----------
    threads : int
    config : TrainConfig

    Attributes
    ----------
    cells : int
        Cells that have gone by.
    """

    def __init__(self, threads: int, config: TrainConfig) -> None:
        self.threads, self.config, self.cells = threads, config, 0
        self._held_out: dict[int, Rows] = {}
        self._weights: dict[int, float] = {}
        self._squares: dict[int, float] = {}

    def see(self, shard: int, decoded: Shard) -> None:
        """Keep a shard's held-out cells and the sum of its weights."""
        self.cells += decoded.rows.size
        if shard not in self._weights:
            self._held_out[shard] = decoded.held_out
            self._weights[shard] = float(decoded.rows.weights.sum(dtype=np.float64))
            self._squares[shard] = squares_at_zero(decoded.rows.weights, decoded.rows.pmis)

    def loss_at_zero(self) -> float:
        """Weighted mean of the squared pmis: the loss of vectors that are all zero."""
        return sum(self._squares.values()) / sum(self._weights.values())

    def explosion(self, solver: RowSolver | AdagradSolver, loss: float) -> DivergedError:
        """The error of a pass whose loss is finite and senseless; the word is the one with the longest vector."""
        word = int(np.argmax(np.einsum("ij,ij->i", solver.vectors, solver.vectors)))
        hint = "Raise --l2." if isinstance(solver, RowSolver) else "Lower --learning-rate."
        return DivergedError(
            f"loss must stay near that of zero vectors, {self.loss_at_zero():.3g}; got {loss:.3g}, the longest vector for "
            f"word_id {word}. {hint}",
            (word,),
        )

    def record(self, solver: RowSolver | AdagradSolver, number: int, loss: float, seconds: float) -> dict[str, Any]:
        """What one pass came to; losses are means over the cells' weights, in nats squared."""
        record: dict[str, Any] = {solver.name: number}
        weight = sum(self._weights[shard] for shard in sorted(self._weights))
        if weight == 0:
            raise ConfigError(
                f"weights must not all be 0; got --held-out {self.config.held_out}, --alpha {self.config.alpha} and "
                f"--x-max {self.config.x_max}. Lower --held-out, --alpha or --x-max."
            )
        record["loss"] = loss / weight
        if self.config.held_out > 0:
            record |= self._held_out_losses(solver)
        if isinstance(solver, RowSolver) and self.config.all_pairs_weight > 0:
            record["all_pairs_loss"] = (
                solver.all_pairs_loss() / self.config.all_pairs_weight / np.count_nonzero(solver.seen) ** 2
            )
        record |= {"seconds": seconds, "cells_per_second": self.cells / seconds, "memory": own_memory()}
        self.cells = 0
        return record

    def _held_out_losses(self, solver: RowSolver | AdagradSolver) -> dict[str, float]:
        """Weighted means of squared errors over the held-out pairs: of the vectors, and of the guess pmi = 0."""
        parts = [self._held_out[shard] for shard in sorted(self._held_out)]
        weight = sum(float(part.weights.sum(dtype=np.float64)) for part in parts)
        if weight == 0:
            return {}
        baseline = sum(squares_at_zero(part.weights, part.pmis) for part in parts)
        vectors, others = solver.scored
        with ThreadPoolExecutor(self.threads) as pool:
            losses = pool.map(lambda part: loss_of_rows(part.words, part.bounds, part.cells, vectors, others), parts)
            return {"held_out_loss": sum(losses) / weight, "held_out_baseline": baseline / weight}


def monitored(record: dict[str, Any]) -> float:
    """The loss by which an early stop is decided: of the held-out pairs when there are any."""
    return float(record.get("held_out_loss", record["loss"]))


def latest(passes: list[dict[str, Any]]) -> dict[str, Any]:
    """What the live line shows of the last pass made: its losses and the memory."""
    return {key: passes[-1][key] for key in ("loss", "held_out_loss", "memory") if key in passes[-1]} if passes else {}


def has_converged(passes: list[dict[str, Any]], tolerance: float | None, patience: int) -> bool:
    """Whether each of the last ``patience`` passes lowered the best loss before it by less than the share ``tolerance``."""
    if tolerance is None or len(passes) <= patience:
        return False
    losses = [monitored(record) for record in passes]
    return all(
        losses[number] > min(losses[:number]) * (1 - tolerance) for number in range(len(losses) - patience, len(losses))
    )
