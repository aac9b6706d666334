"""Which tables are there already, made from the same inputs with the same options: what needs no work, and no Spark to know it.

Each answers as `output.is_complete` does, and refuses what stands in the way.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from simglove_spark.config import (
    CorpusConfig,
    PairsConfig,
    PhrasesConfig,
    TrainConfig,
    VocabularyConfig,
    content_config,
)
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.merge_parts import without_weight
from simglove_spark.output import is_complete
from simglove_spark.phrase_table import phrase_files
from simglove_spark.training_inputs import parents_of

Files = list[dict[str, Any]]


def options_of_words(corpus: CorpusConfig, config: VocabularyConfig) -> dict[str, Any]:
    """What decides the content of word_counts."""
    return content_config(corpus) | ({"documents": True} if config.documents else {})


def options_of_lists(config: VocabularyConfig, corpus: CorpusConfig) -> dict[str, Any]:
    """What decides which words are kept, with the lists told by their checksums (errors as of `word_lists.read_lists`)."""
    if config.vocabulary is None and config.deny_list is None:
        return asdict(config)
    from simglove_spark.word_lists import read_lists  # with numba, which nobody else needs here

    return read_lists(config, content_config(corpus)).options


def words_are_counted(
    corpus: CorpusConfig, config: VocabularyConfig, listed: Files, output: Path, overwrite: bool
) -> bool:
    """Whether output/word_counts is there already."""
    return is_complete(output / "word_counts", "word_counts", options_of_words(corpus, config), listed, [], overwrite)


def joined_words_are_counted(
    corpus: CorpusConfig, words: Manifest, phrases: Manifest, output: Path, overwrite: bool
) -> bool:
    """Whether output/word_counts is there already, of the input of ``words`` with ``phrases`` joined."""
    options = options_of_words(corpus, VocabularyConfig())
    return is_complete(output / "word_counts", "word_counts", options, words.listed, [phrases.as_parent()], overwrite)


def words_are_chosen(output: Path, options: dict[str, Any], overwrite: bool) -> bool:
    """Whether output/vocabulary is there already, chosen by these options from the complete output/word_counts."""
    counts = Manifest.load(output / "word_counts", "word_counts")
    every = {**counts.config, **options}
    return is_complete(
        output / "vocabulary", "vocabulary", every, counts.listed, parents_of_vocabulary(counts), overwrite
    )


def parents_of_vocabulary(counts: Manifest) -> list[dict[str, str]]:
    """What a vocabulary chosen from these word counts is made from."""
    return [counts.as_parent(), *counts.parents]


def phrases_are_found(
    corpus: CorpusConfig, config: PhrasesConfig, words: Manifest, output: Path, overwrite: bool
) -> bool:
    """Whether output/phrases is there already, found under the vocabulary ``words``."""
    options = content_config(corpus, config)
    return is_complete(output / "phrases", "phrases", options, words.listed, [words.as_parent()], overwrite)


def pairs_are_counted(
    corpus: CorpusConfig, config: PairsConfig, listed: Files, words: Manifest, output: Path, overwrite: bool
) -> bool:
    """Whether the pair table ``output`` is there already, counted under the vocabulary ``words``."""
    return is_complete(output, "pairs", content_config(corpus, config), listed, [words.as_parent()], overwrite)


def vectors_are_trained(vocabulary: Path, pairs: Path, output: Path, config: TrainConfig, overwrite: bool) -> bool:
    """Whether the vectors table ``output`` is there already."""
    parents = parents_of(vocabulary, pairs, config)
    return is_complete(output, "vectors", content_config(config), [], parents, overwrite)


def check_corpus(corpus: CorpusConfig, listed: Files, words: Manifest, vocabulary_folder: Path) -> None:
    """Refuse a corpus that is read in another way than for the vocabulary, or that is no part of its input.

    Raises
    ------
    ConfigError
    InputError
    """
    for name in ("lowercase", "normalize", "tokenizer", "document_break", "column", "where", "on_bad_file"):
        if words.config.get(name) != getattr(corpus, name):
            raise ConfigError(
                f"--{name.replace('_', '-')} must be as the vocabulary was counted; got {getattr(corpus, name)} ({vocabulary_folder}). "
                "Give the same option to both stages."
            )
    known = {entry["path"]: without_weight(entry) for entry in words.listed}
    others = [entry for entry in listed if known.get(entry["path"]) != entry]
    if others:  # fewer are a part, for `merging.merge_pairs`
        raise InputError(
            f"vocabulary must be counted from the same input, unchanged since; got one of {_names(words.inputs)} "
            f"({vocabulary_folder}). Count the words of {_names(others)} first."
        )


def check_pairs_asked(
    corpus: CorpusConfig, config: PairsConfig, listed: Files, words: Manifest, vocabulary_folder: Path
) -> None:
    """Refuse what cannot be counted under a vocabulary (errors as of `counting.count_pairs`)."""
    check_corpus(corpus, listed, words, vocabulary_folder)
    if config.subsample is not None and phrase_files(words):
        raise ConfigError(
            f"--subsample must be left out where phrases are joined; got {config.subsample:g} ({vocabulary_folder}). "
            "Leave it out, or give a vocabulary without phrases."
        )


def _names(inputs: Files) -> str:
    more = f" and {len(inputs) - 1} more" if len(inputs) > 1 else ""
    return f"{inputs[0]['path']}{more}" if inputs else "nothing"
