"""Mean and covariance of the vectors of some words, and the lengths of vectors under it."""

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 1 << 14
PANELS = 6


class Metric:
    """The inner product x' C y, C = L L' the covariance of some words' vectors, up to a factor.

    With C positive definite this is the plain inner product of vectors times L. It needs no copy of the matrix: one vector times C,
    and each vector's length once.

    Parameters
    ----------
    matrix : float32[V, dim]
    ids : intp[n]
        The words whose mean and covariance are taken. When they are too few for a positive definite covariance, a millionth
        of its mean diagonal is added to the diagonal.
    weights : float64[n] or None
        How much each counts; their sum is 1. None: all the same.

    Attributes
    ----------
    mean : float64[dim]
    factor : float64[dim, dim]
        L, lower triangular.
    """

    def __init__(
        self, matrix: NDArray[np.float32], ids: NDArray[np.intp], weights: NDArray[np.float64] | None = None
    ) -> None:
        dim = matrix.shape[1]
        weights = np.full(len(ids), 1 / len(ids)) if weights is None else weights
        self.mean, covariance = np.zeros(dim), np.zeros((dim, dim))
        blocks = [slice(start, start + BLOCK_ROWS) for start in range(0, len(ids), BLOCK_ROWS)]
        for block in blocks:
            self.mean += weights[block] @ matrix[ids[block]]
        for block in blocks:
            centred = matrix[ids[block]] - self.mean
            covariance += (centred * weights[block, None]).T @ centred
        try:
            self.factor = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            ridge = 1e-6 * float(np.trace(covariance)) / dim or 1.0
            self.factor = np.linalg.cholesky(covariance + ridge * np.eye(dim))

    def transformed(self, vector: NDArray[np.floating]) -> NDArray[np.float64]:
        """C times a vector, divided by the vector's length under C: float64[dim]; zeros stay zeros."""
        half = vector.astype(np.float64) @ self.factor
        return self.factor @ (half / (np.linalg.norm(half) or 1.0))

    def whitened(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Vectors times L' inverse: float64[n, dim], with the covariance of the words weighed here the identity."""
        whitened: NDArray[np.float64] = np.linalg.solve(self.factor, vectors.astype(np.float64).T).T
        return whitened

    def lengths(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Length of each row under C (float32[n]); 1 for a row of zeros, which then has cosine 0 to all.

        L is cut into panels of columns, whose upper rows are zeros and are left out: 4 parts of 7 of the work.
        """
        dim, width = rows.shape[1], -(-rows.shape[1] // PANELS)
        largest = float(np.abs(self.factor).max())  # a factor that keeps float32 from overflowing
        factor = (self.factor / largest).astype(np.float32)
        out = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS]
            squares = np.zeros(len(block))
            for first in range(0, dim, width):
                part = (block[:, first:] @ factor[first:, first : first + width]).astype(np.float64)
                squares += np.einsum("ij,ij->i", part, part)
            out[start : start + BLOCK_ROWS] = np.sqrt(squares) * largest
        return np.where(out > 0, out, np.float32(1))
