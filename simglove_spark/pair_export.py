"""A pair table in the formats that `import-pairs` reads: Parquet, CSV, or GloVe's binary file with its vocab.txt."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from simglove_spark import effective_counts
from simglove_spark.config import PairFormat
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.foreign_files import GLOVE_RECORD
from simglove_spark.formats.spelling import SEPARATORS
from simglove_spark.manifest import Manifest, checked_source
from simglove_spark.output import building
from simglove_spark.progress import Progress
from simglove_spark.schemas import PAIRS, check, check_cells
from simglove_spark.table_files import read_batches, readable
from simglove_spark.training_inputs import load_vocabulary, of_one_vocabulary
from simglove_spark.units import as_numbers

NAMES: dict[PairFormat, str] = {
    "parquet": "pairs.parquet",
    "csv": "pairs.csv",
    "glove-binary": "cooccurrence.bin",
}
VOCAB = "vocab.txt"
CELLS = 1 << 18  # written at once

Write = Callable[[np.ndarray, np.ndarray, np.ndarray], None]  # ids, ids, counts in units


def export_pairs(
    pairs: Path, vocabulary: Path, file_format: PairFormat, output: Path, overwrite: bool, progress: Progress
) -> Manifest:
    """Write a pair table into the folder ``output``; returns the table's manifest.

    Counts are x = count / unit: whole numbers where the unit is 1, else doubles that give the same table again when they are
    imported with the same unit.

    Raises
    ------
    ConfigError
        When ``output`` exists and may not be overwritten, or holds other things.
    InputError
        When a table is missing or damaged, the vocabulary is another one, a count is too large for a double, or a word
        cannot stand in vocab.txt.
    """
    with progress.stage("export-pairs", reads=[("vocabulary", vocabulary), ("pairs", pairs)], files=(output,)):
        return _export(pairs, vocabulary, file_format, output, overwrite, progress)


def _export(
    pairs: Path, vocabulary: Path, file_format: PairFormat, output: Path, overwrite: bool, progress: Progress
) -> Manifest:
    manifest, _ = of_one_vocabulary(pairs, vocabulary)
    _check_output(output, overwrite)
    table = load_vocabulary(vocabulary)
    left = effective_counts.read(pairs, manifest, table.num_rows)
    if left is not None:  # what pmi is made of
        table = table.set_column(2, "count", pa.array(left))
    unit = manifest.details["unit"]
    with (
        building(output, overwrite) as staging,
        progress.task("export pairs", manifest.rows, "cells") as task,
        _writer(file_format, staging, table, unit) as write,
    ):
        for entry in manifest.own_files:
            path = pairs / entry.name
            with readable(path):
                check(pq.read_schema(checked_source(pairs, entry)), PAIRS, path)
            for batch in read_batches(pairs, [entry], CELLS):
                cells = [column.to_numpy() for column in batch.columns]
                check_cells(cells[0], cells[1], cells[2], table.num_rows, path)
                write(*cells)
                task.advance(batch.num_rows)
    return manifest


def _check_output(output: Path, overwrite: bool) -> None:
    found = sorted(path.name for path in output.iterdir()) if output.is_dir() else []
    foreign = [name for name in found if name not in {*NAMES.values(), VOCAB}]
    if foreign or (output.exists() and not output.is_dir()):
        told = foreign[0] if foreign else "a file"
        raise ConfigError(f"output must be new or an earlier export; got {told} ({output}). Give another --output.")
    if found and not overwrite:
        raise ConfigError(
            f"output must be new; got an earlier export ({output}). Give another --output, or --overwrite."
        )


def _writer(file_format: PairFormat, folder: Path, table: pa.Table, unit: int) -> AbstractContextManager[Write]:
    path = folder / NAMES[file_format]
    if file_format == "glove-binary":
        _write_vocab(folder / VOCAB, table)
        return _glove(path, unit)
    return _columns(path, file_format, table["word"].combine_chunks(), unit)


def _write_vocab(path: Path, table: pa.Table) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for word, count in zip(table["word"].to_pylist(), table["count"].to_pylist(), strict=True):
            if any(separator in word for separator in SEPARATORS):
                raise InputError(
                    f"words must be free of spaces, tabs, line breaks and NUL in {VOCAB}; got {word!r}. Use --format parquet."
                )
            out.write(f"{word} {count}\n")


@contextmanager
def _glove(path: Path, unit: int) -> Iterator[Write]:
    with path.open("wb") as out:

        def write(words: np.ndarray, contexts: np.ndarray, counts: np.ndarray) -> None:
            records = np.empty(words.size, GLOVE_RECORD)
            records["word"], records["context"] = words + 1, contexts + 1
            records["count"] = as_numbers(counts, unit)
            records.tofile(out)

        yield write


@contextmanager
def _columns(path: Path, file_format: PairFormat, known: pa.Array, unit: int) -> Iterator[Write]:
    kind = pa.int64() if unit == 1 else pa.float64()
    schema = pa.schema([("word", pa.string()), ("context", pa.string()), ("count", kind)])
    make = partial(pq.ParquetWriter, compression="zstd") if file_format == "parquet" else csv.CSVWriter
    with make(path, schema) as out:

        def write(words: np.ndarray, contexts: np.ndarray, counts: np.ndarray) -> None:
            numbers = counts if unit == 1 else as_numbers(counts, unit)
            columns = [known.take(pa.array(words)), known.take(pa.array(contexts)), numbers]
            out.write_table(pa.table(columns, schema=schema))

        yield write
