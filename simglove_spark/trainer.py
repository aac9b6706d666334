"""The one training loop: passes of a solver over the shards, with a state to go back to after each.

In: a complete vocabulary and a complete pair table. Out: vectors, and a record of each pass. No Spark, no JVM.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simglove_spark import effective_counts, forecast
from simglove_spark.adagrad_solver import AdagradSolver
from simglove_spark.checkpoint import Checkpoints
from simglove_spark.config import BuildConfig, RunConfig, TrainConfig
from simglove_spark.errors import ConfigError, DivergedError, InputError, StoppedError
from simglove_spark.forecast import Forecast
from simglove_spark.manifest import Manifest
from simglove_spark.memory import cores, free_memory, parse_size, parse_time
from simglove_spark.pmi import Weighing
from simglove_spark.progress import Progress, Task
from simglove_spark.row_solver import RowSolver
from simglove_spark.shards import PairShards, Shard, held_files
from simglove_spark.stopping import Stopping
from simglove_spark.storage.tables import scratch_of
from simglove_spark.training_inputs import check_pairs, load_vocabulary, parents_of
from simglove_spark.warm_start import start_from
from simglove_spark.watch import Watch, has_converged, latest
from simglove_spark.watched_words import WatchedWords

SHARE_OF_FREE_MEMORY = 0.7
HUGE = 1e3  # times the loss of vectors that are all zero: finite, but not training any more


@dataclass
class Trained:
    """Words with their counts int64[V], the solver with their vectors, and a record of each pass."""

    words: pa.Array
    counts: NDArray[np.int64]
    solver: RowSolver | AdagradSolver
    parents: list[dict[str, str]]
    passes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The words' vectors, float32[V, dim]."""
        return self.solver.vectors


def train(
    vocabulary: Path,
    pairs: Path,
    config: TrainConfig,
    run: RunConfig,
    progress: Progress,
    output: Path | None = None,
) -> Trained:
    """Learn vectors whose inner product is the pmi of two words.

    Parameters
    ----------
    vocabulary, pairs : Path
        Folders of complete tables; the pairs must have been counted under this vocabulary.
    config : TrainConfig
    run : RunConfig
    progress : Progress
    output : Path, optional
        Where the vectors will go. Checkpoints are kept beside it, and found there when training was stopped before.

    Raises
    ------
    InputError
        When a table is missing, broken, or the vocabulary is another one.
    ConfigError
        When the preset contradicts how the pairs were counted.
    ResourceError
        When the vectors do not fit into the memory or onto the disk.
    DivergedError
        When a NaN or an infinite value turns up, and again after a second try from the last good pass.
    StoppedError
        When a signal came or the time is over; the same call goes on from there.
    """
    table = load_vocabulary(vocabulary)
    manifest = check_pairs(pairs, vocabulary, config)
    counts = table["count"].to_numpy()
    threads = run.threads or cores()
    expected = expected_training(pairs, manifest, counts.size, config, run)
    progress.note(expected.sentence)
    if output is not None:
        forecast.refuse_what_cannot_fit(expected, scratch_of(output), local=False)
    effective = effective_counts.read(pairs, manifest, counts.size)
    weighing = Weighing.of(manifest, counts if effective is None else effective, config)
    shards = PairShards(pairs, weighing, counts.size, config.held_out, config.seed, expected.room)
    solver: RowSolver | AdagradSolver
    if config.solver == "rows":
        solver = RowSolver(counts, config, threads)
    else:
        group = len(shards) if expected.fits else expected.readers
        solver = AdagradSolver(counts, config, threads, group, keep=expected.fits)
    parents = parents_of(vocabulary, pairs, config)
    trained = Trained(table["word"].combine_chunks(), counts, solver, parents)
    checkpoints = None if output is None else checkpoints_of(output, config, parents)
    if checkpoints is not None and run.overwrite:
        checkpoints.remove_states()
    _Loop(trained, shards, config, run, progress, checkpoints, expected.readers).go()
    return trained


def expected_training(folder: Path, pairs: Manifest, words: int, config: TrainConfig, run: RunConfig) -> Forecast:
    """What training on the pairs of a folder will take (errors as of `forecast.forecast_training`)."""
    largest = max((entry.rows for entry in pairs.files), default=0)
    threads = run.threads or cores()
    memory = memory_budget(run) - held_files(folder, pairs, threads)
    return forecast.forecast_training(pairs.rows, words, config, threads, memory, largest)


def checkpoints_of(output: Path, config: TrainConfig, parents: list[dict[str, str]]) -> Checkpoints:
    """The states of training these tables so."""
    return Checkpoints(output, {"config": _identity(config), "parents": parents})


def _identity(config: TrainConfig) -> dict[str, Any]:
    """Options that decide the bytes of a pass; more passes may be asked for when the first are done."""
    others = ("sweeps", "epochs", "tolerance", "patience", "hand_out", "preset")
    return {k: v for k, v in asdict(config).items() if k not in others}


