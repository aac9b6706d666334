"""Single rows of a pair table: what stood beside a word how often, and the pmi that was observed."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.manifest import Manifest
from simglove_spark.vectors import Vectors


class PairRows:
    """Rows of a pair table by word_id.

    Parameters
    ----------
    folder : Path
        A complete pair table.
    vectors : Vectors
        Of the same vocabulary.

    Attributes
    ----------
    unit : int
        A pair that stood side by side once counts so much.

    Raises
    ------
    InputError
        When the table is broken, or when its word ids are not those of the vectors.
    """

    def __init__(self, folder: Path, vectors: Vectors) -> None:
        from simglove_spark import effective_counts  # with numba, which vectors alone do without
        from simglove_spark.kernels.hashes import shard_of_words
        from simglove_spark.shards import shard_number

        manifest = Manifest.load(folder, "pairs")
        theirs = manifest.parent_sha256("vocabulary")
        ours = vectors.manifest.parent_sha256("vocabulary") if vectors.manifest else None
        if ours != theirs:
            raise InputError(
                f"pairs must be counted under the vectors' vocabulary, {str(ours)[:12]}; got {str(theirs)[:12]} ({folder}). "
                "Give the pairs that the vectors were trained on."
            )
        size, self._details = len(vectors), manifest.details
        counts = effective_counts.read(folder, manifest, size)
        self._counts = vectors.counts if counts is None else counts
        self._files = {shard_number(entry): folder / entry.path for entry in manifest.own_files}
        self._shards = np.empty(size, np.int32)
        shard_of_words(self._shards, int(self._details["num_shards"]))
        self.unit = int(self._details["unit"])
        self.row = lru_cache(maxsize=64)(self._row)

    def _row(self, word_id: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Ids of a word's contexts, ascending (int32[n]), and how often each stood in its windows, x (float64[n]).

        Raises
        ------
        InputError
            When the shard is missing or broken.
        """
        path = self._files.get(int(self._shards[word_id]))
        if path is None:
            return np.empty(0, np.int32), np.empty(0)
        try:
            found = pq.read_table(path, columns=["context_id", "count"], filters=[("word_id", "=", word_id)])
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"shard must be whole Parquet; got {error} ({path}). Count the pairs again.") from error
        return found["context_id"].to_numpy(), found["count"].to_numpy() / self.unit

    def pmi(self, word_id: int, contexts: NDArray[np.int32], times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Observed pmi in nats: log x_ij - log X - log n_i - log n_j + 2 log N, float64[n]."""
        constant = 2 * np.log(self._details["total_words"]) - np.log(self._details["total_pairs"] / self.unit)
        return np.log(times) + constant - np.log(self._counts[word_id]) - np.log(self._counts[contexts])
