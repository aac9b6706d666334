"""Vectors to be judged: tables of ours, and files of other tools."""

from pathlib import Path

from simglove_spark import output
from simglove_spark.errors import InputError
from simglove_spark.export import load_glove_text, load_word2vec
from simglove_spark.vectors import Vectors


def load_model(path: str | Path) -> Vectors:
    """Vectors of a table's folder, or of a file in word2vec's text or binary format or in GloVe's text format.

    Raises
    ------
    InputError
        When there is nothing, or nothing of these.
    """
    path = output.local_path(path)
    if path.is_dir() or not path.exists():
        return Vectors.load(path)
    try:
        with path.open("rb") as stream:
            start = stream.readline(64).split()
    except OSError as error:
        raise InputError(f"vectors must be readable; got {error.strerror} ({path}). Check it.") from error
    has_header = len(start) == 2 and all(number.isdigit() for number in start)
    return load_word2vec(path) if has_header else load_glove_text(path)
