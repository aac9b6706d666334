"""Which files of a corpus cannot be read whole, found before any of them is counted: for ``--on-bad-file skip``.

Half a file counted as a whole one would be a wrong table. So each file is read once to its end in Spark's tasks, unpacked and
decoded as it will be: it is then counted whole, or left out altogether and named in the manifest.
"""

from collections.abc import Iterator
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from simglove_spark.config import CorpusConfig
from simglove_spark.corpus import check_kind, is_here, kind_by_name
from simglove_spark.engines.turns import in_workers
from simglove_spark.errors import InputError
from simglove_spark.sampling import COMPRESSION, can_unpack, json_objects, readable, unpacked
from simglove_spark.storage.paths import readable as source_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BLOCK_BYTES = 4 << 20
TASKS_ON_A_CLUSTER, TASKS_OF_A_SLOT = 256, 4

Entry = dict[str, Any]


def find_bad_files(
    spark: "SparkSession", listed: list[Entry], config: CorpusConfig, slots: int | None
) -> dict[str, str]:
    """Why files cannot be read whole, by their paths; files of other systems than this machine's are not looked at.

    Parameters
    ----------
    spark : SparkSession
    listed : list of dict
        As `corpus.list_inputs` gives them.
    config : CorpusConfig
    slots : int or None
        Tasks that run at once; None where a cluster decides.
    """
    here = [entry for entry in listed if is_here(entry["path"]) and entry["bytes"] != 0]
    paths = [entry["path"] for entry in sorted(here, key=lambda entry: -(entry["bytes"] or 0))]
    tasks = min(len(paths), TASKS_ON_A_CLUSTER if slots is None else TASKS_OF_A_SLOT * slots)
    if not tasks:
        return {}
    shares = [paths[task::tasks] for task in range(tasks)]
    look = partial(_check_shares, shares=shares, column=config.column, all_columns=config.where is not None)
    found = in_workers(spark.range(0, tasks, 1, tasks), look, "path string, reason string").collect()
    return {row["path"]: row["reason"] for row in found}


def _check_shares(
    batches: Iterator[pa.RecordBatch], shares: list[list[str]], column: str | None, all_columns: bool
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for share in batch.column(0).to_pylist():
            reasons = ((path, reason_against(path, column, all_columns)) for path in shares[share])
            bad = [{"path": path, "reason": reason} for path, reason in reasons if reason is not None]
            yield pa.RecordBatch.from_pylist(bad, pa.schema([("path", pa.string()), ("reason", pa.string())]))


def reason_against(path: str, column: str | None, all_columns: bool = False) -> str | None:
    """Why a file cannot be counted whole, or None."""
    try:
        check_kind(path, column)
        with readable(path):
            _read_whole(path, column, all_columns)
    except InputError as error:
        return str(error)
    return None


def _read_whole(path: str, column: str | None, all_columns: bool) -> None:
    kind = "text" if column is None else kind_by_name(path)
    columns = None if all_columns else [column]
    if kind == "Parquet":
        with pq.ParquetFile(source_of(path), page_checksum_verification=True) as file:
            for _ in file.iter_batches(columns=columns):
                pass
    elif kind == "ORC":
        file = orc.ORCFile(source_of(path))
        for stripe in range(file.nstripes):
            file.read_stripe(stripe, columns)
    elif kind == "JSON" and can_unpack(path):
        with unpacked(path) as stream:
            _check_objects(stream, column or "")
    elif Path(path).suffix in COMPRESSION:
        with unpacked(path) as stream:
            while stream.read(BLOCK_BYTES):
                pass


def _check_objects(stream: pa.NativeFile, column: str) -> None:
    kinds = set()
    for row in json_objects(TextIOWrapper(stream, encoding="utf-8-sig")):
        value = row.get(column)
        words = value if isinstance(value, list) else [value]
        if not all(word is None or isinstance(word, str) for word in words):
            raise ValueError(f"{column!r} that holds neither text nor a list of words")
        kinds |= {type(value)} - {type(None)}
    if len(kinds) > 1:
        raise ValueError(f"{column!r} that holds text here and a list of words there")
