"""The command line: help of every flag, where options come from, exit codes, and what each command prints."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import tables
import yaml

from simglove_spark import cli, config, counting, errors, java, saved_config, training
from simglove_spark.export import FORMATS
from simglove_spark.manifest import Manifest
from simglove_spark.presets import Preset
from simglove_spark.vectors import Vectors

COMMANDS = ["demo", "run", "count-words", "count-pairs", "train", "evaluate", "export", "similar", "correlate"]
COMMANDS += ["keywords", "similarity", "pmi", "explain"]
COMMANDS += ["analogy", "java-home", "jobs", "merge-words", "merge-pairs", "phrases", "import-pairs", "export-pairs"]
COMMANDS += ["import-vectors"]
COMMANDS += ["report", "explore"]
COMMANDS += ["publish", "rollback", "verify", "status"]
ROAD = {
    "run": [
        "input",
        "output",
        "column",
        "min-count",
        "max-vocab",
        "min-documents",
        "deny-list",
        "vocabulary",
        "grow",
        "window-size",
        "distance-weighting",
        "dim",
        "solver",
        "preset",
        "sweeps",
        "epochs",
        "threads",
        "memory",
        "worker-memory",
        "seed",
        "overwrite",
        "config",
        "lowercase",
        "tokenizer",
        "document-break",
        "on-bad-bytes",
        "on-bad-file",
        "held-out",
        "driver-memory",
        "master",
        "num-shards",
        "spark-conf",
        "watch",
    ],
    "count-words": ["input", "output", "column", "min-count", "max-vocab", "lowercase", "worker-memory", "overwrite"],
    "count-pairs": ["input", "vocabulary", "output", "window-size", "distance-weighting", "worker-memory", "config"],
    "train": [
        "vocabulary",
        "pairs",
        "output",
        "dim",
        "solver",
        "preset",
        "sweeps",
        "epochs",
        "threads",
        "memory",
        "seed",
        "overwrite",
        "config",
    ],
    "evaluate": [
        "vectors",
        "sets",
        "similarity",
        "analogy",
        "categories",
        "sentences",
        "keywords",
        "trend",
        "resamples",
        "seed",
        "json",
    ],
    "export": ["vectors", "format", "output", "dtype", "unk", "scores", "overwrite"],
    "import-vectors": ["input", "output", "format", "overwrite"],
    "similar": ["vectors", "topn", "json"],
    "correlate": ["vectors", "topn", "json", "normalize"],
    "analogy": ["vectors", "minus", "topn", "json"],
    "keywords": ["vectors", "topn", "measure", "candidates", "lowercase", "tokenizer", "normalize", "json"],
    "similarity": ["vectors", "how", "lowercase", "tokenizer", "normalize", "json"],
    "pmi": ["vectors", "pairs", "json"],
    "explain": ["vectors", "pairs", "topn", "json"],
    "demo": ["output", "threads", "memory"],
    "import-pairs": [
        "input",
        "format",
        "word-counts",
        "unit",
        "one-direction",
        "memory",
        "output",
        "overwrite",
        "config",
    ],
    "export-pairs": ["pairs", "vocabulary", "format", "output", "overwrite"],
    "report": ["output", "evaluation", "watch", "map-words", "projection", "overwrite"],
    "explore": ["vectors", "pairs", "port", "tokenizer", "normalize", "lowercase"],
}


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """`main` sets what SIGTERM does; each test puts it back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary and its pairs."""
    folder = tmp_path_factory.mktemp("road")
    _, counts, pairs = tables.planted_model(40, 3, 50_000)
    vocabulary = tables.write_vocabulary(folder / "vocabulary", counts)
    tables.write_pairs(folder / "pairs", pairs, vocabulary)
    return folder


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ask") / "vectors"
    matrix = np.random.default_rng(2).standard_normal((30, 4))
    Vectors([f"w{row}" for row in range(29)] + ["[red]evil\x1b[31m"], matrix, np.arange(30, 0, -1)).save(folder)
    return folder


def simglove(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def events(err: str) -> list[str]:
    """Stages, and what became of them, of a log that tells of nothing else."""
    lines = [json.loads(line) for line in err.splitlines()]
    return [f"{line['stage']} {line['status']}" for line in lines]


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: Any) -> str:
    """The one line on standard error of a command that fails, the last; a stage has told its log the same."""
    got, out, err = simglove(capsys, *arguments)
    assert (got, out) == (code, "")
    *log, line = err.splitlines(keepends=True)
    assert line.startswith("simglove: ")
    assert line.endswith("\n")
    assert "Traceback" not in err
    message = line.removeprefix("simglove: ").rstrip("\n")
    assert not log or (json.loads(log[-1])["error"], json.loads(log[-1])["exit_code"]) == (message, code)
    return message


def flags(command: str) -> dict[str, str]:
    """Every flag of a command with its help and default, from `simglove COMMAND --help` on a wide terminal."""
    with pytest.MonkeyPatch.context() as patch, io.StringIO() as out, redirect_stdout(out):
        patch.setenv("COLUMNS", "400")
        assert cli.main([command, "--help"]) == 0
        text = out.getvalue()
    row = r"^│ (?:\*|  )? *(?:--([a-z0-9-]+)(?: --no-[a-z-]+)?|[A-Z]+)(?: [A-Z]+)?(?:\.\.\.)?(?:  +(\S.*?))? *│$"
    rows = re.findall(row, text, re.MULTILINE)
    assert len(rows) == text.count("\n│")
    return {name or "words": sentence for name, sentence in rows}


def trainer_options(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """What `simglove train` resolves the options to."""
    met: list[Any] = []
    monkeypatch.setattr(training, "train_vectors", lambda *given: met.append(given))
    out = Path(os.environ["PYTEST_OUT"])
    base = ["train", "--vocabulary", "v", "--pairs", "p", "--output", str(out / "vectors")]
    code, _, err = simglove(capsys, *base, *arguments)
    assert (code, err) == (0, "")
    return met[0][3]


@pytest.fixture
def options(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("PYTEST_OUT", str(tmp_path))

    def resolve(*arguments: str, **options: Any) -> Any:
        if options:
            (tmp_path / "given.yaml").write_text(
                yaml.safe_dump({key.replace("_", "-"): v for key, v in options.items()})
            )
            arguments = (*arguments, "--config", str(tmp_path / "given.yaml"))
        return trainer_options(capsys, monkeypatch, *arguments)

    return resolve


def test_all_commands_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = simglove(capsys, "--help")
    assert code == 0
    listed = re.findall(r"^│ ([a-z][a-z-]+)  ", out, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_has_help_and_every_command_a_sentence(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, err = simglove(capsys, command, "--help")
    assert (code, err) == (0, "")
    assert out.splitlines()[2].strip()
    found = flags(command)
    assert set(ROAD.get(command, [])) <= set(found)
    for name, sentence in found.items():
        text = re.sub(r" *\[(default|required|choices).*", "", sentence)
        assert len(text.split()) >= 2, f"--{name} of {command} has no help: {text!r}"
        assert text.strip()[-1] in ".;)", f"the help of --{name} of {command} is no sentence: {text!r}"


def test_every_option_of_the_dataclasses_is_a_flag() -> None:
    kinds = [kind for kind in vars(config).values() if is_dataclass(kind) and isinstance(kind, type)]
    names = {entry.name.replace("_", "-") for kind in kinds for entry in fields(kind)}
    assert names <= set(flags("run")) | set(flags("import-pairs")) | set(
        flags("phrases")
    )  # joining is no part of `run`
    assert get_args(Preset) == ("default", "simpler-glove", "glove")


@pytest.mark.parametrize("command", ["run", "count-words", "count-pairs", "train"])
def test_a_stage_takes_the_same_options_as_the_whole_road(command: str) -> None:
    paths = {"vocabulary", "pairs", "output"}
    run, stage = flags("run"), flags(command)
    assert {name: stage[name] for name in stage if name not in paths} == {
        name: run[name] for name in stage if name not in paths
    }


USAGE = [
    (["nonsense"], 'Unknown command "nonsense"'),
    (["train", "--nope", "1"], "--vocabulary requires an argument"),
    (["train", "--vocabulary", "v", "--pairs", "p", "--output", "o", "--nope"], "Unknown option: --nope"),
    (["train", "--vocabulary", "v", "--pairs", "p", "--output", "o", "--dim", "x"], "must be a whole number; got 'x'."),
    (["similar", "w", "--vectors", "v", "--topn", f"{2**63}"], f"must lie between -2^63 and 2^63; got '{2**63}'."),
    (
        ["train", "--vocabulary", "v", "--pairs", "p", "--output", "o", "--preset", "x"],
        'Invalid value "x" for --preset',
    ),
    (["train", "--vocabulary", "v", "--pairs", "p", "--output", "o", "--dim", "0"], "--dim must be at least 1; got 0."),
    (["run", "--output", "o"], "--input"),
    (["similar", "w", "--vectors", "v", "--topn", "many"], "must be a whole number; got 'many'."),
    (["similar", "w", "--vectors", "v", "--topn", "1.5"], "must be a whole number; got '1.5'."),
    (["train", "--vocabulary", "oss://a", "--pairs", "p", "--output", "o"], "folder must be a path"),
    (["similar", "--vectors", "v"], "words must be given; got none."),
    (["evaluate", "--vectors", "v"], "evaluate must be given a file; got none."),
    (["export", "--vectors", "v", "--format", "x", "--output", "o"], 'Invalid value "x" for --format'),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE)
def test_wrong_usage_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    assert message in refused(capsys, 2, *arguments)
    assert list(tmp_path.iterdir()) == []


YAML = [
    ("dimm: 3", 'Unknown option: "[dimm]"'),
    ("input: x", 'Unknown option: "[input]"'),
    ("dim: abc", "must be a whole number; got 'abc' ("),
    ("dim: [1, 2]", "Invalid value for [dim]"),
    (f"sweeps: '{'9' * 400}'", f"must lie between -2^63 and 2^63; got '{'9' * 40}' ("),
    ("dim: 0", "--dim must be at least 1; got 0."),
    ("preset: other", 'Invalid value "other" for [preset]'),
    ("preset: [default]", "preset"),
    ("watch: [[a]]", "--config must hold numbers, text and lists of these; got another list for watch"),
    (f"seed: 1{'0' * 400}", "--config must hold numbers, text and lists of these; got another int for seed"),
    ("preset: {a: 1}", "preset"),
    ("config: other.yaml", "a configuration file must not name another; got config"),
    ("- dim", "--config must hold options by name; got list"),
    ("5", "--config must hold options by name; got int"),
    ("1: 2", "--config must hold options by name; got "),
    ("a: [", "--config must be a YAML file; got "),
    ("a: !!python/object:os.system {}", "--config must be a YAML file; got "),
]


@pytest.mark.parametrize(("text", "message"), YAML)
def test_a_wrong_configuration_file_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(text)
    paths = ["--vocabulary", tmp_path / "v", "--pairs", tmp_path / "p", "--output", tmp_path / "o"]
    line = refused(capsys, 2, "train", *paths, "--config", path)
    assert message in line
    assert str(path) in line or "dim" in line


@pytest.mark.parametrize("text", ["dim: 1.5", "seed: 2.7", "min-count: 3.5"])
def test_a_fraction_is_no_whole_number(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    """Cut down to a whole number it would train something that nobody asked for."""
    path = tmp_path / "options.yaml"
    path.write_text(f"{text}\ninput: [{tmp_path / 'missing'}]\noutput: {tmp_path / 'out'}\n")
    assert text.partition(":")[0] in refused(capsys, 2, "run", "--config", path)


def test_a_missing_configuration_file_and_a_binary_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    paths = ["--vocabulary", "v", "--pairs", "p", "--output", "o"]
    line = refused(capsys, 2, "train", *paths, "--config", tmp_path / "no.yaml")
    assert "--config must be a YAML file; got " in line and "no.yaml" in line
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    assert "--config must be a YAML file; got " in refused(capsys, 2, "train", *paths, "--config", tmp_path / "b.yaml")


def test_flags_win_over_yaml_over_preset_over_defaults(options: Any) -> None:
    assert options() == config.TrainConfig()
    published = options("--preset", "simpler-glove")
    assert (published.solver, published.all_pairs_weight, published.l2) == ("adagrad", 0.0, 0.0)
    assert published.preset == "simpler-glove"
    assert options(preset="simpler-glove") == published
    assert options("--preset=simpler-glove") == published
    given = options("--preset", "simpler-glove", "--epochs", "3", l2=0.5, epochs=9, dim=7)
    assert (given.solver, given.l2, given.epochs, given.dim) == ("adagrad", 0.5, 3, 7)
    assert options("--preset", "simpler-glove", "--l2", "2", l2=0.5).l2 == 2
    assert options("--preset", "default", preset="simpler-glove") == config.TrainConfig()
    assert options("--solver", "rows", preset="simpler-glove").solver == "rows"
    assert options(all_pairs_weight=0.25).all_pairs_weight == 0.25


def test_underscores_do_in_yaml_as_well(options: Any, tmp_path: Path) -> None:
    (tmp_path / "u.yaml").write_text("all_pairs_weight: 0.5\n")
    assert options("--config", str(tmp_path / "u.yaml")).all_pairs_weight == 0.5
    (tmp_path / "e.yaml").write_text("# nothing\n")
    assert options("--config", str(tmp_path / "e.yaml")) == config.TrainConfig()


@pytest.mark.parametrize(
    "arguments",
    [[], ["--preset", "simpler-glove", "--seed", "5"], ["--l2", "1e-7", "--dim", "3", "--held-out", "0.25"]],
)
def test_the_saved_configuration_resolves_to_the_same_options(
    options: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    first = options(*arguments)
    saved = tmp_path / "vectors.yaml"
    values = yaml.safe_load(saved.read_text())
    assert (values["vocabulary"], values["pairs"], values["output"]) == ("v", "p", str(tmp_path / "vectors"))
    saved = saved.rename(tmp_path / "again.yaml")
    assert options("--config", str(saved)) == first
    met: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:  # and it is all that is needed
        patch.setattr(training, "train_vectors", lambda *given: met.append(given))
        assert simglove(capsys, "train", "--config", saved)[0] == 0
    assert met[0][3] == first
    assert met[0][2] == tmp_path / "vectors"


def test_the_saved_configuration_of_a_run_resolves_to_the_same_options(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts_small(monkeypatch)
    text = tmp_path / "text.txt"
    text.write_text("a b c\n")
    out = tmp_path / "out"
    given = ["--input", text, "--lowercase", "--dim", "4", "--sweeps", "2", "--min-count", "1", "--memory", "1g"]
    assert simglove(capsys, "run", *given, "--output", out)[0] == 0
    first = json.loads((out / "run.json").read_text())
    copy = tmp_path / "copy.yaml"
    copy.write_text((out / "run.yaml").read_text())
    assert simglove(capsys, "run", "--config", copy, "--output", tmp_path / "again")[0] == 0
    second = json.loads((tmp_path / "again" / "run.json").read_text())
    assert first["config"] == second["config"]
    assert first["stages"]["train"]["sha256"] == second["stages"]["train"]["sha256"]


def counts_small(monkeypatch: pytest.MonkeyPatch, calls: list[str] | None = None) -> None:
    """Put small tables in place of what Spark would count."""
    _, counts, pairs = tables.planted_model(20, 3, 20_000)

    def words(corpus: Any, options: Any, folder: Path, context: Any) -> Manifest:
        (calls if calls is not None else []).append("words")
        return tables.write_vocabulary(folder / "vocabulary", counts)

    def cells(corpus: Any, options: Any, vocabulary: Path, output: Path, context: Any) -> Manifest:
        (calls if calls is not None else []).append("pairs")
        return tables.write_pairs(output, pairs, Manifest.load(vocabulary, "vocabulary"))

    monkeypatch.setattr(counting, "count_words", words)
    monkeypatch.setattr(counting, "count_pairs", cells)


def run_small(capsys: pytest.CaptureFixture[str], tmp_path: Path, *more: str) -> tuple[int, str, dict[str, Any]]:
    (tmp_path / "text.txt").write_text("a b c\n")
    given = ["--input", tmp_path / "text.txt", "--output", tmp_path / "out", "--dim", "4", "--sweeps", "2"]
    code, _, err = simglove(capsys, "run", *given, "--memory", "1g", *more)
    return code, err, json.loads((tmp_path / "out" / "run.json").read_text())


def test_run_json_is_true_after_success(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    counts_small(monkeypatch, calls)
    code, err, record = run_small(capsys, tmp_path)
    assert (code, calls) == (0, ["words", "pairs"])
    assert (record["status"], record["exit_code"], record["command"]) == ("complete", 0, "run")
    assert record["started"] <= record["ended"]
    assert list(record["stages"]) == ["count-words", "count-pairs", "train"]
    for stage, table in (("count-words", "vocabulary"), ("count-pairs", "pairs"), ("train", "vectors")):
        manifest = Manifest.load(tmp_path / "out" / table, table)
        told = record["stages"][stage]
        assert (told["status"], told["rows"], told["bytes"]) == ("complete", manifest.rows, manifest.bytes)
        assert told["sha256"] == manifest.content_sha256
        assert told["seconds"] >= 0
    assert record["config"]["dim"] == 4
    assert record["versions"]["numpy"] == np.__version__
    for line in err.splitlines():
        json.loads(line)  # progress in a log is JSON
    assert len(Vectors.load(tmp_path / "out" / "vectors")) == 20


FAILURES = [
    (errors.DivergedError("vectors must be finite"), 5, "failed"),
    (errors.InputError("pairs must be whole"), 3, "failed"),
    (KeyboardInterrupt(), 7, "interrupted"),
    (errors.StoppedError("stopped by SIGTERM"), 7, "interrupted"),
    (OSError(errno.ENOSPC, "No space left on device", "/x"), 4, "failed"),
    (MemoryError(), 4, "failed"),
    (RuntimeError("odd"), 1, "failed"),
]


@pytest.mark.parametrize(("error", "code", "status"), FAILURES)
def test_run_json_is_true_after_failure(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    status: str,
) -> None:
    counts_small(monkeypatch)

    def fail(*_: Any) -> None:
        assert json.loads((tmp_path / "out" / "run.json").read_text())["stages"]["train"]["status"] == "running"
        raise error

    monkeypatch.setattr(training, "train_vectors", fail)
    got, err, record = run_small(capsys, tmp_path)
    assert (got, record["exit_code"], record["status"]) == (code, code, status)
    last = err.splitlines()[-1]
    assert last == f"simglove: {record['error']}"
    assert "ended" in record
    assert {name: stage["status"] for name, stage in record["stages"].items()} == {
        "count-words": "complete",
        "count-pairs": "complete",
        "train": "failed",
    }


def test_a_run_that_is_refused_writes_nothing_into_a_foreign_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("a b c\n")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("x")
    given = ["--input", tmp_path / "text.txt", "--output", folder]
    expected = f"output must be new, empty or a run folder; got 'thesis.tex' in it ({folder}). Give another --output."
    assert refused(capsys, 2, "run", *given) == expected
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == ["thesis.tex"]


EXPLAINED = [
    (errors.SimgloveError("a"), 1, "a"),
    (errors.ConfigError("a"), 2, "a"),
    (errors.InputError("a"), 3, "a"),
    (errors.ResourceError("a"), 4, "a"),
    (errors.DivergedError("a"), 5, "a"),
    (errors.QualityError("a"), 6, "a"),
    (errors.StoppedError("a"), 7, "a"),
    (KeyboardInterrupt(), 7, "stopped; "),
    (MemoryError(), 4, "memory must suffice; got an allocation that failed."),
    (MemoryError("Unable to allocate 9 GiB"), 4, "memory must suffice; got Unable to allocate 9 GiB."),
    (
        OSError(errno.ENOSPC, "No space left on device", "/x"),
        4,
        "disk must have room; got No space left on device (/x).",
    ),
    (OSError(errno.EDQUOT, "Disk quota exceeded", "/x"), 4, "disk must have room; got Disk quota exceeded (/x)."),
    (
        PermissionError(errno.EACCES, "Permission denied", "/x"),
        4,
        "output must be writable; got Permission denied (/x).",
    ),
    (
        OSError(errno.EROFS, "Read-only file system", "/x"),
        4,
        "output must be writable; got Read-only file system (/x).",
    ),
    (
        OSError(errno.ENAMETOOLONG, "File name too long", "/x"),
        2,
        "path must be one that this machine can have; got File name too long (/x).",
    ),
    (ValueError("odd"), 1, "unexpected ValueError: odd. SIMGLOVE_TRACEBACK=1 shows where"),
]


@pytest.mark.parametrize(("error", "code", "message"), EXPLAINED)
def test_errors_have_their_exit_codes(error: BaseException, code: int, message: str) -> None:
    got, text = errors.explain(error)
    assert got == code
    assert text.startswith(message)


def test_a_traceback_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIMGLOVE_TRACEBACK", "1")
    assert cli.main(["similar", "a", "--vectors", str(tmp_path / "no")]) == 3
    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert "InputError" in shown


def test_words_that_look_like_markup_are_shown_as_they_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["a", "\\[/x]", "[bold]", "\\[bold]"]
    Vectors(words, np.eye(4, dtype=np.float32) + 0.1).save(tmp_path / "v")
    assert cli.main(["similar", "a", "[bold]", "--vectors", str(tmp_path / "v")]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words[1:])


def test_a_file_that_people_wrote_is_never_replaced_by_a_saved_configuration(tmp_path: Path) -> None:
    path = tmp_path / "vectors.yaml"
    path.write_text("# mine\ndim: 4\n")
    saved_config.save_config(path, {"dim": 5})
    assert path.read_text() == "# mine\ndim: 4\n"
    ours = tmp_path / "ours.yaml"
    saved_config.save_config(ours, {"dim": 5})
    saved_config.save_config(ours, {"dim": 6})
    assert "dim: 6" in ours.read_text()


def train_arguments(road: Path, output: Path, *more: str) -> list[str]:
    tables_of = ["--vocabulary", str(road / "vocabulary"), "--pairs", str(road / "pairs"), "--output", str(output)]
    return ["train", *tables_of, "--dim", "4", "--memory", "1g", *more]


def test_train_writes_vectors_and_the_configuration_beside(
    capsys: pytest.CaptureFixture[str], road: Path, tmp_path: Path
) -> None:
    code, out, _ = simglove(capsys, *train_arguments(road, tmp_path / "v", "--sweeps", "2"))
    folder = tmp_path / "v"
    assert code == 0
    assert out == f"Vectors are in {folder}. Try: simglove similar WORD --vectors {folder}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v", "v.yaml"]
    assert Manifest.load(folder, "vectors").config["sweeps"] == 2
    assert simglove(capsys, *train_arguments(road, tmp_path / "v", "--sweeps", "2"))[0] == 0
    assert "sweeps is 2 there and 3 here" in refused(capsys, 2, *train_arguments(road, tmp_path / "v", "--sweeps", "3"))
    assert yaml.safe_load((tmp_path / "v.yaml").read_text())["sweeps"] == 2


def test_training_ends_with_the_exit_code_of_its_error(
    capsys: pytest.CaptureFixture[str], road: Path, tmp_path: Path
) -> None:
    codes = {}
    for name, more in {
        "config": ["--preset", "simpler-glove"],
        "resource": ["--memory", "1b"],
        "size": ["--memory", "much"],
        "diverged": ["--solver", "adagrad", "--all-pairs-weight", "0", "--learning-rate", "1e30"],
    }.items():
        arguments = [
            a for a in train_arguments(road, tmp_path / name) if more[0] != "--memory" or a not in ("--memory", "1g")
        ]
        codes[name] = simglove(capsys, *arguments, *more)[0]
    assert codes == {"config": 2, "resource": 4, "size": 2, "diverged": 5}
    other = tables.write_vocabulary(tmp_path / "other", {"a": 3, "b": 2})
    assert other.rows == 2
    arguments = ["train", "--vocabulary", tmp_path / "other", "--pairs", road / "pairs", "--output", tmp_path / "x"]
    assert simglove(capsys, *arguments)[0] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_training_with_exit_code_7_and_nothing_half_written(
    road: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    arguments = train_arguments(road, tmp_path / "v", "--sweeps", "1000000", "--threads", "1")
    command = [sys.executable, "-c", "from simglove_spark.cli import entry; entry()", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if '"event": "sweep"' in line:
            break
    process.send_signal(kind)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 7
    last = err.splitlines()[-1]
    assert last.startswith("simglove: stopped")
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == [".v.checkpoint"]


def test_a_reader_who_has_seen_enough_is_no_error(vectors: Path) -> None:
    command = f"{sys.executable} -c 'from simglove_spark.cli import entry; entry()' similar w1 w2 w3 --json --topn 29"
    script = f"set -o pipefail; {command} --vectors {vectors} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "0\n"
    assert done.stderr == ""


def test_similar_correlate_and_analogy_print_what_vectors_say(
    capsys: pytest.CaptureFixture[str], vectors: Path
) -> None:
    known = Vectors.load(vectors)
    cases = {
        ("similar", "w1", "w2"): ("similarity", {w: known.most_similar(w, 3) for w in ("w1", "w2")}),
        ("correlate", "w1"): ("pmi", {"w1": known.most_correlative("w1", 3)}),
        ("correlate", "w1", "--normalize"): ("cosine", {"w1": known.most_correlative("w1", 3, normalize=True)}),
        ("analogy", "w1", "w2", "--minus", "w3"): ("cosine", {"w1 + w2 - w3": known.analogy(["w1", "w2"], ["w3"], 3)}),
    }
    for arguments, (measure, expected) in cases.items():
        code, out, err = simglove(capsys, *arguments, "--vectors", vectors, "--topn", 3, "--json")
        assert (code, err) == (0, "")
        rows = {asked: [(row["word"], row[measure]) for row in found] for asked, found in json.loads(out).items()}
        assert rows == expected
        code, out, err = simglove(capsys, *arguments, "--vectors", vectors, "--topn", 3)
        assert (code, err) == (0, "")
        for found in expected.values():
            for word, score in found:
                assert f"{score:.3f}" in out
                assert word.partition("\x1b")[0] in out


def test_words_of_a_corpus_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str], vectors: Path) -> None:
    _, out, _ = simglove(capsys, "correlate", "w1", "--vectors", vectors, "--topn", 29)
    assert "[red]evil\ufffd[31m" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("command", ["similar", "correlate", "analogy"])
def test_unknown_words_and_missing_vectors_are_exit_code_3(
    capsys: pytest.CaptureFixture[str], vectors: Path, tmp_path: Path, command: str
) -> None:
    assert "nobody" in refused(capsys, 3, command, "nobody", "--vectors", vectors)
    line = refused(capsys, 3, command, "w1", "--vectors", tmp_path / "none")
    assert line.startswith("vectors must be a complete table with a _manifest.json; got nothing (")
    assert "topn must be at least 1; got 0" in refused(capsys, 2, command, "w1", "--vectors", vectors, "--topn", "0")


def test_evaluate_scores_files_in_a_table_and_in_json(
    capsys: pytest.CaptureFixture[str], vectors: Path, tmp_path: Path
) -> None:
    (tmp_path / "sim.txt").write_text("w1\tw2\t5\nw3\tw4\t2\nw5\tw6\t9\nw1\tnobody\t3\n")
    (tmp_path / "ana.txt").write_text(": family\nw1 w2 w3 w4\nw1 w2 w3 nobody\n")
    given = ["--similarity", tmp_path / "sim.txt", "--analogy", tmp_path / "ana.txt", "--vectors", vectors]
    code, out, err = simglove(capsys, "evaluate", *given, "--json")
    assert (code, events(err)) == (0, ["evaluate running", "evaluate complete"])
    first, second = json.loads(out)["results"]
    assert (first["found"], first["total"]) == (3, 4)
    assert -1 <= first["score"] <= 1
    assert (second["found"], second["total"], second["coverage"]) == (1, 2, 0.5)
    assert json.loads(out)["setting"]["dim"] == 4
    code, out, _ = simglove(capsys, "evaluate", *given)
    assert code == 0
    assert f"{first['score']:.3f}" in out
    (tmp_path / "bad.txt").write_text("w1 w2\n")
    assert "bad.txt" in refused(capsys, 3, "evaluate", "--vectors", vectors, "--similarity", tmp_path / "bad.txt")
    assert "none.txt" in refused(capsys, 3, "evaluate", "--vectors", vectors, "--analogy", tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["word2vec-text", "word2vec-binary", "glove-text"])
def test_export_writes_a_file_once(
    capsys: pytest.CaptureFixture[str], vectors: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "file"
    given = ["export", "--vectors", vectors, "--format", name, "--output", path]
    told = f"30 vectors of 4 components are in {path}.\nTheir model card is {path}.card.md.\n"
    code, out, err = simglove(capsys, *given)
    assert (code, out, events(err)) == (0, told, ["export running", "export complete"])
    assert FORMATS[name].load(path).matrix.tobytes() == Vectors.load(vectors).matrix.tobytes()
    path.write_text("mine")
    refused(capsys, 2, *given)
    assert path.read_text() == "mine"
    assert simglove(capsys, *given, "--overwrite")[0] == 0
    assert len(FORMATS[name].load(path)) == 30


def test_jobs_and_java_home_print_existing_folders(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, out, _ = simglove(capsys, "jobs")
    assert code == 0
    folder = Path(out.rstrip("\n"))
    names = {"count_words.py", "find_phrases.py", "count_pairs.py", "train_vectors.py", "evaluate_vectors.py"}
    assert names <= {path.name for path in folder.iterdir()}
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert "JAVA_HOME must be a folder with a program bin/java" in refused(capsys, 4, "java-home")
    monkeypatch.delenv("JAVA_HOME")
    code, out, _ = simglove(capsys, "java-home")
    assert code == 0
    assert out == f"{java.java_home()}\n"


def test_version_and_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert simglove(capsys, "--version") == (0, version("simglove-spark") + "\n", "")
    code, out, err = simglove(capsys)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: simglove COMMAND")


def test_vectors_that_do_not_fit_are_refused_before_the_pairs_are_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    counts_small(monkeypatch, calls)
    (tmp_path / "text.txt").write_text("a b c\n")
    given = ["--input", tmp_path / "text.txt", "--output", tmp_path / "out", "--dim", "4", "--memory", "100"]
    code, _, err = simglove(capsys, "run", *given)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (code, calls) == (4, ["words"])
    assert "need 960 B for vectors; --memory allows 100 B" in err
    assert record["stages"]["count-pairs"]["status"] == "failed"


def test_a_preset_against_the_options_is_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text, output = tmp_path / "t.txt", tmp_path / "out"
    text.write_text("a b\n")
    given = ["--input", text, "--output", output, "--preset", "simpler-glove", "--distance-weighting", "harmonic"]
    line = refused(capsys, 2, "run", *given)
    assert "--preset simpler-glove must be given flat pairs; got --distance-weighting harmonic" in line
    assert not output.exists()
