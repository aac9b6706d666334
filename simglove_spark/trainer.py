"""The one training loop: passes of a solver over the shards, and what is told after each.

In: a complete vocabulary and a complete pair table. Out: vectors, and a record of each pass. No Spark, no JVM.
"""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark import forecast
from simglove_spark.adagrad_solver import AdagradSolver
from simglove_spark.config import PRESETS, RunConfig, TrainConfig
from simglove_spark.errors import ConfigError, DivergedError, InputError
from simglove_spark.kernels.rows import loss_of_rows
from simglove_spark.manifest import Manifest, checked_path
from simglove_spark.memory import cores, free_memory, own_memory, parse_size
from simglove_spark.pmi import Weighing
from simglove_spark.progress import Progress, Task
from simglove_spark.row_solver import RowSolver
from simglove_spark.schemas import VOCABULARY, check
from simglove_spark.shards import PairShards, Rows, Shard

SHARE_OF_FREE_MEMORY = 0.7


@dataclass
class Trained:
    """Vectors float32[V, dim] with their words, counts int64[V], and a record of each pass."""

    words: pa.Array
    counts: NDArray[np.int64]
    vectors: NDArray[np.float32]
    parents: list[dict[str, str]]
    passes: list[dict[str, Any]] = field(default_factory=list)


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
        Where the vectors will go, to check first that there is room.

    Raises
    ------
    InputError
        When a table is missing, broken, or the vocabulary is another one.
    ConfigError
        When the preset contradicts how the pairs were counted.
    ResourceError
        When the vectors do not fit into the memory or onto the disk.
    DivergedError
        When a NaN or an infinite value turns up.
    """
    table = load_vocabulary(vocabulary)
    manifest = check_pairs(pairs, vocabulary, config)
    counts = table["count"].to_numpy()
    threads = run.threads or cores()
    expected = forecast.forecast_training(manifest.rows, counts.size, config, threads, memory_budget(run))
    progress.note(expected.sentence)
    if output is not None:
        forecast.refuse_what_cannot_fit(expected, output, local=False)
    shards = _open_shards(pairs, manifest, counts, config, keep=expected.fits)
    solver: RowSolver | AdagradSolver
    if config.solver == "rows":
        solver = RowSolver(counts, config, threads)
    else:
        group = len(shards) if expected.fits else threads
        solver = AdagradSolver(counts, config, threads, group, keep=expected.fits)
    parents = [Manifest.load(vocabulary, "vocabulary").as_parent(), manifest.as_parent()]
    trained = Trained(table["word"].combine_chunks(), counts, solver.vectors, parents)
    watch = _Watch(threads, config)
    with progress.task("train", total=config.passes * manifest.rows, unit="cells") as task:
        for number in range(1, config.passes + 1):
            stream = watch.passing(shards.stream(order_of_shards(config.seed, number, len(shards)), threads), task)
            began = time.perf_counter()
            try:
                loss = solver.run(number, stream)
            except DivergedError as error:
                names = ", ".join(repr(trained.words[word_id].as_py()) for word_id in error.word_ids)
                raise DivergedError(f"{error} The word is {names}.", error.word_ids) from error
            record = watch.record(solver, number, loss, time.perf_counter() - began)
            trained.passes.append(record)
            progress.event(solver.name, **record)
    return trained


def memory_budget(run: RunConfig) -> int:
    """Bytes that the trainer may take."""
    return int(SHARE_OF_FREE_MEMORY * free_memory()) if run.memory == "auto" else parse_size(run.memory, "memory")


def _open_shards(
    pairs: Path, manifest: Manifest, counts: NDArray[np.int64], config: TrainConfig, keep: bool
) -> PairShards:
    weighing = Weighing(
        np.log(counts),
        manifest.details["total_pairs"],
        manifest.details["total_words"],
        manifest.details["unit"],
        config.x_max,
        config.alpha,
    )
    return PairShards(pairs, weighing, counts.size, config.held_out, config.seed, keep)


def order_of_shards(seed: int, number: int, num_shards: int) -> list[int]:
    """Order of the shards in a pass."""
    return np.random.default_rng([seed, 1, number]).permutation(num_shards).tolist()


class _Watch:
    """Sees the shards go by, and makes the record of a pass."""

    def __init__(self, threads: int, config: TrainConfig) -> None:
        self.threads, self.config = threads, config
        self.held_out: dict[int, Rows] = {}
        self.weights: dict[int, float] = {}
        self.cells = 0

    def passing(self, stream: Iterable[tuple[int, Shard]], task: Task) -> Iterator[tuple[int, Shard]]:
        """The same shards; held-out cells and the sums of weights are kept as they pass."""
        self.cells = 0
        for shard, decoded in stream:
            if shard not in self.weights:
                self.held_out[shard] = decoded.held_out
                self.weights[shard] = float(decoded.rows.weights.sum(dtype=np.float64))
            yield shard, decoded
            self.cells += decoded.rows.cells
            task.advance(decoded.rows.cells + 2 * decoded.held_out.cells)

    def record(self, solver: RowSolver | AdagradSolver, number: int, loss: float, seconds: float) -> dict[str, Any]:
        """What one pass came to; losses are means over the cells' weights, in nats squared."""
        record: dict[str, Any] = {solver.name: number, "of": self.config.passes}
        weight = sum(self.weights[shard] for shard in sorted(self.weights))
        if weight == 0:
            raise ConfigError(f"--held-out must leave pairs to train on; got {self.config.held_out}. Use 0.01.")
        record["loss"] = loss / weight
        if self.config.held_out > 0:
            record |= self.held_out_losses(solver.vectors)
        if isinstance(solver, RowSolver) and self.config.all_pairs_weight > 0:
            record["all_pairs_loss"] = (
                solver.all_pairs_loss() / self.config.all_pairs_weight / solver.vectors.shape[0] ** 2
            )
        record |= {"seconds": seconds, "cells_per_second": self.cells / seconds, "memory": own_memory()}
        return record

    def held_out_losses(self, vectors: NDArray[np.float32]) -> dict[str, float]:
        """Weighted means of squared errors over the held-out pairs: of the vectors, and of the guess pmi = 0."""
        parts = [self.held_out[shard] for shard in sorted(self.held_out)]
        weight = sum(float(part.weights.sum(dtype=np.float64)) for part in parts)
        if weight == 0:
            return {}
        baseline = sum(float((part.weights.astype(np.float64) * part.pmis**2).sum()) for part in parts)
        with ThreadPoolExecutor(self.threads) as pool:
            losses = pool.map(
                lambda part: loss_of_rows(part.words, part.bounds, part.contexts, part.weights, part.pmis, vectors),
                parts,
            )
            return {"held_out_loss": sum(losses) / weight, "held_out_baseline": baseline / weight}


