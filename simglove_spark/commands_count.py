"""Commands that count: words, phrases and pairs of a corpus, and tables of parts made one."""

from typing import Annotated

from cyclopts import Parameter

from simglove_spark.commands_runs import tell_plan
from simglove_spark.config import (
    BuildConfig,
    CorpusConfig,
    FileConfig,
    ObserveConfig,
    PairsConfig,
    PhrasesConfig,
    RunConfig,
    SparkConfig,
    VocabularyConfig,
)
from simglove_spark.manifest import Manifest
from simglove_spark.observing.observed import observed
from simglove_spark.option_checks import DryRun, Output, wholes
from simglove_spark.runs.stages import Counting
from simglove_spark.saved_config import beside, resolved, save_config
from simglove_spark.storage.paths import path_of

Weights = Annotated[
    tuple[int, ...],
    Parameter(
        help="How often each part counts, a whole number for each: 2 for twice, -1 to take it away. By default once.",
        converter=wholes,
        consume_multiple=True,
        negative="",
        show_default=False,
    ),
]


def count_words(
    corpus: CorpusConfig,
    *,
    output: Output,
    vocabulary: VocabularyConfig = VocabularyConfig(),
    resources: RunConfig = RunConfig(),
    spark: SparkConfig = SparkConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
    dry_run: DryRun = False,
) -> None:
    """Count words; writes the tables word_counts and vocabulary into the output folder."""
    del file
    from simglove_spark import counting

    folder = path_of(output)
    if dry_run:
        plan = Counting(corpus, resources, spark)
        plan.words(vocabulary, folder)
        tell_plan(plan.plan)
        return
    context = counting.Context(observed(observe), resources, spark, "count-words")
    manifest = counting.count_words(corpus, vocabulary, folder, context)
    save_config(folder / "count-words.yaml", resolved(corpus, vocabulary, resources, spark), output=output)
    print(f"{manifest.rows:,} words are in {folder / 'vocabulary'}.")


def phrases(
    corpus: CorpusConfig,
    *,
    words: Annotated[str, Parameter(help="Folder that count-words wrote; or phrases, to join what it joined further.")],
    output: Output,
    which: PhrasesConfig = PhrasesConfig(),
    resources: RunConfig = RunConfig(),
    spark: SparkConfig = SparkConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
    dry_run: DryRun = False,
) -> None:
    """Find neighbours to join; writes the tables phrases, word_counts and a vocabulary under which pairs are counted joined."""
    del file
    from simglove_spark import counting

    folder = path_of(output)
    if dry_run:
        plan = Counting(corpus, resources, spark)
        plan.phrases(which, path_of(words), folder)
        tell_plan(plan.plan)
        return
    context = counting.Context(observed(observe), resources, spark, "phrases")
    manifest = counting.find_phrases(corpus, which, path_of(words), folder, context)
    save_config(folder / "phrases.yaml", resolved(corpus, which, resources, spark), words=words, output=output)
    found = Manifest.load(folder / "phrases", "phrases")
    print(f"{found.rows:,} phrases are in {folder / 'phrases'}, {manifest.rows:,} words in {folder / 'vocabulary'}.")


def count_pairs(
    corpus: CorpusConfig,
    *,
    vocabulary: Annotated[str, Parameter(help="Folder of a vocabulary table.")],
    output: Output,
    pairs: PairsConfig = PairsConfig(),
    resources: RunConfig = RunConfig(),
    spark: SparkConfig = SparkConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
    dry_run: DryRun = False,
) -> None:
    """Count windowed pairs of vocabulary words; writes one pair table."""
    del file
    from simglove_spark import counting

    folder = path_of(output)
    if dry_run:
        plan = Counting(corpus, resources, spark)
        plan.pairs(pairs, path_of(vocabulary), folder)
        tell_plan(plan.plan)
        return
    context = counting.Context(observed(observe), resources, spark, "count-pairs")
    manifest = counting.count_pairs(corpus, pairs, path_of(vocabulary), folder, context)
    save_config(beside(folder), resolved(corpus, pairs, resources, spark), vocabulary=vocabulary, output=output)
    print(f"{manifest.rows:,} cells are in {folder}.")


def merge_words(
    *,
    parts: Annotated[
        tuple[str, ...], Parameter(help="Folders of word_counts tables.", consume_multiple=True, negative="")
    ],
    output: Output,
    weights: Weights = (),
    vocabulary: VocabularyConfig = VocabularyConfig(),
    resources: BuildConfig = BuildConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Make word counts of several inputs one table, as if counted at once, and choose its vocabulary. Needs no Spark."""
    del file
    from simglove_spark import merging

    folder = path_of(output)
    folders = [path_of(part) for part in parts]
    manifest = merging.merge_words(folders, vocabulary, folder, resources, observed(observe), weights)
    options = resolved(vocabulary, resources)
    save_config(folder / "merge-words.yaml", options, parts=list(parts), weights=list(weights), output=output)
    print(f"{manifest.rows:,} words are in {folder / 'vocabulary'}.")


def merge_pairs(
    *,
    parts: Annotated[tuple[str, ...], Parameter(help="Folders of pair tables.", consume_multiple=True, negative="")],
    vocabulary: Annotated[str, Parameter(help="Folder of the vocabulary they were counted under.")],
    output: Output,
    weights: Weights = (),
    resources: BuildConfig = BuildConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Make pair tables of several inputs, counted under one vocabulary, one table, as if counted at once. Needs no Spark."""
    del file
    from simglove_spark import merging

    folder, words = path_of(output), path_of(vocabulary)
    folders = [path_of(part) for part in parts]
    manifest = merging.merge_pairs(folders, words, folder, resources, observed(observe), weights)
    given = {"parts": list(parts), "weights": list(weights), "vocabulary": vocabulary, "output": output}
    save_config(beside(folder), resolved(resources), **given)
    print(f"{manifest.rows:,} cells are in {folder}.")


COMMANDS = {
    "count-words": count_words,
    "phrases": phrases,
    "count-pairs": count_pairs,
    "merge-words": merge_words,
    "merge-pairs": merge_pairs,
}
