"""Vectors to be judged: tables of ours, and files of other tools."""

from pathlib import Path

from simglove_spark.formats.registry import load_vectors
from simglove_spark.manifest import FILE_NAME
from simglove_spark.publishing.latest import resolved
from simglove_spark.storage.copies import fetched
from simglove_spark.vectors import Vectors


def load_model(path: str | Path) -> Vectors:
    """Vectors of a table's folder, or of another tool's file or folder in a format that `export` knows by its content.

    Raises
    ------
    InputError
        When there is nothing, or nothing of these.
    """
    path = fetched(resolved(path))
    return Vectors.load(path) if (path / FILE_NAME).exists() or not path.exists() else load_vectors(path)
