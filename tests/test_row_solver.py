"""The row solver against dense solves and brute force, the same bytes for any threads, and planted vectors found again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import naive_simd
import naive_training as naive
import numpy as np
import pytest
import tables

from simglove_spark import row_solver
from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.errors import DivergedError
from simglove_spark.kernels import gather
from simglove_spark.kernels import rows as kernels
from simglove_spark.progress import Progress
from simglove_spark.row_solver import RowSolver
from simglove_spark.shards import Rows, Shard
from simglove_spark.sides import Side
from simglove_spark.trainer import train

SIZE, DIM = 30, 7
WIDTHS = (0, 1, 5, 7, 8, 9, 16)  # around the eight cells that the kernel takes at once


def random_model(w0: float, size: int = SIZE, ridge: float = 0.1, seed: int = 2) -> naive.Model:
    """Symmetric cells; word i < 7 has WIDTHS[i] cells where the words after 7 allow it."""
    random = np.random.default_rng(seed)
    chosen = np.zeros((size, size), bool)
    chosen[7:, 7:] = random.random((size - 7, size - 7)) < 0.5
    for word, width in enumerate(WIDTHS):
        chosen[word, 7 : 7 + min(width, size - 7)] = True
    chosen = np.triu(chosen | chosen.T, 1)
    f, pmi = np.where(chosen, random.random((size, size)), 0), np.where(chosen, random.normal(0, 2, (size, size)), 0)
    f, pmi = (array.astype(np.float32).astype(np.float64) for array in (f + f.T, pmi + pmi.T))
    activities = naive.activities(random.integers(1, 100, size), 0.25).astype(np.float32).astype(np.float64)
    return naive.Model(f, pmi, activities, w0, -1.0, ridge)


def rows_of(model: naive.Model, words: list[int] | None = None) -> Rows:
    words = list(range(len(model.f))) if words is None else words
    cells = [(word, np.flatnonzero(model.f[word])) for word in words]
    ends = np.cumsum([0, *(contexts.size for _, contexts in cells)])
    contexts = np.concatenate([contexts for _, contexts in cells]).astype(np.int32)
    owners = np.repeat(words, np.diff(ends)).astype(np.int64)
    bounds = np.column_stack([ends[:-1], ends[1:]]).astype(np.int64)
    weights, pmis = (array[owners, contexts].astype(np.float32) for array in (model.f, model.pmi))
    for column in (contexts, weights, pmis):
        column.flags.writeable = False  # as shards give them, else the kernels are compiled anew
    return Rows(np.array(words, np.int32), bounds, contexts, weights, pmis)


def start(size: int = SIZE, dim: int = DIM, seed: int = 4) -> np.ndarray:
    """Vectors that float16 holds exactly, so that what is read and what is written are the same."""
    return np.random.default_rng(seed).normal(0, 0.5, (size, dim)).astype(np.float16).astype(np.float32)


def side_of(vectors: np.ndarray, model: naive.Model) -> Side:
    side = Side(vectors, model.activities.astype(np.float32))
    with ThreadPoolExecutor(1) as pool:
        side.rebuild(pool)
        side.precondition(pool, model.ridge)
    return side


def solve(
    function: Callable,
    model: naive.Model,
    rows: Rows,
    vectors: np.ndarray,
    steps: int,
    others: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """New vectors of the rows; with ``others`` in two spaces."""
    side = side_of(vectors, model)
    other = side if others is None else side_of(others, model)
    out = np.full((rows.words.size, side.padded.shape[1]), np.nan, np.float32)
    activities = model.activities.astype(np.float32)
    own = 1.0 if others is None else 0.0
    floats = (np.float32(x) for x in (model.w0, model.m0, model.ridge, activities.sum(), own))
    options = kernels.Options(*floats, steps)
    common = other.common(activities)
    loss = function(rows.words, rows.bounds, rows.cells, other.table, side.padded, common, options, out)
    assert (out[:, vectors.shape[1] :] == 0).all()  # the padding
    return out[:, : vectors.shape[1]].copy(), loss


@pytest.mark.parametrize("w0", [0.0, 1e-3, 0.3])
def test_many_steps_reach_the_minimum_of_each_row(w0: float) -> None:
    model, vectors = random_model(w0), start()
    rows = rows_of(model)
    assert {0, 1, 5, 7, 8, 9} <= set(np.diff(rows.bounds, axis=1)[:, 0].tolist())
    solved, loss = solve(kernels.solve_rows, model, rows, vectors, 40)
    expected = [model.best_row(word, vectors) for word in range(SIZE)]
    np.testing.assert_allclose(solved, expected, rtol=2e-3, atol=2e-3)  # float32, condition numbers near 100
    assert loss == pytest.approx(model.seen_loss(vectors), rel=1e-5)


@pytest.mark.parametrize("w0", [0.0, 0.3])
def test_a_step_goes_towards_the_minimum_and_no_step_stays(w0: float) -> None:
    model, vectors = random_model(w0), start()
    rows = rows_of(model)
    best = np.array([model.best_row(word, vectors) for word in range(SIZE)])
    far = [np.abs(solve(kernels.solve_rows, model, rows, vectors, steps)[0] - best).max() for steps in (0, 3, 8)]
    assert solve(kernels.solve_rows, model, rows, vectors, 0)[0].tobytes() == vectors.tobytes()
    assert far[0] > 2 * far[1] > 4 * far[2]


def test_one_step_is_one_step_of_preconditioned_conjugate_gradients() -> None:
    model, vectors = random_model(0.3), start()
    solved, _ = solve(kernels.solve_rows, model, rows_of(model), vectors, 1)
    for word in range(SIZE):
        others = np.delete(np.arange(SIZE), word)
        c, v = vectors[others].astype(np.float64), vectors[word].astype(np.float64)
        share = model.w0 * model.activities[word] * model.activities[others]
        f = model.f[word, others]
        matrix = (c.T * (f + share)) @ c + model.ridge * np.eye(DIM)
        residual = (f * model.pmi[word, others] + share * model.m0) @ c - matrix @ v
        # preconditioned by (g G + lambda I)^-1, g the nearest power of four
        every = model.activities.sum()
        g = f.sum() / every + model.w0 * model.activities[word]
        gram = naive.gram(vectors, model.activities)[:DIM]
        step = np.linalg.solve(4.0 ** np.round(np.log(g) / np.log(4)) * gram + model.ridge * np.eye(DIM), residual)
        expected = v + (residual @ step) / (step @ matrix @ step) * step
        np.testing.assert_allclose(solved[word], expected, rtol=1e-3, atol=1e-4)


def test_a_row_without_cells_and_without_all_pairs_shrinks_to_zero_or_stays() -> None:
    rows = rows_of(random_model(0.0), [0])
    assert rows.size == 0
    vectors = start()
    assert np.abs(solve(kernels.solve_rows, random_model(0.0), rows, vectors, 3)[0]).max() < 1e-6
    free = solve(kernels.solve_rows, random_model(0.0, ridge=0.0), rows, vectors, 3)[0]
    assert free.tobytes() == vectors[:1].tobytes()


def test_kernels_are_their_py_funcs(monkeypatch: pytest.MonkeyPatch) -> None:
    model, vectors = random_model(0.3), start()
    rows = rows_of(model)
    compiled, loss = solve(kernels.solve_rows, model, rows, vectors, 3)
    arguments = (rows.words, rows.bounds, rows.cells, vectors, vectors)
    seen = kernels.loss_of_rows(*arguments)
    grams = [np.zeros((DIM + 1, DIM)) for _ in range(2)]
    kernels.add_gram(grams[0], 0, DIM + 1, vectors, model.activities.astype(np.float32), 1.0)
    for module in (kernels, gather):
        for name, found in vars(module).copy().items():
            if hasattr(found, "py_func") and name not in ("add_gram", "solve_rows", "loss_of_rows"):
                monkeypatch.setattr(module, name, found.py_func)
        monkeypatch.setattr(module, "simd", naive_simd)
    plain, plain_loss = solve(kernels.solve_rows.py_func, model, rows, vectors, 3)
    np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5)
    assert loss == pytest.approx(plain_loss, rel=1e-5)
    assert seen == pytest.approx(kernels.loss_of_rows.py_func(*arguments), rel=1e-5)
    assert seen == pytest.approx(model.seen_loss(vectors), rel=1e-5)
    kernels.add_gram.py_func(grams[1], 0, DIM + 1, vectors, model.activities.astype(np.float32), 1.0)
    np.testing.assert_allclose(grams[0], grams[1], rtol=1e-12)
    kernels.mirror(grams[0])
    np.testing.assert_allclose(grams[0], naive.gram(vectors, model.activities), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("w0", [0.0, 0.05])
def test_the_objective_never_rises_when_rows_are_solved_one_at_a_time(w0: float, steps: int) -> None:
    model = random_model(w0, 16)
    vectors = start(16)
    before = first = model.objective(vectors)
    for word in np.random.default_rng(3).permutation(np.repeat(np.arange(16), 2)):
        vectors[word] = solve(kernels.solve_rows, model, rows_of(model, [int(word)]), vectors, steps)[0][0]
        after = model.objective(vectors)
        assert after <= before * (1 + 1e-6)
        before = after
    assert before < 0.5 * first


def solver_for(model: naive.Model, dim: int = DIM, threads: int = 1, **options: Any) -> RowSolver:
    """A solver with the model's numbers."""
    config = TrainConfig(dim=dim, all_pairs_weight=model.w0, all_pairs_pmi=model.m0, l2=model.ridge, **options)
    solver = RowSolver(np.arange(1, len(model.f) + 1), config, threads)
    solver.activities[:] = model.activities  # the side has the same array
    return solver


