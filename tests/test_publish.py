"""Only a run that passes its gates is handed out; latest.json is whole and true whatever happens; the way back works."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import finished
import numpy as np
import pytest
from test_counting import all_files

from simglove_spark import cli
from simglove_spark.errors import ConfigError, InputError, QualityError, ResourceError
from simglove_spark.evaluate import load_model
from simglove_spark.manifest import Manifest, sealed
from simglove_spark.progress import Progress
from simglove_spark.publishing import gates, latest
from simglove_spark.publishing.gates import Gate
from simglove_spark.publishing.latest import read_latest, resolved
from simglove_spark.publishing.publish import Asked, Published, publish, rollback
from simglove_spark.storage import texts
from simglove_spark.vectors import Vectors
from simglove_spark.verifying import verify

SIZE = 60
SET = "".join(f"w{i}\tw{i + 1}\t{i % 7}\n" for i in range(40))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs one and two of the same words and pairs with other seeds; far of another corpus; torn with a cut file."""
    root = tmp_path_factory.mktemp("publish")
    with pytest.MonkeyPatch.context() as patch:
        finished.finish(root / "one", patch, SIZE, dim=8, sweeps=8)
        finished.finish(root / "two", patch, SIZE, dim=8, sweeps=8, seed=2)
        finished.finish(root / "far", patch, 2 * SIZE, 5, dim=8)
    shutil.copytree(root / "one", root / "torn")
    matrix = root / "torn" / "vectors" / "_matrix.npy"
    matrix.write_bytes(matrix.read_bytes()[:-1] + b"\0")
    (root / "pairs.tsv").write_text(SET)
    yield root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A folder of these runs, to be published into."""
    shutil.copytree(made, tmp_path / "root")
    return tmp_path / "root"


def published(run: Path, root: Path, **asked: Any) -> Published:
    return publish(run, root, Asked(**asked), 2, Progress())


def told(done: Published) -> dict[str, tuple[bool, float | None]]:
    return {gate.name: (gate.passed, gate.figure) for gate in done.gates}


def test_the_first_run_is_named_with_all_that_a_reader_needs(root: Path) -> None:
    done = published(root / "one", root)
    record = json.loads((root / "latest.json").read_text())
    assert record == done.record == read_latest(root)
    assert not (root / "latest.json").is_symlink()
    own = Manifest.load(root / "one" / "vectors", "vectors")
    assert (record["number"], record["action"], record["run_id"]) == (1, "publish", "runone")
    assert (record["path"], record["vectors"], record["previous"]) == ("one", "one/vectors", None)
    assert (record["words"], record["dim"]) == (SIZE, 8)
    assert record["tables"]["vectors"] == own.content_sha256
    assert list(record["tables"]) == ["word_counts", "vocabulary", "pairs", "vectors"]
    assert [gate["gate"] for gate in record["gates"]] == ["broken", "not-finite", "coverage"]
    assert (root / "published" / "000001.json").read_bytes() == (root / "latest.json").read_bytes()


def test_the_same_run_again_is_nothing_to_do(root: Path) -> None:
    published(root / "one", root)
    before = all_files(root)
    done = published(root / "one", root)
    assert (done.record, done.gates) == (read_latest(root), [])
    assert all_files(root) == before


def test_a_like_run_passes_and_can_be_rolled_back_and_forth(root: Path) -> None:
    published(root / "one", root)
    done = published(root / "two", root)
    assert done.error is None
    figures = told(done)
    assert figures["size"] == figures["kept-words"] == (True, 1.0)
    assert done.record is not None
    assert done.record["previous"] == {"number": 1, "run_id": "runone", "path": "one"}
    back = rollback(root, 2, Progress())
    assert (back["number"], back["action"], back["path"], back["previous"]) == (3, "rollback", "one", None)
    assert back["tables"] == json.loads((root / "published" / "000001.json").read_text())["tables"]
    with pytest.raises(ConfigError, match="a run must have been published before the present one; got the first, one"):
        rollback(root, 2, Progress())
    again = published(root / "two", root).record
    assert again is not None
    assert (again["number"], again["previous"]["number"]) == (4, 3)
    assert rollback(root, 2, Progress())["path"] == "one"
    assert sorted(path.name for path in (root / "published").iterdir()) == [f"{n:06d}.json" for n in range(1, 6)]
    assert verify(root, 2, Progress()).found == []


def test_a_run_far_from_the_published_one_is_refused_and_all_stays(root: Path) -> None:
    published(root / "one", root)
    before = (root / "latest.json").read_bytes()
    done = published(root / "far", root, least=("neighbours=0.9", "kept-words=1"))
    assert isinstance(done.error, QualityError)
    assert done.record is None
    assert str(done.error).startswith("run must pass all gates; got ")
    assert "neighbours " in str(done.error)
    assert str(done.error).endswith("Published is still one; mend the run, or say --min NAME=VALUE.")
    assert (root / "latest.json").read_bytes() == before
    kept = json.loads((root / "published" / "refused-runfar.json").read_text())
    assert kept["gates"] == [gate.to_dict() for gate in done.gates]
    assert published(root / "far", root, least=("neighbours=0", "kept-words=0"), first=True).error is None


@pytest.mark.parametrize("first", [False, True])
def test_what_is_broken_is_never_published(root: Path, first: bool) -> None:
    if first:
        published(root / "one", root)
    done = published(root / "torn", root)
    assert told(done) == {"broken": (False, 1), "not-finite": (True, 0)}
    assert isinstance(done.error, QualityError)
    still = "Published is still one" if first else "Nothing is published"
    assert still in str(done.error)
    assert (root / "latest.json").exists() == first


def test_a_nan_is_a_gate_of_its_own(root: Path) -> None:
    folder = root / "one" / "vectors"
    matrix = np.load(folder / "_matrix.npy")
    matrix[1, 1] = np.nan
    np.save(folder / "_matrix.npy", matrix)
    from test_verify import renewed

    renewed(folder, "_matrix.npy", lambda _: None)
    assert told(published(root / "one", root))["not-finite"] == (False, 1)


def test_evaluation_sets_are_gates_against_given_figures_and_the_published_run(root: Path) -> None:
    sets = (str(root / "pairs.tsv"),)
    done = published(root / "one", root, sets=sets)
    assert done.error is None
    assert told(done)["pairs.coverage"] == (True, 1.0)
    assert published(root / "two", root, sets=sets, least=("pairs=0.999",)).error is not None
    done = published(root / "two", root, sets=sets, least=("pairs=-1", "pairs.change=-2", "neighbours=0"))
    assert done.error is None
    change = next(gate for gate in done.gates if gate.name == "pairs.change")
    assert (change.least, "the change itself is" in change.told) == (-2, True)


@pytest.mark.parametrize("text", ["neighbours", "neighbours=high", "other=1", "size=nan", "=1", "pairs=1"])
def test_a_least_figure_of_no_gate_is_refused(root: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="--min must be NAME=VALUE with a gate's name; got "):
        published(root / "one", root, least=(text,))
    assert not (root / "latest.json").exists()


def test_sets_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="--sets must have different names; got a twice"):
        gates.names_of_sets(["x/a.txt", "y/a.csv"])


@pytest.mark.parametrize(
    ("gate", "passed"),
    [
        (Gate("a", None, ""), True),
        (Gate("a", None, "", least=0), False),
        (Gate("a", 0.5, "", least=0.5), True),
        (Gate("a", 0.49, "", least=0.5), False),
        (Gate("a", 1, "", most=0), False),
        (Gate("a", float("nan"), "", least=0), False),
    ],
)
def test_a_gate_passes_within_its_bounds(gate: Gate, passed: bool) -> None:
    assert gate.passed is passed


def test_a_dry_run_judges_and_writes_nothing(root: Path) -> None:
    before = all_files(root)
    done = publish(root / "one", root, Asked(), 2, Progress(), dry_run=True)
    assert (done.record, done.error, len(done.gates)) == (None, None, 3)
    assert publish(root / "torn", root, Asked(), 2, Progress(), dry_run=True).error is not None
    assert all_files(root) == before


def test_readers_take_the_folder_for_the_published_vectors(root: Path) -> None:
    published(root / "one", root)
    for path in (root, str(root), root / "latest.json"):
        assert Vectors.load(path).manifest == Vectors.load(root / "one" / "vectors").manifest
        assert load_model(path).manifest is not None
    assert resolved(root / "one" / "vectors") == root / "one" / "vectors"
    assert resolved("some/where") == "some/where"


def test_a_run_outside_is_named_by_its_whole_path(root: Path, tmp_path: Path) -> None:
    published(root / "one", tmp_path / "elsewhere" / "new")
    record = read_latest(tmp_path / "elsewhere" / "new")
    assert record is not None
    assert record["path"] == str(root / "one")
    assert len(Vectors.load(tmp_path / "elsewhere" / "new")) == SIZE


def test_vectors_that_are_no_longer_those_published_are_not_handed_out(root: Path) -> None:
    published(root / "one", root)
    published(root / "two", root)
    for name in ("one", "two"):
        shutil.rmtree(root / name / "vectors")
        shutil.copytree(root / "far" / "vectors", root / name / "vectors")
    for act in (lambda: Vectors.load(root), lambda: rollback(root, 2, Progress())):
        with pytest.raises(InputError, match=r"published vectors must be those that latest.json tells, "):
            act()
    assert len(verify(root, 2, Progress()).found) >= 2


def test_a_rollback_to_damaged_vectors_is_refused(root: Path) -> None:
    published(root / "one", root)
    before = published(root / "two", root, least=("neighbours=0",)).record
    counts = root / "one" / "vectors" / "_counts.npy"
    counts.write_bytes(counts.read_bytes()[:-1] + b"\7")
    with pytest.raises(InputError, match=r"vectors must be whole to be rolled back to; got _counts.npy must have"):
        rollback(root, 2, Progress())
    assert read_latest(root) == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 1, "vectors": "../../x", "sha256": ""}'])
def test_a_latest_json_of_others_is_refused_everywhere(root: Path, text: str) -> None:
    published(root / "one", root)
    (root / "latest.json").write_text(text)
    acts = [lambda: Vectors.load(root), lambda: rollback(root, 2, Progress()), lambda: published(root / "two", root)]
    for act in acts:
        with pytest.raises(InputError, match=r"latest.json must be what simglove publish wrote; got "):
            act()
    assert (root / "latest.json").read_text() == text
    assert "latest.json must be" in verify(root, 2, Progress()).found[0].what


@pytest.mark.parametrize(
    "change", [{"tables": {}}, {"path": 5}, {"number": "1"}, {"previous": {"number": None}}, {"run_id": 5}]
)
def test_a_latest_json_with_a_checksum_that_fits_is_refused_too(root: Path, change: dict[str, Any]) -> None:
    record = published(root / "one", root).record
    assert record is not None
    text = json.dumps(sealed({**record, **change}), indent=1, ensure_ascii=False) + "\n"
    (root / "latest.json").write_text(text)
    with pytest.raises(InputError, match=r"latest.json must be .*; got ValueError: fields that publish does not write"):
        Vectors.load(root)
    assert "latest.json must be" in verify(root, 2, Progress()).found[0].what


def test_a_latest_json_without_a_field_that_is_read_later_is_refused(root: Path) -> None:
    record = published(root / "one", root).record
    assert record is not None
    for field in ("previous", "run_id"):
        left = {name: value for name, value in record.items() if name not in (field, "sha256")}
        (root / "latest.json").write_text(json.dumps(sealed(left), indent=1, ensure_ascii=False) + "\n")
        with pytest.raises(InputError, match=r"latest.json must be .*; got ValueError: fields"):
            rollback(root, 1, Progress())


def test_every_bit_of_latest_json_and_its_history_counts(root: Path) -> None:
    published(root / "one", root)
    published(root / "two", root, least=("neighbours=0",))
    choose = np.random.default_rng(1)
    for path in (root / "latest.json", root / "published" / "000001.json"):
        before = path.read_bytes()
        for place in choose.integers(0, len(before), 25).tolist():
            content = bytearray(before)
            content[place] ^= 1 << int(choose.integers(0, 8))
            path.write_bytes(content)
            assert str(path) in {one.path for one in verify(root, 2, Progress()).found}, place
        path.write_bytes(before)
    (root / "published" / "mine").touch()
    assert [one.path for one in verify(root, 2, Progress()).found] == [str(root / "published" / "mine")]


def test_of_two_publishers_one_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go = threading.Event(), threading.Event()

    def slowly(path: Path, text: str) -> None:
        inside.set()
        go.wait(30)
        texts.replace_text(path, text)

    monkeypatch.setattr(latest, "replace_text", slowly)
    first = threading.Thread(target=published, args=(root / "one", root))
    first.start()
    assert inside.wait(30)
    with pytest.raises(ConfigError, match="folder must be published into by one at a time; got a second"):
        published(root / "two", root)
    go.set()
    first.join()
    record = read_latest(root)
    assert record is not None
    assert record["path"] == "one"


@pytest.mark.parametrize("killed_at", [0, 1])
def test_a_kill_between_the_two_files_leaves_a_whole_state(
    root: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    published(root / "one", root)
    before, calls = (root / "latest.json").read_bytes(), []

    def killed(path: Path, text: str) -> None:
        if len(calls) == killed_at:
            raise KeyboardInterrupt
        calls.append(path)
        texts.replace_text(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(latest, "replace_text", killed)
        with pytest.raises(KeyboardInterrupt):
            published(root / "two", root, least=("neighbours=0",))
    assert (root / "latest.json").read_bytes() == before
    assert len(Vectors.load(root)) == SIZE
    assert published(root / "two", root, least=("neighbours=0",)).error is None
    assert verify(root, 2, Progress()).found == []


def test_a_folder_that_cannot_be_written_is_told(root: Path) -> None:
    with pytest.raises(ResourceError, match="folder must be writable; got "):
        published(root / "one", root / "pairs.tsv")
    with pytest.raises(ConfigError, match=r"folder must have been published into; got no latest.json"):
        rollback(root / "none", 2, Progress())
    assert not (root / "none").exists()


def simglove(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err.splitlines()[-1] if err else ""


def test_the_commands(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = simglove(capsys, "publish", root / "one", "--to", root)
    assert (code, json.loads(out)["published"]["path"]) == (0, "one")
    given = ["publish", root / "far", "--to", root, "--min", "neighbours=0.99", "--run-id", "nightly-1"]
    code = cli.main([str(argument) for argument in given])
    out, err = capsys.readouterr()
    assert (code, json.loads(out)["published"]) == (6, None)
    *lines, last = err.splitlines()
    assert last.startswith("simglove: run must pass all gates; got ")
    ended = json.loads(lines[-1])
    assert (ended["event"], ended["stage"], ended["run_id"]) == ("stage", "publish", "nightly-1")
    assert ended["exit_code"] == 6
    assert {gate["gate"] for gate in json.loads(out)["gates"]} >= {"broken", "size", "kept-words", "neighbours"}
    given = ["--vocabulary", root / "one" / "vocabulary", "--pairs", root / "one" / "pairs", "--dim", "8"]
    assert simglove(capsys, "train", *given, "--output", root / "new", "--start-from", root, "--sweeps", "1")[0] == 0
    assert Manifest.load(root / "new", "vectors").config["start_from"] == str(root / "one" / "vectors")
    code, out, _ = simglove(capsys, "correlate", "w1", "--vectors", root, "--json")
    assert code == 0
    assert simglove(capsys, "export", "--vectors", root, "--format", "glove-text", "--output", root / "out.txt")[0] == 0
    assert simglove(capsys, "publish", root / "two", "--to", root, "--min", "neighbours=0")[0] == 0
    code, out, _ = simglove(capsys, "rollback", "--to", root)
    assert (code, json.loads(out)["published"]["action"]) == (0, "rollback")
    assert simglove(capsys, "verify", root)[0] == 0
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, out, _ = simglove(capsys, "publish", root / "two", "--to", root, "--min", "neighbours=0")
    assert "Gates" in out
    assert out.endswith(f"{root / 'latest.json'} names two.\n")
    assert simglove(capsys, "publish", root / "two", "--to", root)[1].endswith("names two already.\n")
    assert simglove(capsys, "rollback", "--to", root)[1] == f"{root / 'latest.json'} names one again.\n"


def test_processes_that_publish_and_read_at_once_see_whole_files(root: Path) -> None:
    """Two publishers over and over, and a reader: each reads one of the two runs, and nothing else ever."""
    published(root / "one", root)
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    script = """
import sys
from pathlib import Path
from simglove_spark.errors import ConfigError
from simglove_spark.progress import Progress
from simglove_spark.publishing.publish import Asked, publish
root, won = Path(sys.argv[1]), 0
for turn in range(8):
    try:
        publish(root / ("one", "two")[turn % 2], root, Asked(first=True), 1, Progress())
        won += 1
    except ConfigError:
        pass
print(won)
"""
    command = [sys.executable, "-c", script, str(root)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as a,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as b,
    ):
        reads = 0
        while a.poll() is None or b.poll() is None:
            record = read_latest(root)
            assert record is not None
            assert record["path"] in ("one", "two")
            reads += 1
            time.sleep(0.005)
        assert a.stdout is not None and b.stdout is not None
        won = int(a.stdout.read()) + int(b.stdout.read())
    assert (a.returncode, b.returncode) == (0, 0)
    assert won >= 2
    assert reads > 10
    assert verify(root, 2, Progress()).found == []


def test_a_refused_run_of_any_id_is_no_damage(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from simglove_spark.publishing import publish as module

    published(root / "one", root)
    monkeypatch.setattr(module, "_run_id", lambda _: "scheduled__2026-11-23T00:00:00+00:00")
    assert published(root / "two", root, least=("neighbours=1.1",)).error is not None
    assert (root / "published" / "refused-scheduled__2026-11-23T00-00-00+00-00.json").is_file()
    assert verify(root, 2, Progress()).found == []
