"""kill -9 of every process of every stage at drawn moments: after re-runs, where needed, there are the bytes of an undisturbed run.

    python -m pytest -q -s -m faults tests/test_kills.py         SIMGLOVE_KILLS=144 kills in all, SIMGLOVE_KILLS_SEED=1

prints a table, which docs/reliability.md has; SIMGLOVE_KILLS_TABLE=FILE also writes it there.
"""

import os
import queue
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from killing import HEAD, Killer, Session, Stage, Tally, carried_out, measure, parts_below
from standalone import standalone

from simglove_spark.errors import SimgloveError, explain
from simglove_spark.manifest import Manifest
from simglove_spark.session import translated

pytestmark = pytest.mark.spark

TABLE = os.environ.get("SIMGLOVE_KILLS_TABLE")
KILLS = int(os.environ.get("SIMGLOVE_KILLS", "144"))
SEED = int(os.environ.get("SIMGLOVE_KILLS_SEED", "1"))
LOCAL = ("--master", "local[2,4]", "--driver-memory", "600m", "--worker-memory", "64m")
CLUSTER = ("--worker-memory", "64m", "--spark-conf", "spark.sql.shuffle.partitions=4", "spark.executor.memory=512m")
LOCAL += ("--spark-conf", "spark.sql.shuffle.partitions=4")
ON_SPARK = ("driver", "jvm", "daemon", "python worker")
ON_CLUSTER = ("executor", "worker", "daemon", "python worker")
#: How often each is killed for one time that another is: what must be started again costs half a minute.
OFTEN = {"trainer": 6, "driver": 3, "jvm": 3}
USUALLY = 4


def text_of(path: Path, rows: int) -> Path:
    """A text of 20,000 words or fewer, Zipf-like, in rows of 100, where some neighbours belong together."""
    draw = random.Random(4)
    words = [f"w{number}" for number in range(20_000)]
    weights = [1 / (5 + number) for number in range(len(words))]
    joined = ("new york", "los angeles", "hong kong")
    with path.open("w") as out:
        for _ in range(rows):
            row = draw.choices(words, weights, k=96)
            out.write(" ".join([*row, draw.choice(joined), draw.choice(joined)]) + "\n")
    return path


def stages_on_spark(text: Path, base: Path) -> dict[str, Stage]:
    """Stages that count; ``base`` holds what they begin with, or nothing yet."""
    given, words = ["--input", str(text)], ["--min-count", "2"]
    pairs, vocabulary = ["--window-size", "5", "--num-shards", "6"], ["--vocabulary", str(base / "vocabulary")]
    training = ["--dim", "20", "--sweeps", "4", "--threads", "1", "--memory", "1g"]
    return {
        "count-words": Stage(
            lambda out: ["count-words", *given, *words, "--output", str(out)], ("word_counts", "vocabulary")
        ),
        "count-pairs": Stage(
            lambda out: ["count-pairs", *given, *pairs, *vocabulary, "--output", str(out / "pairs")],
            ("pairs",),
        ),
        "phrases": Stage(
            lambda out: ["phrases", *given, "--words", str(base), "--output", str(out)],
            ("phrases", "word_counts", "vocabulary"),
        ),
        "run": Stage(
            lambda out: ["run", *given, *words, *pairs, *training, "--output", str(out)],
            ("word_counts", "vocabulary", "pairs", "vectors"),
        ),
    }


