"""Phrases on disk: a table of their own, and its copy beside the vocabulary that was counted with them.

The copy's name begins with an underscore, so that Spark and Arrow pass over it: the folder reads as the vocabulary it is.
"""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from simglove_spark.manifest import FileEntry, Manifest, checked_path, file_entry
from simglove_spark.schemas import PHRASES, check

COMPANION = "_phrases.parquet"


def word_files(manifest: Manifest) -> list[FileEntry]:
    """Files of a vocabulary that hold its words."""
    return [entry for entry in manifest.files if entry.path != COMPANION]


def load_phrases(folder: Path, table: str) -> pa.Table:
    """Phrases of a complete table ``phrases``, or those beside a ``vocabulary`` (none of one counted without).

    Raises
    ------
    InputError
        When the folder is not that table, or damaged.
    """
    manifest = Manifest.load(folder, table)
    tables = [PHRASES.empty_table()]
    for entry in manifest.files:
        if table == "phrases" or entry.path == COMPANION:
            path = checked_path(folder, entry)
            check(pq.read_schema(path), PHRASES, path)
            tables.append(pq.read_table(path))
    return pa.concat_tables(tables)


def copy_beside(phrases: Path, vocabulary: Path) -> FileEntry:
    """Copy the one file of a table of phrases beside a vocabulary that is being built."""
    (entry,) = Manifest.load(phrases, "phrases").files
    shutil.copyfile(checked_path(phrases, entry), vocabulary / COMPANION)
    return file_entry(vocabulary, COMPANION)
