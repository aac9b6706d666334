"""The stage that trains: complete vocabulary and pair tables in, a complete vectors table out; no Spark."""

from pathlib import Path

from simglove_spark.config import RunConfig, TrainConfig, content_config
from simglove_spark.manifest import Manifest
from simglove_spark.output import check_writable, is_complete
from simglove_spark.progress import Progress
from simglove_spark.vectors import Vectors

TIMED = ("seconds", "cells_per_second", "memory")  # of a pass: not the same each time


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
    if vectors_are_trained(vocabulary, pairs, output, config, run.overwrite):
        return Manifest.load(output, "vectors")
    from simglove_spark.trainer import train  # numba is only needed now

    check_writable(output)  # before the work, not after it
    trained = train(vocabulary, pairs, config, run, progress, output)
    vectors = Vectors(trained.words.to_pylist(), trained.vectors, trained.counts)
    timeless = [{k: v for k, v in r.items() if k not in TIMED} for r in trained.passes]
    return vectors.save(
        output,
        config=content_config(config),
        parents=trained.parents,
        seed=config.seed,
        details={"passes": timeless},
        overwrite=run.overwrite,
    )


def vectors_are_trained(vocabulary: Path, pairs: Path, output: Path, config: TrainConfig, overwrite: bool) -> bool:
    """Whether the vectors table ``output`` is there already (errors as in `output.is_complete`)."""
    parents = [Manifest.load(vocabulary, "vocabulary").as_parent(), Manifest.load(pairs, "pairs").as_parent()]
    return is_complete(output, "vectors", content_config(config), [], parents, overwrite)
