"""The pmi of pairs of words beside what was counted: a DataFrame joined with the shards of a pair table."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simglove_spark.asking.pair_table import PairTable
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.publishing.latest import resolved
from simglove_spark.schemas import PAIRS
from simglove_spark.sources import uri_of
from simglove_spark.spark_vectors.in_workers import opened
from simglove_spark.storage.paths import path_of
from simglove_spark.vectors import Vectors

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

IDS, CELLS = "simglove_ids", ("simglove_word", "simglove_context", "simglove_count")
BOTH = "struct<word_id: int, context_id: int>"
PMI = "struct<predicted: double, observed: double, count: double>"


def with_pmi(
    df: "DataFrame",
    first: "Column | str",
    second: "Column | str",
    *,
    vectors: str | Path,
    pairs: str | Path,
    name: str = "pmi",
) -> "DataFrame":
    """A DataFrame with the pmi of two of its columns of words, predicted and observed, as `Vectors.pmi` gives them.

    Lazy. The whole pair table is read once, and shuffled by its ids together with the DataFrame (16 bytes a cell, before compression): for a few
    pairs ask `Vectors.pmi`, which reads only their rows.

    Parameters
    ----------
    df : DataFrame
    first, second : Column or str
        Columns of words.
    vectors : str or Path
        Folder of a vectors table that all workers can read.
    pairs : str or Path
        Folder of the pair table that they were trained on, which Spark can read.
    name : str
        Of the column that is added.

    Returns
    -------
    DataFrame
        All rows and columns, and NAME struct<predicted: double, observed: double, count: double>, in nats; null where a word is null, or
        one of which nothing was learned. A pair that was never seen has count 0 and no observed pmi.

    Raises
    ------
    ConfigError
        When there is a column of that name.
    InputError
        When a folder holds no complete table, or the pairs were not counted under the vectors' vocabulary.
    """
    from pyspark.sql.functions import col, udf

    taken = {column.lower() for column in df.columns}  # Spark's names have no case
    if taken & {name.lower(), IDS, *CELLS}:
        raise ConfigError(f"name must be that of a new column; got {name!r}. Give another.")
    known, counted = Vectors.load(resolved(vectors)), PairTable(path_of(pairs))
    known.check_pairs(counted)
    asked = (str(path_of(resolved(vectors))), known.manifest.content_sha256 if known.manifest else "")
    table = (str(counted.folder), counted.manifest.content_sha256)

    def ids(first: str | None, second: str | None) -> Any:
        return opened(*asked).row_ids(first, second)

    def pmi(both: Any, units: int | None) -> Any:
        return opened(*asked).row_observed(both, units, opened_pairs(*table))

    files = [uri_of(str((counted.folder / entry.name).absolute())) for entry in counted.manifest.own_files]
    cells = df.sparkSession.read.parquet(*files).selectExpr(
        *(f"{column} AS {ours}" for column, ours in zip(PAIRS.names, CELLS, strict=True))
    )
    left = df.withColumn(IDS, udf(ids, BOTH, useArrow=True)(first, second))
    same = (left[IDS]["word_id"] == cells[CELLS[0]]) & (left[IDS]["context_id"] == cells[CELLS[1]])
    joined = left.join(cells, same, "left")
    return joined.withColumn(name, udf(pmi, PMI, useArrow=True)(col(IDS), col(CELLS[2]))).drop(IDS, *CELLS)


@lru_cache(maxsize=4)
def opened_pairs(folder: str, content_sha256: str) -> PairTable:
    """The pair table of a folder, opened once a process.

    Raises
    ------
    InputError
        When it is not there, or another than the driver saw.
    """
    pairs = PairTable(folder)
    found = pairs.manifest.content_sha256
    if found != content_sha256:
        raise InputError(
            f"pairs must be those that the driver saw, {content_sha256[:12]}; got {found[:12]} ({folder}). Ask again."
        )
    return pairs
