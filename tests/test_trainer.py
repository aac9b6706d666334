"""Training end to end on small tables: what is refused, what is told, and that it learns."""

import io
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables

from simglove_spark import forecast
from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.errors import ConfigError, DivergedError, InputError, ResourceError
from simglove_spark.manifest import FILE_NAME, Manifest, new_manifest
from simglove_spark.progress import JsonProgress, Progress
from simglove_spark.row_solver import RowSolver
from simglove_spark.schemas import VOCABULARY
from simglove_spark.trainer import train
from simglove_spark.training import train_vectors
from simglove_spark.training_inputs import load_vocabulary
from simglove_spark.vectors import Vectors

ONE = RunConfig(threads=1, memory="1g")
MODEL = tables.planted_model(80, 3, 200_000)


def write(folder: Path, weighting: str = "harmonic", num_shards: int = 4) -> Path:
    _, counts, pairs = MODEL
    vocabulary = tables.write_vocabulary(folder / "vocabulary", counts)
    tables.write_pairs(folder / "pairs", pairs, vocabulary, num_shards, weighting=weighting)
    return folder


def options(**given: Any) -> TrainConfig:
    return TrainConfig(**{"dim": 8, "sweeps": 3, **given})


def saved(folder: Path, config: TrainConfig, run: RunConfig = ONE, progress: Progress | None = None) -> Manifest:
    arguments = folder / "vocabulary", folder / "pairs", folder / "vectors"
    return train_vectors(*arguments, config, run, progress or Progress())


ADAGRAD = {"preset": "simpler-glove", "solver": "adagrad", "all_pairs_weight": 0.0, "l2": 0.0, "epochs": 3}


@pytest.mark.parametrize(("given", "weighting"), [({}, "harmonic"), (ADAGRAD, "flat")])
def test_the_vectors_table_holds_what_was_trained_and_where_it_came_from(
    tmp_path: Path, given: dict[str, Any], weighting: str
) -> None:
    folder, config = write(tmp_path, weighting), options(**given, held_out=0.1)
    manifest = saved(folder, config)
    trained = train(folder / "vocabulary", folder / "pairs", config, ONE, Progress())
    vectors = Vectors.load(folder / "vectors", verify=True)
    assert vectors.matrix.tobytes() == trained.vectors.tobytes()
    assert list(vectors.words) == list(MODEL[1])
    assert vectors.counts.tolist() == list(MODEL[1].values())
    assert manifest.config == asdict(config)
    assert manifest.seed == config.seed
    expected = [Manifest.load(folder / table, table).as_parent() for table in ("vocabulary", "pairs")]
    assert manifest.parents == expected
    name = "epoch" if given else "sweep"
    assert [record[name] for record in manifest.details["passes"]] == [1, 2, 3]
    assert not {"seconds", "memory", "cells_per_second"} & set(manifest.details["passes"][0])


def test_training_again_does_nothing_and_other_options_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    saved(folder, options())
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "vectors").iterdir()}
    assert saved(folder, options()).config == asdict(options())
    assert saved(folder, options(), RunConfig(threads=2, memory="2g"))  # resources decide no byte
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "vectors").iterdir()} == before
    with pytest.raises(ConfigError) as error:
        saved(folder, options(dim=9))
    assert str(error.value) == (
        f"output must be new or hold the same table; got one that differs ({folder / 'vectors'}): dim is 8 there and 9 here. "
        "Give another --output, or --overwrite to build it anew beside it and switch at the end."
    )
    assert saved(folder, options(dim=9), RunConfig(threads=1, overwrite=True)).details["dim"] == 9
    assert Vectors.load(folder / "vectors").matrix.shape == (80, 9)
    assert sorted(path.name for path in folder.iterdir()) == ["pairs", "vectors", "vocabulary"]


def test_the_same_seed_gives_the_same_manifest(tmp_path: Path) -> None:
    first, second = (saved(write(tmp_path / name), options(held_out=0.1)) for name in ("a", "b"))
    assert first == second
    assert saved(write(tmp_path / "c"), options(held_out=0.1, seed=2)).files != first.files


def test_held_out_pairs_are_predicted_better_than_by_the_start_and_by_independence(tmp_path: Path) -> None:
    folder = write(tmp_path)
    config = options(dim=3, sweeps=6, held_out=0.1)
    passes = saved(folder, config).details["passes"]
    assert passes[-1]["held_out_loss"] < 0.5 * passes[-1]["held_out_baseline"]
    # without a step the vectors stay as they start, and fail this test
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simglove_spark.row_solver.STEPS", 0)
        untrained = train(folder / "vocabulary", folder / "pairs", config, ONE, Progress()).passes[-1]
    assert untrained["held_out_loss"] > 0.9 * untrained["held_out_baseline"]
    assert passes[-1]["held_out_loss"] < 0.5 * untrained["held_out_loss"]


