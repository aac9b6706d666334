"""The stage that trains: complete vocabulary and pair tables in, a complete vectors table out; no Spark."""

from pathlib import Path

from simglove_spark.config import RunConfig, TrainConfig, content_config
from simglove_spark.manifest import Manifest
from simglove_spark.output import is_complete
from simglove_spark.progress import Progress
from simglove_spark.vectors import Vectors


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
    parents = [Manifest.load(vocabulary, "vocabulary").as_parent(), Manifest.load(pairs, "pairs").as_parent()]
    options = content_config(config)
    if is_complete(output, "vectors", options, [], parents, run.overwrite):
        return Manifest.load(output, "vectors")
    from simglove_spark.trainer import train  # numba is only needed now

    trained = train(vocabulary, pairs, config, run, progress)
    vectors = Vectors(trained.words.to_pylist(), trained.vectors, trained.counts)
    timeless = [{k: v for k, v in r.items() if k not in TIMED} for r in trained.passes]
    return vectors.save(
        output,
        config=options,
        parents=parents,
        seed=config.seed,
        details={"passes": timeless},
        overwrite=run.overwrite,
    )


TIMED = ("seconds", "cells_per_second", "memory")
