"""AdaGrad against the published tool's rule written out in plain Python; epochs that visit every cell once."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import naive_simd
import naive_training as naive
import numpy as np
import pytest
import tables

from simglove_spark import adagrad_solver
from simglove_spark.adagrad_solver import AdagradSolver, Mixed
from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.errors import DivergedError
from simglove_spark.kernels import adagrad as kernels
from simglove_spark.kernels.losses import least_squares
from simglove_spark.progress import Progress
from simglove_spark.shards import Rows, Shard
from simglove_spark.trainer import train

SIZE, DIM = 12, 8  # kernels want a multiple of eight


def random_cells(number: int = 60, seed: int = 1) -> Mixed:
    random = np.random.default_rng(seed)
    words = random.integers(0, SIZE, number).astype(np.int32)
    contexts = ((words + random.integers(1, SIZE, number)) % SIZE).astype(np.int32)
    return Mixed(words, contexts, random.random(number, np.float32), random.normal(0, 2, number).astype(np.float32))


def start() -> tuple[np.ndarray, np.ndarray]:
    vectors = np.random.default_rng(3).normal(0, 0.5, (SIZE, DIM)).astype(np.float32)
    return vectors, np.ones((SIZE, DIM), np.float32)


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_kernel_py_func_and_the_published_rule_agree_over_many_cells(
    monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    cells = random_cells()
    order = np.random.default_rng(5).permutation(60).astype(np.int32)
    results = []
    for function in (kernels.adagrad_cells, kernels.adagrad_squares, kernels.adagrad_squares.py_func):
        vectors, squares = start()
        loss = np.zeros(1)
        arguments = (*cells, vectors, squares, np.float32(rate), loss)
        arguments += (least_squares,) if function is kernels.adagrad_cells else ()
        assert function(order, *arguments) == kernels.ALL_DONE
        results.append((vectors, squares, loss))
        if function is kernels.adagrad_squares:  # the last one runs as Python
            for name in ("product_of", "move_both", "ask_ahead", "least_squares"):
                monkeypatch.setattr(kernels, name, getattr(kernels, name).py_func)
            monkeypatch.setattr(kernels, "simd", naive_simd)
    vectors, squares = (array.astype(np.float64) for array in start())
    steps = [
        (int(cells.words[k]), int(cells.contexts[k]), float(cells.weights[k]), float(cells.pmis[k])) for k in order
    ]
    loss = naive.adagrad(steps, vectors, squares, rate)
    for got in results:  # float32 against float64, errors of 60 steps
        np.testing.assert_allclose(got[0], vectors, rtol=2e-4, atol=2e-5)
        np.testing.assert_allclose(got[1], squares, rtol=2e-4)
        assert got[2][0] == pytest.approx(loss, rel=1e-4)


def test_one_step_worked_by_hand() -> None:
    # v = (1, 0), c = (2, 0), pmi 1, f = 0.5: error 1, slope 0.5; squares 1 + 1 and 1 + 0.25
    vectors, squares = np.zeros((2, DIM), np.float32), np.ones((2, DIM), np.float32)
    vectors[:, 0] = [1, 2]
    loss, one = np.zeros(1), np.ones(1, np.float32)
    words, contexts = np.array([0], np.int32), np.array([1], np.int32)
    kernels.adagrad_cells(words, words, contexts, one / 2, one, vectors, squares, np.float32(0.1), loss, least_squares)
    np.testing.assert_allclose(squares[:, :2], [[2, 1], [1.25, 1]])
    np.testing.assert_allclose(vectors[:, :2], [[1 - 0.1 / 2**0.5, 0], [2 - 0.05 / 1.25**0.5, 0]], rtol=1e-6)
    assert loss[0] == pytest.approx(0.5)


def shards_of(cells: Mixed, number: int = 4) -> list[tuple[int, Shard]]:
    """Cells as rows by word, in shards by word."""
    shards = []
    for shard in range(number):
        words = np.arange(shard, SIZE, number, dtype=np.int32)
        chosen = np.concatenate([np.flatnonzero(cells.words == word) for word in words])
        ends = np.searchsorted(np.searchsorted(words, cells.words[chosen]), np.arange(words.size + 1))
        bounds = np.column_stack([ends[:-1], ends[1:]]).astype(np.int64)
        rows = Rows(words, bounds, cells.contexts[chosen], cells.weights[chosen], cells.pmis[chosen])
        shards.append((shard, Shard(rows, rows)))
    return shards


def solver(threads: int = 1, group: int = 4, keep: bool = True, **options: Any) -> AdagradSolver:
    config = TrainConfig(dim=DIM, solver="adagrad", all_pairs_weight=0, **options)
    return AdagradSolver(np.ones(SIZE, np.int64), config, threads, group, keep)


@pytest.mark.parametrize(("threads", "group", "keep"), [(1, 4, True), (3, 4, True), (1, 1, False), (70, 2, False)])
@pytest.mark.parametrize("buffer", [7, 1 << 20])
def test_every_cell_is_visited_once_an_epoch(
    monkeypatch: pytest.MonkeyPatch, threads: int, group: int, keep: bool, buffer: int
) -> None:
    monkeypatch.setattr(adagrad_solver, "CELLS_PER_BUFFER", buffer)
    visited: list[tuple[float, ...]] = []

    def step(order: np.ndarray, *arrays: Any) -> int:
        assert order.dtype == np.int32
        visited.extend(tuple(float(column[cell]) for column in arrays[:4]) for cell in order)
        return kernels.ALL_DONE

    monkeypatch.setattr(adagrad_solver, "adagrad_squares", step)
    cells = random_cells()
    expected = sorted(zip(*(column.astype(float) for column in cells), strict=True))
    orders = []
    for number, keeper in ((1, None), (2, None)):
        visited.clear()
        (keeper or solver(threads, group, keep)).run(number, shards_of(cells), 4)
        assert sorted(visited) == expected
        orders.append(list(visited))
    if threads == 1:
        assert orders[0] != orders[1]  # each epoch has its own order
        words = [int(word) for word, *_ in orders[0]]
        neighbours = sum(first == second for first, second in pairwise(words))
        assert neighbours < 30 if group == 4 else True  # cells are mixed, not row by row


def test_an_epoch_with_one_thread_gives_the_same_bytes_each_time() -> None:
    runs = []
    for keep in (True, True, False):
        one = solver(keep=keep)
        losses = [one.run(number, shards_of(random_cells()), 4) for number in (1, 2, 3)]
        runs.append((one.vectors.tobytes(), one.squares.tobytes(), losses))
        assert losses[0] > losses[1] > losses[2]
    assert runs[0] == runs[1] == runs[2]
    other = solver(seed=2)
    other.run(1, shards_of(random_cells()), 4)
    assert other.vectors.tobytes() != runs[0][0]


def test_the_start_is_uniform_as_published() -> None:
    config = TrainConfig(dim=50, solver="adagrad", all_pairs_weight=0)
    one = AdagradSolver(np.ones(2000, np.int64), config, 1, 1, True)
    assert np.abs(one.vectors).max() <= 0.5 / 50
    assert one.vectors.std() == pytest.approx(1 / 50 / 12**0.5, rel=0.01)
    assert abs(one.vectors.mean()) < 1e-4
    assert (one.squares == 1).all()


def trained(folder: Path, threads: int = 1, **options: Any) -> Any:
    if not folder.exists():
        _, counts, pairs = tables.planted_model(60, 3, 100_000)
        vocabulary = tables.write_vocabulary(folder / "vocabulary", counts)
        tables.write_pairs(folder / "pairs", pairs, vocabulary, weighting="flat")
    given = {"dim": 8, "epochs": 6, "preset": "simpler-glove", "solver": "adagrad", "all_pairs_weight": 0.0, "l2": 0.0}
    config = TrainConfig(**{**given, **options})
    run = RunConfig(threads=threads, memory="1g")
    return train(folder / "vocabulary", folder / "pairs", config, run, Progress())


def test_training_lowers_the_loss_and_is_reproducible_with_one_thread(tmp_path: Path) -> None:
    first, second = trained(tmp_path / "run"), trained(tmp_path / "run")
    assert first.vectors.tobytes() == second.vectors.tobytes()
    losses = [record["loss"] for record in first.passes]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 * losses[0]
    assert [record["epoch"] for record in first.passes] == [1, 2, 3, 4, 5, 6]
    several = trained(tmp_path / "run", threads=3).passes[-1]["loss"]
    assert several == pytest.approx(losses[-1], rel=0.2)  # other bytes, the same result


@pytest.mark.parametrize("rate", [1e18, 1e30, 3e38])
@pytest.mark.parametrize("epochs", [1, 3])
def test_a_huge_learning_rate_diverges_and_says_so(tmp_path: Path, rate: float, epochs: int) -> None:
    with pytest.raises(DivergedError) as error:
        trained(tmp_path / "run", learning_rate=rate, epochs=epochs)
    message = str(error.value)
    assert message.startswith("errors must be finite; got NaN or infinity for word_id ")
    assert f" (epoch 1). Lower --learning-rate (now {rate / 2:g}). The word is 'w" in message
    assert [f"'w{word_id}'" in message for word_id in error.value.word_ids] == [True, True]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["weights", "pmis"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_planted_nan_names_epoch_and_both_words(where: str, bad: float, threads: int) -> None:
    cells = random_cells()
    getattr(cells, where)[17] = bad
    with pytest.raises(DivergedError) as error:
        solver(threads).run(4, shards_of(cells), 4)
    assert str(error.value) == (
        f"errors must be finite; got NaN or infinity for word_id {cells.words[17]} and {cells.contexts[17]} "
        "(epoch 4). Lower --learning-rate (now 0.1)."
    )


def test_vectors_that_overflow_in_the_last_step_are_noticed() -> None:
    """A step to infinity is met by the next visit of the word; after the last cell there is none."""
    cells = Mixed(*(np.array([value], kind) for value, kind in ((0, np.int32), (1, np.int32), (1, "f4"), (9, "f4"))))
    one = solver(learning_rate=3e38)
    one.vectors[:] = 3e4
    with pytest.raises(DivergedError):
        one.run(1, shards_of(cells), 4)
