"""Finding phrases (Spark): neighbours are counted as pairs are, each shard is scored where it is merged, the driver names what is left.

A phrase is a pair of words, one right behind the other, that stand so far more often than chance would have it: normalised pmi
(Bouma 2009, "Normalized (pointwise) mutual information in collocation extraction") over neighbours, as in Mikolov et al. 2013
("Distributed representations of words and phrases", section 4) and gensim's `Phrases` with npmi scoring.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simglove_spark.config import PhrasesConfig
from simglove_spark.cooccurrence import count_runs, merged_tables, write_runs
from simglove_spark.manifest import FileEntry, Manifest, checked_source
from simglove_spark.neighbour_counter import NeighbourCounter
from simglove_spark.phrase_table import load_phrases
from simglove_spark.schemas import PHRASES
from simglove_spark.sources import Source
from simglove_spark.storage.paths import path_of
from simglove_spark.table_files import read_batches, write_file
from simglove_spark.word_table import shared_word_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Pairs of ids that passed both limits, as tasks hand them to the driver.
FOUND = pa.schema([("first", pa.int32()), ("second", pa.int32()), ("count", pa.int64()), ("npmi", pa.float64())])
DIGITS = 6  # of npmi that are kept: the last bits of a logarithm are the machine's own


def npmi(pairs: np.ndarray, firsts: np.ndarray, seconds: np.ndarray, total: int) -> np.ndarray:
    """Normalised pmi: log(p(a, b) / (p(a) p(b))) / -log p(a, b), between -1 and 1.

    Parameters
    ----------
    pairs : int64[:]
        How often b stands right behind a.
    firsts, seconds : int64[:]
        How often a and b occur.
    total : int
        N. All shares are of this, as in gensim: so 1 is reached only by words that never stand apart.
    """
    log_total, log_pairs = np.log(total), np.log(pairs)
    score = (log_pairs + log_total - np.log(firsts) - np.log(seconds)) / (log_total - log_pairs)
    return np.round(score, DIGITS)


def count_neighbours(sources: list[Source], vocabulary: tuple[str, str], num_shards: int, memory: int) -> "DataFrame":
    """Count which word stands right behind which: columns shard int, run binary, as `cooccurrence.count_pairs` gives."""
    return count_runs(sources, vocabulary, partial(NeighbourCounter, num_shards=num_shards), memory, keep_places=True)


def write_found(
    counted: "DataFrame",
    folder: str,
    num_shards: int,
    vocabulary: tuple[str, str],
    total_words: int,
    config: PhrasesConfig,
) -> "DataFrame":
    """Shuffle runs to their shards, merge each, and write what passes both limits; the report's rows tell of the files.

    ``vocabulary`` is its folder and its content's checksum.
    """
    write = partial(_write_shard, folder=folder, vocabulary=vocabulary, total_words=total_words, config=config)
    return write_runs(counted, num_shards, write)


def _write_shard(
    shard: int,
    strings: Iterator[bytes],
    folder: str,
    vocabulary: tuple[str, str],
    total_words: int,
    config: PhrasesConfig,
) -> list[dict[str, Any]]:
    table = shared_word_table(*vocabulary)
    counts = table.by_id(table.counts)
    found = (_passing(cells, counts, total_words, config) for cells in merged_tables(strings, counts.size))
    return [write_file(path_of(folder), f"found-{shard:05d}", FOUND, found)]


def _passing(cells: pa.Table, counts: np.ndarray, total_words: int, config: PhrasesConfig) -> pa.Table:
    firsts, seconds, pairs = (column.to_numpy() for column in cells.columns)
    scores = npmi(pairs, counts[firsts], counts[seconds], total_words)
    kept = (pairs >= config.min_count) & (scores >= config.threshold)
    return pa.table([firsts[kept], seconds[kept], pairs[kept], scores[kept]], schema=FOUND)


def named(found: Path, files: list[FileEntry], vocabulary: Path, joiner: str) -> pa.Table:
    """Phrases of a vocabulary, then those that were found under it, by count (falling) and words, as one round more.

    Parameters
    ----------
    found : Path
        Folder of the ``files`` that tasks wrote.
    files : list of FileEntry
    vocabulary : Path
    joiner : str
        What stands between the two words in the joined one.

    Returns
    -------
    pyarrow.Table
        Of schema `schemas.PHRASES`.
    """
    words, before = _column(vocabulary, "word"), load_phrases(vocabulary, "vocabulary")
    rows = pa.concat_tables([FOUND.empty_table(), *(pa.table(batch) for batch in read_batches(found, files))])
    first, second = (words.take(rows[name]) for name in ("first", "second"))
    number = (pc.max(before["round"]).as_py() or 0) + 1
    columns = [
        pa.repeat(pa.scalar(number, pa.int32()), rows.num_rows),
        first,
        second,
        pc.binary_join_element_wise(first, second, joiner),
        rows["count"],
        rows["npmi"],
    ]
    own = pa.table(columns, schema=PHRASES)
    own = own.sort_by([("count", "descending"), ("first", "ascending"), ("second", "ascending")])
    return pa.concat_tables([before, own]).combine_chunks()


def _column(vocabulary: Path, name: str) -> pa.ChunkedArray:
    files = Manifest.load(vocabulary, "vocabulary").own_files
    return pa.chunked_array(
        [chunk for entry in files for chunk in pq.read_table(checked_source(vocabulary, entry))[name].chunks]
    )
