"""The row solver: with all other vectors held, the loss is quadratic in one; conjugate gradients go to its minimum.

For word i with cells j (docs/model.md):

    A_i v_i = b_i,  A_i = sum_j f_ij c_j c_j^T + w0 a_i G' + lambda I,  b_i = sum_j f_ij pmi_ij c_j + w0 a_i m0 s'
    G = sum_j a_j c_j c_j^T,  s = sum_j a_j c_j;  in one shared space G' = G - a_i v_i v_i^T,  s' = s - a_i v_i

A_i is much like a multiple of G, so (g_i G + lambda I)^-1 with g_i = (sum_j f_ij + w0 a_i a) / a, a = sum_j a_j, is the
preconditioner; the inverses are made for a few values of g (`invert`), and each row takes the nearest.

Rows of all matrices are padded with zeros to a multiple of eight.
"""

from typing import NamedTuple

import numpy as np

from simglove_spark.kernels import simd
from simglove_spark.kernels.compile import inlined, kernel
from simglove_spark.kernels.gather import add_cells, curvature, multiply
from simglove_spark.kernels.simd import LANES

# Squares of residuals below which float32 has nothing left to gain: by themselves, and against the first one
SMALLEST_SQUARE, SMALLEST_SHARE = np.float32(1e-24), np.float32(1e-13)
SPACING = 2.0  # log2 of the ratio between neighbouring values of g
LEVELS, UNIT_LEVEL = 20, 16  # values of g: 4^-16 to 4^3


class Common(NamedTuple):
    """What all rows share of the other side: ``gram`` float32[D, D] (G), ``pull`` float32[D] (s), and the ``inverses``
    float32[LEVELS, D, D]; ``activities`` float32[V] are the rows' own a_i."""

    gram: np.ndarray
    pull: np.ndarray
    inverses: np.ndarray
    activities: np.ndarray


class Options(NamedTuple):
    """``w0``, ``m0``, ``ridge`` (lambda), ``activity`` (a) and ``own`` (1 in one shared space, else 0), all float32; ``steps``."""

    w0: np.float32
    m0: np.float32
    ridge: np.float32
    activity: np.float32
    own: np.float32
    steps: int


@inlined
def dot(a, b):
    """Inner product of two float32[dim]."""
    total = np.float32(0.0)
    for d in range(a.size):
        total += a[d] * b[d]
    return total


@inlined
def sum_weights(begin, end, weights):
    """Sum of the weights of the cells begin to end (float32)."""
    total = np.float32(0.0)
    for cell in range(begin, end):
        total += weights[cell]
    return total


@inlined
def nearest_level(g):
    """Number of the inverse that a row with this g takes."""
    if not g > 0:
        return 0
    return min(max(int(np.floor(np.log2(g) / SPACING + 0.5)) + UNIT_LEVEL, 0), LEVELS - 1)


@inlined
def subtract_common(scale, ridge, activity, own, common, point, out):
    """Subtract (scale (G - a v v^T) + ridge I) point from ``out`` (float32[D]); ``own`` is v at the block's start."""
    product = np.empty_like(point)
    multiply(common.gram, point, product)
    along = activity * dot(own, point)
    for d in range(out.size):
        out[d] -= scale * (product[d] - along * own[d]) + ridge * point[d]


@kernel
def solve_rows(words, bounds, cells, table, vectors, common, options, out):
    """Solve some rows from the vectors as they are.

    Parameters
    ----------
    words : int32[n]
        Whose rows they are.
    bounds : int64[n, 2]
        First cell of each row, and the one after its last.
    cells : Cells
    table : uint16[V, D]
        The other side's vectors c as float16.
    vectors : float32[V, D]
        The own side's vectors v; in one shared space the same words' and, but for rounding, the same.
    common : Common
    options : Options
    out : float32[n, D]
        The new vectors.

    Returns
    -------
    loss : float64
        sum f (<v_i, c_j> - pmi_ij)^2 over the cells, before solving.
    """
    size = out.shape[1]
    residual, step = np.empty(size, np.float32), np.empty(size, np.float32)
    direction, product = np.empty(size, np.float32), np.empty(size, np.float32)
    loss = 0.0
    for row in range(words.size):
        own, solution = vectors[words[row]], out[row]
        begin, end = bounds[row, 0], bounds[row, 1]
        scale = options.w0 * common.activities[words[row]]
        activity = options.own * common.activities[words[row]]
        for d in range(size):
            solution[d] = own[d]
            residual[d] = scale * options.m0 * (common.pull[d] - activity * own[d])
        loss += add_cells(begin, end, cells, np.float32(1.0), table, own, residual)
        subtract_common(scale, options.ridge, activity, own, common, own, residual)
        inverse = common.inverses[nearest_level(sum_weights(begin, end, cells.weights) / options.activity + scale)]
        multiply(inverse, residual, step)
        direction[:] = step
        square = dot(residual, step)
        enough = max(SMALLEST_SQUARE, SMALLEST_SHARE * square)
        for number in range(1, options.steps + 1):
            if square <= enough < np.inf:  # NaN and infinity go on, and are found by the caller
                break
            product[:] = np.float32(0.0)
            subtract_common(scale, options.ridge, activity, own, common, direction, product)
            if number == options.steps:  # the residual is not needed any more
                curved = curvature(begin, end, cells, table, direction) - dot(direction, product)
            else:
                add_cells(begin, end, cells, np.float32(0.0), table, direction, product)
                curved = -dot(direction, product)
            length = square / curved
            for d in range(size):
                solution[d] += length * direction[d]
                residual[d] += length * product[d]
            if number < options.steps:
                multiply(inverse, residual, step)
                before, square = square, dot(residual, step)
                for d in range(size):
                    direction[d] = step[d] + square / before * direction[d]
    return loss


