"""Questions to vectors as functions of DataFrame columns and of SQL.

    df.select(keywords("body", 5, vectors="runs/first/vectors"))
    register(spark, "runs/first/vectors");  spark.sql("SELECT keywords(body, 5), pmi(a, b) FROM articles")
    neighbours(spark, "runs/first/vectors")     DataFrame(word, neighbour, score, rank)

A text is a string (or its bytes), which is cut into words as the corpus of the vectors was (or as a `Reading` says), or an array of words. Words
that are unknown, or of which nothing was learned, are passed over. Null gives null, and so does a text without a known word.
``vectors`` is the folder of a vectors table that all workers can read. Workers need pandas, which Spark asks for.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from simglove_spark.asking.neighbours import Measure
from simglove_spark.asking.reading import Reading
from simglove_spark.asking.sentences import How
from simglove_spark.choices import check_choice
from simglove_spark.errors import ConfigError
from simglove_spark.manifest import Manifest
from simglove_spark.publishing.latest import resolved
from simglove_spark.spark_vectors.in_workers import ROWS, TableVectors, neighbours_of_blocks, opened
from simglove_spark.storage.paths import path_of
from simglove_spark.vectors_table import TABLE

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

Answer = Callable[..., Any]
#: By name in SQL, what answers a row and with which type.
FUNCTIONS: dict[str, tuple[Answer, str]] = {
    "sentence_vector": (TableVectors.row_vector, "array<float>"),
    "keywords": (TableVectors.row_keywords, "array<struct<word: string, score: double>>"),
    "pmi": (TableVectors.row_pmi, "double"),
}
PER_WORD = "word string, neighbour string, score float, rank int"


def sentence_vector(
    text: "Column | str", how: How = "sum", *, vectors: str | Path, reading: Reading | None = None
) -> "Column":
    """Vector of each text: array of float, as `Vectors.sentence_vector` gives it.

    Parameters
    ----------
    text : Column or str
        Column of text or of arrays of words.
    how
        ``sum``, ``mean``, ``sif`` or ``whitened``.
    vectors : str or Path
        Folder of a vectors table.
    reading : Reading, optional
        How texts become words, where that is not as the corpus was read. A tokenizer MODULE:FUNCTION must be named here.

    Raises
    ------
    ConfigError
        When ``how`` is none of these; in the workers when the tokenizer cannot be had.
    InputError
        When the folder is no complete vectors table.
    """
    check_choice("how", how, get_args(How))
    return _asked("sentence_vector", vectors, reading, text, _literal(how))


def keywords(text: "Column | str", topn: int = 10, *, vectors: str | Path, reading: Reading | None = None) -> "Column":
    """Keywords of each text: array of (word string, score double), best first, as `Vectors.keywords` gives them.

    ``keywords(...).word`` is an array of the words alone. Parameters and errors are those of `sentence_vector`.
    """
    _check_topn(topn)
    return _asked("keywords", vectors, reading, text, _literal(topn))


def pmi(first: "Column | str", second: "Column | str", *, vectors: str | Path) -> "Column":
    """Predicted pmi in nats of two columns of words: double, the ``predicted`` of `Vectors.pmi`.

    Null also of a word with itself, and where inner products are no pmi (two spaces, GloVe). Errors are those of `sentence_vector`.
    """
    return _asked("pmi", vectors, None, first, second)


def register(spark: "SparkSession", vectors: str | Path, reading: Reading | None = None) -> None:
    """Make the SQL functions of a session: the three above, under their names.

    ``sentence_vector(text)`` or ``sentence_vector(text, 'mean')``, ``keywords(text, n)`` and ``pmi(a, b)``.

    Parameters
    ----------
    spark : SparkSession
    vectors, reading
        As in `sentence_vector`. The functions answer for what it holds now: of a table trained anew, register again.

    Raises
    ------
    InputError
        As `sentence_vector`.
    """
    for name in FUNCTIONS:
        spark.udf.register(name, function(name, vectors, reading))


def neighbours(
    spark: "SparkSession",
    vectors: str | Path,
    topn: int = 10,
    measure: Measure = "cosine",
    partitions: int | None = None,
) -> "DataFrame":
    """The nearest words of every word, those aside of which nothing was learned.

    Lazy. A task holds 256 words and their scores with some 65,000 others at a time, whatever the vocabulary: all of it is multiplied with
    all of it, in V^2 dim multiplications. The rows are the same for any partitioning.

    Parameters
    ----------
    spark : SparkSession
    vectors : str or Path
        As in `sentence_vector`.
    topn
        Neighbours of each word, at most all others.
    measure
        ``pmi``, ``cosine`` or ``similarity``, as in `Vectors.neighbours`.
    partitions
        Tasks that share the work. By default as many as Spark has cores.

    Returns
    -------
    DataFrame
        word string, neighbour string, score float, rank int from 1.

    Raises
    ------
    ConfigError
        When ``topn`` or ``measure`` is impossible.
    InputError
        As `sentence_vector`.
    """
    _check_topn(topn)
    check_choice("measure", measure, get_args(Measure))
    folder, manifest = _table(vectors)
    blocks = spark.range(0, -(-manifest.rows // ROWS), 1, partitions)
    table = (str(folder), manifest.content_sha256)
    return blocks.mapInArrow(partial(neighbours_of_blocks, table=table, topn=topn, measure=measure), PER_WORD)


def function(name: str, vectors: str | Path, reading: Reading | None = None) -> "Callable[..., Column]":
    """One of `FUNCTIONS` as a function of columns, answered from a folder's vectors."""
    answer, kind = FUNCTIONS[name]
    return row_function(name, answer, kind, vectors, reading)


def row_function(
    name: str, answer: Answer, kind: str, vectors: str | Path, reading: Reading | None = None
) -> "Callable[..., Column]":
    """A function of columns that asks the vectors of a folder for each row."""
    from pyspark.sql.functions import udf

    folder, manifest = _table(vectors)
    table = (str(folder), manifest.content_sha256, reading)

    def asked(*row: Any) -> Any:
        return answer(opened(*table), *row)

    asked.__name__ = name
    return udf(asked, kind, useArrow=True)


def _asked(name: str, vectors: str | Path, reading: Reading | None, *columns: "Column | str") -> "Column":
    return function(name, vectors, reading)(*columns)


def _table(vectors: str | Path) -> tuple[Path, Manifest]:
    folder = path_of(resolved(vectors))
    return folder, Manifest.load(folder, TABLE)


def _literal(value: Any) -> "Column":
    from pyspark.sql.functions import lit

    return lit(value)


def _check_topn(topn: int) -> None:
    if topn < 1:
        raise ConfigError(f"topn must be at least 1; got {topn}. Use 10.")