def plain_stages(root: Path) -> dict[str, Stage]:
    """Stages without Spark; each is carried out by the one process that is killed."""
    base = root / "run"
    vocabulary, pairs = ["--vocabulary", str(base / "vocabulary")], ["--pairs", str(base / "pairs")]
    train = ["train", *vocabulary, *pairs, "--dim", "60", "--threads", "1", "--memory", "1g"]
    adagrad = ["--solver", "adagrad", "--all-pairs-weight", "0", "--epochs", "3"]
    export = ["export", "--vectors", str(base / "vectors"), "--format", "safetensors", "--overwrite"]
    foreign = ["--format", "glove-binary", "--unit", "60", "--word-counts", str(base / "vocabulary")]
    parts, twice = [str(base / "pairs")] * 2, ["--weights", "2", "1"]
    commands: dict[str, tuple[Callable[[Path], list[str]], tuple[str, ...]]] = {
        "train, rows": (lambda out: [*train, "--sweeps", "8", "--output", str(out / "vectors")], ("vectors",)),
        "train, AdaGrad": (lambda out: [*train, *adagrad, "--output", str(out / "vectors")], ("vectors",)),
        "merge-words": (
            lambda out: ["merge-words", "--parts", *[str(base / "word_counts")] * 2, *twice, "--output", str(out)],
            ("word_counts", "vocabulary"),
        ),
        "merge-pairs": (
            lambda out: ["merge-pairs", "--parts", *parts, *twice, *vocabulary, "--output", str(out / "pairs")],
            ("pairs",),
        ),
        "export-pairs": (
            lambda out: [
                *("export-pairs", *pairs, *vocabulary, "--format", "glove-binary"),
                *("--output", str(out), "--overwrite"),
            ],
            (),
        ),
        "import-pairs": (
            lambda out: ["import-pairs", "--input", str(root / "foreign" / "*.bin"), *foreign, "--output", str(out)],
            ("vocabulary", "pairs"),
        ),
        "export": (lambda out: [*export, "--output", str(out)], ()),
        "import-vectors": (
            lambda out: [
                *("import-vectors", "--input", str(root / "exported")),
                *("--output", str(out / "vectors"), "--overwrite"),
            ],
            ("vectors",),
        ),
    }
    return {name: Stage(command, tables) for name, (command, tables) in commands.items()}


def sessions(folder: Path, warm: Path, **more: Any) -> Callable[[], Session]:
    """Starts sessions in which Spark has counted something already."""

    def start() -> Session:
        session = Session(folder / "log", **more)
        counted = Stage(lambda out: ["count-words", "--input", str(warm), "--output", str(out)], ())
        assert carried_out(session, counted, folder / f"warm-{session.mark}") == 0
        return session

    return start


class Round:
    """A stage whose parts are to be killed, first measured."""

    def __init__(
        self, where: str, name: str, stage: Stage, start: Callable[[], Session], folder: Path, number: int
    ) -> None:
        self.where, self.name, self.stage = where, name, stage
        self.killer = Killer(start, folder, random.Random(f"{SEED} {where} {name}"), number)
        try:
            self.expected = measure(self.killer.session, stage, folder / "undisturbed")
        except BaseException:
            self.killer.end()
            raise

    def __enter__(self) -> "Round":
        return self

    def __exit__(self, *_: object) -> None:
        self.killer.end()


class Begun(NamedTuple):
    """What the stages begin with: root/run, an export of its vectors and one of its pairs; its text, and a short one."""

    root: Path
    text: Path
    warm: Path


def prepare(root: Path, rows: int) -> Begun:
    """Make it."""
    text, warm = text_of(root / "text.txt", rows), text_of(root / "warm.txt", 20)
    (root / "preparing").mkdir()
    session = sessions(root / "preparing", warm, settings=LOCAL)()
    plain = plain_stages(root)
    try:
        assert carried_out(session, stages_on_spark(text, root / "run")["run"], root / "run") == 0
    finally:
        session.end()
    session = Session(root / "preparing" / "log")
    try:
        for name, place in (("export", "exported"), ("export-pairs", "foreign")):
            assert carried_out(session, plain[name], root / place) == 0
    finally:
        session.end()
    return Begun(root, text, warm)


def kill_all(told: Round) -> list[str]:
    """Kill each part of the stage and print a line of the table for each; returns what failed."""
    failed = []
    for part in PLACES[told.where] if told.killer.number == signal.SIGKILL else ("driver",):
        tally, wrong = Tally(told.where, told.name, part, told.expected.seconds), []
        try:
            told.killer.kill(told.stage, told.expected, tally, round(SHARE * often(told.where, part)) or 1)
        except (AssertionError, SimgloveError, queue.Empty) as error:
            wrong = [f"{tally}: {error!r}"]
            told.killer.renew()
        print(tally.row, flush=True)
        if TABLE:
            with Path(TABLE).open("a") as out:
                out.write("\n".join([tally.row, *wrong]) + "\n")
        failed += wrong
    return failed


