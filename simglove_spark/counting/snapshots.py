"""Which state of a table Spark read, where the table's format tells: the snapshot of Iceberg, the version of Delta Lake."""

from typing import TYPE_CHECKING

from simglove_spark.corpus import TABLE, is_table
from simglove_spark.counting.context import Files
from simglove_spark.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

QUERIES = (
    "SELECT snapshot_id FROM {}.refs WHERE name = 'main'",
    "DESCRIBE HISTORY {} LIMIT 1",
)


def with_snapshots(spark: "SparkSession", inputs: Files) -> Files:
    """The inputs, tables with their ``snapshot`` where they have one."""
    return [{**entry, **_snapshot(spark, entry["path"])} if is_table(entry["path"]) else entry for entry in inputs]


def _snapshot(spark: "SparkSession", path: str) -> dict[str, str]:
    from pyspark.errors import PySparkException

    for query in QUERIES:
        try:
            row = spark.sql(query.format(path.removeprefix(TABLE))).first()
        except PySparkException:
            continue  # a table of another format
        if row is not None:
            return {"snapshot": str(row[0])}  # the first column of both
    return {}


def refuse_other_snapshots(inputs: Files, counted: Files) -> None:
    """Refuse a table that changed since its words were ``counted``.

    Raises
    ------
    InputError
    """
    known = {entry["path"]: entry.get("snapshot") for entry in counted}
    for entry in inputs:
        before = known.get(entry["path"])
        if before is not None and entry.get("snapshot") != before:
            raise InputError(
                f"table must be unchanged since its words were counted; got snapshot {entry.get('snapshot')} after {before} "
                f"({entry['path']}). Count the words again."
            )
