"""Training that is stopped, killed or diverges: what is kept, and the same bytes as if nothing had happened."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables

from simglove_spark import trainer
from simglove_spark.checkpoint import Checkpoints
from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.errors import ConfigError, DivergedError, InputError, StoppedError
from simglove_spark.progress import Progress
from simglove_spark.row_solver import RowSolver
from simglove_spark.stopping import Stopping
from simglove_spark.trainer import train
from simglove_spark.training import train_vectors
from simglove_spark.vectors import Vectors

_, COUNTS, PAIRS = tables.planted_model(300, 4, 300_000)
ROWS: dict[str, Any] = {"dim": 12, "sweeps": 5, "held_out": 0.1}
ADAGRAD: dict[str, Any] = {"dim": 12, "epochs": 4, "solver": "adagrad", "all_pairs_weight": 0.0, "held_out": 0.1}
ONE = RunConfig(threads=1, memory="1g")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tables")
    vocabulary = tables.write_vocabulary(made / "vocabulary", COUNTS)
    tables.write_pairs(made / "pairs", PAIRS, vocabulary, 6)
    return made


def go(folder: Path, output: Path, options: dict[str, Any], run: RunConfig = ONE) -> Any:
    return train(folder / "vocabulary", folder / "pairs", TrainConfig(**options), run, Progress(), output)


def hidden(output: Path) -> Path:
    return output.parent / f".{output.name}.checkpoint"


class _Count:
    """Stops at the given number of times that it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.asked, self.at = 0, at
        monkeypatch.setattr(Stopping, "check", lambda _: self.ask())

    def ask(self) -> None:
        self.asked += 1
        if self.asked == self.at:
            raise StoppedError("enough.")