def shards_of(model: naive.Model, number: int = 3) -> list[tuple[int, Shard]]:
    size = len(model.f)
    parts = [rows_of(model, list(range(shard, size, number))) for shard in range(number)]
    return [(shard, Shard(rows, rows)) for shard, rows in enumerate(parts)]


@pytest.mark.parametrize("block", [1, 4, 1024])
def test_the_sums_over_all_vectors_are_kept_up_to_date(block: int) -> None:
    model = random_model(0.05)
    solver = solver_for(model, dim=20)
    solver.rows_per_block = block
    for number in (1, 2):
        solver.run(number, shards_of(model), 3)
        expected = naive.gram(solver.vectors, model.activities)
        np.testing.assert_allclose(solver.sides[0].gram[[*range(20), -1], :20], expected, rtol=1e-6, atol=1e-6)
        assert solver.all_pairs_loss() == pytest.approx(model.all_pairs_loss(solver.vectors), rel=1e-5)


@pytest.mark.parametrize(("w0", "ridge"), [(0.05, 0.0), (0.05, 0.7), (1.0, 0.1)])
def test_the_all_pairs_loss_is_brute_force_over_all_pairs(w0: float, ridge: float) -> None:
    model = random_model(w0, ridge=ridge)
    solver = solver_for(model)
    solver.vectors[:] = start()
    solver.run(1, [], 0)  # an empty sweep makes the sums
    assert solver.vectors.tobytes() == start().tobytes()
    assert solver.all_pairs_loss() == pytest.approx(model.all_pairs_loss(start()), rel=1e-5)


