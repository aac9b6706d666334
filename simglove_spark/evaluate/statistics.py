"""Scores of items, and of the same items drawn again: means and correlations under whole-number weights.

A bootstrap draw of n items with replacement is n weights that sum to n, so all draws are scored at once as arrays.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Statistic = Literal["mean", "spearman", "pearson"]
BLOCK_ITEMS = 1 << 21


def draws(items: int, number: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each item is met in bootstrap draws: float64[some, items] until ``number`` draws are made.

    The same number of items and the same seed give the same draws, whichever model the items are scored by.
    """
    random, rows = np.random.default_rng(seed), max(1, BLOCK_ITEMS // items)
    for start in range(0, number, rows):
        some = min(rows, number - start)
        picked = random.integers(0, items, (some, items)) + np.arange(some)[:, None] * items
        yield np.bincount(picked.reshape(-1), minlength=some * items).reshape(some, items).astype(np.float64)


def scores(
    statistic: Statistic, values: NDArray[np.float64], gold: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Score of the items under each row of weights.

    Parameters
    ----------
    statistic
        Mean of the values, or their correlation with ``gold``; of ranks (those in a tie share their mean rank) or plain.
    values, gold
        float64[items]
    weights
        float64[draws, items], whole numbers.

    Returns
    -------
    float64[draws]; NaN where one side is all ties.
    """
    sizes = weights.sum(axis=1)
    if statistic == "mean":
        return np.asarray(weights @ values / sizes)
    if statistic == "spearman":
        x, y = _ranks(values, weights), _ranks(gold, weights)
    else:
        x, y = (np.broadcast_to(_standard(side), weights.shape) for side in (values, gold))
    centred = [side - (np.einsum("ij,ij->i", weights, side) / sizes)[:, None] for side in (x, y)]
    both, first, second = (
        np.einsum("ij,ij,ij->i", weights, centred[a], centred[b]) / sizes for a, b in ((0, 1), (0, 0), (1, 1))
    )
    varied = (first > 1e-12) & (second > 1e-12)  # what is left of rounding when all are alike
    scale = np.sqrt(np.where(varied, first * second, 1))
    return np.where(varied, np.clip(both / scale, -1, 1), np.nan)


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values with mean 0 and spread 1, so that a variance of rounding errors can be told from one of values."""
    spread = float(values.std()) if np.ptp(values) > 0 else 0.0
    return (values - values.mean()) / (spread or np.inf)


def _ranks(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean rank of each item among the drawn ones."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)
    return np.asarray((np.cumsum(sizes, axis=1) - (sizes - 1) / 2)[:, group])


def interval(found: NDArray[np.float64]) -> tuple[float, float] | None:
    """The middle 95 % of the draws' scores (percentile bootstrap); None when no draw has one."""
    told = found[~np.isnan(found)]
    return None if told.size == 0 else (float(np.percentile(told, 2.5)), float(np.percentile(told, 97.5)))


def spearman(first: ArrayLike, second: ArrayLike) -> float | None:
    """Pearson's correlation of ranks; values in a tie share their mean rank. None when one side is all ties."""
    x, y = (np.asarray(values, dtype=np.float64) for values in (first, second))
    score = float(scores("spearman", x, y, np.ones((1, len(x))))[0])
    return None if np.isnan(score) else score
