"""Rows in their places, and in order, as far as an engine can."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def is_sail(spark: "SparkSession") -> bool:
    """Whether Sail answers: it has Spark's version in ``version``, and its own in SQL's."""
    if not type(spark).__module__.startswith("pyspark.sql.connect"):
        return False
    row = spark.sql("SELECT version() AS own").first()
    return row is not None and not row["own"].startswith(spark.version)


def by_number(frame: "DataFrame", num_shards: int) -> "DataFrame":
    """The rows of each shard in a partition of its own, since Spark 4.1; before it and with Sail several may meet in one."""
    spark = frame.sparkSession
    release = tuple(int(part) for part in spark.version.split(".")[:2])
    if release < (4, 1) or is_sail(spark) or not hasattr(frame, "repartitionById"):
        return frame.repartition(num_shards, "shard")
    return frame.repartitionById(num_shards, "shard")


def in_order(frame: "DataFrame", *keys: str) -> "DataFrame":
    """The partitions of a DataFrame with their rows in order of the keys, by the first of which they are partitioned.

    Sail drops a sort that no operator of its own asks for, and parts rows anew by all columns that they are grouped by. A window has
    them parted by its first column, and sorted. (On Spark it would keep a shard's rows in memory.)
    """
    if not is_sail(frame.sparkSession):
        return frame.sortWithinPartitions(*keys)
    return frame.selectExpr("*", f"row_number() OVER (PARTITION BY {keys[0]} ORDER BY {', '.join(keys)}) AS place")
