"""From listed inputs to what workers read: rows of text or of lists of words, or byte ranges. A row is a window's end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from simglove_spark.cleaning import Cleaning
from simglove_spark.config import CorpusConfig
from simglove_spark.corpus import TABLE, is_here, is_plain, is_table, kind_by_name
from simglove_spark.engines.file_rows import pieces as pieces_of_parts
from simglove_spark.engines.file_rows import plan_parts
from simglove_spark.engines.order import is_sail
from simglove_spark.engines.sail import check_corpus
from simglove_spark.engines.turns import in_workers
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.sampling import first_value
from simglove_spark.spark_errors import first_line
from simglove_spark.storage.schemes import for_spark, is_store
from simglove_spark.text_ranges import pieces as pieces_of_ranges
from simglove_spark.text_ranges import plan
from simglove_spark.text_rows import Piece, pieces

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Source:
    """A DataFrame, and what a worker makes of its batches."""

    frame: "DataFrame"
    pieces: Callable[[Iterator[pa.RecordBatch]], Iterator[Piece]]


def source_of(frame: "DataFrame", cleaning: Cleaning) -> Source:
    """Of any DataFrame with one column of text (string or binary) or of lists of words.

    Raises
    ------
    ConfigError
        When a tokenizer is to cut lists of words.
    """
    if cleaning.tokenizer != "whitespace" and frame.dtypes[0][1].startswith("array"):
        raise ConfigError(
            f"--tokenizer must be whitespace for lists, which hold words already; got {cleaning.tokenizer}. Leave it out."
        )
    return Source(frame, partial(pieces, cleaning=cleaning))


def read_corpus(
    spark: "SparkSession",
    inputs: list[dict[str, Any]],
    config: CorpusConfig,
    slots: int | None,
    whole_rows: bool = False,
) -> list[Source]:
    """Sources over what `corpus.list_inputs` found.

    Plain text is read by the workers themselves, in byte ranges; Spark reads what is compressed or has columns, and what
    lies elsewhere than in a file system of this machine. ``slots`` is the number of tasks that run at once, None on a
    cluster. With ``whole_rows`` each row is read by one task from its beginning to its end; else a long row may be shared.

    Raises
    ------
    ConfigError
        When the condition is not one.
    InputError
        When a column is not there, or holds neither text nor lists of words.
    """
    cleaning = cleaning_of(config)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for entry in (entry for entry in inputs if entry["bytes"] != 0):
        kinds.setdefault(_kind(entry, config), []).append(entry)
    sources = []
    if tasks := plan(kinds.pop("plain", []), slots, config.document_break):
        frame = spark.range(0, len(tasks), 1, len(tasks))
        read = partial(pieces_of_ranges, tasks=tasks, cleaning=cleaning, whole_rows=whole_rows)
        sources.append(Source(frame, read))
    if is_sail(spark):
        files = [kinds.pop(kind) for kind in list(kinds) if not is_table(kind)]
        check_corpus([entry for entries in files for entry in entries], config)
        sources += [_parts(spark, entries, config, slots or 1) for entries in files]
    return sources + [source_of(_read(spark, kind, entries, config), cleaning) for kind, entries in kinds.items()]


def _parts(spark: "SparkSession", entries: list[dict[str, Any]], config: CorpusConfig, slots: int) -> Source:
    """Files that the workers read themselves."""
    tasks = plan_parts(entries, config.column, slots)
    read = partial(pieces_of_parts, tasks=tasks, column=config.column, cleaning=cleaning_of(config))
    return Source(spark.range(0, len(tasks), 1, max(1, len(tasks))), read)


def map_sources(sources: list[Source], work: Callable[..., Iterator[pa.RecordBatch]], ddl: str) -> "DataFrame":
    """What ``work`` makes of each source's batches, given the source's ``pieces``, as one DataFrame."""
    parts = [in_workers(source.frame, partial(work, pieces=source.pieces), ddl) for source in sources]
    return reduce(lambda first, second: first.union(second), parts)


def text_column(frame: "DataFrame", config: CorpusConfig, where: str) -> "DataFrame":
    """The rows and the one column that are asked for, as ``text``; errors as in `read_corpus`."""
    from pyspark.errors import PySparkException
    from pyspark.sql.types import ArrayType, BinaryType, StringType

    column = config.column or ""
    if column not in frame.columns:
        raise InputError(
            f"--column must name a column; got {column!r} ({where}). Its columns: {', '.join(frame.columns)}."
        )
    kind = frame.schema[column].dataType
    inner = kind.elementType if isinstance(kind, ArrayType) else kind
    if not isinstance(inner, StringType | BinaryType):
        raise InputError(
            f"column {column!r} must hold text or lists of words; got {kind.simpleString()} ({where}). Name another one."
        )
    if config.where is not None:
        try:
            frame = frame.where(config.where)
        except PySparkException as error:
            raise ConfigError(
                f"--where must be an SQL condition; got {first_line(error)} ({config.where}). Mend it."
            ) from error
    chosen = _quoted(column)
    return frame.selectExpr(f"{chosen if isinstance(kind, ArrayType) else f'CAST({chosen} AS binary)'} AS text")


def cleaning_of(config: CorpusConfig) -> Cleaning:
    """What is done to the text."""
    return Cleaning(config.lowercase, config.normalize == "nfkc", config.tokenizer)


def _kind(entry: dict[str, Any], config: CorpusConfig) -> str:
    path = entry["path"]
    if is_table(path):
        return path
    if config.column is not None:
        return kind_by_name(path)
    return "plain" if is_plain(path) else "text"


def _read(spark: "SparkSession", kind: str, entries: list[dict[str, Any]], config: CorpusConfig) -> "DataFrame":
    """One column ``text`` of all rows."""
    paths = [uri_of(entry["path"]) for entry in entries]
    # half a file counted as a whole one would be a wrong table, whatever the cluster's settings allow
    reader = spark.read.options(ignoreCorruptFiles="false", ignoreMissingFiles="false")
    # checksums of Parquet pages, where a writer put them: by itself Spark does not look
    reader = reader.option("parquet.page.verify-checksum.enabled", "true")
    if config.column is None:
        return reader.text(paths).selectExpr("CAST(value AS binary) AS text")
    if is_table(kind):
        frame = _table(spark, kind.removeprefix(TABLE))
    elif kind == "JSON":
        ddl = None if config.where else _json_schema(entries, config.column)
        frame = reader.json(paths, schema=ddl, mode="FAILFAST")
    else:
        frame = reader.orc(paths) if kind == "ORC" else reader.parquet(*paths)
    return text_column(frame, config, entries[0]["path"])


def _table(spark: "SparkSession", name: str) -> "DataFrame":
    from pyspark.errors import PySparkException

    try:
        frame = spark.table(name)
        frame.schema  # noqa: B018 - only now does Spark Connect look for it
    except PySparkException as error:
        hint = "With --engine sail give files, for it has no tables." if is_sail(spark) else "Check the name."
        raise InputError(
            f"{TABLE}NAME must be a table that Spark knows; got {first_line(error)} ({name}). {hint}"
        ) from error
    return frame


def _json_schema(entries: list[dict[str, Any]], column: str) -> str | None:
    """DDL of the one column, so that Spark need not read all rows for it: by the first row that has it."""
    path = next((entry["path"] for entry in entries if entry["bytes"]), None)
    value = None if path is None else first_value(path, column)
    words = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(word, str) for word in words):
        raise InputError(
            f"column {column!r} must hold text or lists of words; got {type(value).__name__} ({path}). Name another one."
        )
    return None if value is None else f"{_quoted(column)} {'array<string>' if isinstance(value, list) else 'string'}"


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"


def uri_of(path: str) -> str:
    """URI of a listed file; what Spark would take for a pattern is escaped, since the file is named to the letter."""
    if not is_here(path):
        return path
    uri = for_spark(path) if is_store(path) else f"file://{path}"
    return "".join("\\" + char if char in "*?[]{}\\" else char for char in uri)
