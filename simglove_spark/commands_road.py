"""Commands that walk the road: demo, run, and its stages one by one."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from simglove_spark.config import (
    CorpusConfig,
    FileConfig,
    PairsConfig,
    RunConfig,
    SparkConfig,
    TrainConfig,
    VocabularyConfig,
)
from simglove_spark.java import java_home
from simglove_spark.output import local_path
from simglove_spark.progress import make_progress, new_run_id
from simglove_spark.saved_config import save_config

Output = Annotated[str, Parameter(help="Folder to write into.")]


def run(
    corpus: CorpusConfig,
    *,
    output: Output,
    vocabulary: VocabularyConfig = VocabularyConfig(),
    pairs: PairsConfig = PairsConfig(),
    training: TrainConfig = TrainConfig(),
    resources: RunConfig = RunConfig(),
    spark: SparkConfig = SparkConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """The whole road on this machine: count words and pairs, train, save.

    The output folder holds the tables word_counts, vocabulary, pairs and vectors, and run.json. Stages whose tables are there
    already are not run again.
    """
    del file
    from simglove_spark.run import Road, walk  # brings numba, which other commands do without

    folder = local_path(output)
    road = Road(corpus, vocabulary, pairs, training, resources, spark)
    run_id = new_run_id()
    options = resolved(corpus, vocabulary, pairs, training, resources, spark)
    walk(folder, road, "run", options, run_id, make_progress(run_id=run_id))
    print(f"Vectors are in {folder / 'vectors'}. Try: simglove similar WORD --vectors {folder / 'vectors'}")


def count_words(
    corpus: CorpusConfig,
    *,
    output: Output,
    vocabulary: VocabularyConfig = VocabularyConfig(),
    resources: RunConfig = RunConfig(),
    spark: SparkConfig = SparkConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Count words; writes the tables word_counts and vocabulary into the output folder."""
    del file
    from simglove_spark import counting

    folder = local_path(output)
    context = counting.Context(make_progress(), resources, spark, "count-words")
    manifest = counting.count_words(corpus, vocabulary, folder, context)
    save_config(folder / "count-words.yaml", resolved(corpus, vocabulary, resources, spark), output=output)
    print(f"{manifest.rows:,} words are in {folder / 'vocabulary'}.")


def count_pairs(
    corpus: CorpusConfig,
    *,
    vocabulary: Annotated[str, Parameter(help="Folder of a vocabulary table.")],
    output: Output,
    pairs: PairsConfig = PairsConfig(),
    resources: RunConfig = RunConfig(),
    spark: SparkConfig = SparkConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Count windowed pairs of vocabulary words; writes one pair table."""
    del file
    from simglove_spark import counting

    folder = local_path(output)
    context = counting.Context(make_progress(), resources, spark, "count-pairs")
    manifest = counting.count_pairs(corpus, pairs, local_path(vocabulary), folder, context)
    save_config(_beside(folder), resolved(corpus, pairs, resources, spark), vocabulary=vocabulary, output=output)
    print(f"{manifest.rows:,} cells are in {folder}.")


def merge_words(
    *,
    parts: Annotated[
        tuple[str, ...], Parameter(help="Folders of word_counts tables.", consume_multiple=True, negative="")
    ],
    output: Output,
    vocabulary: VocabularyConfig = VocabularyConfig(),
    resources: RunConfig = RunConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Make word counts of several inputs one table, as if counted at once, and choose its vocabulary. Needs no Spark."""
    del file
    from simglove_spark import merging

    folder = local_path(output)
    manifest = merging.merge_words([local_path(part) for part in parts], vocabulary, folder, resources, make_progress())
    save_config(folder / "merge-words.yaml", resolved(vocabulary, resources), parts=list(parts), output=output)
    print(f"{manifest.rows:,} words are in {folder / 'vocabulary'}.")


def merge_pairs(
    *,
    parts: Annotated[tuple[str, ...], Parameter(help="Folders of pair tables.", consume_multiple=True, negative="")],
    vocabulary: Annotated[str, Parameter(help="Folder of the vocabulary they were counted under.")],
    output: Output,
    resources: RunConfig = RunConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Make pair tables of several inputs, counted under one vocabulary, one table, as if counted at once. Needs no Spark."""
    del file
    from simglove_spark import merging

    folder, words = local_path(output), local_path(vocabulary)
    manifest = merging.merge_pairs([local_path(part) for part in parts], words, folder, resources, make_progress())
    options = resolved(resources)
    save_config(_beside(folder), options, parts=list(parts), vocabulary=vocabulary, output=output)
    print(f"{manifest.rows:,} cells are in {folder}.")


def train(
    *,
    vocabulary: Annotated[str, Parameter(help="Folder of a vocabulary table.")],
    pairs: Annotated[str, Parameter(help="Folder of a pair table counted under that vocabulary.")],
    output: Output,
    training: TrainConfig = TrainConfig(),
    resources: RunConfig = RunConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Learn vectors from pair counts; writes one vectors table. Needs no Spark and no Java."""
    del file
    from simglove_spark.training import train_vectors

    folder = local_path(output)
    train_vectors(local_path(vocabulary), local_path(pairs), folder, training, resources, make_progress())
    save_config(_beside(folder), resolved(training, resources), vocabulary=vocabulary, pairs=pairs, output=output)
    print(f"Vectors are in {folder}. Try: simglove similar WORD --vectors {folder}")


def print_java_home() -> None:
    """Print the Java that Spark is started with, for spark-submit: export JAVA_HOME=$(simglove java-home)."""
    print(java_home())


def print_jobs() -> None:
    """Print the folder of the spark-submit jobs: spark-submit $(simglove jobs)/count_words.py ..."""
    here = Path(__file__).parent
    print(here / "jobs" if (here / "jobs").is_dir() else here.parent / "jobs")


def resolved(*configs: Any) -> dict[str, Any]:
    """Resolved options by their names on the command line."""
    return {key: value for config in configs for key, value in asdict(config).items()}


def _beside(folder: Path) -> Path:
    """Where a table's resolved configuration is saved: beside its folder."""
    return folder.parent / f"{folder.name}.yaml"


COMMANDS = {
    "run": run,
    "count-words": count_words,
    "count-pairs": count_pairs,
    "merge-words": merge_words,
    "merge-pairs": merge_pairs,
    "train": train,
    "java-home": print_java_home,
    "jobs": print_jobs,
}
