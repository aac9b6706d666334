"""The row solver: with all other vectors held, the loss is quadratic in one; a few conjugate-gradient steps go to its minimum.

For word i with cells j (docs/model.md):

    (sum_j f_ij c_j c_j^T + w0 a_i G' + lambda I) v_i = sum_j f_ij pmi_ij c_j + w0 a_i m0 s'
    G' = G - a_i v_i v_i^T,  s' = s - a_i v_i,  G = sum_j a_j c_j c_j^T,  s = sum_j a_j c_j

Four cells are taken at a time: one reading of the direction serves four inner products, one update of the sum four vectors.
"""

import numpy as np

from simglove_spark.kernels.compile import kernel
from simglove_spark.kernels.prefetch import prefetch_row

# Squares of residuals below which float32 has nothing left to gain: by themselves, and against the first one
SMALLEST_SQUARE, SMALLEST_SHARE = np.float32(1e-24), np.float32(1e-13)
AHEAD = 12  # cells; their vectors lie all over memory, and the processor cannot guess where


@kernel
def dot(a, b):
    """Inner product of two float32[dim]."""
    total = np.float32(0.0)
    for d in range(a.size):
        total += a[d] * b[d]
    return total


@kernel
def add_cells(begin, end, contexts, weights, pmis, share, vectors, point, out):
    """Add sum_j f_j (share pmi_j - <c_j, point>) c_j to ``out`` (float32[dim]) over the cells begin to end.

    ``share`` (float32) is 1 for the residual and 0 for a product with the matrix alone.
    Returns sum_j f_j (share pmi_j - <c_j, point>)^2 (float64).
    """
    dim = out.size
    loss = 0.0
    cell = begin
    while cell + 4 <= end:
        for later in range(cell + AHEAD, min(cell + AHEAD + 4, end)):
            prefetch_row(vectors, contexts[later])
        c0, c1 = vectors[contexts[cell]], vectors[contexts[cell + 1]]
        c2, c3 = vectors[contexts[cell + 2]], vectors[contexts[cell + 3]]
        t0 = t1 = t2 = t3 = np.float32(0.0)
        for d in range(dim):
            t0 += c0[d] * point[d]
            t1 += c1[d] * point[d]
            t2 += c2[d] * point[d]
            t3 += c3[d] * point[d]
        t0, t1 = share * pmis[cell] - t0, share * pmis[cell + 1] - t1
        t2, t3 = share * pmis[cell + 2] - t2, share * pmis[cell + 3] - t3
        u0, u1 = weights[cell] * t0, weights[cell + 1] * t1
        u2, u3 = weights[cell + 2] * t2, weights[cell + 3] * t3
        for d in range(dim):
            out[d] += u0 * c0[d] + u1 * c1[d] + u2 * c2[d] + u3 * c3[d]
        loss += np.float64(u0) * t0 + np.float64(u1) * t1 + np.float64(u2) * t2 + np.float64(u3) * t3
        cell += 4
    while cell < end:
        c0 = vectors[contexts[cell]]
        t0 = share * pmis[cell] - dot(c0, point)
        u0 = weights[cell] * t0
        for d in range(dim):
            out[d] += u0 * c0[d]
        loss += np.float64(u0) * t0
        cell += 1
    return loss


@kernel
def subtract_common(scale, ridge, activity, own, gram, point, out):
    """Subtract (scale (G - a v v^T) + ridge I) point from ``out`` (float32[dim]).

    ``own`` (float32[dim]) is the word's vector v at the block's start; ``gram`` (float32[dim + 1, dim]) holds G, then s.
    """
    dim = out.size
    if scale != 0:
        along = activity * dot(own, point)
        for d in range(dim):
            out[d] -= scale * (dot(gram[d], point) - along * own[d])
    for d in range(dim):
        out[d] -= ridge * point[d]


@kernel
def solve_rows(words, bounds, contexts, weights, pmis, vectors, gram, activities, options, out):
    """Solve some rows from the vectors as they are.

    Parameters
    ----------
    words : int32[n]
        Whose rows they are.
    bounds : int64[n, 2]
        First cell of each row, and the one after its last.
    contexts : int32[:]
    weights, pmis : float32[:]
        Of the cells; pmi in nats.
    vectors : float32[V, dim]
    gram : float32[dim + 1, dim]
        G, then s.
    activities : float32[V]
    options : float32[4]
        w0, m0, lambda, and the number of steps.
    out : float32[n, dim]
        The new vectors.

    Returns
    -------
    loss : float64
        sum f (<v_i, c_j> - pmi_ij)^2 over the cells, before solving.
    """
    dim = out.shape[1]
    w0, m0, ridge = options[0], options[1], options[2]
    residual, direction, product = np.empty(dim, np.float32), np.empty(dim, np.float32), np.empty(dim, np.float32)
    loss = 0.0
    for row in range(words.size):
        own, activity, solution = vectors[words[row]], activities[words[row]], out[row]
        begin, end = bounds[row, 0], bounds[row, 1]
        scale = w0 * activity
        for d in range(dim):
            solution[d] = own[d]
            residual[d] = scale * m0 * (gram[dim, d] - activity * own[d])
        loss += add_cells(begin, end, contexts, weights, pmis, np.float32(1.0), vectors, own, residual)
        subtract_common(scale, ridge, activity, own, gram, own, residual)
        direction[:] = residual
        square = dot(residual, residual)
        enough = max(SMALLEST_SQUARE, SMALLEST_SHARE * square)
        for _step in range(int(options[3])):
            if square <= enough < np.inf:  # NaN and infinity go on, and are found by the caller
                break
            product[:] = np.float32(0.0)
            add_cells(begin, end, contexts, weights, pmis, np.float32(0.0), vectors, direction, product)
            subtract_common(scale, ridge, activity, own, gram, direction, product)
            length = -square / dot(direction, product)
            for d in range(dim):
                solution[d] += length * direction[d]
                residual[d] += length * product[d]
            before, square = square, dot(residual, residual)
            for d in range(dim):
                direction[d] = residual[d] + square / before * direction[d]
    return loss


@kernel
def add_gram(gram, first, last, rows, activities, sign):
    """Add sign * sum_r a_r x_r x_r^T to rows ``first`` to ``last`` of ``gram`` (float64[dim + 1, dim]), and to s.

    ``rows`` (float32[n, dim]) are the x_r, ``activities`` (float32[n]) the a_r. Row dim of ``gram`` is s = sum_r a_r x_r.
    Each entry is summed in order of r, however the rows are shared out.
    """
    dim = rows.shape[1]
    for r in range(rows.shape[0]):
        row = rows[r]
        for d in range(first, last):
            factor = np.float64(sign * activities[r]) * (np.float64(row[d]) if d < dim else 1.0)
            target = gram[d]
            for e in range(dim):
                target[e] += factor * np.float64(row[e])


@kernel
def loss_of_rows(words, bounds, contexts, weights, pmis, vectors):
    """Sum of f (<v_i, c_j> - pmi_ij)^2 over all cells of the rows (float64); arguments as in `solve_rows`."""
    loss = 0.0
    for row in range(words.size):
        own = vectors[words[row]]
        for cell in range(bounds[row, 0], bounds[row, 1]):
            error = np.float64(dot(own, vectors[contexts[cell]])) - pmis[cell]
            loss += weights[cell] * error * error
    return loss