@pytest.mark.parametrize("options", [ROWS, {**ROWS, "space": "separate"}, ADAGRAD])
def test_a_stop_at_any_shard_and_going_on_gives_the_same_bytes(
    folder: Path, tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = go(folder, tmp_path / "whole", options)
    losses = [{k: v for k, v in record.items() if "loss" in k} for record in expected.passes]
    for at in (1, 3, 7, 9, 14, 20):
        output = tmp_path / f"stopped-{at}"
        with monkeypatch.context() as patch:
            _Count(patch, at)
            with pytest.raises(StoppedError) as error:
                go(folder, output, options)
            assert error.value.exit_code == 7
        assert "The same command goes on from the checkpoint." in str(error.value)
        assert not output.exists()
        solver = go(folder, output, options).solver
        assert solver.vectors.tobytes() == expected.vectors.tobytes()
        assert solver.other_vectors.tobytes() == expected.solver.other_vectors.tobytes()
        again = go(folder, output, options).passes  # nothing is left to do
        assert [{k: v for k, v in record.items() if "loss" in k} for record in again] == losses


def test_the_row_solver_goes_on_within_a_sweep_and_does_no_row_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[int] = []
    original = RowSolver._solve_shard

    def watched(self: RowSolver, pool: Any, number: int, shard: int, rows: Any) -> float:
        met.append(shard)
        return original(self, pool, number, shard, rows)

    monkeypatch.setattr(RowSolver, "_solve_shard", watched)
    with monkeypatch.context() as patch:
        _Count(patch, 5)
        with pytest.raises(StoppedError, match=r"^stopped in sweep 1 of 1"):
            go(folder, tmp_path / "out", {**ROWS, "sweeps": 1})
    assert len(met) == 5
    go(folder, tmp_path / "out", {**ROWS, "sweeps": 1})
    assert sorted(met) == list(range(6))


def test_more_sweeps_go_on_and_other_options_begin_anew(folder: Path, tmp_path: Path) -> None:
    go(folder, tmp_path / "out", {**ROWS, "sweeps": 2})
    more = go(folder, tmp_path / "out", ROWS)
    assert more.vectors.tobytes() == go(folder, tmp_path / "whole", ROWS).vectors.tobytes()
    with pytest.raises(ConfigError) as error:
        go(folder, tmp_path / "out", {**ROWS, "l2": 2.0})
    assert str(error.value) == (
        f"output's checkpoint must be of the same training; got one that differs ({hidden(tmp_path / 'out')}): l2 is 1.0 there "
        "and 2.0 here. Give the same options to go on, or --overwrite to begin anew."
    )
    anew = RunConfig(threads=1, memory="1g", overwrite=True)
    other = go(folder, tmp_path / "out", {**ROWS, "l2": 2.0}, anew)
    assert other.vectors.tobytes() == go(folder, tmp_path / "other", {**ROWS, "l2": 2.0}).vectors.tobytes()


@pytest.mark.parametrize("fewer", [{"sweeps": 1}, {"sweeps": 2}, {"tolerance": 0.9}])
def test_a_state_beyond_what_is_asked_for_is_not_gone_on_from(
    folder: Path, tmp_path: Path, fewer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _Count(patch, 15)  # in the third sweep
        with pytest.raises(StoppedError):
            go(folder, tmp_path / "out", ROWS)
    got, expected = (go(folder, tmp_path / name, {**ROWS, **fewer}) for name in ("out", "whole"))
    assert got.vectors.tobytes() == expected.vectors.tobytes()
    assert len(got.passes) == len(expected.passes) <= 2


def test_a_failure_of_another_call_leaves_the_checkpoint_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _Count(patch, 3)
        with pytest.raises(StoppedError):
            go(folder, tmp_path / "out", ROWS)
    before = sorted(path.name for path in hidden(tmp_path / "out").rglob("*"))
    with pytest.raises(ConfigError):
        go(folder, tmp_path / "out", {**ROWS, "dim": 8})
    with monkeypatch.context() as patch:
        patch.setattr("simglove_spark.shards.PairShards.load", lambda *_: (_ for _ in ()).throw(InputError("torn.")))
        with pytest.raises(InputError):
            go(folder, tmp_path / "out", ROWS)
    assert sorted(path.name for path in hidden(tmp_path / "out").rglob("*")) == before
    assert go(folder, tmp_path / "out", ROWS).vectors.tobytes() == go(folder, tmp_path / "all", ROWS).vectors.tobytes()


def test_the_checkpoint_goes_when_the_vectors_are_there(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "vectors"
    train_vectors(folder / "vocabulary", folder / "pairs", output, TrainConfig(**ROWS), ONE, Progress())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vectors"]


def test_a_time_that_is_over_stops_with_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="--max-runtime is over"):
        go(folder, tmp_path / "out", ROWS, RunConfig(threads=1, max_runtime="0.001s"))
    assert go(folder, tmp_path / "out", ROWS).vectors.tobytes() == go(folder, tmp_path / "all", ROWS).vectors.tobytes()


@pytest.mark.parametrize("text", ["0s", "-1h", "soon", "1w"])
def test_a_wrong_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--max-runtime must be a time such as 45m or 8h; got"):
        RunConfig(max_runtime=text)


CHILD = """
import sys
from pathlib import Path
from simglove_spark.config import RunConfig, TrainConfig
from simglove_spark.progress import Progress
from simglove_spark.training import train_vectors
folder, output = Path(sys.argv[1]), Path(sys.argv[2])
options = {"dim": 60, "sweeps": 30}
print("begins", flush=True)
train_vectors(folder / "vocabulary", folder / "pairs", output, TrainConfig(**options), RunConfig(threads=1, memory="1g"), Progress())
print("done", flush=True)
"""


def child(folder: Path, output: Path) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", CHILD, str(folder), str(output)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [4, pytest.param(20, marks=pytest.mark.faults)])
def test_killed_at_random_moments_the_result_is_the_same_each_time(folder: Path, tmp_path: Path, number: int) -> None:
    whole = child(folder, tmp_path / "whole")
    assert whole.stdout is not None
    whole.stdout.readline()
    began = time.monotonic()
    assert whole.wait(120) == 0
    seconds = time.monotonic() - began
    expected = Vectors.load(tmp_path / "whole").matrix.tobytes()
    moments, kills, finished = random.Random(7), 0, 0
    while kills < number:
        output = tmp_path / f"killed-{finished}"
        running = child(folder, output)
        while not list(hidden(output).glob("state-*")) and running.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3) * seconds)
        running.kill()
        running.wait()
        if not (output / "_manifest.json").exists():
            assert list(hidden(output).glob("state-*"))  # it fell into training
            kills += 1
            if kills % 4:
                continue  # to be killed again where it goes on
        assert child(folder, output).wait(120) == 0
        assert Vectors.load(output, verify=True).matrix.tobytes() == expected
        assert not hidden(output).exists()
        finished += 1
    assert finished >= number // 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_keeps_a_checkpoint_and_ends_with_seven(folder: Path, tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "simglove_spark.cli", "train", "--vocabulary", folder / "vocabulary"]
    command += ["--pairs", folder / "pairs", "--output", tmp_path / "out", "--sweeps", "100000", "--dim", "32"]
    script = [sys.executable, "-c", "from simglove_spark.cli import entry; entry()", *map(str, command[3:])]
    with subprocess.Popen(script, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if '"sweep": 2' in line:
                running.send_signal(number)
                break
        rest = running.stderr.read()
        assert running.wait(60) == 7
    assert f"{signal.Signals(number).name} came. The same command goes on from the checkpoint." in rest
    states = list(hidden(tmp_path / "out").glob("state-*"))
    assert len(states) == 1
    assert len(json.loads((states[0] / "state.json").read_text())["told"]["passes"]) >= 2


def test_a_torn_state_is_passed_over(folder: Path, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "out", {"a": 1})
    checkpoints.save({"n": 1}, {"x": np.arange(5)})
    first = next(hidden(tmp_path / "out").glob("state-*"))
    kept = {path.name: path.read_bytes() for path in first.iterdir()}
    checkpoints.save({"n": 2}, {"x": np.arange(6)})
    assert not first.exists()  # written, switched, then deleted
    first.mkdir()
    for name, content in kept.items():
        (first / name).write_bytes(content)
    second = next(path for path in hidden(tmp_path / "out").glob("state-*") if path != first)
    loaded = checkpoints.load()
    assert loaded is not None
    assert loaded[0] == {"n": 2}
    content = bytearray((second / "x.npy").read_bytes())
    content[-1] ^= 1
    (second / "x.npy").write_bytes(content)
    loaded = checkpoints.load()
    assert loaded is not None
    assert loaded[0] == {"n": 1}
    assert loaded[1]["x"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ConfigError, match="output's checkpoint must be of the same training"):
        Checkpoints(tmp_path / "out", {"a": 2}).load()
    (second / "x.npy").write_bytes(b"")
    (second / "state.json").write_text("[]")
    loaded = checkpoints.load()
    assert loaded is not None
    assert loaded[0] == {"n": 1}


def test_two_trainings_of_one_output_are_refused(folder: Path, tmp_path: Path) -> None:
    with (
        Checkpoints(tmp_path / "out", {}).locked(),
        pytest.raises(ConfigError, match="output must be trained by one process at a time; got a second"),
    ):
        train_vectors(folder / "vocabulary", folder / "pairs", tmp_path / "out", TrainConfig(**ROWS), ONE, Progress())


def planted(monkeypatch: pytest.MonkeyPatch, sweep: int, times: int) -> None:
    """An infinite weight, or vector, in one shard of a pass, as often as said."""
    original, left = trainer._Loop._stream, [times]

    def stream(self: Any, order: list[int], task: Any) -> Any:
        for place, (shard, decoded) in enumerate(original(self, order, task)):
            if len(self.trained.passes) == sweep - 1 and place == 2 and left[0]:
                left[0] -= 1
                if not isinstance(self.solver, RowSolver):  # which keeps its cells
                    self.solver.matrix[5] = np.inf
                    yield shard, decoded
                    continue
                weights = decoded.rows.weights.copy()
                weights[5] = np.inf
                weights.flags.writeable = False  # as they come, else the kernels are compiled anew
                rows = type(decoded.rows)(**{**vars(decoded.rows), "weights": weights})
                yield shard, type(decoded)(rows, decoded.held_out)
            else:
                yield shard, decoded

    monkeypatch.setattr(trainer._Loop, "_stream", stream)


@pytest.mark.parametrize("with_output", [True, False])
@pytest.mark.parametrize(("options", "setting"), [(ROWS, "--l2 10"), (ADAGRAD, "--learning-rate 0.05")])
def test_a_divergence_is_rolled_back_and_tried_once_more(
    folder: Path,
    tmp_path: Path,
    options: dict[str, Any],
    setting: str,
    with_output: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(Progress, "event", lambda _self, _name, /, **fields: told.append({"name": _name, **fields}))
    planted(monkeypatch, sweep=3, times=1)
    got = go(folder, tmp_path / "out" if with_output else None, options)  # type: ignore[arg-type]
    (retry,) = [event for event in told if event["name"] == "retry"]
    assert retry["setting"] == setting
    assert retry["from"] == 2
    assert "word_id" in retry["error"]
    assert len(got.passes) == (5 if options is ROWS else 4)
    assert np.isfinite(got.vectors).all()
    untouched = go(folder, tmp_path / "same", {**options, "sweeps": 2, "epochs": 2})
    assert got.passes[1]["loss"] == untouched.passes[1]["loss"]


def test_a_second_divergence_ends_with_five_and_the_checkpoint_intact(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        planted(patch, sweep=3, times=2)
        with pytest.raises(
            DivergedError, match=r"sweep 3, shard \d\). Raise --l2 \(now 10.0\).* The word is 'w"
        ) as error:
            go(folder, tmp_path / "out", ROWS)
        assert error.value.exit_code == 5
    assert not (tmp_path / "out").exists()
    assert go(folder, tmp_path / "out", ROWS).vectors.tobytes() == go(folder, tmp_path / "all", ROWS).vectors.tobytes()


@pytest.mark.parametrize("options", [{"alpha": 200.0, "x_max": 1e-3, "no_truncate_weight": True}])
def test_weights_out_of_range_are_divergence_and_no_traceback(
    folder: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(DivergedError, match=r"got NaN or infinity for word_id \d+ \(sweep 1, shard \d\)"):
        go(folder, tmp_path / "out", {**ROWS, **options})
    assert list(tmp_path.iterdir()) == []


def test_an_early_stop_needs_patience(folder: Path, tmp_path: Path) -> None:
    passes = go(folder, tmp_path / "all", {**ROWS, "sweeps": 12}).passes
    losses = [record["held_out_loss"] for record in passes]
    stopped = go(folder, tmp_path / "one", {**ROWS, "sweeps": 12, "tolerance": 0.02}).passes
    number = len(stopped)
    assert 1 < number < 12
    assert losses[number - 1] > min(losses[: number - 1]) * 0.98
    assert all(losses[k] <= min(losses[:k]) * 0.98 for k in range(1, number - 1))
    patient = go(folder, tmp_path / "two", {**ROWS, "sweeps": 12, "tolerance": 0.02, "patience": 3}).passes
    assert len(patient) >= number + 2


@pytest.mark.parametrize("options", [ROWS, ADAGRAD], ids=["rows", "adagrad"])
def test_a_process_that_compiled_the_kernels_gives_the_bytes_of_one_that_found_them(
    folder: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    """Else a training killed on a new machine would go on with other bytes."""
    script = (
        "import hashlib\nfrom pathlib import Path\n"
        "from simglove_spark.config import RunConfig, TrainConfig\nfrom simglove_spark.progress import Progress\n"
        "from simglove_spark.trainer import train\n"
        f"folder, config = Path({str(folder)!r}), TrainConfig(**{options!r})\n"
        "run = RunConfig(threads=1, memory='1g')\n"
        "trained = train(folder / 'vocabulary', folder / 'pairs', config, run, Progress())\n"
        "print(hashlib.sha256(trained.vectors.tobytes()).hexdigest())\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", script]
    compiled, found = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout for _ in range(2)
    )
    assert list((tmp_path / "cache").rglob("*.nbc"))
    expected = hashlib.sha256(go(folder, tmp_path / "vectors", options).vectors.tobytes()).hexdigest()
    assert compiled == found == expected + "\n"
