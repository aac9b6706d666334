"""The stage that trains: complete vocabulary and pair tables in, a complete vectors table out; no Spark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simglove_spark.asking.reading import READING, reading_told
from simglove_spark.checkpoint import Checkpoints
from simglove_spark.config import RunConfig, TrainConfig, content_config
from simglove_spark.manifest import Manifest
from simglove_spark.output import check_writable
from simglove_spark.progress import Progress
from simglove_spark.runs.there import vectors_are_trained
from simglove_spark.vectors import Vectors

TIMED = ("seconds", "cells_per_second", "memory")  # of a pass: not the same each time

if TYPE_CHECKING:
    from simglove_spark.adagrad_solver import AdagradSolver
    from simglove_spark.row_solver import RowSolver


def train_vectors(
    vocabulary: Path, pairs: Path, output: Path, config: TrainConfig, run: RunConfig, progress: Progress
) -> Manifest:
    """Train on a pair table and save the vectors; does nothing when they are there already.

    Returns
    -------
    Manifest
        Of the vectors; `details["passes"]` is the record of all passes without times.

    Raises
    ------
    SimgloveError
        As `trainer.train` and `output.is_complete` say.
    """
    reads = [("vocabulary", vocabulary), ("pairs", pairs)]
    with progress.stage("train", reads=reads, writes=[("vectors", output)]):
        return _train_unless_done(vocabulary, pairs, output, config, run, progress)


def _train_unless_done(
    vocabulary: Path, pairs: Path, output: Path, config: TrainConfig, run: RunConfig, progress: Progress
) -> Manifest:
    if vectors_are_trained(vocabulary, pairs, output, config, run.overwrite):
        return Manifest.load(output, "vectors")
    check_writable(output)  # before the work, not after it
    checkpoints = Checkpoints(output, {})
    with checkpoints.locked():
        manifest = _trained_and_saved(vocabulary, pairs, output, config, run, progress)
        checkpoints.remove_states()
    return manifest


def _trained_and_saved(
    vocabulary: Path, pairs: Path, output: Path, config: TrainConfig, run: RunConfig, progress: Progress
) -> Manifest:
    from simglove_spark.trainer import train  # numba is only needed now

    trained = train(vocabulary, pairs, config, run, progress, output)
    matrix, extra = handed_out(trained.solver, config)
    vectors = Vectors(trained.words.to_pylist(), matrix, trained.counts)
    words = Manifest.load(vocabulary, "vocabulary")
    timeless = [{k: v for k, v in record.items() if k not in TIMED} for record in trained.passes]
    return vectors.save(
        output,
        config=content_config(config),
        parents=trained.parents,
        seed=config.seed,
        details={"passes": timeless, READING: reading_told(words.config)},
        overwrite=run.overwrite,
        extra=extra,
    )


def handed_out(
    solver: RowSolver | AdagradSolver, config: TrainConfig
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Matrix float32[V, dim or 2 dim] of the table, and with two spaces the arrays that lie beside it."""
    words, contexts = solver.vectors, solver.other_vectors
    if config.space == "shared":
        return words, {}
    extra = {"words_alone": words, "contexts_alone": contexts}
    if config.model == "glove":
        first, second = solver.scored
        extra["biases"] = np.column_stack([first[:, config.dim], second[:, config.dim + 1]])
    if config.hand_out == "words":
        return words, extra
    return (words + contexts if config.hand_out == "sum" else np.hstack([words, contexts])), extra
