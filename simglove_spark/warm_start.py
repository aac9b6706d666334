"""Starting from earlier vectors: known words keep theirs, new ones get the solution of their own row, given the others."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from simglove_spark.adagrad_solver import AdagradSolver
from simglove_spark.errors import ConfigError
from simglove_spark.progress import Progress
from simglove_spark.row_solver import RowSolver
from simglove_spark.shards import PairShards
from simglove_spark.vectors import Vectors


def start_from(
    folder: str, words: pa.Array, solver: RowSolver | AdagradSolver, shards: PairShards, progress: Progress
) -> None:
    """Replace the solver's start vectors.

    Parameters
    ----------
    folder : str
        A vectors table.
    words : pyarrow.Array
        The vocabulary, in order of word_id.
    solver : RowSolver or AdagradSolver
        In one shared space.
    shards : PairShards
    progress : Progress

    Raises
    ------
    ConfigError
        When the earlier vectors have another dim.
    InputError
        When there are none.
    """
    earlier = Vectors.load(folder)
    dim = earlier.matrix.shape[1]
    if dim != solver.config.dim:
        raise ConfigError(f"--start-from must have {solver.config.dim} dims; got {dim} ({folder}). Use --dim {dim}.")
    ids = np.array([-1 if (found := earlier.words.find(word)) is None else found for word in words.to_pylist()])
    known = ids >= 0
    vectors = np.zeros((ids.size, dim), np.float32)
    vectors[known] = earlier.matrix[ids[known]]
    rows = solver if isinstance(solver, RowSolver) else _row_solver(solver, shards)
    rows.sides[0].set(vectors)
    if not known.all():
        rows.solve_only(~known, ((shard, shards.load(shard)) for shard in range(len(shards))))
    if isinstance(solver, AdagradSolver):
        solver.vectors[:] = rows.vectors
    progress.note(f"Starting from {known.sum():,} earlier vectors; {(~known).sum():,} words are new ({folder}).")


def _row_solver(solver: AdagradSolver, shards: PairShards) -> RowSolver:
    config = replace(solver.config, solver="rows", l2=max(solver.config.l2, 0.1))
    return RowSolver(np.exp(shards.weighing.log_counts), config, solver.threads)
