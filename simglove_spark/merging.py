"""Tables of parts of a corpus made into the table of the whole, with the very bytes of counting it at once.

    word_counts of each part --merge_words--> word_counts, vocabulary
    pairs of each part, all under that vocabulary --merge_pairs--> pairs

A part may count more than once, or be taken away. No Spark. Words are held once a part in memory, pairs one shard at a time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simglove_spark import effective_counts, occurrence, vocabulary
from simglove_spark.cleaning import offsets_of
from simglove_spark.config import BuildConfig, VocabularyConfig
from simglove_spark.cooccurrence import merged_tables
from simglove_spark.effective_counts import KEPT_WORDS
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.kernels import runs, tokens
from simglove_spark.manifest import FileEntry, Manifest, known_source, listed, new_manifest
from simglove_spark.memory import show_size
from simglove_spark.merge_parts import TOTALS, Part, check_files, counters_of, open_parts, read_by, refuse_below_zero
from simglove_spark.output import building, is_complete
from simglove_spark.progress import Progress
from simglove_spark.schemas import PAIRS, check_cells, word_counts_schema
from simglove_spark.shards import shard_number
from simglove_spark.table_files import commit, counter, read_batches, readable, row_groups, write_file
from simglove_spark.text_rows import bytes_of
from simglove_spark.trainer import memory_budget
from simglove_spark.training_inputs import load_vocabulary
from simglove_spark.word_lists import read_lists

BYTES_PER_WORD = 100  # of a word with its count, held and sorted


def merge_words(
    parts: list[Path],
    config: VocabularyConfig,
    output: Path,
    resources: BuildConfig,
    progress: Progress,
    weights: tuple[int, ...] = (),
) -> Manifest:
    """Merge word counts into output/word_counts and choose output/vocabulary from them.

    Parameters
    ----------
    parts : list of Path
        Complete word_counts tables, read in the same way; of different inputs, unless there are weights.
    config : VocabularyConfig
    output : Path
    resources : BuildConfig
    progress : Progress
    weights : tuple of int
        How often each part counts, below 0 to take it away; () counts each once.

    Returns
    -------
    Manifest
        Of the vocabulary.

    Raises
    ------
    ConfigError
        When the parts were read in different ways, the weights are not one a part, or something else is at ``output``.
    InputError
        When a part or a list of words is missing or broken, two parts hold the same input, a count falls below 0, or no
        word is left.
    ResourceError
        When the words do not fit into memory.
    """
    tables = [(name, output / name) for name in ("word_counts", "vocabulary")]
    with progress.stage("merge-words", reads=[("word_counts", part) for part in parts], writes=tables):
        return _merge_words(parts, config, output, resources, progress, weights)


def _merge_words(
    parts: list[Path],
    config: VocabularyConfig,
    output: Path,
    resources: BuildConfig,
    progress: Progress,
    weights: tuple[int, ...],
) -> Manifest:
    opened = open_parts(parts, "word_counts", weights)
    read, options = read_by(opened), opened[0].manifest.config
    schema = word_counts_schema(options.get("documents", False))
    if config.documents and "documents" not in schema.names:
        raise ConfigError(
            f"--min-documents must be given parts with documents counted; got none ({parts[0]}). "
            f"Count the words of each part with --min-documents {config.min_documents}."
        )
    if config.documents and any(abs(part.weight) != 1 for part in opened):
        raise ConfigError(
            "--weights must be 1 or -1 with --min-documents, which asks for different documents; got "
            f"{' '.join(map(str, weights))}. Leave out one of the two."
        )
    lists = read_lists(config, options)
    folder = output / "word_counts"
    if not is_complete(folder, "word_counts", options, listed(**read), [], resources.overwrite):
        check_files(opened, schema)
        _refuse_what_does_not_fit(opened, resources)
        with building(folder, resources.overwrite) as staging, progress.task("merge words", unit="words") as task:
            report = []
            for shard, words in enumerate(_words_by_shard(opened, schema, occurrence.shards_for(read["inputs"]))):
                if words.num_rows:
                    groups = row_groups([words], occurrence.ROWS_PER_GROUP)
                    report.append(write_file(staging, f"words-{shard:05d}", schema, groups))
                task.advance(words.num_rows)
            _finish(opened, schema, staging, report, read)
    return vocabulary.choose_into(output, config, lists, resources.overwrite, progress)


def merge_pairs(
    parts: list[Path],
    words: Path,
    output: Path,
    resources: BuildConfig,
    progress: Progress,
    weights: tuple[int, ...] = (),
) -> Manifest:
    """Merge pair tables that were counted under the vocabulary ``words`` into the table ``output``.

    Raises
    ------
    ConfigError
        When the parts were read or counted in different ways, the weights are not one a part, or something else is at
        ``output``.
    InputError
        When a part is missing or broken, of another vocabulary, two hold the same input, a count falls below 0, or no
        pair is left.
    """
    reads = [("vocabulary", words), *(("pairs", part) for part in parts)]
    with progress.stage("merge-pairs", reads=reads, writes=[("pairs", output)]):
        return _merge_pairs(parts, words, output, resources, progress, weights)


def _merge_pairs(
    parts: list[Path],
    words: Path,
    output: Path,
    resources: BuildConfig,
    progress: Progress,
    weights: tuple[int, ...],
) -> Manifest:
    opened = open_parts(parts, "pairs", weights)
    whole = Manifest.load(words, "vocabulary")
    for part in opened:
        if part.manifest.parents != [whole.as_parent()]:
            raise InputError(
                f"pairs must be counted under the vocabulary {whole.content_sha256[:12]}; got others ({part.folder}). "
                "Count the pairs of each part under the merged vocabulary."
            )
    read, options, parents = read_by(opened), opened[0].manifest.config, [whole.as_parent()]
    if is_complete(output, "pairs", options, listed(**read), parents, resources.overwrite):
        return Manifest.load(output, "pairs")
    check_files(opened, PAIRS)
    shards: dict[int, list[tuple[Part, FileEntry]]] = {}
    for part in opened:
        for entry in part.manifest.own_files:
            shards.setdefault(shard_number(entry), []).append((part, entry))
    cells = sum(part.manifest.rows for part in opened)
    with building(output, resources.overwrite) as staging, progress.task("merge pairs", cells, "cells") as task:
        report = []
        for shard, own in sorted(shards.items()):
            if strings := _shard(own, whole.rows, words):
                report.append(write_file(staging, f"shard-{shard:05d}", PAIRS, merged_tables(strings, whole.rows)))
            task.advance(sum(entry.rows for _, entry in own))
        if report and (left := _effective_counts(opened, whole.rows)) is not None:
            report.append(effective_counts.write(staging, left)[0])  # the counters of the parts are summed in any case
        _finish(opened, PAIRS, staging, report, {**read, "parents": parents})
    return Manifest.load(output, "pairs")


def _refuse_what_does_not_fit(opened: list[Part], resources: BuildConfig) -> None:
    needed, memory = sum(part.manifest.rows for part in opened) * BYTES_PER_WORD, memory_budget(resources)
    if needed > memory:
        raise ResourceError(
            f"words must fit into --memory, {show_size(memory)}; got {show_size(needed)} to merge. "
            "Merge fewer parts at once, or raise it."
        )


def _words_by_shard(opened: list[Part], schema: pa.Schema, shards: int) -> Iterator[pa.Table]:
    """Sorted words of each shard of the whole, each word once."""
    apart: list[list[pa.Table]] = [[schema.empty_table()] for _ in range(shards)]
    numbers_of_words = schema.names[1:]  # count, and documents where they were counted
    for part in opened:
        for batch in read_batches(part.folder, part.manifest.files):
            shard_of = _shards_of(batch["word"], shards)
            weighted = [pc.multiply(batch[name], part.weight) for name in numbers_of_words]
            words = pa.table([batch["word"], *weighted], schema=schema)
            for shard in np.unique(shard_of).tolist():
                apart[shard].append(words.filter(pa.array(shard_of == shard)))
    for shard, tables in enumerate(apart):
        apart[shard] = []  # what is done need not be kept
        sums = pa.concat_tables(tables).group_by("word").aggregate([(name, "sum") for name in numbers_of_words])
        words = sums.sort_by("word").rename_columns(schema.names).cast(schema)
        for name in numbers_of_words:
            for below in words.filter(pc.less(words[name], 0)).slice(0, 1).to_pylist():
                refuse_below_zero(f"word {below['word']!r}", below[name], opened[0].folder)
        yield words.filter(pc.greater(words["count"], 0))


def _shards_of(words: pa.StringArray, shards: int) -> np.ndarray:
    numbers = np.empty(len(words), np.int32)
    tokens.shard_of_entries(bytes_of(words), offsets_of(words), numbers, shards)
    return numbers


def _effective_counts(opened: list[Part], size: int) -> np.ndarray | None:
    """What subsampling left in all parts, int64[size]; None without subsampling."""
    parts = [(part.weight, effective_counts.read(part.folder, part.manifest, size)) for part in opened]
    counts = [weight * part for weight, part in parts if part is not None]  # all or none: they have the same options
    left = np.sum(counts, axis=0) if counts else None
    if left is not None and left.min(initial=0) < 0:
        refuse_below_zero(f"word with word_id {int(np.argmin(left))}", int(left.min()), opened[0].folder)
    return left


def _shard(own: list[tuple[Part, FileEntry]], size: int, vocabulary_folder: Path) -> list[bytes]:
    """Runs whose sum is one shard of the whole; none when nothing is left of it."""
    strings = [run for part, entry in own for run in _runs(part, entry, size)]
    if all(part.weight > 0 for part, _ in own):
        return strings
    left = []
    for table in merged_tables(strings, size, signed=True):  # whole rows, in which counts may be 0 or below
        words, contexts, counts = (column.to_numpy() for column in table.columns)
        if counts.min() < 0:
            cell = int(np.argmax(counts < 0))
            known = load_vocabulary(vocabulary_folder)["word"]
            one, other = (known[int(ids[cell])].as_py() for ids in (words, contexts))
            refuse_below_zero(f"pair {one!r} {other!r}", int(counts[cell]), own[0][0].folder)
        kept = counts > 0
        if kept.any():
            left.append(_run(words[kept], contexts[kept], counts[kept], size))
    return left


def _runs(part: Part, entry: FileEntry, size: int) -> Iterator[bytes]:
    """A part's shard as runs, times its weight; each row group holds whole rows."""
    path, last = part.folder / entry.name, -1
    with readable(path), pq.ParquetFile(known_source(part.folder, entry)) as file:
        for group in range(file.num_row_groups):
            words, contexts, counts = (column.to_numpy() for column in file.read_row_group(group).columns)
            check_cells(words, contexts, counts, size, path)
            if (np.diff((words.astype(np.int64) << 32) + contexts, prepend=last) <= 0).any():
                raise InputError(f"cells must be sorted, each once; got others ({path}). Count the pairs again.")
            last = (int(words[-1]) << 32) + size if words.size else last
            yield _run(words, contexts, counts if part.weight == 1 else counts * part.weight, size)


