"""Phrases on disk: a table of their own, and its copy beside the vocabulary that was counted with them.

The copy's name begins with an underscore, so that Spark and Arrow pass over it: the folder reads as the vocabulary it is.
"""

from pathlib import Path

import pyarrow as pa

from simglove_spark.manifest import FileEntry, Manifest, checked_path, file_entry
from simglove_spark.schemas import PHRASES
from simglove_spark.table_files import read_whole

COMPANION = "_phrases.parquet"


def phrase_files(manifest: Manifest) -> list[FileEntry]:
    """The file of a table ``phrases``, or its copy beside a ``vocabulary`` (none of one counted without)."""
    return [entry for entry in manifest.files if manifest.table == "phrases" or entry.path == COMPANION]


def load_phrases(folder: Path, table: str) -> pa.Table:
    """Phrases of a complete table ``phrases`` or ``vocabulary``.

    Raises
    ------
    InputError
        When the folder is not that table, or damaged.
    """
    tables = [PHRASES.empty_table()]
    for entry in phrase_files(Manifest.load(folder, table)):
        tables.append(read_whole(folder, entry, PHRASES))
    return pa.concat_tables(tables)


def copy_beside(folder: Path, table: str, vocabulary: Path) -> list[FileEntry]:
    """Copy the phrases of a complete table ``phrases`` or ``vocabulary``, if it has some, beside a vocabulary that is being built."""
    entries = phrase_files(Manifest.load(folder, table))
    for entry in entries:
        (vocabulary / COMPANION).write_bytes(checked_path(folder, entry).read_bytes())
    return [file_entry(vocabulary, COMPANION) for _ in entries]
