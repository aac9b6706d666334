"""Inner products with the vectors of a row's cells, and sums of them: all of the trainer's time.

The vectors lie all over memory, and waiting for them is what limits the speed: they are kept as float16 and asked for
ahead. They are taken eight at a time, so that one reading of the other operand serves eight.
"""

from typing import NamedTuple

import numpy as np

from simglove_spark.kernels import simd
from simglove_spark.kernels.compile import inlined
from simglove_spark.kernels.prefetch import prefetch_row
from simglove_spark.kernels.simd import LANES

AHEAD = 16  # cells; the processor cannot guess where their vectors lie


class Cells(NamedTuple):
    """Columns of cells: ``contexts`` int32[m], ``weights`` and ``pmis`` (nats) float32[m]."""

    contexts: np.ndarray
    weights: np.ndarray
    pmis: np.ndarray


@inlined
def dots(matrix, rows, point):
    """Inner products of eight rows with ``point`` (float32[D]), as eight floats."""
    t0, t1, t2, t3 = simd.zeros(), simd.zeros(), simd.zeros(), simd.zeros()
    t4, t5, t6, t7 = simd.zeros(), simd.zeros(), simd.zeros(), simd.zeros()
    for d in range(0, point.size, LANES):
        x = simd.load(point, d)
        t0 = simd.multiply_add(simd.load_row(matrix, rows[0], d), x, t0)
        t1 = simd.multiply_add(simd.load_row(matrix, rows[1], d), x, t1)
        t2 = simd.multiply_add(simd.load_row(matrix, rows[2], d), x, t2)
        t3 = simd.multiply_add(simd.load_row(matrix, rows[3], d), x, t3)
        t4 = simd.multiply_add(simd.load_row(matrix, rows[4], d), x, t4)
        t5 = simd.multiply_add(simd.load_row(matrix, rows[5], d), x, t5)
        t6 = simd.multiply_add(simd.load_row(matrix, rows[6], d), x, t6)
        t7 = simd.multiply_add(simd.load_row(matrix, rows[7], d), x, t7)
    return simd.totals(t0, t1, t2, t3, t4, t5, t6, t7)


@inlined
def dot_row(matrix, row, point):
    """Inner product of one row with ``point``."""
    t = simd.zeros()
    for d in range(0, point.size, LANES):
        t = simd.multiply_add(simd.load_row(matrix, row, d), simd.load(point, d), t)
    return simd.total(t)


@inlined
def add_rows(matrix, rows, factors, out):
    """Add eight rows, each times its one of eight floats, to ``out`` (float32[D])."""
    f0, f1, f2, f3 = (
        simd.spread_lane(factors, 0),
        simd.spread_lane(factors, 1),
        simd.spread_lane(factors, 2),
        simd.spread_lane(factors, 3),
    )
    f4, f5, f6, f7 = (
        simd.spread_lane(factors, 4),
        simd.spread_lane(factors, 5),
        simd.spread_lane(factors, 6),
        simd.spread_lane(factors, 7),
    )
    for d in range(0, out.size, LANES):
        t = simd.multiply_add(simd.load_row(matrix, rows[0], d), f0, simd.load(out, d))
        t = simd.multiply_add(simd.load_row(matrix, rows[1], d), f1, t)
        t = simd.multiply_add(simd.load_row(matrix, rows[2], d), f2, t)
        t = simd.multiply_add(simd.load_row(matrix, rows[3], d), f3, t)
        u = simd.multiply(simd.load_row(matrix, rows[4], d), f4)
        u = simd.multiply_add(simd.load_row(matrix, rows[5], d), f5, u)
        u = simd.multiply_add(simd.load_row(matrix, rows[6], d), f6, u)
        u = simd.multiply_add(simd.load_row(matrix, rows[7], d), f7, u)
        simd.store(out, d, simd.add(t, u))


@inlined
def add_row(matrix, row, factor, out):
    """Add one row times ``factor`` (float32) to ``out``."""
    f = simd.spread(factor)
    for d in range(0, out.size, LANES):
        simd.store(out, d, simd.multiply_add(simd.load_row(matrix, row, d), f, simd.load(out, d)))


@inlined
def eight(contexts, cell, end, table):
    """Contexts of eight cells; those a little further on are asked for."""
    if cell + AHEAD + LANES <= end:
        for later in range(cell + AHEAD, cell + AHEAD + LANES):
            prefetch_row(table, contexts[later])
    return (
        contexts[cell],
        contexts[cell + 1],
        contexts[cell + 2],
        contexts[cell + 3],
        contexts[cell + 4],
        contexts[cell + 5],
        contexts[cell + 6],
        contexts[cell + 7],
    )


@inlined
def add_cells(begin, end, cells, share, table, point, out):
    """Add sum_j f_j (share pmi_j - <c_j, point>) c_j to ``out`` (float32[D]) over the cells begin to end.

    ``share`` (float32) is 1 for the residual and 0 for a product with the matrix alone.
    Returns sum_j f_j (share pmi_j - <c_j, point>)^2 (float64).
    """
    contexts, weights, pmis = cells
    losses, shares, cell = simd.zeros(), simd.spread(share), begin
    while cell + LANES <= end:
        rows = eight(contexts, cell, end, table)
        errors = simd.subtract(simd.multiply(shares, simd.load(pmis, cell)), dots(table, rows, point))
        factors = simd.multiply(simd.load(weights, cell), errors)
        losses = simd.multiply_add(factors, errors, losses)
        add_rows(table, rows, factors, out)
        cell += LANES
    loss = np.float64(simd.total(losses))
    for last in range(cell, end):
        error = share * pmis[last] - dot_row(table, contexts[last], point)
        add_row(table, contexts[last], weights[last] * error, out)
        loss += np.float64(weights[last] * error * error)
    return loss


@inlined
def curvature(begin, end, cells, table, direction):
    """Sum of f_j <c_j, direction>^2 over the cells begin to end (float32): a product that needs no vector of its own."""
    contexts, weights, _ = cells
    sums, cell = simd.zeros(), begin
    while cell + LANES <= end:
        products = dots(table, eight(contexts, cell, end, table), direction)
        sums = simd.multiply_add(simd.multiply(simd.load(weights, cell), products), products, sums)
        cell += LANES
    curved = simd.total(sums)
    for last in range(cell, end):
        product = dot_row(table, contexts[last], direction)
        curved += weights[last] * product * product
    return curved


@inlined
def multiply(matrix, vector, out):
    """Put the product of float32[D, D] and float32[D] into ``out``."""
    for row in range(0, out.size, LANES):
        simd.store(out, row, dots(matrix, (row, row + 1, row + 2, row + 3, row + 4, row + 5, row + 6, row + 7), vector))