class _Loop:
    """Passes one after another, from wherever a checkpoint left off."""

    def __init__(
        self,
        trained: Trained,
        shards: PairShards,
        config: TrainConfig,
        run: RunConfig,
        progress: Progress,
        checkpoints: Checkpoints | None,
        readers: int,
    ) -> None:
        self.trained, self.solver, self.shards = trained, trained.solver, shards
        self.config, self.progress, self.checkpoints = config, progress, checkpoints
        self.readers, self.watch = readers, Watch(self.solver.threads, config)
        self.watched = WatchedWords(run.watch, trained.words, progress)
        self.stopping = Stopping(None if run.max_runtime is None else parse_time(run.max_runtime, "max-runtime"))
        if isinstance(self.solver, AdagradSolver):
            self.solver.between_buffers = self.stopping.check
        self.gone_on = False
        self.setting: str | None = None  # of the second try, when there was one
        self.good: tuple[dict[str, Any], dict[str, NDArray[Any]]] | None = None

    def go(self) -> None:
        """Make the passes that are left."""
        self._begin()
        try:
            self._passes()
        except (InputError, ConfigError, DivergedError):
            if self.checkpoints is not None and not self.gone_on and not self.trained.passes:
                self.checkpoints.remove_states()  # of the start alone: nothing is gained by it
            raise

    def _passes(self) -> None:
        config, cells = self.config, self.shards.manifest.rows
        with self.stopping.listening(), self.progress.task("train", config.passes * cells, "cells") as task:
            task.advance(len(self.trained.passes) * cells)
            while not self._is_over(self.trained.passes):
                self._pass(len(self.trained.passes) + 1, task)

    def _is_over(self, passes: list[dict[str, Any]]) -> bool:
        config = self.config
        return len(passes) >= config.passes or has_converged(passes, config.tolerance, config.patience)

    def _begin(self) -> None:
        found = None if self.checkpoints is None else self.checkpoints.load()
        if found is not None and self._is_beyond(*found):
            self.progress.note("The checkpoint is beyond what is asked for now: training begins anew.")
            found = None
        if found is not None:
            self._restore(*found)
            self.gone_on = True
            number, of, name = len(self.trained.passes), self.config.passes, self.solver.name
            self.progress.note(f"Going on from a checkpoint: {number} of {of} {name}s are done.")
            return
        if self.config.start_from is not None:
            start_from(self.config.start_from, self.trained.words, self.solver, self.shards, self.progress)
        self._keep()

    def _is_beyond(self, told: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bool:
        """Whether an uninterrupted training with these options would have ended before this state."""
        passes, within = told["passes"], int(arrays.get("shards_done", np.array(0))) > 0
        ended_before = any(self._is_over(passes[:number]) for number in range(1, len(passes)))
        return ended_before or (within and self._is_over(passes))

    def _pass(self, number: int, task: Task) -> None:
        told = {self.solver.name: number, "of": self.config.passes}
        task.tell(**told, **latest(self.trained.passes))
        order = order_of_shards(self.config.seed, number, len(self.shards))
        done = self.solver.shards_done
        for shard, decoded in self.shards.stream(order[:done], self.readers):
            self.watch.see(shard, decoded)
        self.watch.cells, began = 0, time.perf_counter()
        try:
            loss = self.solver.run(number, self._stream(order[done:], task), len(order))
        except StoppedError as stop:
            raise self._stopped(stop, number) from stop
        except DivergedError as error:
            self._diverged(error)
            return
        record = self.watch.record(self.solver, number, loss, time.perf_counter() - began)
        if not record["loss"] <= HUGE * self.watch.loss_at_zero():
            self._diverged(self.watch.explosion(self.solver, record["loss"]))
            return
        if self.setting is not None:
            record["setting"] = self.setting
        self.trained.passes.append(record)
        self._keep()
        left = (self.config.passes - number) * record["seconds"]
        self.progress.event(self.solver.name, **{**told, **record}, eta_seconds=round(left, 1))
        self.watched.tell(self.solver.vectors, **told)

    def _stream(self, order: list[int], task: Task) -> Iterator[tuple[int, Shard]]:
        one_by_one = isinstance(self.solver, RowSolver)
        for shard, decoded in self.shards.stream(order, self.readers, reuse=one_by_one):
            self.watch.see(shard, decoded)
            yield shard, decoded
            task.advance(decoded.rows.size + 2 * decoded.held_out.size)
            self.stopping.check()  # after a shard, so that each start gets on by one

    def _stopped(self, stop: StoppedError, number: int) -> StoppedError:
        where = f"{self.solver.name} {number} of {self.config.passes}"
        kept = (
            "The same command goes on from the checkpoint." if self.checkpoints else "Nothing is kept without output."
        )
        if isinstance(self.solver, RowSolver):
            self._keep()
        else:
            kept += " The epoch itself begins again."
        return StoppedError(f"stopped in {where}: {stop} {kept}")

    def _diverged(self, error: DivergedError) -> None:
        """Go back to the last good state, and try once more with a more careful setting."""
        names = ", ".join(repr(self.trained.words[word_id].as_py()) for word_id in error.word_ids)
        error = DivergedError(f"{error} The word is {names}.", error.word_ids)
        good = self.good if self.checkpoints is None else self.checkpoints.load()
        if self.setting is not None or good is None:
            raise error
        self._restore(*good)
        self.setting = self.solver.be_careful()
        self.progress.event("retry", error=str(error), **{"from": len(self.trained.passes), "setting": self.setting})

    def _keep(self) -> None:
        """Keep the present state: on disk, or without an output in memory."""
        told: dict[str, Any] = {"passes": list(self.trained.passes), "setting": self.setting}
        arrays = self.solver.state()
        if self.checkpoints is None:
            self.good = told, {name: array.copy() for name, array in arrays.items()}
        else:
            self.checkpoints.save(told, arrays)

    def _restore(self, told: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        self.trained.passes[:], self.setting = told["passes"], told["setting"]
        self.solver.restore(arrays)


def memory_budget(run: BuildConfig) -> int:
    """Bytes that may be taken outside Spark."""
    return int(SHARE_OF_FREE_MEMORY * free_memory()) if run.memory == "auto" else parse_size(run.memory, "memory")


def order_of_shards(seed: int, number: int, num_shards: int) -> list[int]:
    """Order of the shards in a pass."""
    return np.random.default_rng([seed, 1, number]).permutation(num_shards).tolist()
