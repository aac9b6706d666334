"""Any loss as a weighted square: the weight slope / (2 error) has the same slope at the present vectors."""

import numpy as np

from simglove_spark.kernels.compile import compiled_anew
from simglove_spark.kernels.gather import dot_row

SMALLEST_ERROR = np.float32(1e-6)


@compiled_anew
def reweigh(words, bounds, cells, table, vectors, function, weights):
    """Fill ``weights`` (float32[m], the rows' cells one after the other) with slope / (2 error) of each cell.

    Parameters are as in `rows.solve_rows`; ``function`` is one of `losses`. Where the error is next to nothing the weight is
    that of the error `SMALLEST_ERROR`.

    Returns
    -------
    loss : float64
        Sum over the cells.
    place : int64
        Of the first cell whose weight is negative or not a number, -1 when there is none.
    """
    loss, bad, place = 0.0, np.int64(-1), 0
    for row in range(words.size):
        own = vectors[words[row]]
        for cell in range(bounds[row, 0], bounds[row, 1]):
            pmi, weight = cells.pmis[cell], cells.weights[cell]
            product = dot_row(table, cells.contexts[cell], own)
            here, slope = function(product, pmi, weight)
            loss += np.float64(here)
            error = product - pmi
            if abs(error) < SMALLEST_ERROR:
                error = SMALLEST_ERROR
                slope = function(pmi + error, pmi, weight)[1]
            weights[place] = slope / (np.float32(2.0) * error)
            if bad < 0 and not weights[place] >= 0:
                bad = np.int64(place)
            place += 1
    return loss, bad
