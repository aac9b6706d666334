"""Two spaces, GloVe, losses of the user's own, warm starts, weights without a limit: each against brute force."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import naive_training as naive
import numba
import numpy as np
import pytest
import tables
from test_row_solver import DIM, SIZE, random_model, rows_of, solve, start

from simglove_spark.adagrad_solver import AdagradSolver, Mixed
from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.custom_loss import Reweighing, compiled, load_loss
from simglove_spark.errors import ConfigError
from simglove_spark.kernels import losses
from simglove_spark.kernels import rows as kernels
from simglove_spark.manifest import Manifest
from simglove_spark.presets import PRESETS
from simglove_spark.progress import Progress
from simglove_spark.row_solver import RowSolver
from simglove_spark.shards import Shard
from simglove_spark.trainer import train
from simglove_spark.training import train_vectors
from simglove_spark.vectors import Vectors

VECTORS, COUNTS, PAIRS = tables.planted_model(120, 4, 300_000)
ONE = RunConfig(threads=1, memory="1g")
ADAGRAD: dict[str, Any] = {"solver": "adagrad", "all_pairs_weight": 0.0, "l2": 0.0, "epochs": 8}


def write(folder: Path, counts: dict[str, int] = COUNTS, pairs: tables.Pairs = PAIRS) -> Path:
    if not folder.exists():
        vocabulary = tables.write_vocabulary(folder / "vocabulary", counts)
        tables.write_pairs(folder / "pairs", pairs, vocabulary, 4)
    return folder


def trained(folder: Path, **options: Any) -> Any:
    config = TrainConfig(**{"dim": 8, "sweeps": 4, "count_power": 1.0, "x_max": 30.0, **options})
    return train(folder / "vocabulary", folder / "pairs", config, ONE, Progress())


@pytest.mark.parametrize("w0", [0.0, 1e-3, 0.3])
def test_in_two_spaces_many_steps_reach_the_minimum_of_each_row(w0: float) -> None:
    model, vectors, others = random_model(w0), start(), start(seed=9)
    solved, loss = solve(kernels.solve_rows, model, rows_of(model), vectors, 40, others)
    c = others.astype(np.float64)
    for word in range(SIZE):
        share = w0 * model.activities[word] * model.activities  # all pairs, the word with itself too
        matrix = (c.T * (model.f[word] + share)) @ c + model.ridge * np.eye(DIM)
        best = np.linalg.solve(matrix, (model.f[word] * model.pmi[word] + share * model.m0) @ c)
        np.testing.assert_allclose(solved[word], best, rtol=2e-3, atol=2e-3)
    errors = vectors.astype(np.float64) @ c.T - model.pmi
    assert loss == pytest.approx((model.f * errors**2).sum(), rel=1e-5)


def test_in_two_spaces_the_all_pairs_loss_is_brute_force() -> None:
    model = random_model(0.3)
    config = TrainConfig(dim=DIM, space="separate", all_pairs_weight=0.3, all_pairs_pmi=model.m0, l2=0.7)
    solver = RowSolver(np.arange(1, SIZE + 1), config, 1)
    solver.activities[:] = model.activities
    solver.run(1, [], 0)
    v, c = solver.vectors.astype(np.float64), solver.other_vectors.astype(np.float64)
    assert np.abs(v - c).max() > 0.1
    everything = np.outer(model.activities, model.activities) * (v @ c.T - model.m0) ** 2
    expected = 0.3 * everything.sum() + 0.7 * ((v**2).sum() + (c**2).sum())
    assert solver.all_pairs_loss() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("options", [{}, ADAGRAD])
def test_two_spaces_are_trained_and_all_three_ways_to_hand_out_are_saved(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    folder = write(tmp_path / "run")
    tables_of = {}
    for hand_out in ("words", "sum", "concatenated"):
        config = TrainConfig(dim=8, sweeps=6, count_power=1, space="separate", hand_out=hand_out, **options)  # type: ignore[arg-type]
        manifest = train_vectors(folder / "vocabulary", folder / "pairs", tmp_path / hand_out, config, ONE, Progress())
        tables_of[hand_out] = Vectors.load(tmp_path / hand_out, verify=True).matrix
        words, contexts = (np.load(tmp_path / hand_out / f"_{name}_alone.npy") for name in ("words", "contexts"))
        assert {"_words_alone.npy", "_contexts_alone.npy"} <= {entry.path for entry in manifest.files}
    np.testing.assert_array_equal(tables_of["words"], words)
    np.testing.assert_array_equal(tables_of["sum"], words + contexts)
    np.testing.assert_array_equal(tables_of["concatenated"], np.hstack([words, contexts]))
    upper = np.triu_indices(120, 1)
    learned = ((words @ contexts.T + contexts @ words.T) / 2)[upper]
    wanted = {(i, j): VECTORS[i] @ VECTORS[j] for i, j in PAIRS}
    seen = [k for k, (i, j) in enumerate(zip(*upper, strict=True)) if PAIRS.get((int(i), int(j)), 0) > 30]
    truth = [wanted[int(upper[0][k]), int(upper[1][k])] for k in seen]
    assert np.corrcoef(learned[seen], truth)[0, 1] > 0.9


def test_same_bytes_in_two_spaces_for_any_number_of_threads(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    config = TrainConfig(dim=8, sweeps=2, space="separate")
    runs = [
        train(folder / "vocabulary", folder / "pairs", config, RunConfig(threads=n, memory="1g"), Progress())
        for n in (1, 2, 3, 8)
    ]
    assert len({run.vectors.tobytes() for run in runs}) == 1
    assert len({run.solver.other_vectors.tobytes() for run in runs}) == 1


def naive_glove(cells: list[tuple[int, int, float, float]], matrix: np.ndarray, rate: float) -> None:
    """Equation 8 as in stanfordnlp/GloVe: the rate is in the squares too. Rows are (vector, bias), of words and then of contexts."""
    squares = np.ones_like(matrix)
    for word, context, f, log_count in cells:
        v, c = matrix[word].copy(), matrix[context].copy()
        slope = f * (v[:-1] @ c[:-1] + v[-1] + c[-1] - log_count)
        for row, gradient in ((word, np.append(slope * c[:-1], slope)), (context, np.append(slope * v[:-1], slope))):
            squares[row] += (rate * gradient) ** 2
            matrix[row] -= rate * gradient / np.sqrt(squares[row])


def test_glove_is_equation_eight_with_biases() -> None:
    options = {k: v for k, v in PRESETS["glove"].items() if k != "distance_weighting"}
    config = TrainConfig(dim=5, preset="glove", **options)
    solver = AdagradSolver(np.ones(9, np.int64), config, 1, 1, True)
    before = solver.matrix.copy()
    random = np.random.default_rng(1)
    words, contexts = random.integers(0, 9, 40).astype(np.int32), random.integers(0, 9, 40).astype(np.int32)
    weights, targets = random.random(40, np.float32), random.normal(0, 2, 40).astype(np.float32)
    with ThreadPoolExecutor(1) as pool:
        cells = Mixed(words, contexts + np.int32(9), weights, targets)
        order = np.random.default_rng([config.seed, 4, 1, int(words[0]), 40]).permutation(40)
        solver._step(pool, 1, cells, np.zeros((1, 8)))
    plain = np.vstack([np.delete(before[:9, :7], 6, 1), np.delete(before[9:, :7], 5, 1)]).astype(np.float64)
    columns = [words, contexts + 9, weights, targets]
    naive_glove(list(zip(*(column[order].tolist() for column in columns), strict=True)), plain, 0.05)
    np.testing.assert_allclose(np.delete(solver.matrix[:9, :7], 6, 1), plain[:9], rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(np.delete(solver.matrix[9:, :7], 5, 1), plain[9:], rtol=2e-4, atol=1e-5)
    assert (solver.matrix[:9, 6] == 1).all()  # the ones that the biases meet
    assert (solver.matrix[9:, 5] == 1).all()
    assert np.abs(solver.matrix - before).max() > 0.01


def test_glove_learns_log_counts_and_saves_biases(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    config = TrainConfig(dim=8, epochs=40, x_max=10.0, **{k: v for k, v in PRESETS["glove"].items() if k not in ("distance_weighting", "x_max")})  # fmt: skip
    train_vectors(folder / "vocabulary", folder / "pairs", tmp_path / "out", config, ONE, Progress())
    words, contexts, biases = (np.load(tmp_path / "out" / f"_{name}.npy") for name in ("words_alone", "contexts_alone", "biases"))  # fmt: skip
    assert biases.shape == (120, 2)
    predicted = words @ contexts.T + biases[:, :1] + biases[:, 1]
    often = [(i, j) for (i, j), count in PAIRS.items() if count > 30]
    errors = [predicted[i, j] - np.log(PAIRS[i, j]) for i, j in often]
    assert np.abs(errors).mean() < 0.3
    np.testing.assert_array_equal(Vectors.load(tmp_path / "out").matrix, words + contexts)


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"model": "glove"}, "--model"),
        ({"model": "glove", **ADAGRAD}, "--model"),
        ({"hand_out": "sum"}, "--hand-out"),
        ({"space": "separate", "start_from": "x"}, "--start-from"),
        ({"tolerance": 1.5}, "--tolerance"),
        ({"patience": 0}, "--patience"),
        ({"count_power": np.inf}, "--count-power"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], flag: str) -> None:
    with pytest.raises(ConfigError, match=f"^{flag} must "):
        TrainConfig(**options)


def test_without_truncation_frequent_pairs_weigh_more_than_one(tmp_path: Path) -> None:
    from simglove_spark.pmi import Weighing

    folder = write(tmp_path / "run")
    pairs, counts = Manifest.load(folder / "pairs", "pairs"), np.array(list(COUNTS.values()))
    config = TrainConfig(x_max=10.0, alpha=0.75, no_truncate_weight=True)
    number = np.array([1, 10, 1000, 10**6])
    ids = np.zeros(4, np.int32)
    weights, _ = tables.weighed(Weighing.of(pairs, counts, config), ids, ids + 1, number)
    np.testing.assert_allclose(weights, (number / 10) ** 0.75, rtol=1e-5)
    assert trained(folder, no_truncate_weight=True).vectors.tobytes() != trained(folder).vectors.tobytes()


def test_the_count_power_evens_out_the_counts(tmp_path: Path) -> None:
    from simglove_spark.pmi import Weighing

    folder = write(tmp_path / "run")
    pairs, counts = Manifest.load(folder / "pairs", "pairs"), np.array(list(COUNTS.values()))
    ids = np.array([0, 3, 70], np.int32)
    others, numbers = np.array([1, 90, 100], np.int32), np.array([50, 3, 1])
    _, pmis = tables.weighed(Weighing.of(pairs, counts, TrainConfig(count_power=0.75)), ids, others, numbers)
    mean, total = counts.mean(), pairs.details["total_pairs"]
    evened = mean * (counts / mean) ** 0.75
    expected = [
        np.log(n) - np.log(total) - np.log(evened[i] * evened[j]) + 2 * np.log(counts.sum())
        for i, j, n in zip(ids, others, numbers, strict=True)
    ]
    np.testing.assert_allclose(pmis, expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, ADAGRAD, {"space": "separate"}])
def test_squares_given_as_a_loss_are_the_loss_that_is_built_in(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = write(tmp_path / "run")
    name = "simglove_spark.kernels.losses:least_squares"
    given, built_in = trained(folder, loss=name, **options), trained(folder, **options)
    np.testing.assert_allclose(given.vectors, built_in.vectors, rtol=5e-3, atol=2e-3)
    assert given.passes[0]["loss"] == pytest.approx(built_in.passes[0]["loss"], rel=1e-4)


@pytest.mark.parametrize("name", ["least_squares", "huber", "one_sided"])
def test_a_slope_is_the_derivative_of_its_loss(name: str) -> None:
    function = getattr(losses, name)
    for product in (-3.0, -0.7, 0.2, 0.9, 4.0):
        step = 1e-3
        high, low = (float(function(np.float32(x), np.float32(0.4), np.float32(0.7))[0]) for x in (product + step, product - step))  # fmt: skip
        slope = float(function(np.float32(product), np.float32(0.4), np.float32(0.7))[1])
        assert slope == pytest.approx((high - low) / (2 * step), abs=2e-3)


def test_huber_bends_less_to_outliers_than_squares(tmp_path: Path) -> None:
    spoiled = dict(PAIRS)
    random = np.random.default_rng(3)
    rare = [pair for pair, count in PAIRS.items() if 5 < count < 30]
    for pair in random.permutation(rare)[:200]:
        spoiled[tuple(pair.tolist())] *= 60
    folder = write(tmp_path / "run", COUNTS, spoiled)
    upper = np.triu_indices(120, 1)
    truth = (VECTORS @ VECTORS.T)[upper]
    found = {}
    for loss in (None, "simglove_spark.kernels.losses:huber"):
        vectors = trained(folder, loss=loss, dim=4, sweeps=12, all_pairs_weight=0.0, l2=0.1).vectors
        found[loss] = np.corrcoef((vectors @ vectors.T)[upper], truth)[0, 1]
    assert found["simglove_spark.kernels.losses:huber"] > found[None] + 0.02


def test_reweighed_rows_have_the_slope_of_the_loss() -> None:
    model, vectors = random_model(0.0), start()
    rows = rows_of(model, [4, 5, 20])
    from test_row_solver import side_of

    side = side_of(vectors, model)
    loss, bounds, cells = Reweighing(losses.huber, "huber").rows(
        rows.words, rows.bounds, rows.cells, side.table, side.padded
    )
    expected = 0.0
    for row, word in enumerate(rows.words):
        for own, new in zip(range(*rows.bounds[row]), range(*bounds[row]), strict=True):
            assert cells.contexts[new] == rows.contexts[own]
            product = np.float32(vectors[word] @ vectors[rows.contexts[own]])
            here, slope = losses.huber(product, rows.pmis[own], rows.weights[own])
            expected += here
            assert 2 * cells.weights[new] * (product - rows.pmis[own]) == pytest.approx(slope, rel=1e-3, abs=1e-5)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_pushes_away_is_refused_by_the_row_solver_alone(tmp_path: Path) -> None:
    module = tmp_path / "pushing_loss.py"
    module.write_text("def away(product, pmi, weight):\n    return weight * 0, pmi - product\n")
    folder = write(tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        with pytest.raises(
            ConfigError, match=r"^--loss must have a slope towards the pmi that grows no faster .* got weight -"
        ):
            trained(folder, loss="pushing_loss:away")
        trained(folder, loss="pushing_loss:away", **{**ADAGRAD, "epochs": 1})


@pytest.mark.parametrize("name", ["nothing", "no.such:module", "simglove_spark.errors:nothing", ":", "math:pi"])
def test_a_loss_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^--loss must "):
        load_loss(name)


def test_a_loss_must_return_two_numbers() -> None:
    with pytest.raises(ConfigError, match=r"^--loss must take \(product, pmi, weight\) and return \(loss, slope\)"):
        compiled(numba.njit(lambda product, pmi, weight: product), "mine")


@pytest.mark.parametrize("options", [{"l2": 0.5}, {**ADAGRAD, "epochs": 1}])
def test_a_warm_start_keeps_known_words_and_solves_the_new_ones(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = write(tmp_path / "run")
    earlier = trained(folder, l2=0.5, sweeps=10)
    known = [word for word in range(120) if word not in (7, 60, 119)]
    names = list(COUNTS)
    Vectors([names[word] for word in reversed(known)], earlier.vectors[known[::-1]]).save(tmp_path / "earlier")
    config = TrainConfig(dim=8, count_power=1.0, x_max=30.0, start_from=str(tmp_path / "earlier"), **options)
    solver: Any = (RowSolver if config.solver == "rows" else AdagradSolver)(
        np.array(list(COUNTS.values())), config, 1, *([] if config.solver == "rows" else [4, True])
    )
    import pyarrow as pa

    from simglove_spark.pmi import Weighing
    from simglove_spark.shards import PairShards
    from simglove_spark.warm_start import start_from

    weighing = Weighing.of(
        Manifest.load(folder / "pairs", "pairs"), solver_counts := np.array(list(COUNTS.values())), config
    )
    shards = PairShards(folder / "pairs", weighing, solver_counts.size, 0.0, 1, math.inf)
    start_from(str(tmp_path / "earlier"), pa.array(names), solver, shards, Progress())
    np.testing.assert_array_equal(solver.vectors[known], earlier.vectors[known])
    rows = {shard: shards.load(shard).rows for shard in range(4)}
    for word in (7, 60, 119):
        own = next(r for r in rows.values() if word in r.words)
        begin, end = own.bounds[own.words.tolist().index(word)]
        c = earlier.vectors[own.contexts[begin:end]].astype(np.float64)
        c[np.isin(own.contexts[begin:end], (7, 60, 119))] = 0  # the new words do not know of each other
        f, pmi = own.weights[begin:end].astype(np.float64), own.pmis[begin:end].astype(np.float64)
        ridge = 0.5 if config.solver == "rows" else 0.1
        matrix, right = (c.T * f) @ c + ridge * np.eye(8), (f * pmi) @ c
        if config.all_pairs_weight:
            activities = naive.activities(solver_counts, config.all_pairs_power)
            everyone = earlier.vectors.astype(np.float64).copy()
            everyone[[7, 60, 119]] = 0
            share = config.all_pairs_weight * activities[word] * activities
            matrix += (everyone.T * share) @ everyone
            right += config.all_pairs_pmi * share @ everyone
        np.testing.assert_allclose(solver.vectors[word], np.linalg.solve(matrix, right), rtol=0.02, atol=0.01)


def test_a_warm_start_begins_with_a_lower_loss_and_stands_in_the_manifest(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    first = TrainConfig(dim=8, sweeps=5)
    train_vectors(folder / "vocabulary", folder / "pairs", tmp_path / "first", first, ONE, Progress())
    again = TrainConfig(dim=8, sweeps=1, start_from=str(tmp_path / "first"))
    manifest = train_vectors(folder / "vocabulary", folder / "pairs", tmp_path / "again", again, ONE, Progress())
    cold = trained(folder, sweeps=1, count_power=0.75, x_max=1000.0).passes[0]["loss"]
    assert manifest.details["passes"][0]["loss"] < 0.7 * cold
    assert Manifest.load(tmp_path / "first", "vectors").as_parent() in manifest.parents
    with pytest.raises(ConfigError, match=r"--start-from must have 9 dims; got 8 .* Use --dim 8"):
        train(folder / "vocabulary", folder / "pairs", TrainConfig(dim=9, start_from=str(tmp_path / "first")), ONE, Progress())  # fmt: skip


def test_kernels_are_right_where_a_matrix_passes_two_to_the_31() -> None:
    """22 million words of 104 dims: 2.3e9 components, in memory that is never touched but for four rows."""
    import mmap

    size, dim, no_reserve = 22_000_000, 104, 0x4000  # Linux's MAP_NORESERVE
    assert size * dim > 2**31

    def lazily(kind: Any) -> np.ndarray:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve
        memory = mmap.mmap(-1, size * dim * np.dtype(kind).itemsize, flags=flags)
        return np.frombuffer(memory, kind).reshape(size, dim)

    vectors, table = lazily(np.float32), lazily(np.uint16)
    ids = np.array([1, 5, size - 2, size - 1], np.int32)
    small = np.random.default_rng(1).normal(0, 0.3, (4, dim)).astype(np.float16).astype(np.float32)
    kernels.put_rows(ids, small, vectors, table)
    bounds = np.array([[0, 3]] * 4)
    weights, pmis = np.ones(3, np.float32), np.array([1, -1, 2], np.float32)
    common = kernels.Common(
        np.zeros((dim, dim), np.float32),
        np.zeros(dim, np.float32),
        np.stack([np.eye(dim, dtype=np.float32)] * kernels.LEVELS),
        np.broadcast_to(np.float32(1), size).copy(),
    )
    options = kernels.Options(*(np.float32(x) for x in (0, 0, 0.1, size, 1)), 30)
    out = np.zeros((4, dim), np.float32)
    kernels.solve_rows(ids, bounds, rows_cells(ids[:3], weights, pmis), table, vectors, common, options, out)
    c = small[:3].astype(np.float64)
    best = np.linalg.solve(c.T @ c + 0.1 * np.eye(dim), pmis @ c)
    np.testing.assert_allclose(out, np.tile(best, (4, 1)), rtol=5e-3, atol=5e-3)


def rows_cells(contexts: np.ndarray, weights: np.ndarray, pmis: np.ndarray) -> Any:
    from simglove_spark.kernels.gather import Cells

    for column in (contexts := contexts.copy(), weights, pmis):
        column.flags.writeable = False
    return Cells(contexts, weights, pmis)


def test_a_shard_is_what_the_solver_takes() -> None:
    rows = rows_of(random_model(0.0))
    assert Shard(rows, rows).rows.cells.contexts is rows.contexts
