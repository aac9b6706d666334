"""The stage corpus, vocabulary -> pairs."""

import time
from dataclasses import replace
from pathlib import Path

from simglove_spark import cooccurrence, forecast
from simglove_spark.config import CorpusConfig, PairsConfig, content_config
from simglove_spark.corpus import list_inputs, total_bytes
from simglove_spark.counting.context import Context, Files, check_bytes, slots_and_memory, without
from simglove_spark.counting.snapshots import refuse_other_snapshots, with_snapshots
from simglove_spark.disk import Rooms
from simglove_spark.effective_counts import KEPT_WORDS
from simglove_spark.errors import InputError
from simglove_spark.forecast import Forecast
from simglove_spark.manifest import Manifest, checked_path, new_manifest
from simglove_spark.output import building
from simglove_spark.pair_counter import unit_of
from simglove_spark.runs.there import check_pairs_asked, pairs_are_counted
from simglove_spark.sampling import sample_corpus
from simglove_spark.schemas import PAIRS
from simglove_spark.session import local_slots, watched
from simglove_spark.sources import cleaning_of, read_corpus
from simglove_spark.storage.tables import reached_by_workers
from simglove_spark.table_files import commit
from simglove_spark.word_table import WordTable, shared_word_table


def count_pairs(
    corpus: CorpusConfig, config: PairsConfig, vocabulary_folder: Path, output: Path, context: Context
) -> Manifest:
    """Count the pairs of a corpus under a vocabulary into the table ``output``.

    Raises
    ------
    ConfigError
        When the text is read in another way than for the vocabulary, when occurrences are to be dropped where phrases are
        joined, or something else is at ``output``.
    InputError
        When the vocabulary is of another corpus, or the corpus is missing, empty or broken.
    ResourceError
        When memory or disk cannot suffice.
    """
    reads, writes = [("vocabulary", vocabulary_folder)], [("pairs", output)]
    with context.progress.stage("count-pairs", corpus=corpus.input, reads=reads, writes=writes):
        return _count(corpus, config, vocabulary_folder, output, context)


def _count(
    corpus: CorpusConfig, config: PairsConfig, vocabulary_folder: Path, output: Path, context: Context
) -> Manifest:
    listed = list_inputs(corpus)
    words = Manifest.load(vocabulary_folder, "vocabulary")
    check_pairs_asked(corpus, config, listed, words, vocabulary_folder)
    if pairs_are_counted(corpus, config, listed, words, output, context.run.overwrite):
        return Manifest.load(output, "pairs")
    bad = bad_files_among(listed, words)
    inputs = without(bad, listed, context.progress)
    for entry in words.files:
        checked_path(vocabulary_folder, entry)
    table = shared_word_table(str(vocabulary_folder), words.content_sha256)
    expected = expected_pairs(corpus, config, inputs, words, table, context)
    context.progress.note(expected.sentence)
    rooms = context.refuse_what_cannot_fit(expected, output.parent)
    with building(output, context.run.overwrite) as staging:
        reach = reached_by_workers(staging, output)
        counted = _count_pairs(corpus, config, inputs, (vocabulary_folder, words), reach, context, rooms)
        replace(counted, bad_files=bad).save(staging)
    return Manifest.load(output, "pairs")


def bad_files_among(listed: Files, words: Manifest) -> Files:
    """Which of these files were left out for the vocabulary."""
    paths = {entry["path"] for entry in listed}
    return [entry for entry in words.bad_files if entry["path"] in paths]


def _no_pairs(inputs: Files, config: PairsConfig) -> InputError:
    other = "" if config.subsample is None else " or --subsample"
    return InputError(
        f"corpus must hold pairs of vocabulary words; got none ({inputs[0]['path']}). "
        f"Every row has at most one word: check --column, or raise --window-size{other}."
    )


def expected_pairs(
    corpus: CorpusConfig, config: PairsConfig, inputs: Files, words: Manifest, table: WordTable, context: Context
) -> Forecast:
    """What counting the pairs of these files will take, by a sample of them."""
    began = time.perf_counter()
    rows = sample_corpus(inputs, corpus.column, cleaning_of(corpus), corpus.document_break)
    reading = time.perf_counter() - began
    slots, memory = slots_and_memory(context)
    share = total_bytes(inputs) / max(1, total_bytes(words.inputs))
    total_words = round(words.details["total_words"] * (share or 1.0))
    return forecast.forecast_counting(rows, table, total_words, config, slots, memory, reading)


def _count_pairs(
    corpus: CorpusConfig,
    config: PairsConfig,
    inputs: Files,
    words: tuple[Path, Manifest],
    staging: Path,
    context: Context,
    rooms: Rooms,
) -> Manifest:
    folder, parent = words
    total_words = parent.details["total_words"]
    num_shards = cooccurrence.shards_for(config, total_words)
    with context.progress.task("count pairs", unit="tasks") as task:
        spark = context.session()
        with watched(spark, "count pairs", task, rooms):
            inputs = with_snapshots(spark, inputs)
            refuse_other_snapshots(inputs, parent.inputs)
            sources = read_corpus(spark, inputs, corpus, local_slots(context.spark))
            table = (str(folder), parent.content_sha256)
            counted = cooccurrence.count_pairs(sources, table, config, num_shards, context.worker_memory)
            report = cooccurrence.write_pairs(counted, str(staging), num_shards, parent.rows).collect()
    files, total_pairs, counters = commit(staging, report)
    check_bytes(corpus, counters, context.progress)
    if total_pairs == 0 and inputs == parent.inputs:  # a part may have none
        raise _no_pairs(inputs, config)
    if config.subsample is not None:
        total_words = counters.get(KEPT_WORDS, 0)
        context.progress.note(f"--subsample {config.subsample:g} left {total_words:,} occurrences of vocabulary words.")
    details = {
        "window_size": config.window_size,
        "weighting": config.distance_weighting,
        "unit": unit_of(config.window_size, config.distance_weighting),
        "num_shards": num_shards,
        "total_pairs": total_pairs,
        "total_words": total_words,
        "counters": counters,
    }
    cells, size = sum(f.rows for f in files), sum(f.bytes for f in files)
    context.progress.event("pairs counted", cells=cells, bytes=size, **counters)
    return new_manifest(
        "pairs",
        PAIRS,
        files,
        content_config(corpus, config),
        inputs=inputs,
        parents=[parent.as_parent()],
        details=details,
    )