def _run(words: np.ndarray, contexts: np.ndarray, counts: np.ndarray, size: int) -> bytes:
    """Sorted cells as a run. Counts below 0 are written modulo 2^64, as which they are read and added."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(words, minlength=size))])
    out = np.empty(2 * (len(words) + size) * runs.MAX_BYTES, np.uint8)
    counts = counts if counts.min() >= 0 else counts.view(np.uint64)
    _, end = runs.encode_rows(np.unique(words), 0, offsets, contexts, counts, out)
    return out[:end].tobytes()


def _finish(
    opened: list[Part], schema: pa.Schema, staging: Path, report: list[dict[str, Any]], rest: dict[str, Any]
) -> None:
    """Commit the files and save a manifest that tells what those of the parts tell together."""
    first = opened[0].manifest
    if not report:
        what = first.table.replace("_", " ")
        raise InputError(
            f"parts must hold {what}, and some must be left; got none of {len(opened)} tables ({opened[0].folder}). Give more text."
        )
    told = [counter(name, value) for name, value in counters_of(opened).items()]
    files, total, counters = commit(staging, report + told)
    details = {**first.details, TOTALS[first.table]: total, "counters": counters}
    if KEPT_WORDS in counters:
        details["total_words"] = counters[KEPT_WORDS]
    new_manifest(first.table, schema, files, first.config, details=details, **rest).save(staging)
