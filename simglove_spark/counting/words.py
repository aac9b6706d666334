"""The stage corpus -> word_counts, vocabulary."""

from pathlib import Path

from simglove_spark import forecast, occurrence, vocabulary
from simglove_spark.config import CorpusConfig, VocabularyConfig, content_config
from simglove_spark.corpus import list_inputs
from simglove_spark.counting.context import Context, Files, bad_files_of, check_bytes, slots_and_memory, without
from simglove_spark.counting.snapshots import with_snapshots
from simglove_spark.errors import InputError
from simglove_spark.forecast import Forecast
from simglove_spark.manifest import Manifest, new_manifest
from simglove_spark.output import building
from simglove_spark.runs.there import joined_words_are_counted, options_of_words, words_are_counted
from simglove_spark.sampling import text_bytes
from simglove_spark.schemas import word_counts_schema
from simglove_spark.session import local_slots, watched
from simglove_spark.sources import read_corpus
from simglove_spark.storage.tables import reached_by_workers
from simglove_spark.table_files import commit
from simglove_spark.word_lists import read_lists


def count_words(corpus: CorpusConfig, config: VocabularyConfig, output: Path, context: Context) -> Manifest:
    """Count words into output/word_counts and choose output/vocabulary.

    Returns
    -------
    Manifest
        Of the vocabulary.

    Raises
    ------
    ConfigError
        When something else is at ``output``, or two options or lists contradict each other.
    InputError
        When the corpus or a list of words is missing, empty, broken or not UTF-8, or no word is left.
    ResourceError
        When memory or disk cannot suffice.
    """
    tables = [(name, output / name) for name in ("word_counts", "vocabulary")]
    with context.progress.stage("count-words", corpus=corpus.input, writes=tables):
        return _count_and_choose(corpus, config, output, context)


def _count_and_choose(corpus: CorpusConfig, config: VocabularyConfig, output: Path, context: Context) -> Manifest:
    listed = list_inputs(corpus)
    folder, overwrite = output / "word_counts", context.run.overwrite
    lists = read_lists(config, content_config(corpus))  # what is wrong with them is told before anything is counted
    if not words_are_counted(corpus, config, listed, output, overwrite):
        with building(folder, overwrite) as staging:
            bad = bad_files_of(listed, corpus, context)
            reach = reached_by_workers(staging, folder)
            _count_words(corpus, config, (listed, bad), reach, context).save(staging)
    return vocabulary.choose_into(output, config, lists, overwrite, context.progress)


def count_joined(corpus: CorpusConfig, words: Manifest, phrases: Path, output: Path, context: Context) -> None:
    """Count the words of a vocabulary's input anew with phrases joined, into output/word_counts, unless that is done.

    What was left out for the vocabulary is left out again.
    """
    folder, overwrite, config = output / "word_counts", context.run.overwrite, VocabularyConfig()
    joined = phrases, Manifest.load(phrases, "phrases")
    if not joined_words_are_counted(corpus, words, joined[1], output, overwrite):
        with building(folder, overwrite) as staging:
            reach, found = reached_by_workers(staging, folder), (words.listed, words.bad_files)
            _count_words(corpus, config, found, reach, context, joined).save(staging)


def expected_words(corpus: CorpusConfig, inputs: Files, context: Context) -> Forecast:
    """What counting the words of these files will take."""
    size = text_bytes(inputs, corpus.column)
    return forecast.forecast_words(size, len(inputs), *slots_and_memory(context), corpus.tokenizer)


def _count_words(
    corpus: CorpusConfig,
    config: VocabularyConfig,
    found: tuple[Files, Files],
    staging: Path,
    context: Context,
    joined: tuple[Path, Manifest] | None = None,
) -> Manifest:
    """``found``: all files, and those to leave out; ``joined``: phrases."""
    listed, bad = found
    inputs = without(bad, listed, context.progress)
    expected = expected_words(corpus, inputs, context)
    context.progress.note(expected.sentence)
    rooms = context.refuse_what_cannot_fit(expected, staging.parent)
    with context.progress.task("count words", unit="tasks") as task:
        spark = context.session()
        with watched(spark, "count words", task, rooms):
            inputs = with_snapshots(spark, inputs)
            sources = read_corpus(spark, inputs, corpus, local_slots(context.spark), whole_rows=config.documents)
            shards, table = occurrence.shards_for(inputs), joined and (str(joined[0]), joined[1].content_sha256)
            counts = occurrence.count_words(sources, shards, context.worker_memory, config.documents, table)
            report = occurrence.write_word_counts(counts, str(staging), shards, config.documents).collect()
    files, total_words, counters = commit(staging, report)
    check_bytes(corpus, counters, context.progress)
    if total_words == 0:
        raise InputError(
            f"corpus must hold words; got none in {counters.get('rows', 0):,} rows ({inputs[0]['path']}). "
            "Check --input, --column and --where."
        )
    context.progress.event("words counted", words=total_words, distinct=sum(f.rows for f in files), **counters)
    details = {"total_words": total_words, "counters": counters}
    made = {"inputs": inputs, "bad_files": bad, "parents": [joined[1].as_parent()] if joined else []}
    return new_manifest(
        "word_counts",
        word_counts_schema(config.documents),
        files,
        options_of_words(corpus, config),
        details=details,
        **made,
    )