def test_the_sweeps_lower_the_whole_objective_and_return_the_loss_as_met() -> None:
    model = random_model(0.05)
    solver = solver_for(model)
    objectives = [model.objective(solver.vectors)]
    for number in range(1, 6):
        solver.run(number, shards_of(model), 3)
        objectives.append(model.objective(solver.vectors))
    assert all(after < before for before, after in pairwise(objectives))
    # one block, so that nothing has moved when a cell is met
    solver.rows_per_block = 1024
    solver.vectors[:] = solver.vectors.astype(np.float16)  # as the other words read them
    expected = model.seen_loss(solver.vectors)
    assert solver.run(9, shards_of(model, 1), 1) == pytest.approx(expected, rel=1e-5)


def test_every_row_is_solved_once_a_sweep_in_an_order_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, met = random_model(0.05), []
    original = RowSolver._solve_block

    def watched(self: RowSolver, pool: Any, rows: Rows, block: np.ndarray, *rest: Any) -> Any:
        met.append(rows.words[block].tolist())
        return original(self, pool, rows, block, *rest)

    monkeypatch.setattr(row_solver, "LEAST_BLOCKS", 7)
    monkeypatch.setattr(RowSolver, "_solve_block", watched)
    orders = []
    for seed, number in ((1, 1), (1, 2), (2, 1), (1, 1)):
        met.clear()
        solver_for(model, seed=seed).run(number, shards_of(model), 3)
        assert sorted(chain.from_iterable(met)) == list(range(SIZE))
        assert max(map(len, met)) == 4
        orders.append(list(chain.from_iterable(met)))
    assert orders[0] == orders[3]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_chunks_cover_all_rows_and_are_balanced_by_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_solver, "CELLS_PER_CHUNK", 5000)
    ends = np.cumsum([0, *([10] * 50), 40_000, *([300] * 50), 0, 0])
    chunks = row_solver._chunks(np.column_stack([ends[:-1], ends[1:]]))
    covered = [row for chunk in chunks for row in range(chunk.start, chunk.stop)]
    assert covered == list(range(103))
    work = [int(ends[chunk.stop] - ends[chunk.start]) + 256 * (chunk.stop - chunk.start) for chunk in chunks]
    assert [w for w in work if w > 10_000] == [max(work)]  # the one frequent word
    assert len(chunks) > 8


PLANTED, PLANTED_COUNTS, PLANTED_PAIRS = tables.planted_model(120, 4, 300_000)
QUIET = Progress()


def train_planted(folder: Path, threads: int = 1, memory: str = "1g", **options: Any) -> Any:
    if not folder.exists():
        vocabulary = tables.write_vocabulary(folder / "vocabulary", PLANTED_COUNTS)
        tables.write_pairs(folder / "pairs", PLANTED_PAIRS, vocabulary, 8)
    config = TrainConfig(**{"dim": 20, "sweeps": 3, "held_out": 0.1, **options})
    run = RunConfig(threads=threads, memory=memory)
    return train(folder / "vocabulary", folder / "pairs", config, run, QUIET)


