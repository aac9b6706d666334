"""AdaGrad on single cells, to the letter of the published tool (bojone/simpler_glove, src/glove.c, model 0)."""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.rows import dot

ALL_DONE = -1


@kernel
def move(vector, squares, other, slope, learning_rate):
    """One word's step (float32[dim] each); in a loop of its own, which LLVM turns into SIMD."""
    for d in range(vector.size):
        gradient = slope * other[d]
        square = squares[d] + gradient * gradient
        squares[d] = square
        vector[d] -= learning_rate * gradient / np.sqrt(square + np.float32(1e-8))


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
    old = np.empty(vectors.shape[1], np.float32)
    for cell in order:
        v, c = vectors[words[cell]], vectors[contexts[cell]]
        v_squares, c_squares = squares[words[cell]], squares[contexts[cell]]
        error = dot(v, c) - pmis[cell]
        slope = weights[cell] * error
        if not np.isfinite(slope):
            return np.int64(cell)
        loss[0] += slope * error
        old[:] = v
        move(v, v_squares, c, slope, learning_rate)
        move(c, c_squares, old, slope, learning_rate)
    return np.int64(ALL_DONE)
