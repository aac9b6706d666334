"""What is read is data: nothing of it is run, leads out of its folder, or becomes markup; and messages do not act on terminals."""

import ast
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Page, write_run
from test_architecture import JOBS, SOURCES

from simglove_spark import cli
from simglove_spark.checkpoint import Checkpoints
from simglove_spark.errors import InputError
from simglove_spark.formats.lineage import find
from simglove_spark.formats.saving import README, save_vectors
from simglove_spark.manifest import FILE_NAME, FileEntry, Manifest, checked_path, hash_json, sealed
from simglove_spark.manifest_fields import escapes
from simglove_spark.pages.report import page
from simglove_spark.pages.report.run_folder import RunFolder
from simglove_spark.vectors import Vectors
from simglove_spark.vectors_table import sized_path

# --- nothing of what is read is run ---

#: What runs code, or reads what may: by the name called.
RUNS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pickle.load",
    "pickle.loads",
    "marshal.loads",
}
RUNS |= {
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "torch.load",
    "shelve.open",
    "joblib.load",
    "pd.read_pickle",
}
RUNS |= {"subprocess.getoutput", "subprocess.getstatusoutput"}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "torch"}
ALLOWED: dict[str, str] = {}


def dangers(source: str) -> list[str]:
    """Calls and imports in a module that could run what somebody else wrote."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [f"import {name}" for name in names if name.split(".")[0] in MODULES]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in RUNS:
            found.append(called)
        for given in node.keywords:
            switched = not isinstance(given.value, ast.Constant) or given.value.value
            if given.arg in ("allow_pickle", "shell") and switched:
                found.append(f"{called}({given.arg}=...)")
    return found


@pytest.mark.parametrize(
    "source",
    [
        *("eval('1')", "exec(text)", "import pickle", "from pickle import loads", "import yaml; yaml.load(text)"),
        *("np.load(path, allow_pickle=True)", "np.load(path, allow_pickle=given)", "subprocess.run(text, shell=True)"),
        *("torch.load(path)", "def f():\n    import dill", "os.system(text)"),
    ],
)
def test_what_runs_code_is_found(source: str) -> None:
    assert dangers(source)


def test_no_module_runs_what_it_reads() -> None:
    sources = SOURCES | {path.name: path.read_text(encoding="utf-8") for path in JOBS}
    assert len(sources) > 100
    assert {name: found for name, source in sources.items() if (found := dangers(source))} == ALLOWED


def test_a_configuration_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trap = tmp_path / "sprung"
    for kind in ("python/object/apply:os.system", "python/object/new:os.system", "python/name:os.system"):
        (tmp_path / "c.yaml").write_text(f"dim: !!{kind} ['touch {trap}']\n")
        assert cli.main(["train", "--config", str(tmp_path / "c.yaml")]) == 2
        assert "--config must be a YAML file; got could not determine a constructor" in capsys.readouterr().err
    assert not trap.exists()


# --- nothing leads out of its folder ---


@pytest.mark.parametrize(
    ("path", "out"),
    [
        *((name, True) for name in ("/etc/passwd", "../x", "a/../../x", "a/..", "..", "", "..\\x", "C:\\x", "c:x", "\\\\h\\x")),
        *((name, True) for name in ("a\\..\\x", "a\0b", "//host/x")),
        *((name, False) for name in ("a.parquet", "_x.npy", "a/b", "..a", "a..b", "飞", ".x")),
    ],
)  # fmt: skip
def test_paths_that_lead_out_are_told_from_others(path: str, out: bool) -> None:
    assert escapes(path) == out


def test_a_manifest_whose_files_lie_elsewhere_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "run", ["a"])
    (tmp_path / "secret").write_text("secret")
    for table in ("vocabulary", "pairs", "vectors"):
        path = tmp_path / "run" / table / FILE_NAME
        for name in ("../../secret", str(tmp_path / "secret"), "..\\..\\secret"):
            raw = json.loads(path.read_text())
            raw["files"][0]["path"] = name
            path.write_text(json.dumps(sealed(raw)))
            with pytest.raises(InputError) as caught:
                Manifest.load(path.parent, table)
            assert str(caught.value) == f"file names must stay inside the folder; got {name!r} ({path}). Do not use it."


def test_a_link_out_of_a_table_is_refused_and_one_to_the_table_is_not(tmp_path: Path) -> None:
    write_run(tmp_path / "run", ["a"])
    vectors = tmp_path / "run" / "vectors"
    (tmp_path / "link").symlink_to(vectors)
    assert len(Vectors.load(tmp_path / "link", verify=True)) == 40
    shutil.move(vectors / "_matrix.npy", tmp_path / "elsewhere.npy")
    (vectors / "_matrix.npy").symlink_to(tmp_path / "elsewhere.npy")
    for verify in (True, False):
        with pytest.raises(
            InputError, match=r"files of a table must lie in its folder; got a link to .*elsewhere\.npy"
        ):
            Vectors.load(vectors, verify=verify)
    entry = FileEntry("_matrix.npy", 0, 0, "")
    for reader in (checked_path, sized_path):
        with pytest.raises(InputError, match="Copy the file there"):
            reader(vectors, entry)


def test_a_checkpoint_that_names_other_files_is_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "out", {"a": 1})
    np.save(tmp_path / "x.npy", np.arange(5))
    checkpoints.save({"n": 1}, {"x": np.arange(5)})
    state = next((tmp_path / ".out.checkpoint").glob("state-*")) / "state.json"
    meta = json.loads(state.read_text())
    meta.pop("sha256")
    for name in ("../../x", str(tmp_path / "x")):
        meta["checksums"] = {name: meta["checksums"].popitem()[1]}
        state.write_text(json.dumps({**meta, "sha256": hash_json(meta)}))
        assert checkpoints.load() is None


# --- nothing becomes markup ---

MARKUP = "</script><img src=x onerror=alert(1)>[a](javascript:x)|`*"


def spoiled(value: Any) -> Any:
    """The same with markup in place of each text."""
    if isinstance(value, dict):
        return {key: spoiled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [spoiled(inner) for inner in value]
    return MARKUP if isinstance(value, str) else value


def spoil(run: Path) -> None:
    """Put markup wherever a manifest or run.json can hold text without being refused."""
    record = json.loads((run / "run.json").read_text())
    stage = record["stages"]["train"] | {"sha256": Manifest.load(run / "vectors", "vectors").content_sha256}
    record |= {"stages": {"train": stage, MARKUP: spoiled(stage)}, "config": {"input": [MARKUP], MARKUP: MARKUP}}
    record |= dict.fromkeys(("status", "started", "ended", "command", "run_id", "error"), MARKUP)
    (run / "run.json").write_text(json.dumps(record))
    for table in ("vocabulary", "pairs", "vectors"):
        path = run / table / FILE_NAME
        raw = json.loads(path.read_text())
        config = {**raw["config"], "tokenizer": MARKUP, "solver": MARKUP, MARKUP: MARKUP}
        raw |= {"versions": {MARKUP: MARKUP}, "config": config, "config_hash": hash_json(config)}
        raw["inputs"] = [{"path": f"/{MARKUP}", "bytes": 3, "modified": 1}]
        path.write_text(json.dumps(sealed(raw)))


def test_markup_in_manifests_and_records_is_text_in_the_report(tmp_path: Path) -> None:
    for name in ("plain", "spoiled"):
        write_run(tmp_path / name, ["a"])
    record = tmp_path / "plain" / "run.json"
    spoil(tmp_path / "spoiled")
    found = Page(page.render(RunFolder.read(tmp_path / "spoiled"), [], (), 40, "pca"))
    assert found.open == []
    plain = Page(page.render(RunFolder.read(record.parent), [], (), 40, "pca"))
    assert {tag for tag, _ in found.tags} == {tag for tag, _ in plain.tags}
    assert len(found.scripts) == len(plain.scripts)
    assert not [value for _, given in found.tags for value in given.values() if "javascript:" in (value or "")]
    assert MARKUP in found.text


def test_markup_in_manifests_and_records_is_code_in_a_model_card(tmp_path: Path) -> None:
    write_run(tmp_path / "run", ["a"])
    spoil(tmp_path / "run")
    vectors = Vectors.load(tmp_path / "run" / "vectors")
    save_vectors(vectors, tmp_path / "out", "npy", lineage=find(tmp_path / "run" / "vectors", vectors))
    body = (tmp_path / "out" / README).read_text().split("---\n", 2)[2]
    outside = "".join(body.split("`")[::2])  # what stands between two marks of code is text
    assert "<" not in outside
    assert "javascript" not in outside
    assert "](" not in outside


def test_a_message_is_one_line_and_acts_on_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "a\n\x1b[2Jb\u202e"
    bad.mkdir()
    assert cli.main(["similar", "a", "--vectors", str(bad)]) == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "\x1b" not in told and "\u202e" not in told
    assert cli.main(["train", "--dim", "9" * 100_000, "--vocabulary", "a", "--pairs", "b", "--output", "c"]) == 2
    assert len(capsys.readouterr().err) < 2100
    assert os.environ.get("SIMGLOVE_TRACEBACK") is None
