"""What the README says is what the program does."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from simglove_spark.cli import app
from simglove_spark.errors import SimgloveError
from simglove_spark.vectors import Vectors

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLUSTER = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
JOBS = {
    "count_words.py": "count-words",
    "find_phrases.py": "phrases",
    "count_pairs.py": "count-pairs",
    "train_vectors.py": "train",
}


def commands(text: str) -> list[list[str]]:
    """Arguments of every simglove command and job that a document shows on a line, or on several that end with a backslash."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if not re.match(r"    (simglove |.*\.py )", line) or line.lstrip().startswith("export"):
            continue
        words = shlex.split(re.sub(r"\s#.*", "", line))
        if words and words[0] == "simglove":
            found.append(words[1:])
        job = next((place for place, word in enumerate(words) if Path(word).name in JOBS), None)
        if job is not None:
            options = words[job + 1 :]
            found.append([JOBS[Path(words[job]).name], *options[options.index("--") + 1 if "--" in options else 0 :]])
    return found


@pytest.mark.parametrize("arguments", commands(README) + commands(CLUSTER), ids=" ".join)
def test_every_command_parses(arguments: list[str]) -> None:
    app.config = []
    command, bound, *_ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    assert command is not None
    assert bound.arguments


def test_the_readme_shows_all_stages_and_jobs() -> None:
    shown = {arguments[0] for arguments in commands(README)}
    assert {
        "run",
        "count-words",
        "count-pairs",
        "train",
        "similar",
        "correlate",
        "analogy",
        "evaluate",
        "export",
        "publish",
        "rollback",
        "verify",
    } <= shown
    for job in JOBS:
        assert (ROOT / "jobs" / job).is_file()
        assert job in README


def test_the_python_example_runs(tmp_path: Path) -> None:
    words = ["king", "woman", "man", "queen"]
    Vectors(words, np.eye(4, dtype=np.float32) + 0.1, np.arange(4, 0, -1)).save(tmp_path / "vectors")
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    exec(example[1].replace("runs/first/vectors", str(tmp_path / "vectors")), {})


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    stated = {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)}
    used = {kind.exit_code for kind in SimgloveError.__subclasses__()}
    assert used == stated - {0, 1}


def test_the_build_check_finds_the_test_command() -> None:
    finds = re.search(r"^test_command=\$\((.*)\)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert finds is not None
    found = subprocess.run(
        ["bash", "-o", "pipefail", "-c", finds[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"python3 -m venv .* -m pytest -q -n 2 --dist loadfile\n", found.stdout)


@pytest.mark.parametrize(("folder", "text"), [(ROOT, README), (ROOT / "docs", CLUSTER)], ids=["README", "cluster"])
def test_links_lead_somewhere(folder: Path, text: str) -> None:
    for target in re.findall(r"\]\(([^)#][^)]*)\)", text):
        assert (folder / target).exists(), target


def test_a_command_stands_there_for_each_platform() -> None:
    assert sum(arguments[0] == "count-words" for arguments in commands(CLUSTER)) == 4
    for platform in ("YARN", "Kubernetes", "Databricks", "EMR", "Dataproc", "Docker"):
        part = CLUSTER.partition(f"\n## {platform}\n")[2].partition("\n## ")[0]
        assert "\n    " in part, platform
        assert platform == "Docker" or platform in CLUSTER.partition("Untested")[2].partition(".")[0]
