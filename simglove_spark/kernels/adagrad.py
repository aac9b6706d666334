"""AdaGrad on single cells, to the letter of the published tool (bojone/simpler_glove, src/glove.c, model 0)."""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.rows import dot

ALL_DONE = -1


@kernel
def adagrad_cells(order, words, contexts, weights, pmis, vectors, squares, learning_rate, loss):
    """Take one step for each cell, in the given order; both words move from their old values.

    The gradient is f e c without the factor 2, squares are raised before the step, and 1e-8 stands under the root.

    Parameters
    ----------
    order : int32[n]
        Cells to visit.
    words, contexts : int32[:]
    weights, pmis : float32[:]
    vectors, squares : float32[V, dim]
        Changed in place; squares begin at 1.
    learning_rate : float32
    loss : float64[1]
        Raised by f e^2 of every cell, as met.

    Returns
    -------
    cell : int64
        The first cell whose error is not finite, where the work stops; `ALL_DONE` when there is none.
    """
    dim = vectors.shape[1]
    for cell in order:
        v, c = vectors[words[cell]], vectors[contexts[cell]]
        v_squares, c_squares = squares[words[cell]], squares[contexts[cell]]
        error = dot(v, c) - pmis[cell]
        slope = weights[cell] * error
        if not np.isfinite(slope):
            return np.int64(cell)
        loss[0] += slope * error
        for d in range(dim):
            v_slope, c_slope = slope * c[d], slope * v[d]
            v_square, c_square = v_squares[d] + v_slope * v_slope, c_squares[d] + c_slope * c_slope
            v_squares[d], c_squares[d] = v_square, c_square
            v[d] -= learning_rate * v_slope / np.sqrt(v_square + np.float32(1e-8))
            c[d] -= learning_rate * c_slope / np.sqrt(c_square + np.float32(1e-8))
    return np.int64(ALL_DONE)