@pytest.mark.parametrize("held_out", [0.0, 0.2])
def test_losses_are_means_over_weights_of_train_and_held_out_cells(
    tmp_path: Path, held_out: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    import naive_training as naive

    monkeypatch.setattr("simglove_spark.row_solver.LEAST_BLOCKS", 1)
    folder, (_, counts, pairs) = write(tmp_path), MODEL
    config = options(sweeps=1, held_out=held_out, x_max=30.0, alpha=0.75, count_power=1)
    trained = train(folder / "vocabulary", folder / "pairs", config, ONE, Progress())
    numbers, total = list(counts.values()), 2 * sum(pairs.values())
    start = RowSolver(np.array(numbers), config, 1).vectors.astype(np.float64)
    vectors = trained.vectors.astype(np.float64)
    sums = {"train": [0.0, 0.0], "held_out": [0.0, 0.0], "baseline": [0.0, 0.0]}
    for (i, j), count in pairs.items():
        pmi = naive.pmi(count, total, numbers[i], numbers[j], sum(numbers))
        f = naive.weight(count, 1, 30.0, 0.75)
        out = naive.is_held_out(i, j, config.seed, held_out)
        for name, error in (
            [("held_out", vectors[i] @ vectors[j] - pmi), ("baseline", pmi)]
            if out
            else [("train", start[i] @ start[j] - pmi)]
        ):
            sums[name][0] += f * error**2
            sums[name][1] += f
    record = trained.passes[0]
    # the first of four shards meets the start itself; later ones what the earlier ones changed
    assert record["loss"] < sums["train"][0] / sums["train"][1]
    if held_out:
        assert record["held_out_loss"] == pytest.approx(sums["held_out"][0] / sums["held_out"][1], rel=1e-4)
        assert record["held_out_baseline"] == pytest.approx(sums["baseline"][0] / sums["baseline"][1], rel=1e-4)
    else:
        assert "held_out_loss" not in record
        one = train(
            write(tmp_path / "one", num_shards=1) / "vocabulary", tmp_path / "one" / "pairs", config, ONE, Progress()
        )
        assert one.passes[0]["loss"] == pytest.approx(sums["train"][0] / sums["train"][1], rel=1e-4)


@pytest.mark.parametrize(("given", "name"), [({}, "sweep"), (ADAGRAD, "epoch")])
def test_each_pass_is_told_with_loss_rate_and_memory(tmp_path: Path, given: dict[str, Any], name: str) -> None:
    log = io.StringIO()
    saved(write(tmp_path, "flat"), options(**given, held_out=0.1), progress=JsonProgress(log, "id"))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    told = [line for line in lines if line["event"] == name]
    assert [line[name] for line in told] == [1, 2, 3]
    for line in told:
        assert line["of"] == 3
        assert line["loss"] > 0 and line["held_out_loss"] > 0
        assert line["cells_per_second"] > 0 and line["seconds"] > 0
        assert line["memory"] > 10 << 20
    assert told[-1]["loss"] < told[0]["loss"]
    note = next(line["text"] for line in lines if line["event"] == "note")
    rows = Manifest.load(tmp_path / "pairs", "pairs").rows
    assert note.startswith(f"Training 80 words x 8 dims on {rows:,} cells will take about ")
    end = next(line for line in lines if line["event"] == "end")
    assert end["complete"] and end["unit"] == "cells"
    assert end["done"] == end["total"]


def test_a_vocabulary_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    other = tables.write_vocabulary(tmp_path / "other", {**MODEL[1], "w79": 1})
    mine = Manifest.load(folder / "vocabulary", "vocabulary").content_sha256
    with pytest.raises(InputError) as error:
        train_vectors(tmp_path / "other", folder / "pairs", tmp_path / "out", options(), ONE, Progress())
    assert str(error.value) == (
        f"vocabulary must be the one the pairs were counted under, {mine[:12]}; got {other.content_sha256[:12]} "
        f"({tmp_path / 'other'}). Give the vocabulary of the same run as {folder / 'pairs'}."
    )
    assert error.value.exit_code == 3
    assert not (tmp_path / "out").exists()


def test_the_published_preset_refuses_harmonic_pairs(tmp_path: Path) -> None:
    folder = write(tmp_path, "harmonic")
    with pytest.raises(ConfigError) as error:
        saved(folder, options(**ADAGRAD))
    assert str(error.value) == (
        f"--preset simpler-glove must be given flat pairs; got harmonic ones ({folder / 'pairs'}). "
        "Count the pairs with --distance-weighting flat, or use another preset."
    )
    assert error.value.exit_code == 2
    assert saved(write(tmp_path / "flat", "flat"), options(**ADAGRAD)).rows == 80


def test_vectors_that_do_not_fit_are_refused_with_the_numbers(tmp_path: Path) -> None:
    config = TrainConfig(dim=300, solver="adagrad", all_pairs_weight=0)
    with pytest.raises(ResourceError) as error:
        forecast.forecast_training(10**6, 50_000, config, 2, 64 << 20)
    assert str(error.value) == (
        "50,000 words x 300 dims need 116 MiB for vectors; --memory allows 64 MiB. Lower --dim to 160 or raise --min-count."
    )
    assert error.value.exit_code == 4
    with pytest.raises(ResourceError, match=r"80 words x 8 dims need 4 KiB for vectors; --memory allows 1 KiB"):
        saved(write(tmp_path), options(), RunConfig(memory="1k"))
    assert not (tmp_path / "vectors").exists()
    # the dim that the message names does fit
    forecast.forecast_training(
        10**6, 50_000, TrainConfig(dim=160, solver="adagrad", all_pairs_weight=0), 2, 64 << 20, 100
    )


def test_the_advice_is_never_a_dim_of_zero() -> None:
    with pytest.raises(ResourceError) as error:
        forecast.forecast_training(10**6, 50_000, TrainConfig(), 2, 1 << 10)
    assert "--dim to 0" not in str(error.value)


def test_the_forecast_tells_whether_shards_stay_in_memory() -> None:
    config = TrainConfig(dim=100)
    vectors = 10_000 * 104 * 6  # float32 and float16, dims padded to a multiple of eight
    small = forecast.forecast_training(10**6, 10_000, config, 1, vectors + 12 * 10**6 - 1, 10**5)
    large = forecast.forecast_training(10**6, 10_000, config, 1, vectors + 12 * 10**6)
    assert (small.fits, large.fits) == (False, True)
    assert "37% of the shards are read again in each pass" in small.sentence
    assert "the shards stay in memory" in large.sentence
    assert large.memory == vectors + 12 * 10**6
    assert forecast.forecast_training(10**6, 10_000, config, 2, 1 << 30).seconds == pytest.approx(large.seconds / 2)


@pytest.mark.parametrize("missing", ["vocabulary", "pairs"])
def test_missing_tables_are_refused(tmp_path: Path, missing: str) -> None:
    folder = write(tmp_path)
    (folder / missing / FILE_NAME).unlink()
    with pytest.raises(InputError) as error:
        saved(folder, options())
    assert str(error.value) == (
        f"{missing} must be a complete table with a {FILE_NAME}; got a folder without it ({folder / missing}). "
        "Give the folder of a finished stage, or run that stage again."
    )


def test_pairs_given_as_vocabulary_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    with pytest.raises(InputError, match="table must be 'vocabulary' in format 1; got 'pairs' in format 1"):
        train_vectors(folder / "pairs", folder / "pairs", tmp_path / "out", options(), ONE, Progress())


def test_word_ids_that_are_not_dense_are_refused(tmp_path: Path) -> None:
    import pyarrow as pa

    from simglove_spark.table_files import write_file

    table = pa.table([["a", "b"], pa.array([0, 2], pa.int32()), [5, 4]], schema=VOCABULARY)
    report = write_file(tmp_path, "vocabulary", VOCABULARY, [table])
    new_manifest("vocabulary", VOCABULARY, [tables.entry(report)], {}).save(tmp_path)
    with pytest.raises(InputError) as error:
        load_vocabulary(tmp_path)
    assert str(error.value) == f"word ids must be 0, 1, 2, ...; got others ({tmp_path}). Count the words again."


def test_a_damaged_pair_table_ends_training_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = write(tmp_path)
    shard = next((folder / "pairs").glob("shard-00002-*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(InputError, match="shard-00002"):
        saved(folder, options())
    assert sorted(path.name for path in folder.iterdir()) == ["pairs", "vocabulary"]


def test_divergence_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = write(tmp_path, "flat")
    with pytest.raises(DivergedError) as error:
        saved(folder, options(**ADAGRAD, learning_rate=1e30))
    assert error.value.exit_code == 5
    assert sorted(path.name for path in folder.iterdir()) == ["pairs", "vocabulary"]


@pytest.mark.parametrize("given", [{"held_out": 0.999999}, {"alpha": 1e6, "x_max": 1e6}])
def test_nothing_left_to_train_on_is_told_in_plain_words(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises((ConfigError, InputError)):
        saved(write(tmp_path), options(**given))


@pytest.mark.parametrize("given", [{}, ADAGRAD])
def test_a_word_without_pairs_has_a_finite_vector(tmp_path: Path, given: dict[str, Any]) -> None:
    vocabulary = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 9, "b": 5, "alone": 3})
    tables.write_pairs(tmp_path / "pairs", {(0, 1): 4}, vocabulary, weighting="flat")
    saved(tmp_path, options(**given))
    assert np.isfinite(Vectors.load(tmp_path / "vectors")["alone"]).all()


def test_the_result_loads_without_numba_and_pyspark(tmp_path: Path) -> None:
    saved(write(tmp_path), options())
    script = (
        "import sys\n"
        "for name in ('numba', 'llvmlite', 'pyspark', 'pandas', 'cyclopts'): sys.modules[name] = None\n"
        "from simglove_spark.vectors import Vectors\n"
        "from simglove_spark import evaluate, export, manifest\n"
        f"v = Vectors.load({str(tmp_path / 'vectors')!r})\n"
        "print(len(v), v['w3'].shape, v.most_correlative('w3', 1)[0][0] in v)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("80 (8,) True\n", "")
