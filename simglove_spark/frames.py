"""Counting any Spark DataFrame of text from Python, in its own session, with the kernels of the commands.

    count_words(df)                  DataFrame(word string, count long)
    count_pairs(df, vocabulary)      DataFrame(word_id int, context_id int, count long), both directions
    save_counts(df, output, name)    the tables word_counts, vocabulary and pairs, for `simglove train`

Options have the names and defaults of the dataclasses in `config`. The first two are lazy: nothing runs until their rows are
asked for, and words that are not UTF-8 then end the job, unless ``on_bad_bytes="replace"``.
"""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

from simglove_spark import cooccurrence, counting, occurrence, vocabulary
from simglove_spark.cache import temporary_home
from simglove_spark.choices import check_choice
from simglove_spark.config import CorpusConfig, PairsConfig, RunConfig, SparkConfig, VocabularyConfig
from simglove_spark.corpus import TABLE
from simglove_spark.engines.order import by_number, in_order
from simglove_spark.engines.turns import in_workers
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.progress import Progress
from simglove_spark.schemas import PAIRS, VOCABULARY
from simglove_spark.session import worker_memory
from simglove_spark.sources import Source, cleaning_of, source_of, text_column
from simglove_spark.spark_errors import translated
from simglove_spark.storage.paths import path_of
from simglove_spark.table_files import REPORT_DDL, by_shard, report_batch, write_file
from simglove_spark.text_rows import Piece
from simglove_spark.tokenizing import load_tokenizer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Made = TypeVar("Made")
#: Options without a meaning for a DataFrame in its own session
OF_FILES_AND_MACHINES = frozenset(
    (
        *("document_break", "on_bad_file", "master", "driver_memory", "spark_conf", "engine", "spark_remote"),
        *("threads", "memory", "max_runtime"),
    )
)


def count_words(df: "DataFrame", column: str | None = None, **options: Any) -> "DataFrame":
    """Occurrences of every word of a DataFrame.

    Parameters
    ----------
    df : DataFrame
    column : str, optional
        Column of text (string or binary) or of lists of words; needed where there is more than one.
    **options
        Of `CorpusConfig` (``lowercase``, ``normalize``, ``where``, ``on_bad_bytes``), and ``worker_memory``.

    Returns
    -------
    DataFrame
        word string, count long; each word once, in no order.

    Raises
    ------
    ConfigError
        When an option is none.
    InputError
        When the column is not there, or holds neither text nor lists of words.
    """
    corpus, spark = _configs([CorpusConfig, SparkConfig], options, column=_column(df, column))
    shards = _partitions(df)
    return occurrence.summed_words(occurrence.count_words([_source(df, corpus)], shards, worker_memory(spark)), shards)


def count_pairs(
    df: "DataFrame", vocabulary: "str | Path | DataFrame", column: str | None = None, **options: Any
) -> "DataFrame":
    """Counts of all pairs of vocabulary words within a window, in units (see ``unit_of`` in `pair_counter`).

    Parameters
    ----------
    df : DataFrame
    vocabulary : str, Path or DataFrame
        Folder of a vocabulary table that all workers can read. Or a DataFrame(word string, word_id int), ids from 0 without
        a gap: it is written into this machine's temporary folder at once, which workers elsewhere do not see.
    column : str, optional
        As in `count_words`.
    **options
        Of `CorpusConfig` and `PairsConfig` (``window_size``, ``distance_weighting``, ``unknown_words``), and
        ``worker_memory``.

    Returns
    -------
    DataFrame
        word_id int, context_id int, count long; both directions of each pair, no word with itself, each cell once.

    Raises
    ------
    ConfigError
        When an option is none.
    InputError
        When the column or the vocabulary is not what it must be.
    """
    kinds = [CorpusConfig, PairsConfig, SparkConfig]
    corpus, pairs, spark = _configs(kinds, options, column=_column(df, column))
    if pairs.subsample is not None:
        raise ConfigError(
            f"subsample must be left out, since the counts of what is left have no place here; got {pairs.subsample}. "
            "Use save_counts."
        )
    folder = path_of(vocabulary) if isinstance(vocabulary, str | Path) else _written(vocabulary)
    words = Manifest.load(folder, "vocabulary")
    for name in ("lowercase", "normalize", "tokenizer"):
        if words.config.get(name, getattr(corpus, name)) != getattr(corpus, name):
            raise ConfigError(
                f"{name} must be as the vocabulary was counted, {words.config[name]}; got {getattr(corpus, name)} ({folder}). "
                "Give the same option to both."
            )
    shards, table = pairs.num_shards or _partitions(df), (str(folder), words.content_sha256)
    counted = cooccurrence.count_pairs([_source(df, corpus)], table, pairs, shards, worker_memory(spark))
    merge = partial(_merge_partition, vocabulary_size=words.rows)
    runs = in_order(by_number(counted.where("shard >= 0"), shards), "shard")
    return in_workers(runs, merge, "word_id int, context_id int, count long")