def timeless(passes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in p.items() if k not in ("seconds", "cells_per_second", "memory")} for p in passes]


def test_same_bytes_for_any_number_of_threads_and_whether_shards_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_solver, "CELLS_PER_CHUNK", 2000)  # many chunks for the threads to take
    monkeypatch.setattr(row_solver, "LEAST_BLOCKS", 7)
    expected = train_planted(tmp_path / "run")
    assert len(expected.passes) == 3
    for threads, memory in ((2, "1g"), (3, "1g"), (8, "1g"), (1, "140k"), (2, "140k")):
        got = train_planted(tmp_path / "run", threads, memory)
        assert got.vectors.tobytes() == expected.vectors.tobytes()
        assert timeless(got.passes) == timeless(expected.passes)
    assert train_planted(tmp_path / "run", seed=2).vectors.tobytes() != expected.vectors.tobytes()


def off_diagonal_correlation(vectors: np.ndarray) -> float:
    pairs = np.triu_indices(len(PLANTED), 1)
    return float(np.corrcoef((vectors @ vectors.T)[pairs], (PLANTED @ PLANTED.T)[pairs])[0, 1])


@pytest.mark.parametrize("w0", [0.0, 1e-3])
def test_planted_vectors_are_recovered(tmp_path: Path, w0: float) -> None:
    options: dict[str, Any] = {"dim": 4, "sweeps": 10, "held_out": 0.0, "all_pairs_weight": w0, "x_max": 10.0}
    trained = train_planted(tmp_path / "run", **options)
    assert off_diagonal_correlation(trained.vectors) > 0.95
    untrained = RowSolver(trained.counts, TrainConfig(dim=4), 1).vectors
    assert abs(off_diagonal_correlation(untrained)) < 0.3
    # and the inner product is the pmi itself, not only in proportion to it
    pairs = np.triu_indices(len(PLANTED), 1)
    slope = np.polyfit((PLANTED @ PLANTED.T)[pairs], (trained.vectors @ trained.vectors.T)[pairs], 1)[0]
    assert slope == pytest.approx(1, abs=0.15)


def plant(column: np.ndarray, cell: int, value: float) -> None:
    column.flags.writeable = True
    column[cell] = value
    column.flags.writeable = False


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["weights", "pmis", "vectors"])
def test_a_planted_nan_names_sweep_shard_and_word(where: str, bad: float) -> None:
    """With numba's fastmath=True the check is compiled away and this passes silently."""
    model = random_model(0.0)
    solver, shards = solver_for(model), shards_of(model)
    rows = shards[1][1].rows
    word = next(w for w, (begin, end) in zip(rows.words, rows.bounds, strict=True) if end - begin == 8)
    cell = int(rows.bounds[rows.words.tolist().index(word), 0])
    if where == "vectors":
        solver.vectors[word] = bad  # G is bad then, and with it every row: any may be named
        guilty = set(rows.words.tolist())
    else:
        plant(getattr(rows, where), cell, bad)
        guilty = {int(word)}
    with pytest.raises(DivergedError) as error:
        solver.run(7, [shards[1]], 1)
    named = int(str(error.value).partition("word_id ")[2].split()[0])
    assert named in guilty
    assert str(error.value) == (
        f"vectors must be finite; got NaN or infinity for word_id {named} (sweep 7, shard 1). "
        "Raise --l2 (now 0.1) or lower --all-pairs-weight (now 0.0)."
    )


def test_a_huge_error_is_no_divergence_while_the_vectors_are_finite() -> None:
    model = random_model(0.0)
    solver, shards = solver_for(model), shards_of(model)
    rows = shards[1][1].rows
    cell = int(rows.bounds[np.flatnonzero(np.diff(rows.bounds, axis=1)[:, 0] == 8)[0], 0])
    solver.rows_per_block = 1024
    plant(rows.pmis, cell, 1e4)
    solver.vectors[rows.contexts[cell]] = 1e-15
    assert solver.run(1, [shards[1]], 1) == pytest.approx(float(rows.weights[cell]) * 1e8, rel=1e-2)
    assert np.isfinite(solver.vectors).all()


@pytest.mark.parametrize("ridge", [0.1, 1.0, 30.0])
@pytest.mark.parametrize(("dim", "w0"), [(1, 0.0), (2, 0.0), (3, 1e-3), (7, 0.0)])
def test_sweeps_past_convergence_stay_finite(dim: int, w0: float, ridge: float) -> None:
    """Residuals fall below what float32 can square; 0 / 0 must not come of it."""
    model = random_model(w0, ridge=ridge)
    solver = solver_for(model, dim=dim)
    for number in range(1, 60):
        solver.run(number, shards_of(model), 3)
    if w0 == 0:
        assert np.abs(solver.vectors[0]).max() < 1e-6  # the word without cells