def load_vocabulary(folder: Path) -> pa.Table:
    """The vocabulary table of a folder, checked against its manifest.

    Raises
    ------
    InputError
        When it is missing, damaged, or its ids are not dense.
    """
    manifest = Manifest.load(folder, "vocabulary")
    tables = []
    for entry in manifest.files:
        path = checked_path(folder, entry)
        check(pq.read_schema(path), VOCABULARY, path)
        tables.append(pq.read_table(path))
    table = pa.concat_tables(tables)
    if not np.array_equal(table["word_id"].to_numpy(), np.arange(table.num_rows)):
        raise InputError(f"word ids must be 0, 1, 2, ...; got others ({folder}). Count the words again.")
    return table


def check_pairs(pairs: Path, vocabulary: Path, config: TrainConfig) -> Manifest:
    """Manifest of the pair table after checking that it belongs to the vocabulary and to the preset."""
    manifest = Manifest.load(pairs, "pairs")
    words = Manifest.load(vocabulary, "vocabulary")
    if manifest.parent_sha256("vocabulary") != words.content_sha256:
        raise InputError(
            f"vocabulary must be the one the pairs were counted under, {str(manifest.parent_sha256('vocabulary'))[:12]}; "
            f"got {words.content_sha256[:12]} ({vocabulary}). Give the vocabulary of the same run as {pairs}."
        )
    weighting = manifest.details["weighting"]
    expected = PRESETS[config.preset].get("distance_weighting", weighting)
    if weighting != expected:
        raise ConfigError(
            f"--preset {config.preset} must be given {expected} pairs; got {weighting} ones ({pairs}). "
            f"Count the pairs with --distance-weighting {expected}, or use another preset."
        )
    return manifest