@kernel
def invert(gram, dim, g, ridge, out):
    """Put (g G + ridge I)^-1 into ``out`` (float32[D, D], zero in the padding), by Gauss and Jordan.

    ``gram`` (float64[D + 1, D]) holds G in its first ``dim`` rows and columns. A little is added to the diagonal, so that
    an inverse exists; as a preconditioner it needs no more.
    """
    matrix, trace = np.empty((dim, dim)), 0.0
    for d in range(dim):
        trace += gram[d, d]
    for d in range(dim):
        for e in range(dim):
            matrix[d, e] = g * gram[d, e]
        matrix[d, d] += ridge + 1e-6 * g * trace / dim + 1e-30
    for pivot in range(dim):
        factor = 1.0 / matrix[pivot, pivot]
        matrix[pivot, pivot] = 1.0
        for e in range(dim):
            matrix[pivot, e] *= factor
        for d in range(dim):
            if d != pivot:
                factor = matrix[d, pivot]
                matrix[d, pivot] = 0.0
                for e in range(dim):
                    matrix[d, e] -= factor * matrix[pivot, e]
    out[:] = np.float32(0.0)
    for d in range(dim):
        for e in range(dim):
            out[d, e] = np.float32(matrix[d, e])


@kernel
def put_rows(words, rows, vectors, table):
    """Write ``rows`` (float32[n, D]) to the words' places in ``vectors`` (float32[V, D]) and ``table`` (uint16[V, D])."""
    for row in range(words.size):
        for d in range(0, rows.shape[1], LANES):
            floats = simd.load_row(rows, row, d)
            simd.store_row(vectors, words[row], d, floats)
            simd.store_row(table, words[row], d, floats)


@inlined
def entry(row, place):
    """Component of a row (float64); 1 behind its end, which makes G's last row s."""
    return np.float64(row[place]) if place < row.size else 1.0


@inlined
def left_end(place, size):
    """First entry of a row of G that is summed: the part left of the diagonal is the mirror of the rest."""
    return place // LANES * LANES if place < size else 0


@kernel
def add_gram(gram, first, last, rows, activities, sign):
    """Add sign * sum_r a_r x_r x_r^T to rows ``first`` to ``last`` of ``gram`` (float64[D + 1, D]), and to s.

    ``rows`` (float32[n, D]) are the x_r, ``activities`` (float32[n]) the a_r. Row D of ``gram`` is s = sum_r a_r x_r.
    Of G only the part right of the diagonal is summed, and a few entries left of it: `mirror` makes the rest.
    Each entry is summed in order of r, however the rows are shared out.
    """
    size, whole = rows.shape[1], rows.shape[0] // 4 * 4
    for r in range(0, whole, 4):  # an entry is read and written once for four rows
        a, b, c, d = rows[r], rows[r + 1], rows[r + 2], rows[r + 3]
        wa, wb = np.float64(sign * activities[r]), np.float64(sign * activities[r + 1])
        wc, wd = np.float64(sign * activities[r + 2]), np.float64(sign * activities[r + 3])
        for place in range(first, last):
            target, begin = gram[place], left_end(place, size)
            fa, fb = wa * entry(a, place), wb * entry(b, place)
            fc, fd = wc * entry(c, place), wd * entry(d, place)
            for e in range(begin, size):
                total = target[e] + fa * np.float64(a[e])
                total += fb * np.float64(b[e])
                total += fc * np.float64(c[e])
                target[e] = total + fd * np.float64(d[e])
    for r in range(whole, rows.shape[0]):
        a, wa = rows[r], np.float64(sign * activities[r])
        for place in range(first, last):
            target, begin = gram[place], left_end(place, size)
            fa = wa * entry(a, place)
            for e in range(begin, size):
                target[e] += fa * np.float64(a[e])


@kernel
def mirror(gram):
    """Make G symmetric from its part right of the diagonal."""
    for d in range(gram.shape[1]):
        for e in range(d):
            gram[d, e] = gram[e, d]


@kernel
def squares_at_zero(weights, pmis):
    """Sum of f pmi^2 (float64)."""
    total = 0.0
    for cell in range(weights.size):
        total += weights[cell] * np.float64(pmis[cell]) * pmis[cell]
    return total


@kernel
def loss_of_rows(words, bounds, cells, vectors, others):
    """Sum of f (<v_i, c_j> - pmi_ij)^2 over all cells of the rows (float64); v of ``vectors``, c of ``others``."""
    loss = 0.0
    for row in range(words.size):
        own = vectors[words[row]]
        for cell in range(bounds[row, 0], bounds[row, 1]):
            error = np.float64(dot(own, others[cells.contexts[cell]])) - cells.pmis[cell]
            loss += cells.weights[cell] * error * error
    return loss
