"""One word's row of a pair table: only its shard is opened, and of that only the row groups that hold the word."""

import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark import effective_counts
from simglove_spark.errors import InputError
from simglove_spark.kernels.hashes import splitmix64
from simglove_spark.manifest import Manifest
from simglove_spark.schemas import PAIRS, UNREADABLE, check
from simglove_spark.shards import shard_number
from simglove_spark.storage.paths import path_of, readable
from simglove_spark.vectors_table import sized_path


class PairTable:
    """A complete pair table, to be looked up in; any number of threads may.

    Parameters
    ----------
    folder
        Folder of the table.

    Attributes
    ----------
    manifest : Manifest
    unit : int
        A count of the table is this many times the pair count.
    total_pairs : float
        X, the sum of all pair counts.
    total_words : int
        N, over the kept words.

    Raises
    ------
    InputError
        When it is not a complete pair table.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = path_of(folder)
        self.manifest = Manifest.load(self.folder, "pairs")
        self._files = {shard_number(entry): entry for entry in self.manifest.own_files}
        details = self.manifest.details
        self.unit, self.total_words = int(details["unit"]), int(details["total_words"])
        self.total_pairs = details["total_pairs"] / self.unit
        self._effective: NDArray[np.int64] | None = None

    def row(self, word_id: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The contexts of a word.

        Parameters
        ----------
        word_id
            Of the vocabulary that the pairs were counted under.

        Returns
        -------
        Ids int32[n] in rising order, and pair counts float64[n] (a harmonic pair at distance d counts 1/d).

        Raises
        ------
        InputError
            When the word's shard is missing, cut short, or no Parquet of this kind.
        """
        entry = self._files.get(int(splitmix64(np.uint64(word_id))) % self.manifest.details["num_shards"])
        if entry is None:
            return np.empty(0, np.int32), np.empty(0)
        path = sized_path(self.folder, entry)
        try:
            with pq.ParquetFile(readable(path)) as file:
                check(file.schema_arrow, PAIRS, path)
                groups = [g for g in range(file.num_row_groups) if _may_hold(file.metadata.row_group(g), word_id)]
                table = file.read_row_groups(groups, use_threads=False)
                words, contexts, counts = (table[name].to_numpy() for name in PAIRS.names)
        except UNREADABLE as error:
            raise InputError(f"shard must be whole Parquet; got {error} ({path}). Count the pairs again.") from error
        own = slice(*np.searchsorted(words, [word_id, word_id + 1]))
        return contexts[own], counts[own] / self.unit

    def word_counts(self, vocabulary_counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Occurrences of each word (int64[V]) in the text that the pairs were counted in: less with ``--subsample``."""
        if self._effective is None:
            effective = effective_counts.read(self.folder, self.manifest, vocabulary_counts.size)
            self._effective = vocabulary_counts if effective is None else effective
        return self._effective

    def pmi(self, count: float, first: int, second: int) -> float | None:
        """log x_ij - log X - log n_i - log n_j + 2 log N in nats; None of a pair that was never seen.

        Parameters
        ----------
        count
            x_ij, as `row` has it.
        first, second
            n_i and n_j, as `word_counts` has them.
        """
        return math.log(count / self.expected(first, second)) if count > 0 else None

    def expected(self, first: float, second: float) -> float:
        """Pair count of two words that occur so often, were they to meet by chance: X n_i n_j / N^2."""
        return self.total_pairs * (first / self.total_words) * (second / self.total_words)


def _may_hold(group: pq.RowGroupMetaData, word_id: int) -> bool:
    statistics = group.column(PAIRS.get_field_index("word_id")).statistics
    return statistics is None or not statistics.has_min_max or statistics.min <= word_id <= statistics.max
