"""Pair counts of other tools made into the tables vocabulary and pairs, in bounded memory; no Spark.

words and their sums (only where no word counts are given) -> vocabulary
rows -> ids, units -> sorted batches on disk by shard (`spool`) -> shards -> pairs
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simglove_spark.config import BuildConfig, ImportConfig, content_config
from simglove_spark.cooccurrence import LEAST_SHARDS, merged_tables
from simglove_spark.corpus import file_entries
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.foreign_files import rows_of
from simglove_spark.foreign_rows import ForeignRows, KnownIds, sums_of_rows
from simglove_spark.given_words import GivenWords
from simglove_spark.kernels.balance import add_balance
from simglove_spark.manifest import FileEntry, Manifest, new_manifest
from simglove_spark.output import building, is_complete
from simglove_spark.progress import Progress, Task
from simglove_spark.schemas import PAIRS
from simglove_spark.spool import Spool
from simglove_spark.storage.schemes import is_store, refuse_credentials
from simglove_spark.table_files import commit, counter, read_batches, write_file
from simglove_spark.trainer import memory_budget
from simglove_spark.training_inputs import IMPORTED
from simglove_spark.vocabulary import write_vocabulary

ROWS_PER_SHARD = 1 << 22
MOST_SHARDS = 1 << 20


def import_pairs(
    files: tuple[str, ...],
    word_counts: str | None,
    output: Path,
    config: ImportConfig,
    resources: BuildConfig,
    progress: Progress,
) -> Manifest:
    """Make the tables output/vocabulary and output/pairs of files with pair counts.

    Parameters
    ----------
    files : tuple of str
        Files, folders or globs.
    word_counts : str, optional
        Words with their counts n_i, see `given_words`. Without them n_i is the sum of the word's pair counts, in units.
    output : Path
    config : ImportConfig
    resources : BuildConfig
    progress : Progress

    Returns
    -------
    Manifest
        Of the pairs.

    Raises
    ------
    ConfigError
        When GloVe's binary file comes without its words, or something else is at ``output``.
    InputError
        When a file is missing or broken, a word is unknown, a count is none, or the two directions of a pair differ.
    ResourceError
        When the words do not fit into memory.
    """
    for text in (*files, *(() if word_counts is None else (word_counts,))):
        refuse_credentials(text)
    for text in files:
        if is_store(text):
            raise InputError(f"--input must be files of this machine; got {text!r}. Copy it here first.")
    given = () if word_counts is None else (word_counts,)
    tables = [(name, output / name) for name in ("vocabulary", "pairs")]
    with progress.stage("import-pairs", corpus=(*files, *given), writes=tables):
        return _import(files, word_counts, output, config, resources, progress)


def _import(
    files: tuple[str, ...],
    word_counts: str | None,
    output: Path,
    config: ImportConfig,
    resources: BuildConfig,
    progress: Progress,
) -> Manifest:
    inputs = sorted(
        {entry["path"]: entry for text in files for entry in file_entries(text)}.values(), key=lambda e: e["path"]
    )
    given = None if word_counts is None else GivenWords.at(word_counts)
    if config.format == "glove-binary":
        if given is None:
            raise ConfigError(
                "--word-counts must be given for glove-binary, which holds ids; got none. Name vocab.txt."
            )
        given.check_ids()
    options, memory = content_config(config), memory_budget(resources)
    every = inputs + (given.inputs if given else [])
    parents = given.parents if given else []
    found = is_complete(output / "vocabulary", "vocabulary", options, every, parents, resources.overwrite)
    words = [Manifest.load(output / "vocabulary", "vocabulary").as_parent()] if found else []
    if is_complete(output / "pairs", "pairs", options, every, words, resources.overwrite):
        return Manifest.load(output / "pairs", "pairs")
    with (
        building(output / "pairs", resources.overwrite) as pairs,
        building(output / "vocabulary", resources.overwrite or found) as folder,
        progress.task("import pairs", unit="cells") as task,
    ):
        rows = ForeignRows(inputs, config)
        table = given.read() if given else sums_of_rows(rows, memory)
        phrases = (given.path, "vocabulary") if given and given.kind == "table" else None
        parent = write_vocabulary(table, folder, options, {"inputs": every}, parents, {}, phrases)
        _write_pairs(rows, KnownIds(table, seen=given is not None), table, parent, pairs, memory, task).save(pairs)
        _refuse_changes(inputs)
        _tell(rows, progress)
    return Manifest.load(output / "pairs", "pairs")


def _write_pairs(
    rows: ForeignRows, known: KnownIds, table: pa.Table, words: Manifest, staging: Path, memory: int, task: Task
) -> Manifest:
    config, inputs = rows.config, rows.inputs
    num_shards = _shards_for(inputs, config)
    spool = Spool(staging, table.num_rows, num_shards, memory)
    for records, counts in rows:
        ids = known.of(records, 0), known.of(records, 1)
        for one, other in (ids, ids[::-1])[: 2 if config.one_direction else 1]:
            spool.add(one, other, counts)
        task.advance(counts.size)
    balance = np.zeros(table.num_rows, np.uint64)
    report = []
    for shard, strings in spool.shards():
        tables = _balanced(merged_tables(strings, table.num_rows), balance)
        report.append(write_file(staging, f"shard-{shard:05d}", PAIRS, tables))
    files, total_pairs, counters = commit(staging, [*report, counter("self_pairs", rows.self_pairs)])
    if not files:
        raise InputError(f"input must hold pairs of two words; got none ({inputs[0]['path']}). Check --input.")
    if balance.any():
        _refuse_one_direction(staging, files, int(np.flatnonzero(balance)[0]), table, rows)
    details = {
        "window_size": None,
        "weighting": IMPORTED,
        "unit": config.unit,
        "num_shards": num_shards,
        "total_pairs": total_pairs,
        "total_words": words.details["total_words"],
        "counters": counters,
    }
    return new_manifest(
        "pairs", PAIRS, files, words.config, inputs=words.inputs, parents=[words.as_parent()], details=details
    )


def _shards_for(inputs: list[dict[str, Any]], config: ImportConfig) -> int:
    """Number of shards, by the rows of the input, about."""
    rows = sum(rows_of(entry["path"], entry["bytes"], config.format) for entry in inputs)
    return min(MOST_SHARDS, max(LEAST_SHARDS, -(-rows * (2 if config.one_direction else 1) // ROWS_PER_SHARD)))


def _balanced(tables: Iterator[pa.Table], balance: NDArray[np.uint64]) -> Iterator[pa.Table]:
    """The same tables, each added to the balance."""
    for table in tables:
        add_balance(*(column.to_numpy() for column in table.columns), balance)
        yield table


def _refuse_one_direction(
    folder: Path, files: list[FileEntry], word: int, table: pa.Table, rows: ForeignRows
) -> NoReturn:
    """Name the first context of a word whose row and column differ, with both counts."""
    counts: dict[bool, dict[int, int]] = {True: {}, False: {}}
    for batch in read_batches(folder, files):
        words, contexts, values = (column.to_numpy() for column in batch.columns)
        for there, (own, others) in ((True, (words, contexts)), (False, (contexts, words))):
            found = np.flatnonzero(own == word)
            counts[there] |= dict(zip(others[found].tolist(), values[found].tolist(), strict=True))
    ours, theirs = counts[True], counts[False]
    other = min(context for context in ours | theirs if ours.get(context) != theirs.get(context))
    names = [repr(table["word"][number].as_py()) for number in (word, other)]
    told = [found.get(other, 0) / rows.config.unit for found in (ours, theirs)]
    raise InputError(
        f"pairs must stand in both directions with one count; got {names[0]} {names[1]} {told[0]:.17g} and {names[1]} {names[0]} "
        f"{told[1]:.17g} ({rows.inputs[0]['path']}). Give --one-direction where each pair stands in one of them only."
    )


def _refuse_changes(inputs: list[dict[str, Any]]) -> None:
    changed = [entry["path"] for entry in inputs if file_entries(entry["path"]) != [entry]]
    if changed:
        raise InputError(f"input must not change while it is read; got {changed[0]}, which did. Import it again.")


def _tell(rows: ForeignRows, progress: Progress) -> None:
    if rows.self_pairs:
        progress.note(f"{rows.self_pairs:,} rows of a word with itself were left out: pair tables hold none.")
    if rows.units.largest:
        progress.note(
            f"Counts were rounded to 1/{rows.config.unit}: by {rows.units.largest:.3g} at most, {rows.units.moved:.3g} in all."
        )
