"""Choosing the vocabulary from counts of words, on the driver."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simglove_spark.config import VocabularyConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import FileEntry, Manifest, checked_path, new_manifest
from simglove_spark.output import building
from simglove_spark.phrase_table import copy_beside
from simglove_spark.progress import Progress
from simglove_spark.runs.there import parents_of_vocabulary, words_are_chosen
from simglove_spark.schemas import VOCABULARY, WORD_COUNTS
from simglove_spark.table_files import commit, read_batches, write_file
from simglove_spark.word_lists import UNLISTED, WordLists, told

MOST_WORDS = 2**31 - 2  # ids are int32

Phrases = tuple[Path, str]  # folder of a complete table that has phrases, and which table it is


def choose_vocabulary(folder: Path, config: VocabularyConfig, lists: WordLists) -> tuple[pa.Table, dict[str, int]]:
    """Words that occur at least ``min_count`` times, in ``min_documents`` rows, at most ``max_vocab`` of them, with dense ids.

    Parameters
    ----------
    folder : Path
        A complete word_counts table.
    config : VocabularyConfig
    lists : WordLists

    Returns
    -------
    words : pyarrow.Table
        word, word_id, count; ordered by count (falling), then by the word's UTF-8 bytes. Own words stand before these with
        the ids given, and with count 0 where the corpus lacks them.
    counters : dict
        Of the lists: corpus words that were `denied`; own words that the corpus lacks (`absent`), and others that were `added`.

    Raises
    ------
    ConfigError
        When there are more own words than ``max_vocab``.
    InputError
        When fewer than two words are left that the corpus has.
    """
    manifest = Manifest.load(folder, "word_counts")
    for entry in manifest.files:
        checked_path(folder, entry)
    own_counts, others, denied, most = _sort_out(folder, manifest.files, config, lists)
    if lists.own is not None:
        others = others.slice(0, _room(own_counts.size, config))
    else:
        others = others.slice(0, config.max_vocab or others.num_rows)
    left = np.count_nonzero(own_counts) + others.num_rows
    if left < 2 and lists.own is not None:
        raise InputError(
            f"--vocabulary must have at least 2 words of the corpus; got {left} ({config.vocabulary}). "
            "Check its words, --lowercase and --normalize."
        )
    if left < 2:
        asked, lower = f"--min-count {config.min_count}", "--min-count"
        if config.documents:
            asked, lower = f"{asked} and --min-documents {config.min_documents}", f"{lower} or --min-documents"
        raise InputError(
            f"vocabulary must have at least 2 words; got {left} with {asked} ({folder}). "
            f"The most frequent word occurs {most:,} times: lower {lower}, or give more text."
        )
    counters = {} if lists.denied is None else {"denied": denied}
    if lists.own is None:
        return with_ids(others), counters
    counters["absent"] = int(np.count_nonzero(own_counts == 0))
    if config.grow:
        counters["added"] = others.num_rows
    own = pa.table([lists.own, own_counts], schema=WORD_COUNTS)
    return with_ids(pa.concat_tables([own, others])), counters


def _sort_out(
    folder: Path, files: list[FileEntry], config: VocabularyConfig, lists: WordLists
) -> tuple[NDArray[np.int64], pa.Table, int, int]:
    """Counts of the own words; the others that are frequent enough, in order; how many are denied; the highest count of the others."""
    own_counts = np.zeros(0 if lists.own is None else len(lists.own), np.int64)
    kept, denied, most, find = [WORD_COUNTS.empty_table()], 0, 0, lists.finder()
    for batch in read_batches(folder, files):
        found = find(batch["word"])
        is_own = (found >= 0) & (found < own_counts.size)
        own_counts[found[is_own]] = batch["count"].to_numpy()[is_own]
        denied += int(np.count_nonzero(found >= own_counts.size))
        rest = batch.filter(pa.array(found == UNLISTED))
        most = max(most, pc.max(rest["count"]).as_py() or 0)
        enough = pc.greater_equal(rest["count"], config.min_count)
        if config.documents:
            enough = pc.and_(enough, pc.greater_equal(rest["documents"], config.min_documents))
        kept.append(pa.table(rest.filter(enough)).select(WORD_COUNTS.names))
    return own_counts, by_count(pa.concat_tables(kept)), denied, most


def _room(own: int, config: VocabularyConfig) -> int:
    """How many words may be added to own ones."""
    if not config.grow:
        return 0
    if config.max_vocab is not None and config.max_vocab < own:
        raise ConfigError(
            f"--max-vocab must be at least the {own:,} words of --vocabulary, which are all kept; got {config.max_vocab:,} "
            f"({config.vocabulary}). Raise it, or leave it out."
        )
    return (config.max_vocab or MOST_WORDS) - own


def by_count(words: pa.Table) -> pa.Table:
    """Words with counts in order of a vocabulary: by falling count, then by the word's bytes."""
    return words.sort_by([("count", "descending"), ("word", "ascending")])


def with_ids(words: pa.Table) -> pa.Table:
    """Words with counts, their ids from 0 in the order they have."""
    ids = pa.array(np.arange(words.num_rows, dtype=np.int32))
    return words.add_column(1, VOCABULARY.field("word_id"), ids).cast(VOCABULARY)


def choose_into(
    output: Path, config: VocabularyConfig, lists: WordLists, overwrite: bool, progress: Progress
) -> Manifest:
    """Choose output/vocabulary from the complete output/word_counts, unless it is there.

    When words were counted with those of output/phrases joined, the vocabulary carries these phrases.
    """
    folder, counts = output / "word_counts", Manifest.load(output / "word_counts", "word_counts")
    if not words_are_chosen(output, lists.options, overwrite):
        words, counters = choose_vocabulary(folder, config, lists)
        if counters:
            progress.note(told(counters))
            progress.event("vocabulary chosen", words=words.num_rows, **counters)
        with building(output / "vocabulary", overwrite) as staging:
            options = {**counts.config, **lists.options}
            read = {"inputs": counts.inputs, "bad_files": counts.bad_files}
            phrases = (output / "phrases", "phrases") if counts.parent_sha256("phrases") else None
            write_vocabulary(words, staging, options, read, parents_of_vocabulary(counts), counters, phrases)
    return Manifest.load(output / "vocabulary", "vocabulary")


def write_vocabulary(
    words: pa.Table,
    folder: Path,
    config: dict[str, Any],
    read: dict[str, list[dict[str, Any]]],
    parents: list[dict[str, str]],
    counters: dict[str, int],
    phrases: Phrases | None = None,
) -> Manifest:
    """Write the vocabulary table with its manifest into ``folder``; ``counters`` stand in it, and ``phrases`` beside it, if there are any."""
    report = write_file(folder, "vocabulary", VOCABULARY, [words])
    return finish_vocabulary(folder, [report], config, read, parents, counters, phrases)


def finish_vocabulary(
    folder: Path,
    report: list[Any],
    config: dict[str, Any],
    read: dict[str, list[dict[str, Any]]],
    parents: list[dict[str, str]],
    counters: dict[str, int],
    phrases: Phrases | None = None,
) -> Manifest:
    """Commit the files of a vocabulary table that were written into ``folder``, and save its manifest."""
    files, total_words, _ = commit(folder, report)
    details: dict[str, Any] = {"total_words": total_words, "vocabulary_size": sum(entry.rows for entry in files)}
    details |= {"counters": counters} if counters else {}
    files += copy_beside(*phrases, folder) if phrases else []
    manifest = new_manifest("vocabulary", VOCABULARY, files, config, **read, parents=parents, details=details)
    manifest.save(folder)
    return manifest
