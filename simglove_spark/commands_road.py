"""Commands that walk the road: all of it, or training alone."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from simglove_spark.commands_runs import tell_plan
from simglove_spark.config import (
    CorpusConfig,
    FileConfig,
    ObserveConfig,
    PairsConfig,
    RunConfig,
    SparkConfig,
    TrainConfig,
    VocabularyConfig,
)
from simglove_spark.java import java_home
from simglove_spark.observing.observed import observed
from simglove_spark.option_checks import DryRun, Output
from simglove_spark.publishing.latest import resolved as resolved_vectors
from simglove_spark.saved_config import beside, resolved, save_config
from simglove_spark.storage.paths import path_of


def run(
    corpus: CorpusConfig,
    *,
    output: Output,
    vocabulary: VocabularyConfig = VocabularyConfig(),
    pairs: PairsConfig = PairsConfig(),
    training: TrainConfig = TrainConfig(),
    resources: RunConfig = RunConfig(),
    spark: SparkConfig = SparkConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
    dry_run: DryRun = False,
) -> None:
    """The whole road on this machine: count words and pairs, train, save.

    The output folder holds the tables word_counts, vocabulary, pairs and vectors, and run.json. Stages whose tables are there
    already are not run again.
    """
    del file
    from simglove_spark.run import Road, walk

    folder, training = path_of(output), _from_published(training)
    road = Road(corpus, vocabulary, pairs, training, resources, spark)
    if dry_run:
        from simglove_spark.runs.stages import plan_run

        tell_plan(plan_run(folder, road))
        return
    progress = observed(observe)
    options = resolved(corpus, vocabulary, pairs, training, resources, spark)
    walk(folder, road, "run", options, progress.run_id, progress)
    print(f"Vectors are in {folder / 'vectors'}. Try: simglove similar WORD --vectors {folder / 'vectors'}")


def _from_published(training: TrainConfig) -> TrainConfig:
    """The options, with the very vectors to start from where a published run was named: they may be others tomorrow."""
    if training.start_from is None:
        return training
    return replace(training, start_from=str(resolved_vectors(training.start_from)))


def train(
    *,
    vocabulary: Annotated[str, Parameter(help="Folder of a vocabulary table.")],
    pairs: Annotated[str, Parameter(help="Folder of a pair table counted under that vocabulary.")],
    output: Output,
    training: TrainConfig = TrainConfig(),
    resources: RunConfig = RunConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
    dry_run: DryRun = False,
) -> None:
    """Learn vectors from pair counts; writes one vectors table. Needs no Spark and no Java."""
    del file
    from simglove_spark.training import train_vectors

    training = _from_published(training)
    folder, words, cells = path_of(output), path_of(vocabulary), path_of(pairs)
    if dry_run:
        from simglove_spark.runs.stages import plan_training

        tell_plan(plan_training(words, cells, folder, training, resources))
        return
    train_vectors(words, cells, folder, training, resources, observed(observe))
    save_config(beside(folder), resolved(training, resources), vocabulary=vocabulary, pairs=pairs, output=output)
    print(f"Vectors are in {folder}. Try: simglove similar WORD --vectors {folder}")


def print_java_home() -> None:
    """Print the Java that Spark is started with, for spark-submit: export JAVA_HOME=$(simglove java-home)."""
    print(java_home())


def print_jobs() -> None:
    """Print the folder of the spark-submit jobs: spark-submit $(simglove jobs)/count_words.py ..."""
    here = Path(__file__).parent
    print(here / "jobs" if (here / "jobs").is_dir() else here.parent / "jobs")


COMMANDS = {
    "run": run,
    "train": train,
    "java-home": print_java_home,
    "jobs": print_jobs,
}
