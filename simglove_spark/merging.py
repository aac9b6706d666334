"""Tables of parts of a corpus made into the table of the whole, with the very bytes of counting it at once.

    word_counts of each part --merge_words--> word_counts, vocabulary
    pairs of each part, all under that vocabulary --merge_pairs--> pairs

No Spark. Words are held once a part in memory, pairs one shard at a time.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simglove_spark import vocabulary
from simglove_spark.config import RunConfig, VocabularyConfig
from simglove_spark.cooccurrence import merged_tables
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.kernels import runs, tokens
from simglove_spark.manifest import FileEntry, Manifest, checked_path, new_manifest
from simglove_spark.memory import show_size
from simglove_spark.output import building, is_complete
from simglove_spark.progress import Progress
from simglove_spark.schemas import PAIRS, WORD_COUNTS, check
from simglove_spark.shards import shard_number
from simglove_spark.table_files import commit, counter, read_batches, row_groups, write_file
from simglove_spark.text_rows import bytes_of, offsets_of
from simglove_spark.trainer import memory_budget

BYTES_PER_WORD = 100  # of a word with its count, held and sorted

Part = tuple[Path, Manifest]


def merge_words(
    parts: list[Path], config: VocabularyConfig, output: Path, resources: RunConfig, progress: Progress
) -> Manifest:
    """Merge word counts into output/word_counts and choose output/vocabulary from them.

    Parameters
    ----------
    parts : list of Path
        Complete word_counts tables of different inputs, read in the same way.
    config : VocabularyConfig
    output : Path
    resources : RunConfig
    progress : Progress

    Returns
    -------
    Manifest
        Of the vocabulary.

    Raises
    ------
    ConfigError
        When the parts were read in different ways, or something else is at ``output``.
    InputError
        When a part is missing or broken, or two hold the same input.
    ResourceError
        When the words do not fit into memory.
    """
    opened = _open(parts, "word_counts")
    inputs, options = _union(opened), opened[0][1].config
    needed = sum(manifest.rows for _, manifest in opened) * BYTES_PER_WORD
    if needed > memory_budget(resources):
        raise ResourceError(
            f"words must fit into --memory, {show_size(memory_budget(resources))}; got {show_size(needed)} to merge. "
            "Merge fewer parts at once, or raise it."
        )
    folder = output / "word_counts"
    if not is_complete(folder, "word_counts", options, inputs, [], resources.overwrite):
        with building(folder, resources.overwrite) as staging, progress.task("merge words", unit="words") as task:
            shards = vocabulary.shards_for(inputs)
            report = []
            for shard, words in enumerate(_words_by_shard(opened, shards)):
                if words.num_rows:
                    groups = row_groups([words], vocabulary.ROWS_PER_GROUP)
                    report.append(write_file(staging, f"words-{shard:05d}", WORD_COUNTS, groups))
                task.advance(words.num_rows)
            _finish("word_counts", WORD_COUNTS, opened, staging, report, {"inputs": inputs})
    return vocabulary.choose_into(output, config, {**options, **asdict(config)}, resources.overwrite)


def merge_pairs(parts: list[Path], words: Path, output: Path, resources: RunConfig, progress: Progress) -> Manifest:
    """Merge pair tables that were counted under the vocabulary ``words`` into the table ``output``.

    Raises
    ------
    ConfigError
        When the parts were read or counted in different ways, or something else is at ``output``.
    InputError
        When a part is missing or broken, of another vocabulary, two hold the same input, or no part has a pair.
    """
    opened = _open(parts, "pairs")
    whole = Manifest.load(words, "vocabulary")
    for folder, manifest in opened:
        if manifest.parents != [whole.as_parent()]:
            raise InputError(
                f"pairs must be counted under the vocabulary {whole.content_sha256[:12]}; got others ({folder}). "
                "Count the pairs of each part under the merged vocabulary."
            )
    inputs = _union(opened)
    options, parents = opened[0][1].config, [whole.as_parent()]
    if is_complete(output, "pairs", options, inputs, parents, resources.overwrite):
        return Manifest.load(output, "pairs")
    shards: dict[int, list[tuple[Path, FileEntry]]] = {}
    for folder, manifest in opened:
        for entry in manifest.files:
            shards.setdefault(shard_number(entry), []).append((folder, entry))
    if not shards:
        raise InputError(f"parts must hold pairs; got none in {len(opened)} tables ({parts[0]}). Give more text.")
    cells = sum(manifest.rows for _, manifest in opened)
    with building(output, resources.overwrite) as staging, progress.task("merge pairs", cells, "cells") as task:
        report = []
        for shard, own in sorted(shards.items()):
            strings = [run for folder, entry in own for run in _runs(folder, entry, whole.rows)]
            report.append(write_file(staging, f"shard-{shard:05d}", PAIRS, merged_tables(strings, whole.rows)))
            task.advance(sum(entry.rows for _, entry in own))
        _finish("pairs", PAIRS, opened, staging, report, {"inputs": inputs, "parents": parents})
    return Manifest.load(output, "pairs")


def _open(parts: list[Path], table: str) -> list[Part]:
    """Manifests of the parts, all made with the same options; checked to the last byte."""
    if len(parts) < 2:
        raise ConfigError(f"--parts must be at least 2 tables; got {len(parts)}. Name them all.")
    opened = [(folder, Manifest.load(folder, table)) for folder in parts]
    first = opened[0][1]
    for folder, manifest in opened:
        for key in sorted({*first.config, *manifest.config}):
            if manifest.config.get(key) != first.config.get(key):
                raise ConfigError(
                    f"parts must be counted with the same options; got {key} {manifest.config.get(key)} ({folder}) and "
                    f"{first.config.get(key)} ({parts[0]}). Count one of them again."
                )
        if manifest.parent_sha256("phrases"):
            raise ConfigError(
                f"parts must be counted without phrases, which are found in the whole; got joined words ({folder}). "
                "Merge what count-words wrote, then join: simglove phrases."
            )
        for entry in manifest.files:
            check(pq.read_schema(checked_path(folder, entry)), WORD_COUNTS if table == "word_counts" else PAIRS, folder)
    return opened


def _union(opened: list[Part]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for folder, manifest in opened:
        for entry in manifest.inputs:
            if entry["path"] in found:
                raise InputError(
                    f"parts must be of different inputs; got {entry['path']} twice ({folder}). Leave one part out."
                )
            found[entry["path"]] = entry
    return [found[path] for path in sorted(found)]


def _words_by_shard(opened: list[Part], shards: int) -> Iterator[pa.Table]:
    """Sorted words of each shard of the whole, each word once."""
    apart: list[list[pa.Table]] = [[WORD_COUNTS.empty_table()] for _ in range(shards)]
    for folder, manifest in opened:
        for batch in read_batches(folder, manifest.files):
            numbers = _shards_of(batch["word"], shards)
            for shard in np.unique(numbers).tolist():
                apart[shard].append(pa.table(batch.filter(pa.array(numbers == shard))))
    for shard, tables in enumerate(apart):
        apart[shard] = []  # what is done need not be kept
        words = pa.concat_tables(tables).group_by("word").aggregate([("count", "sum")]).sort_by("word")
        yield words.rename_columns(["word", "count"]).cast(WORD_COUNTS)


def _shards_of(words: pa.StringArray, shards: int) -> np.ndarray:
    numbers = np.empty(len(words), np.int32)
    tokens.shard_of_entries(bytes_of(words), offsets_of(words), numbers, shards)
    return numbers


def _runs(folder: Path, entry: FileEntry, size: int) -> Iterator[bytes]:
    """A shard as runs; each row group holds whole rows."""
    with pq.ParquetFile(folder / entry.path) as file:
        for group in range(file.num_row_groups):
            cells = file.read_row_group(group)
            words, contexts, counts = (column.to_numpy() for column in cells.columns)
            offsets = np.concatenate([[0], np.cumsum(np.bincount(words, minlength=size))])
            out = np.empty(2 * (len(words) + size) * runs.MAX_BYTES, np.uint8)
            _, end = runs.encode_rows(np.unique(words), 0, offsets, contexts, counts, out)
            yield out[:end].tobytes()


def _finish(
    table: str, schema: pa.Schema, opened: list[Part], staging: Path, report: list[dict[str, Any]], rest: dict[str, Any]
) -> None:
    """Commit the files and save a manifest that tells what those of the parts tell together."""
    names = sorted({name for _, manifest in opened for name in manifest.details["counters"]})
    report = report + [
        counter(name, sum(manifest.details["counters"].get(name, 0) for _, manifest in opened)) for name in names
    ]
    files, total, counters = commit(staging, report)
    total_name = "total_words" if table == "word_counts" else "total_pairs"
    details = {**opened[0][1].details, total_name: total, "counters": counters}
    new_manifest(table, schema, files, opened[0][1].config, details=details, **rest).save(staging)
