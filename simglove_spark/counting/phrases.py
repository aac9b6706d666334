"""The stage corpus, word_counts, vocabulary -> phrases, and word_counts and vocabulary with these joined."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from simglove_spark import cooccurrence, forecast, phrases, vocabulary
from simglove_spark.config import CorpusConfig, PairsConfig, PhrasesConfig, VocabularyConfig, content_config
from simglove_spark.corpus import list_inputs
from simglove_spark.counting.context import Context, Files, check_bytes, slots_and_memory, without
from simglove_spark.counting.words import count_joined
from simglove_spark.disk import Rooms
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.forecast import Forecast
from simglove_spark.manifest import Manifest, checked_path, new_manifest
from simglove_spark.output import building
from simglove_spark.runs.there import check_corpus, phrases_are_found
from simglove_spark.sampling import text_bytes
from simglove_spark.schemas import PHRASES
from simglove_spark.session import local_slots, watched
from simglove_spark.sources import read_corpus
from simglove_spark.storage.tables import reached_by_workers
from simglove_spark.table_files import commit, write_file
from simglove_spark.word_lists import read_lists

Words = tuple[Path, Manifest]


def find_phrases(
    corpus: CorpusConfig, config: PhrasesConfig, words_folder: Path, output: Path, context: Context
) -> Manifest:
    """Find phrases into output/phrases and count words with them joined into output/word_counts and output/vocabulary.

    Words are kept in the vocabulary by the rules of the one that is given.

    Parameters
    ----------
    corpus : CorpusConfig
        As the words were counted.
    config : PhrasesConfig
    words_folder : Path
        What `count_words` wrote, or this stage: then phrases of phrases are found, one round more.
    output : Path
        Another folder.
    context : Context

    Returns
    -------
    Manifest
        Of the vocabulary.

    Raises
    ------
    ConfigError
        When the text is read in another way than for the words, these were chosen by documents or lists, or something else
        is at ``output``.
    InputError
        When the words are of another corpus, no pair is a phrase, or the corpus is missing or broken.
    ResourceError
        When memory or disk cannot suffice.
    """
    reads = [(name, words_folder / name) for name in ("word_counts", "vocabulary")]
    writes = [(name, output / name) for name in ("phrases", "word_counts", "vocabulary")]
    with context.progress.stage("phrases", corpus=corpus.input, reads=reads, writes=writes):
        return _find_and_join(corpus, config, words_folder, output, context)


def _find_and_join(
    corpus: CorpusConfig, config: PhrasesConfig, words_folder: Path, output: Path, context: Context
) -> Manifest:
    folder = words_folder / "vocabulary"
    words, overwrite = checked_words(corpus, words_folder, output), context.run.overwrite
    if not phrases_are_found(corpus, config, words, output, overwrite):
        refuse_other_words(output, overwrite)
        for entry in words.files:
            checked_path(folder, entry)
        with building(output / "phrases", overwrite) as staging:
            reach = reached_by_workers(staging, output / "phrases")
            _find(corpus, config, (folder, words), reach, context).save(staging)
    count_joined(corpus, words, output / "phrases", output, context)
    rules = rules_of(words)
    lists = read_lists(rules, content_config(corpus))
    return vocabulary.choose_into(output, rules, lists, overwrite, context.progress)


def rules_of(words: Manifest) -> VocabularyConfig:
    """By which rules the words of a vocabulary were kept."""
    return VocabularyConfig(min_count=words.config["min_count"], max_vocab=words.config["max_vocab"])


def checked_words(corpus: CorpusConfig, words_folder: Path, output: Path) -> Manifest:
    """The vocabulary to find phrases under; refuses one of another corpus, or that counting anew would not choose again."""
    if output.resolve() == words_folder.resolve():
        raise ConfigError(
            f"--output must be another folder than --words; got the same ({output}). Give another --output."
        )
    folder = words_folder / "vocabulary"
    listed, words = list_inputs(corpus), Manifest.load(folder, "vocabulary")
    check_corpus(corpus, listed, words, folder)
    rules = VocabularyConfig()
    for name in ("vocabulary", "deny_list", "min_documents"):
        if words.config.get(name, getattr(rules, name)) != getattr(rules, name):
            raise ConfigError(
                f"--words must be counted without --{name.replace('_', '-')}, which cannot be told of joined words; got words "
                f"counted with it ({folder}). Count them without it."
            )
    if len(listed) < len(words.listed):
        raise InputError(
            f"phrases must be sought in all the vocabulary's input; got {len(listed)} of {len(words.listed)} files "
            f"({folder}). Give the same --input."
        )
    if listed != words.listed:
        raise InputError(
            f"phrases must be sought where each input counts once; got other --weights ({folder}). Merge the words without."
        )
    return words


def refuse_other_words(output: Path, overwrite: bool) -> None:
    """Refuse an output that holds words counted without phrases."""
    for table in ("word_counts", "vocabulary"):
        if not overwrite and (output / table).exists():
            raise ConfigError(
                f"output must be new or hold what phrases wrote; got {table} without phrases ({output}). "
                "Give another --output, or --overwrite to build all anew."
            )


def _find(corpus: CorpusConfig, config: PhrasesConfig, words: Words, staging: Path, context: Context) -> Manifest:
    folder, parent = words
    inputs = without(parent.bad_files, parent.listed, context.progress)
    expected = expected_phrases(corpus, inputs, context)
    context.progress.note(expected.sentence)
    rooms = context.refuse_what_cannot_fit(expected, staging.parent)
    report = _count_neighbours(corpus, config, words, staging, context, rooms)
    files, _, counters = commit(staging, report)
    check_bytes(corpus, counters, context.progress)
    table = phrases.named(staging, files, folder, config.joiner)
    found = sum(entry.rows for entry in files)
    if not found:
        raise InputError(
            f"corpus must hold phrases; got none with --min-count {config.min_count} and --threshold {config.threshold} "
            f"({inputs[0]['path']}). Lower them, or count pairs under {folder}."
        )
    for entry in files:
        (staging / entry.path).unlink()
    files, _, _ = commit(staging, [write_file(staging, "phrases", PHRASES, [table])])
    context.progress.event("phrases found", phrases=found, **counters)
    details = {"rounds": pc.max(table["round"]).as_py(), "counters": counters}
    made = {"inputs": inputs, "bad_files": parent.bad_files, "parents": [parent.as_parent()]}
    return new_manifest("phrases", PHRASES, files, content_config(corpus, config), details=details, **made)


def expected_phrases(corpus: CorpusConfig, inputs: Files, context: Context) -> Forecast:
    """What finding phrases in these files will take."""
    return forecast.forecast_phrases(text_bytes(inputs, corpus.column), *slots_and_memory(context), corpus.tokenizer)


def _count_neighbours(
    corpus: CorpusConfig, config: PhrasesConfig, words: Words, staging: Path, context: Context, rooms: Rooms
) -> list[Any]:
    folder, parent = words
    total_words = parent.details["total_words"]
    num_shards = cooccurrence.shards_for(PairsConfig(), total_words)
    with context.progress.task("find phrases", unit="tasks") as task:
        spark = context.session()
        with watched(spark, "find phrases", task, rooms):
            sources = read_corpus(spark, parent.inputs, corpus, local_slots(context.spark))
            table = (str(folder), parent.content_sha256)
            counted = phrases.count_neighbours(sources, table, num_shards, context.worker_memory)
            found = phrases.write_found(counted, str(staging), num_shards, table, total_words, config)
            return list(found.collect())