def often(where: str, part: str) -> int:
    return OFTEN.get("trainer" if where == "alone" else part, USUALLY)


#: Where stages run, which parts of them are killed there, and which stages.
PLACES = {"alone": ("driver",), "local": ON_SPARK, "cluster": ON_CLUSTER}
COUNTING = ("count-words", "count-pairs")
STAGES = {"alone": tuple(plain_stages(Path())), "local": tuple(stages_on_spark(Path(), Path())), "cluster": COUNTING}
CASES = [(where, stage) for where in PLACES for stage in STAGES[where]]
SHARE = KILLS / sum(len(STAGES[place]) * often(place, part) for place, parts in PLACES.items() for part in parts)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """What all stages begin with."""
    print("", HEAD, sep="\n")
    return prepare(tmp_path_factory.mktemp("begun"), 10_000)


@contextmanager
def rounds(begun: Begun, folder: Path, where: str, stage: str, number: int) -> Iterator[Round]:
    """A stage that is to be killed in its place, measured."""
    with ExitStack() as stack:
        start: Callable[[], Session] = partial(Session, folder / "log")
        if where == "local":
            start = sessions(folder, begun.warm, settings=LOCAL)
        elif where == "cluster":
            cluster = stack.enter_context(standalone(folder))
            start = sessions(folder, begun.warm, settings=("--master", cluster.master, *CLUSTER), cluster=cluster)
        stages = plain_stages(begun.root) if where == "alone" else stages_on_spark(begun.text, begun.root / "run")
        yield stack.enter_context(Round(where, stage, stages[stage], start, folder, number))


@pytest.mark.faults
@pytest.mark.parametrize(("where", "stage"), CASES)
def test_kills_at_drawn_moments_change_nothing(begun: Begun, tmp_path: Path, where: str, stage: str) -> None:
    with rounds(begun, tmp_path, where, stage, signal.SIGKILL) as told:
        if stage in COUNTING:
            for table, found in told.expected.sums.items():
                assert found == Manifest.load(begun.root / "run" / table, table).content_sha256
        failed = kill_all(told)
    assert not failed, "\n".join(failed)


@pytest.mark.faults
@pytest.mark.parametrize(("where", "stage"), [case for case in CASES if case[0] != "cluster"])
def test_sigterm_at_drawn_moments_changes_nothing(begun: Begun, tmp_path: Path, where: str, stage: str) -> None:
    with rounds(begun, tmp_path, where, stage, signal.SIGTERM) as told:
        assert not kill_all(told)


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("part", ["python worker", "daemon"])
def test_some_python_workers_that_are_killed_change_nothing(tmp_path: Path, part: str) -> None:
    """The short version, in the session of all tests: kills while both stages count."""
    from test_counting import checksums, corpus_of, run_stages

    corpus, draw, killed = corpus_of(text_of(tmp_path / "text.txt", 1500)), random.Random(part), []
    run_stages(corpus, tmp_path / "undisturbed")
    over = threading.Event()

    def kill() -> None:
        while not over.wait(draw.uniform(0.05, 0.4)) and len(killed) < 3:
            for pid in parts_below(os.getpid(), part)[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    run_stages(corpus, tmp_path / "disturbed")
    over.set()
    killer.join()
    assert killed
    for table in ("word_counts", "vocabulary", "pairs"):
        assert checksums(tmp_path / "disturbed", table) == checksums(tmp_path / "undisturbed", table)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        type("Py4JNetworkError", (Exception,), {})("Answer is empty"),
        type("Py4JError", (Exception,), {})("An error occurred while calling o12.collect"),
    ],
)
def test_a_jvm_that_was_killed_is_told_as_such(error: Exception) -> None:
    """Before, a refused connection was "unexpected", with exit code 1."""
    assert translated(error).exit_code == 4
    assert "Spark's JVM must have enough heap; got one that ran out or died" in str(translated(error))
    if "Py4JError" not in repr(error):
        code, message = explain(error)  # where no job was watched
        assert (code, message.startswith("Spark's JVM must answer; got ")) == (4, True)
