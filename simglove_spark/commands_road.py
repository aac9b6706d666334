"""Commands that walk the road: all of it, or training alone."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

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
from simglove_spark.option_checks import Output
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
) -> None:
    """The whole road on this machine: count words and pairs, train, save.

    The output folder holds the tables word_counts, vocabulary, pairs and vectors, and run.json. Stages whose tables are there
    already are not run again.
    """
    del file
    from simglove_spark.run import Road, walk  # brings numba, which other commands do without

    folder = path_of(output)
    road = Road(corpus, vocabulary, pairs, training, resources, spark)
    progress = observed(observe)
    options = resolved(corpus, vocabulary, pairs, training, resources, spark)
    walk(folder, road, "run", options, progress.run_id, progress)
    print(f"Vectors are in {folder / 'vectors'}. Try: simglove similar WORD --vectors {folder / 'vectors'}")


def train(
    *,
    vocabulary: Annotated[str, Parameter(help="Folder of a vocabulary table.")],
    pairs: Annotated[str, Parameter(help="Folder of a pair table counted under that vocabulary.")],
    output: Output,
    training: TrainConfig = TrainConfig(),
    resources: RunConfig = RunConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Learn vectors from pair counts; writes one vectors table. Needs no Spark and no Java."""
    del file
    from simglove_spark.training import train_vectors

    folder = path_of(output)
    train_vectors(path_of(vocabulary), path_of(pairs), folder, training, resources, observed(observe))
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
