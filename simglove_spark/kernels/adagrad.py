"""AdaGrad on single cells, to the letter of the published tool (bojone/simpler_glove, src/glove.c)."""

import numpy as np

from simglove_spark.kernels import simd
from simglove_spark.kernels.compile import compiled_anew, inlined, kernel
from simglove_spark.kernels.losses import least_squares
from simglove_spark.kernels.prefetch import prefetch_row
from simglove_spark.kernels.simd import LANES

ALL_DONE = -1
AHEAD = 6  # cells; four rows of each are asked for


@inlined
def product_of(vectors, first, second):
    """Inner product of two rows."""
    t = simd.zeros()
    for d in range(0, vectors.shape[1], LANES):
        t = simd.multiply_add(simd.load_row(vectors, first, d), simd.load_row(vectors, second, d), t)
    return simd.total(t)


@inlined
def move_both(vectors, squares, first, second, slope, learning_rate):
    """Steps of two rows, both from their old values."""
    slopes, rates = simd.spread(slope), simd.spread(-learning_rate)
    little = simd.spread(np.float32(1e-8))
    for d in range(0, vectors.shape[1], LANES):
        x, y = simd.load_row(vectors, first, d), simd.load_row(vectors, second, d)
        x_slope, y_slope = simd.multiply(slopes, y), simd.multiply(slopes, x)
        x_square = simd.multiply_add(x_slope, x_slope, simd.load_row(squares, first, d))
        y_square = simd.multiply_add(y_slope, y_slope, simd.load_row(squares, second, d))
        simd.store_row(squares, first, d, x_square)
        simd.store_row(squares, second, d, y_square)
        x_step = simd.over_root(simd.multiply(rates, x_slope), simd.add(x_square, little))
        y_step = simd.over_root(simd.multiply(rates, y_slope), simd.add(y_square, little))
        simd.store_row(vectors, first, d, simd.add(x, x_step))
        simd.store_row(vectors, second, d, simd.add(y, y_step))


@inlined
def ask_ahead(order, place, words, contexts, vectors, squares):
    """Ask for the four rows of a cell a little further on."""
    if place + AHEAD < order.size:
        later = order[place + AHEAD]
        for matrix in (vectors, squares):
            prefetch_row(matrix, words[later])
            prefetch_row(matrix, contexts[later])


@kernel
def adagrad_squares(order, words, contexts, weights, pmis, vectors, squares, learning_rate, loss):
    """Take one step for each cell, in the given order; both rows move from their old values.

    The gradient is half the slope of the loss (f e c for squares, without the factor 2), squares are raised before the
    step, and 1e-8 stands under the root.

    Parameters
    ----------
    order : int32[n]
        Cells to visit.
    words, contexts : int32[:]
        Rows of ``vectors``, never the same one twice in a cell.
    weights, pmis : float32[:]
    vectors, squares : float32[:, D]
        Changed in place; squares begin at 1, and with 1e30 a component does not move.
    learning_rate : float32
    loss : float64[1]
        Raised by the loss of every cell, as met.

    Returns
    -------
    cell : int64
        The first cell whose slope is not finite, where the work stops; `ALL_DONE` when there is none.
    """
    for place in range(order.size):
        ask_ahead(order, place, words, contexts, vectors, squares)
        cell = order[place]
        word, context = words[cell], contexts[cell]
        here, slope = least_squares(product_of(vectors, word, context), pmis[cell], weights[cell])
        if not abs(slope) < np.inf:  # np.isfinite takes x - x, which LLVM may reorder to 0 inside a product
            return np.int64(cell)
        loss[0] += here
        move_both(vectors, squares, word, context, np.float32(0.5) * slope, learning_rate)
    return np.int64(ALL_DONE)


@compiled_anew
def adagrad_cells(order, words, contexts, weights, pmis, vectors, squares, learning_rate, loss, function):
    """The same with another of `losses`, a compiled ``function``, which numba would not keep on disk."""
    for place in range(order.size):
        ask_ahead(order, place, words, contexts, vectors, squares)
        cell = order[place]
        word, context = words[cell], contexts[cell]
        here, slope = function(product_of(vectors, word, context), pmis[cell], weights[cell])
        if not abs(slope) < np.inf:
            return np.int64(cell)
        loss[0] += here
        move_both(vectors, squares, word, context, np.float32(0.5) * slope, learning_rate)
    return np.int64(ALL_DONE)
