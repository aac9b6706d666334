"""The wheel as a stranger gets it: installed apart from the checkout, its jobs run by the real spark-submit."""

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from warming import warm

import simglove_spark
from simglove_spark.java import java_home
from simglove_spark.manifest import Manifest
from simglove_spark.vectors import Vectors

pytestmark = pytest.mark.spark

ROOT = Path(simglove_spark.__file__).parent.parent
WINDOW, MIN_COUNT = 3, 4


def run(
    *command: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which the wheel, and nothing else, is installed."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    isolation = ["--no-build-isolation"] if find_spec("hatchling") else []
    built = run(*pip, "wheel", "--no-deps", *isolation, "--wheel-dir", wheels, ROOT)
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.glob("simglove_spark-*-py3-none-any.whl")
    done = run(*pip, "install", "--no-deps", "--no-index", "--no-compile", "--target", target, wheel)
    assert done.returncode == 0, done.stderr
    # run at the start of every Python, workers included: the checkout that is installed for development goes away
    hide = f"import sys\nsys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
    (target / "sitecustomize.py").write_text(hide)
    take_compiled_kernels(target)
    return target


def take_compiled_kernels(target: Path) -> None:
    """Spare the minute that compiling takes: what this checkout has compiled of the very same sources is taken along."""
    warm()
    for source in (ROOT / "simglove_spark" / "kernels").glob("*.py"):
        copy = target / source.relative_to(ROOT)
        if copy.is_file() and copy.read_bytes() == source.read_bytes():
            shutil.copystat(source, copy)  # numba knows sources by size and time
            (copy.parent / "__pycache__").mkdir(exist_ok=True)
            for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.nb[ic]"):
                shutil.copy(compiled, copy.parent / "__pycache__")


@pytest.fixture(scope="module")
def env(installed: Path) -> dict[str, str]:
    """Environment of a stranger who has this virtual environment's pyspark and the wheel."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_", "PYTHON"))}
    own = {"PYTHONPATH": str(installed), "JAVA_HOME": str(java_home()), "SPARK_LOCAL_IP": "127.0.0.1"}
    own["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # a JVM that lives for seconds
    return {**kept, **own, "PYSPARK_PYTHON": sys.executable, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Docstrings of a few modules, one line of text each."""
    lines = []
    for name in ("argparse", "threading", "subprocess", "logging/__init__", "random", "statistics", "pathlib"):
        tree = ast.parse((Path(sysconfig.get_path("stdlib")) / f"{name}.py").read_text(encoding="utf-8"))
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
        lines += [" ".join(docstring.split()) for docstring in found if docstring]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def counted(text: Path) -> tuple[dict[str, int], Counter[tuple[str, str]]]:
    """Words and flat pair counts, both directions, by the definition."""
    rows = [[word.decode() for word in line.split()] for line in text.read_bytes().splitlines()]
    words = Counter(word for row in rows for word in row)
    pairs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        kept = [word for word in row if words[word] >= MIN_COUNT]
        for place, word in enumerate(kept):
            for other in kept[place + 1 : place + 1 + WINDOW]:
                if other != word:
                    pairs[word, other] += 1
                    pairs[other, word] += 1
    return dict(words), pairs


def submit(
    installed: Path, env: dict[str, str], cwd: Path, job: str, *options: object, conf: tuple[str, ...] = ()
) -> tuple[int, str]:
    """Exit code and standard error of a job under spark-submit."""
    program = Path(sys.executable).parent / "spark-submit"
    settings = ["spark.ui.enabled=false", "spark.driver.memory=1g", "spark.sql.shuffle.partitions=2", *conf]
    spark = ["--master", "local[1]", *(part for setting in settings for part in ("--conf", setting))]
    done = run(program, *spark, installed / "simglove_spark" / "jobs" / job, *options, env=env, cwd=cwd)
    return done.returncode, done.stdout + done.stderr


def test_the_wheel_holds_package_jobs_licence_and_command(installed: Path, env: dict[str, str], tmp_path: Path) -> None:
    script = "import simglove_spark.kernels.rows as r, simglove_spark.cli as c; print(r.__file__); print(c.__file__)"
    done = run(sys.executable, "-c", script, env=env, cwd=tmp_path)
    assert done.stderr == ""
    assert all(line.startswith(f"{installed}/") for line in done.stdout.splitlines())
    (record,) = installed.glob("simglove_spark-*.dist-info/RECORD")
    there = {line.partition(",")[0] for line in record.read_text().splitlines()}
    checkout = {str(path.relative_to(ROOT)) for path in (ROOT / "simglove_spark").rglob("*.py")}
    parts = [path for path in (ROOT / "simglove_spark" / "pages").rglob("*") if path.is_file()]
    pages = {str(path.relative_to(ROOT)) for path in parts if path.parent.name != "__pycache__"}
    assert checkout | pages <= there
    jobs = {f"simglove_spark/jobs/{path.name}" for path in (ROOT / "jobs").glob("*.py")}
    assert {path for path in there if path.startswith("simglove_spark/jobs/")} == jobs
    assert not [path for path in there if path.startswith(("tests/", "benchmarks/")) or path.endswith((".nbi", ".nbc"))]
    assert any(path.endswith("licenses/LICENSE") for path in there)
    done = run(sys.executable, installed / "bin" / "simglove", "jobs", env=env, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{installed / 'simglove_spark' / 'jobs'}\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_jobs_walk_the_road_under_spark_submit(
    installed: Path, env: dict[str, str], text: Path, tmp_path: Path
) -> None:
    empty, out, events = tmp_path / "empty", tmp_path / "out", tmp_path / "events"
    empty.mkdir()
    events.mkdir()
    words, pairs = counted(text)
    kept = {word: count for word, count in words.items() if count >= MIN_COUNT}

    given = ["--input", text, "--output", out, "--min-count", MIN_COUNT]
    code, log = submit(installed, env, empty, "count_words.py", *given)
    assert code == 0, log
    table = pq.read_table(out / "word_counts", filters=None)
    assert dict(zip(table["word"].to_pylist(), table["count"].to_pylist(), strict=True)) == words
    vocabulary = pq.read_table(out / "vocabulary").to_pylist()
    expected = sorted(kept.items(), key=lambda item: (-item[1], item[0].encode()))
    assert [(row["word"], row["count"]) for row in vocabulary] == expected

    # what the user says to spark-submit wins over our own settings; what he does not say is ours
    conf = ("spark.io.compression.codec=lz4", "spark.eventLog.enabled=true", f"spark.eventLog.dir={events.as_uri()}")
    conf = (*conf, "spark.eventLog.compress=false", "spark.eventLog.rolling.enabled=false")
    given = ["--input", text, "--vocabulary", out / "vocabulary", "--output", out / "pairs", "--window-size", WINDOW]
    options = ["--distance-weighting", "flat", "--num-shards", 3]
    code, log = submit(installed, env, empty, "count_pairs.py", *given, *options, conf=conf)
    assert code == 0, log
    cells = pq.read_table(out / "pairs").to_pylist()
    names = [row["word"] for row in vocabulary]
    got = {(names[row["word_id"]], names[row["context_id"]]): row["count"] for row in cells}
    assert got == pairs
    lines = [json.loads(line) for path in events.iterdir() for line in path.read_text().splitlines()]
    told = next(line for line in lines if line["Event"] == "SparkListenerEnvironmentUpdate")["Spark Properties"]
    assert told["spark.io.compression.codec"] == "lz4"
    assert told["spark.master"] == "local[1]"
    assert told["spark.sql.execution.arrow.maxRecordsPerBatch"] == "10000"

    given = ["--vocabulary", out / "vocabulary", "--pairs", out / "pairs", "--output", out / "vectors", "--dim", 5]
    code, log = submit(installed, env, empty, "train_vectors.py", *given, "--sweeps", 2, "--memory", "1g")
    assert code == 0, log
    vectors = Vectors.load(out / "vectors", verify=True)
    assert list(vectors.words) == names
    assert np.abs(vectors.matrix).max() > 0.1
    manifests = {table: Manifest.load(out / table, table) for table in ("vocabulary", "pairs", "vectors")}
    assert manifests["vectors"].parents == [manifests[table].as_parent() for table in ("vocabulary", "pairs")]
    assert list(empty.iterdir()) == []  # nothing is left where the job was started, no metastore either


def test_exit_codes_come_through_spark_submit(installed: Path, env: dict[str, str], text: Path, tmp_path: Path) -> None:
    given = ["--output", tmp_path / "out"]
    code, log = submit(installed, env, tmp_path, "count_words.py", "--input", tmp_path / "none.txt", *given)
    assert code == 3, log
    assert f"simglove: --input must match files; got nothing ({tmp_path / 'none.txt'})." in log
    code, log = submit(installed, env, tmp_path, "count_words.py", "--input", text, *given, "--nope")
    assert code == 2, log
    assert "simglove: Unknown option: --nope" in log
    assert "Traceback" not in log
    assert list(tmp_path.iterdir()) == []
