"""From counts to pmi and weight: the kernel against its py_func and against the formulas one cell at a time."""

import math

import naive_training as naive
import numpy as np
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st

from simglove_spark.kernels import cells as kernels
from simglove_spark.pmi import Weighing

COUNTS = np.array([900, 40, 7, 1, 123_456_789_012])
TOTAL_WORDS = int(COUNTS.sum())


def weighing(total_pairs: int = 5000, unit: int = 1, x_max: float = 100.0, alpha: float = 0.75) -> Weighing:
    constant = 2 * math.log(TOTAL_WORDS) - math.log(total_pairs)
    return Weighing(np.log(COUNTS), constant, math.log(x_max) + math.log(unit), alpha)


@settings(max_examples=150, deadline=None)
@given(
    cells=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 2**50)), min_size=1, max_size=20),
    unit=st.sampled_from([1, 2520, 2**20]),
    x_max=st.floats(1e-3, 1e6),
    alpha=st.floats(0, 3),
)
def test_weight_and_pmi_are_the_formulas(
    cells: list[tuple[int, int, int]], unit: int, x_max: float, alpha: float
) -> None:
    words, contexts, counts = (
        np.array(column, kind) for column, kind in zip(zip(*cells, strict=True), "iiq", strict=True)
    )
    total = int(sum(count for *_, count in cells))
    weights, pmis = tables.weighed(weighing(total, unit, x_max, alpha), words, contexts, counts)
    expected = [naive.pmi(n, total, int(COUNTS[i]), int(COUNTS[j]), TOTAL_WORDS) for i, j, n in cells]
    np.testing.assert_allclose(pmis, expected, rtol=1e-6, atol=1e-5)  # float32 of numbers up to about 100
    np.testing.assert_allclose(weights, [naive.weight(n, unit, x_max, alpha) for *_, n in cells], rtol=1e-5)
    assert weights.dtype == pmis.dtype == np.float32


def test_numbers_worked_by_hand() -> None:
    # N = 8, X = 4, n = (4, 4): a pair met twice is as frequent as chance says: 2 / 4 = (4 / 8) (4 / 8) 2
    hand = Weighing(np.log([4, 4]), 2 * math.log(8) - math.log(4), math.log(32), 0.5)
    weights, pmis = tables.weighed(hand, np.array([0], np.int32), np.array([1], np.int32), np.array([2]))
    assert pmis[0] == pytest.approx(math.log(2), abs=1e-6)
    assert weights[0] == pytest.approx(0.25)


def test_the_unit_cancels_in_pmi_and_not_in_the_weight() -> None:
    words, contexts = np.array([0, 1], np.int32), np.array([1, 2], np.int32)
    counts = np.array([3, 7])
    weights, pmis = tables.weighed(weighing(20), words, contexts, counts)
    in_units = tables.weighed(weighing(20 * 2520, 2520), words, contexts, counts * 2520)
    np.testing.assert_allclose(in_units[0], weights, rtol=1e-6)
    np.testing.assert_allclose(in_units[1], pmis, rtol=1e-6)
    forgotten = tables.weighed(weighing(20 * 2520, 1), words, contexts, counts * 2520)
    assert (forgotten[0] > 2 * weights).all()


@pytest.mark.parametrize(("count", "expected"), [(99, 0.99**0.75), (100, 1.0), (101, 1.0), (10**15, 1.0)])
def test_the_weight_is_cut_at_x_max(count: int, expected: float) -> None:
    weights, _ = tables.weighed(weighing(), np.zeros(1, np.int32), np.ones(1, np.int32), np.array([count]))
    assert weights[0] == pytest.approx(expected, rel=1e-6)
    assert weights[0] <= 1


def test_alpha_zero_weighs_all_cells_alike() -> None:
    weights, _ = tables.weighed(weighing(alpha=0.0), np.zeros(2, np.int32), np.ones(2, np.int32), np.array([1, 10**9]))
    assert weights.tolist() == [1.0, 1.0]


def test_kernel_and_py_func_agree() -> None:
    random = np.random.default_rng(1)
    words, contexts = random.integers(0, 5, (2, 50)).astype(np.int32)
    counts, constants = random.integers(1, 1000, 50), np.array([2.0, 5.0, 0.75, 0.0])
    logs, small = np.zeros(500), np.zeros(500, np.float32)  # half of the counts are found in the tables
    kernels.fill_tables(constants, logs, small)
    results = []
    for function in (kernels.weigh, kernels.weigh.py_func):
        weights, pmis = np.empty((2, 50), np.float32)
        function(words, contexts, counts, np.log(COUNTS), constants, logs, small, weights, pmis)
        results.append((weights, pmis))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