def save_counts(df: "DataFrame", output: str | Path, name: str, column: str | None = None, **options: Any) -> Manifest:
    """Count words and pairs of a DataFrame into the complete tables output/word_counts, vocabulary and pairs.

    The same stages as `simglove run`: what is there already from a DataFrame of that name with the same options is left
    alone, whatever its rows are now. The DataFrame is gone through twice: cache it where it is dear.

    Parameters
    ----------
    df : DataFrame
    output : str or Path
        Folder that all workers can write.
    name : str
        What the manifests call the input: ``table:NAME``. A temporary view has it meanwhile.
    column : str, optional
        As in `count_words`.
    **options
        Of `CorpusConfig`, `VocabularyConfig`, `PairsConfig`, `RunConfig` (``overwrite``) and `SparkConfig`
        (``worker_memory``).

    Returns
    -------
    Manifest
        Of the pairs.

    Raises
    ------
    SimgloveError
        As the stages say; ConfigError also when an option is none, or a view of that name is there.
    """
    from pyspark.errors import PySparkException

    kinds = [CorpusConfig, VocabularyConfig, PairsConfig, RunConfig, SparkConfig]
    given = {"input": (f"{TABLE}{name}",), "column": _column(df, column)}
    corpus, words, pairs, run, spark = _configs(kinds, options, **given)
    folder, session = path_of(output), df.sparkSession
    context = counting.Context(Progress(), run, spark, "save-counts", session)
    try:
        df.createTempView(name)
    except PySparkException as error:
        raise ConfigError(
            f"name must be free and fit for a view; got {name!r} ({type(error).__name__}). Give another one."
        ) from error
    try:
        counting.count_words(corpus, words, folder, context)
        return counting.count_pairs(corpus, pairs, folder / "vocabulary", folder / "pairs", context)
    finally:
        session.catalog.dropTempView(name)


def _configs(kinds: list[type], options: dict[str, Any], **given: Any) -> list[Any]:
    """One dataclass of each kind, each option in the one that has it."""
    given = {"input": (), **given}
    known = {field.name: kind for kind in kinds for field in fields(kind) if field.name not in OF_FILES_AND_MACHINES}
    for name in options:
        if name not in known or name in given:
            raise ConfigError(
                f"option must be one of {', '.join(sorted(set(known) - set(given)))}; got {name!r}. Check its name."
            )
    every = {**given, **options}
    made: list[Any] = [
        checked_config(kind, {name: every[name] for name in every if known.get(name) is kind}) for kind in kinds
    ]
    load_tokenizer(made[0].tokenizer)
    return made


def checked_config(kind: type[Made], options: dict[str, Any]) -> Made:
    """A dataclass of `config` with these options.

    Raises
    ------
    ConfigError
        When an option has not one of its choices, or is impossible.
    """
    for name, hint in get_type_hints(kind).items():
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        if name in options and choices:
            check_choice(name, options[name], choices)
    return kind(**options)


def _column(df: "DataFrame", column: str | None) -> str:
    if column is None and len(df.columns) != 1:
        raise ConfigError(
            f"column must be named where there are several; got none of {', '.join(df.columns)}. Name it."
        )
    return column or df.columns[0]


def _partitions(df: "DataFrame") -> int:
    return int(df.sparkSession.conf.get("spark.sql.shuffle.partitions"))


def _source(df: "DataFrame", corpus: CorpusConfig) -> Source:
    source = source_of(text_column(df, corpus, "DataFrame"), cleaning_of(corpus))
    return source if corpus.on_bad_bytes == "replace" else Source(source.frame, partial(_sound, take=source.pieces))


def _sound(
    batches: Iterator[pa.RecordBatch], take: Callable[[Iterator[pa.RecordBatch]], Iterator[Piece]]
) -> Iterator[Piece]:
    """Rows as ``take`` gives them; nobody looks at counters later, so bad bytes are refused here."""
    for piece in take(batches):
        if piece.bad:
            raise InputError(
                f"words must be UTF-8; got {piece.bad:,} in a batch that are not (DataFrame). "
                'Give on_bad_bytes="replace" to put U+FFFD in place of the bad bytes.'
            )
        yield piece


def _merge_partition(batches: Iterator[pa.RecordBatch], vocabulary_size: int) -> Iterator[pa.RecordBatch]:
    for _, parts in by_shard(batches):
        strings = (run.as_py() for part in parts for run in part["run"])
        for table in cooccurrence.merged_tables(strings, vocabulary_size):
            columns = [pa.array(column.to_numpy().copy()) for column in table.columns]  # they are filled again
            yield pa.RecordBatch.from_arrays(columns, schema=PAIRS)


def _written(words: "DataFrame") -> Path:
    """Folder of a vocabulary table of a DataFrame, for as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="frame-", dir=temporary_home()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        chosen = words.selectExpr("cast(word AS string)", "cast(word_id AS int)", "0L AS count")
        report = in_workers(chosen.repartition(1), partial(_write_words, folder=str(folder)), REPORT_DDL).collect()
    except Exception as error:
        raise translated(error) from error
    vocabulary.finish_vocabulary(folder, report, {}, {}, [], {})
    return folder


def _write_words(batches: Iterator[pa.RecordBatch], folder: str) -> Iterator[pa.RecordBatch]:
    parts = [pa.Table.from_batches([batch]).cast(VOCABULARY) for batch in batches]
    words = pa.concat_tables([VOCABULARY.empty_table(), *parts]).sort_by("word_id")
    dense = np.array_equal(words["word_id"].to_numpy(), np.arange(words.num_rows))
    if not dense or words["word"].null_count or len(words["word"].unique()) < words.num_rows:
        raise InputError(
            f"vocabulary must have each word once, with ids 0, 1, 2, ...; got others in {words.num_rows:,} rows (DataFrame). "
            "Number the words without a gap."
        )
    yield report_batch([write_file(Path(folder), "vocabulary", VOCABULARY, [words])])
