"""Two coordinates for each of the most frequent words, so that words with like vectors lie near each other."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import ConfigError
from simglove_spark.vectors import Vectors, unit_rows

Projection = Literal["tsne", "pca"]
PERPLEXITY = 30  # of about so many neighbours t-SNE keeps the distances


def project(vectors: Vectors, ids: NDArray[np.intp], projection: Projection, seed: int) -> NDArray[np.float64]:
    """Coordinates of some words, each axis within -1 and 1; the same seed gives the same map on one machine.

    Parameters
    ----------
    vectors : Vectors
    ids : intp[n]
        Words to place.
    projection : str
        t-SNE of the vectors at length 1 (van der Maaten & Hinton 2008), where there are words enough for it; or the two
        directions in which those vectors differ most.
    seed : int

    Returns
    -------
    float64[n, 2]
    """
    units = unit_rows(vectors.matrix[ids]).astype(np.float64)
    flat = _pca(units)
    if projection == "tsne" and len(ids) > 4 * PERPLEXITY:
        flat = _tsne(units, flat, seed)
    return flat / (np.abs(flat).max(axis=0) + 1e-12)


def _pca(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Components along the first two principal axes, each turned so that its largest entry is positive."""
    centred = rows - rows.mean(axis=0)
    _, _, axes = np.linalg.svd(centred.T @ centred, hermitian=True)
    axes = axes[:2] * np.sign(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    flat = np.zeros((len(rows), 2))
    flat[:, : len(axes)] = centred @ axes.T
    return flat


def _tsne(rows: NDArray[np.float64], start: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise ConfigError(
            "--projection tsne must have openTSNE; got an environment without it. "
            "Install it: pip install 'simglove-spark[report]', or use --projection pca."
        ) from error
    start = start * (1e-4 / (start[:, 0].std() + 1e-12))  # as openTSNE scales its own start
    # one thread: the sums of several come in any order, and t-SNE magnifies the last digit to another map
    tsne = TSNE(perplexity=PERPLEXITY, neighbors="exact", initialization=start, n_jobs=1, random_state=seed)
    return np.asarray(tsne.fit(rows))
