"""Passes over a matrix of vectors, whose speed is that of memory, and the best of many scores.

A pass is cut into blocks that threads share. numpy's own loops take each row alone, so that the result does not depend on the blocks;
BLAS with threads of its own takes twice as long for one vector, and is used where many are asked at once.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simglove_spark.memory import cores

BLOCK_ROWS = 1 << 15
CACHED_ROWS = 1 << 8  # of which a float64 copy stays in a core's cache
SCORES = 1 << 24  # held at once where many vectors are asked
MOST_THREADS = 8  # more of them do not make memory faster


def dots(matrix: NDArray[np.float32], query: NDArray[np.floating]) -> NDArray[np.float32]:
    """Inner product of each row with one vector: float32[V]."""
    out, single = np.empty(len(matrix), np.float32), query.astype(np.float32)

    def some(start: int) -> None:
        rows = slice(start, start + BLOCK_ROWS)
        np.einsum("ij,j->i", matrix[rows], single, out=out[rows])

    _in_threads(some, range(0, len(matrix), BLOCK_ROWS))
    return out


def lengths(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean length of each row, squares summed in float64: float32[V]."""
    out = np.empty(len(matrix), np.float32)

    def some(start: int) -> None:
        for first in range(start, min(start + BLOCK_ROWS, len(matrix)), CACHED_ROWS):
            rows = matrix[first : first + CACHED_ROWS].astype(np.float64)
            out[first : first + CACHED_ROWS] = np.sqrt(np.einsum("ij,ij->i", rows, rows))

    _in_threads(some, range(0, len(matrix), BLOCK_ROWS))
    return out


def _in_threads(work: Callable[[int], None], starts: range) -> None:
    if len(starts) == 1:
        work(0)
        return
    with ThreadPoolExecutor(min(MOST_THREADS, cores()), thread_name_prefix="pass") as pool:
        list(pool.map(work, starts))


def best(scores: NDArray[np.floating], topn: int) -> NDArray[np.intp]:
    """Places of the ``topn`` highest scores (all, if fewer), highest first, the lower place first in a tie."""
    topn = min(topn, scores.size)
    if topn == 0:
        return np.empty(0, np.intp)
    candidates = np.flatnonzero(scores >= np.partition(scores, -topn)[-topn])
    return candidates[np.argsort(-scores[candidates], kind="stable")][:topn]


def best_of_many(
    matrix: NDArray[np.float32],
    queries: NDArray[np.float32],
    topn: int,
    scale: NDArray[np.float32] | None,
    left_out: Sequence[int],
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The rows with the highest inner products for each of many vectors, in one pass.

    Parameters
    ----------
    matrix : float32[V, dim]
    queries : float32[n, dim]
    topn : int
        At most V - 1.
    scale : float32[V] or None
        What a row's inner products are divided by.
    left_out : n of int
        The one row that is no answer for each.

    Returns
    -------
    Rows intp[n, topn] and scores float32[n, topn], highest first, the lower row first in a tie.
    """
    ids, scores = np.full((len(queries), topn), -1, np.intp), np.full((len(queries), topn), -np.inf, np.float32)
    if topn == 0:
        return ids, scores
    asked = np.asarray(left_out, np.intp)
    step = max(topn, SCORES // max(1, len(queries)))
    for start in range(0, len(matrix), step):
        block = matrix[start : start + step]
        found = queries @ block.T
        if scale is not None:
            found /= scale[start : start + step]
        inside = np.flatnonzero((asked >= start) & (asked < start + len(block)))
        found[inside, asked[inside] - start] = -np.inf
        for row, fresh in enumerate(found):
            better = np.flatnonzero(fresh > scores[row, -1])  # not where equal: the lower row came before
            better = better[best(fresh[better], topn)]
            both = np.concatenate([scores[row], fresh[better]])
            order = np.argsort(-both, kind="stable")[:topn]
            ids[row], scores[row] = np.concatenate([ids[row], better + start])[order], both[order]
    return ids, scores


def unit_rows(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows at length 1; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)
