"""GloVe's text format: a line a word, the word and its components with one space between them. It carries no counts."""

from pathlib import Path

from simglove_spark.formats.decimals import read_lines
from simglove_spark.formats.numbers import Dtype
from simglove_spark.formats.places import reading
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import refuse_twice
from simglove_spark.formats.word2vec import write_lines
from simglove_spark.storage.copies import fetched
from simglove_spark.vectors import Vectors


def write(rows: Rows, path: Path, dtype: Dtype) -> None:
    """Write the file."""
    with path.open("wb") as out:
        write_lines(rows, out)


def load_glove_text(path: str | Path) -> Vectors:
    """Read GloVe's text format; errors as in `word2vec.load_word2vec`."""
    path = fetched(path)
    with reading(path) as stream:
        words, matrix = read_lines(stream, path, 1, None)
    refuse_twice(words, "line", 1, path)
    return Vectors(words, matrix)
