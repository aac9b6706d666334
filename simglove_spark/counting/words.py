"""The stage corpus -> word_counts, vocabulary."""

from pathlib import Path
from typing import Any

from simglove_spark import forecast, vocabulary
from simglove_spark.config import CorpusConfig, VocabularyConfig, content_config
from simglove_spark.corpus import list_inputs, total_bytes
from simglove_spark.counting.context import Context, check_bytes, slots_and_memory
from simglove_spark.errors import InputError
from simglove_spark.manifest import Manifest, new_manifest
from simglove_spark.output import building, is_complete
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.session import local_slots, watched
from simglove_spark.sources import read_corpus
from simglove_spark.table_files import commit


def count_words(corpus: CorpusConfig, config: VocabularyConfig, output: Path, context: Context) -> Manifest:
    """Count words into output/word_counts and choose output/vocabulary.

    Returns
    -------
    Manifest
        Of the vocabulary.

    Raises
    ------
    ConfigError
        When something else is at ``output``.
    InputError
        When the corpus is missing, empty, broken or not UTF-8, or no word is left.
    ResourceError
        When memory or disk cannot suffice.
    """
    inputs = list_inputs(corpus)
    count_into(output, corpus, inputs, None, context)
    return vocabulary.choose_into(output, config, content_config(corpus, config), context.run.overwrite)


def words_are_counted(
    corpus: CorpusConfig,
    inputs: list[dict[str, Any]],
    output: Path,
    overwrite: bool,
    phrases: Manifest | None = None,
) -> bool:
    """Whether output/word_counts is there already, counted with these phrases joined (errors as in `output.is_complete`)."""
    parents = [phrases.as_parent()] if phrases else []
    return is_complete(output / "word_counts", "word_counts", content_config(corpus), inputs, parents, overwrite)


def count_into(
    output: Path, corpus: CorpusConfig, inputs: list[dict[str, Any]], phrases: Manifest | None, context: Context
) -> None:
    """Count words into output/word_counts, with those of output/phrases joined if its manifest is given, unless it is done."""
    folder, overwrite = output / "word_counts", context.run.overwrite
    if not words_are_counted(corpus, inputs, output, overwrite, phrases):
        with building(folder, overwrite) as staging:
            _count_words(corpus, inputs, staging, (output / "phrases", phrases), context).save(staging)


def _count_words(
    corpus: CorpusConfig,
    inputs: list[dict[str, Any]],
    staging: Path,
    joined: tuple[Path, Manifest | None],
    context: Context,
) -> Manifest:
    folder, phrases = joined
    table = (str(folder), phrases.content_sha256) if phrases else None
    size = total_bytes(inputs)
    expected = forecast.forecast_words(size, len(inputs), *slots_and_memory(context))
    context.progress.note(expected.sentence)
    forecast.refuse_what_cannot_fit(expected, staging, local_slots(context.spark) is not None)
    with context.progress.task("count words", unit="tasks") as task:
        spark = context.session()
        with watched(spark, "count words", task):
            sources = read_corpus(spark, inputs, corpus, local_slots(context.spark))
            counts = vocabulary.count_words(sources, vocabulary.shards_for(inputs), context.worker_memory, table)
            report = vocabulary.write_word_counts(counts, str(staging)).collect()
    files, total_words, counters = commit(staging, report)
    check_bytes(corpus, counters, context.progress)
    if total_words == 0:
        raise InputError(
            f"corpus must hold words; got none in {counters['rows']:,} rows ({inputs[0]['path']}). "
            "Check --input, --column and --where."
        )
    context.progress.event("words counted", words=total_words, distinct=sum(f.rows for f in files), **counters)
    details = {"total_words": total_words, "counters": counters}
    parents = [phrases.as_parent()] if phrases else []
    return new_manifest(
        "word_counts", WORD_COUNTS, files, content_config(corpus), inputs=inputs, parents=parents, details=details
    )
