"""gensim's own format, the folder of a `KeyedVectors.save`: written by gensim itself, and never read.

vectors.kv               a pickle of everything but the numbers
vectors.kv.vectors.npy   float32[V, dim], to be memory-mapped: KeyedVectors.load("FOLDER/vectors.kv", mmap="r")
"""

from pathlib import Path

import numpy as np

from simglove_spark.errors import ConfigError
from simglove_spark.formats import arrays
from simglove_spark.formats.numbers import Dtype
from simglove_spark.formats.rows import Rows

NAME, MATRIX = "vectors.kv", "vectors.kv.vectors.npy"
FILES = (NAME, MATRIX)


def write(rows: Rows, folder: Path, dtype: Dtype) -> None:
    """Write the folder.

    Raises
    ------
    ConfigError
        When gensim is not installed.
    """
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise ConfigError(
            f"--format kv must have gensim; got {error}. Install 'simglove-spark[gensim]', or use --format word2vec-binary, "
            "which gensim reads as well."
        ) from error
    size, dim = rows.shape
    copied = folder / "matrix.npy"
    arrays.write_matrix(copied, rows, dtype)
    known = KeyedVectors(dim)
    known.vectors = np.load(copied, mmap_mode="r")
    known.index_to_key = list(rows.words())
    known.key_to_index = dict(zip(known.index_to_key, range(size), strict=True))
    if rows.counts.any():
        known.expandos["count"] = rows.counts
    known.lifecycle_events = None  # or gensim notes path and time in the file
    known.save(str(folder / NAME), separately=["vectors"])
    copied.unlink()
