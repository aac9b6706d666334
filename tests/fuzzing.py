"""Every reader of files with valid ones to begin with, and what a command may make of files that somebody made hostile."""

import faulthandler
import io
import json
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import hostile
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import tables
import yaml

from simglove_spark import cli
from simglove_spark.errors import StoppedError
from simglove_spark.export import FORMATS, save_vectors
from simglove_spark.foreign_files import GLOVE_RECORD
from simglove_spark.manifest import Manifest, new_manifest, sealed
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.stopping import Stopping
from simglove_spark.table_files import write_file
from simglove_spark.training_inputs import of_one_vocabulary
from simglove_spark.vectors import Vectors

SECONDS = 20  # more is a hang
MEMORY = 3 << 30  # of address space beyond what there is: files of some kilobytes need none of it
#: Done, configuration, input, resources, diverged, or out of the time that a command was given: how one may end.
CODES = {0, 2, 3, 4, 5, 7}


class Reader(NamedTuple):
    """A command that reads files.

    Attributes
    ----------
    make : callable
        Writes valid files into a folder.
    hostile : str
        Glob of those that are made hostile.
    command : callable
        Folder -> arguments; ``out`` in it is free.
    right : callable
        What must hold after exit code 0: folder -> None.
    """

    make: Callable[[Path], Any]
    hostile: str
    command: Callable[[Path], list[str]]
    right: Callable[[Path], None] = lambda folder: None


class Ended(NamedTuple):
    """What a command came to."""

    code: int
    told: str
    seconds: float


class HangError(BaseException):
    """Time is over; no handler of ours takes it for something else."""


@contextmanager
def bounded() -> Iterator[None]:
    """Limits of time and address space; a hang in a library's own code ends the process, with where it was."""

    def over(*_: object) -> None:
        raise HangError

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, over)
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def carry_out(arguments: list[str]) -> Ended:
    """A command, in this process and within its bounds."""
    out, err, began = io.StringIO(), io.StringIO(), time.monotonic()
    with bounded(), redirect_stdout(out), redirect_stderr(err):
        code = cli.main(arguments)
    return Ended(code, err.getvalue(), time.monotonic() - began)


def trial(name: str, reader: Reader, pristine: Path, folder: Path, seed: str) -> str | None:
    """One hostile input through a reader; returns what is wrong with what became of it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pristine, folder, symlinks=True)
    draw = random.Random(seed)
    files = sorted(path for path in folder.glob(reader.hostile) if path.is_file())
    told = hostile.make_hostile(draw.choice(files), draw)
    if draw.random() < 0.5:
        hostile.reseal(folder)
    try:
        ended = carry_out(reader.command(folder))
    except (Exception, HangError, SystemExit) as error:
        return f"{name} {seed} ({told}): {type(error).__name__}: {error}"
    message = ended.told.strip().splitlines()[-1:] or [""]
    wrong = ended.code not in CODES or "Traceback" in ended.told or "memory must suffice" in ended.told
    if ended.code != 0 and not (message[0].startswith("simglove: ") and len(message[0]) < 3000):
        wrong = True
    if wrong:
        return f"{name} {seed} ({told}): exit code {ended.code}: {message[0][:400]}"
    if ended.code == 0:
        try:
            reader.right(folder)
        except Exception as error:
            return f"{name} {seed} ({told}): done, but {type(error).__name__}: {str(error)[:300]}"
    return None


# --- valid files ---

WORDS = {f"w{number}": 40 - number for number in range(24)}
PAIRS = tables.random_pairs(24, 120)


def make_vectors(folder: Path, name: str = "vectors") -> None:
    matrix = np.random.default_rng(3).standard_normal((24, 4)).astype(np.float32)
    Vectors(list(WORDS), matrix, list(WORDS.values())).save(folder / name, {"dim": 4})


def make_tables(folder: Path) -> None:
    vocabulary = tables.write_vocabulary(folder / "vocabulary", WORDS)
    tables.write_pairs(folder / "pairs", PAIRS, vocabulary, 2)


def make_run(folder: Path) -> None:
    make_tables(folder)
    parents = [Manifest.load(folder / name, name).as_parent() for name in ("vocabulary", "pairs")]
    matrix = np.random.default_rng(3).standard_normal((24, 4)).astype(np.float32)
    passes = [{"sweep": 1, "loss": 0.5, "held_out_loss": None}, {"sweep": 2, "loss": 0.4, "held_out_loss": None}]
    vectors = Vectors(list(WORDS), matrix, list(WORDS.values()))
    manifest = vectors.save(folder / "vectors", {"dim": 4, "count_power": 0.75}, parents, 1, {"passes": passes})
    stage = {"status": "complete", "seconds": 1.5, "rows": 24, "bytes": 1000, "sha256": manifest.content_sha256}
    run = {"run_id": "a", "command": "run", "config": {"dim": 4, "input": ["a.txt"]}, "status": "complete"}
    run |= {"started": "2026-01-01T00:00:00.000+00:00", "ended": "2026-01-01T00:01:00.000+00:00", "exit_code": 0}
    run |= {"versions": {"numpy": "2"}, "stages": dict.fromkeys(("count-words", "count-pairs", "train"), stage)}
    (folder / "run.json").write_text(json.dumps(run))


def make_published(folder: Path) -> None:
    """A run, and a record that names it as published."""
    make_run(folder / "run")
    tables = {name: Manifest.load(folder / "run" / name, name).content_sha256 for name in ("pairs", "vectors")}
    record = {"format_version": 1, "number": 1, "action": "publish", "run_id": "a", "path": "run", "tables": tables}
    record |= {"vectors": "run/vectors", "words": 24, "dim": 4, "gates": [], "previous": None}
    for place in ("latest.json", "published/000001.json"):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text(json.dumps(sealed(record), indent=1, ensure_ascii=False) + "\n")


CORPUS: dict[str, Any] = {"column": None, "lowercase": False, "normalize": "none"}


def make_parts(folder: Path) -> None:
    """Two word_counts tables."""
    for part in ("one", "two"):
        words = pa.table([list(WORDS), list(WORDS.values())], schema=WORD_COUNTS)
        (folder / part).mkdir()
        files = [tables.entry(write_file(folder / part, "words", WORD_COUNTS, [words]))]
        details = {"total_words": sum(WORDS.values()), "counters": {"rows": 3}}
        inputs = [{"path": f"/{part}.txt", "bytes": 3, "modified": 1}]
        manifest = new_manifest("word_counts", WORD_COUNTS, files, CORPUS, inputs=inputs, details=details)
        manifest.save(folder / part)


def make_pair_parts(folder: Path) -> None:
    """A vocabulary, and two pair tables under it."""
    make_tables(folder)
    for part in ("one", "two"):
        shutil.copytree(folder / "pairs", folder / part)
        manifest = Manifest.load(folder / part, "pairs")
        inputs = [{"path": f"/{part}.txt", "bytes": 3, "modified": 1}]
        details = {**manifest.details, "counters": {"rows": 3}}
        replace(manifest, inputs=inputs, details=details).save(folder / part)


def make_lists(folder: Path) -> None:
    """Two word_counts tables, and lists of words of all kinds."""
    make_parts(folder)
    words, ids = list(WORDS)[:9], list(range(9))
    (folder / "list.txt").write_text("".join(f"{word}\n" for word in words))
    (folder / "deny.txt").write_text("w20\nw21\n")
    pacsv.write_csv(pa.table({"word": words, "word_id": ids}), folder / "list.csv")
    pq.write_table(pa.table({"word": words, "word_id": ids}), folder / "list.parquet")


def make_foreign(folder: Path) -> None:
    """Pair counts of other tools in three formats, and words with their counts in three."""
    both = {**PAIRS, **{(j, i): count for (i, j), count in PAIRS.items()}}
    ids, counts = sorted(both), [both[pair] for pair in sorted(both)]
    names = [[f"w{pair[side]}" for pair in ids] for side in (0, 1)]
    table = pa.table({"word": names[0], "context": names[1], "count": pa.array(counts, pa.float64())})
    pq.write_table(table, folder / "pairs.parquet")
    pacsv.write_csv(table, folder / "pairs.csv")
    records = [(i + 1, j + 1, float(count)) for (i, j), count in zip(ids, counts, strict=True)]
    np.array(records, GLOVE_RECORD).tofile(folder / "pairs.bin")
    words = pa.table({"word": list(WORDS), "count": list(WORDS.values())})
    (folder / "words.txt").write_text("".join(f"{word} {count}\n" for word, count in WORDS.items()))
    pacsv.write_csv(words, folder / "words.csv")
    pq.write_table(words, folder / "words.parquet")


def make_sets(folder: Path) -> None:
    """Vectors, and an evaluation set of each kind."""
    make_vectors(folder)
    sets = folder / "sets"
    sets.mkdir()
    names = list(WORDS)
    (sets / "similarity.txt").write_text("".join(f"{names[i]}\t{names[i + 1]}\t{i / 3}\n" for i in range(20)))
    (sets / "analogy.txt").write_text(": one\n" + "".join(" ".join(names[i : i + 4]) + "\n" for i in range(10)))
    (sets / "categories.txt").write_text("".join(f"{name}\tc{i % 3}\n" for i, name in enumerate(names)))
    rows = (f"main\tnews\t2012\t{i}\t{i / 4}\tw{i} w{i + 1}\tw{i + 2}\n" for i in range(20))
    (sets / "sentences.csv").write_text("".join(rows))
    for place, ending in (("docsutf8", "txt"), ("keys", "key")):
        (sets / "keywords" / place).mkdir(parents=True)
        for number in range(3):
            (sets / "keywords" / place / f"{number}.{ending}").write_text(
                f"w{number} w{number + 1} w{number + 2}\nw9\n"
            )


def make_scores(folder: Path) -> None:
    """Vectors, and what `simglove evaluate --json` prints of them."""
    make_vectors(folder)
    row = {"measure": "spearman", "part": "all", "score": 0.5, "interval": [0.1, 0.9], "found": 3, "total": 4}
    results = [{"file": "ws.txt", "kind": "similarity", "scores": [row]}]
    (folder / "scores.json").write_text(json.dumps({"vectors": "v", "results": results}))


def make_stopped(folder: Path) -> None:
    """Tables, the vectors of an undisturbed training, and one that was stopped after its first sweep."""
    make_tables(folder)
    assert carry_out(training(folder, "undisturbed")).code == 0
    with pytest.MonkeyPatch.context() as patch:
        asked = iter([*[None] * 3, StoppedError("enough.")])

        def check(_: Stopping) -> None:
            error = next(asked, None)
            if error is not None:
                raise error

        patch.setattr(Stopping, "check", check)
        assert carry_out(training(folder, "out")).code == 7


def training(folder: Path, name: str) -> list[str]:
    """A training of two tables."""
    given = [
        "--vocabulary",
        str(folder / "vocabulary"),
        "--pairs",
        str(folder / "pairs"),
        "--output",
        str(folder / name),
    ]
    return ["train", *given, "--dim", "3", "--sweeps", "3", "--threads", "1", "--memory", "64m"]


def make_configured(folder: Path) -> None:
    """Tables, and a configuration that trains on them."""
    make_tables(folder)
    assert carry_out(training(folder, "compiled")).code == 0  # or the limit of time ends what compiles the kernels
    paths = {name: str(folder / name) for name in ("vocabulary", "pairs")}
    more = {"dim": 3, "sweeps": 1, "threads": 1, "memory": "64m", "l2": 1.0, "seed": 4, "watch": ["w1", "w2"]}
    (folder / "given.yaml").write_text(yaml.safe_dump({**paths, **more, "preset": "default"}))


def of_format(name: str) -> Reader:
    """`import-vectors` of one format."""

    def make(folder: Path) -> None:
        make_vectors(folder)
        save_vectors(Vectors.load(folder / "vectors"), folder / "given", name)

    def command(folder: Path) -> list[str]:
        named = ["--format", name] if len(str(folder.stat().st_mtime_ns)) % 2 else []
        return ["import-vectors", "--input", str(folder / "given"), "--output", str(folder / "out"), *named]

    return Reader(make, "given*" if not FORMATS[name].files else "given/*", command, right_vectors)


def right_vectors(folder: Path) -> None:
    """A table that can be read to the last byte."""
    assert np.isfinite(Vectors.load(folder / "out", verify=True).matrix).all()


def right_resumed(folder: Path) -> None:
    """Whatever the checkpoint was made to say, the vectors are those of an undisturbed training."""
    sums = [Manifest.load(folder / name, "vectors").content_sha256 for name in ("out", "undisturbed")]
    assert sums[0] == sums[1]


def importing(kind: str, words: str, suffix: str = "") -> Reader:
    """`import-pairs` of one format, with words of one; the file with the ``suffix`` is made hostile."""

    def command(folder: Path) -> list[str]:
        given = ["--input", str(folder / f"pairs.{kind}"), "--format", {"bin": "glove-binary"}.get(kind, kind)]
        given += ["--word-counts", str(folder / f"words.{words}")] if words else []
        return ["import-pairs", *given, "--output", str(folder / "out"), "--memory", "64m"]

    return Reader(make_foreign, suffix or f"pairs.{kind}", command, right_pairs)


def right_pairs(folder: Path) -> None:
    """Tables of one vocabulary that can be trained on."""
    of_one_vocabulary(folder / "out" / "pairs", folder / "out" / "vocabulary")


def merging(*more: str) -> Reader:
    """`merge-words` with lists of words."""

    def command(folder: Path) -> list[str]:
        given = [str(folder / word) if word.startswith(("list", "deny")) else word for word in more]
        parts = ["--parts", str(folder / "one"), str(folder / "two")]
        return ["merge-words", *parts, "--output", str(folder / "out"), "--memory", "64m", *given]

    return Reader(make_lists, more[1] if more else "*/*", command)


READERS: dict[str, Reader] = {
    "vectors table": Reader(
        make_vectors, "vectors/*", lambda folder: ["similar", "w3", "--vectors", str(folder / "vectors"), "--json"]
    ),
    "vectors table, exported": Reader(
        make_vectors,
        "vectors/*",
        lambda folder: [
            *("export", "--vectors", str(folder / "vectors"), "--format", "npy", "--output", str(folder / "out"))
        ],
    ),
    "vocabulary and pairs": Reader(make_tables, "*/*", lambda folder: training(folder, "out")),
    "pairs, looked up": Reader(
        make_run,
        "pairs/*",
        lambda folder: [
            *("explain", "w0", "w1", "--vectors", str(folder / "vectors"), "--pairs", str(folder / "pairs"), "--json")
        ],
    ),
    "word_counts, merged": merging(),
    "pairs, merged": Reader(
        make_pair_parts,
        "*/*",
        lambda folder: [
            *("merge-pairs", "--parts", str(folder / "one"), str(folder / "two"), "--memory", "64m"),
            *("--vocabulary", str(folder / "vocabulary"), "--output", str(folder / "out")),
        ],
    ),
    "pairs, exported": Reader(
        make_tables,
        "*/*",
        lambda folder: [
            *("export-pairs", "--pairs", str(folder / "pairs"), "--vocabulary", str(folder / "vocabulary")),
            *("--format", "csv", "--output", str(folder / "out")),
        ],
    ),
    "configuration": Reader(
        make_configured,
        "given.yaml",
        lambda folder: [
            "train",
            "--config",
            str(folder / "given.yaml"),
            "--output",
            str(folder / "out"),
            "--max-runtime",
            "2s",
        ],
    ),
    "checkpoint": Reader(make_stopped, ".out.checkpoint/*/*", lambda folder: training(folder, "out"), right_resumed),
    "run.json": Reader(
        make_run,
        "run.json",
        lambda folder: [
            *("report", str(folder), "--output", str(folder / "out.html"), "--projection", "pca", "--map-words", "10")
        ],
    ),
    "latest.json": Reader(
        make_published, "latest.json", lambda folder: ["similar", "w3", "--vectors", str(folder), "--json"]
    ),
    "latest.json, verified": Reader(make_published, "*.json", lambda folder: ["verify", str(folder)]),
    "a run, verified": Reader(make_run, "*/*", lambda folder: ["verify", str(folder)]),
    "a run's manifests": Reader(
        make_run,
        "*/_manifest.json",
        lambda folder: [
            *("report", str(folder), "--output", str(folder / "out.html"), "--projection", "pca", "--map-words", "10")
        ],
    ),
    "a run's manifests, exported": Reader(
        make_run,
        "*.json",
        lambda folder: [
            *("export", "--vectors", str(folder / "vectors"), "--format", "npy", "--output", str(folder / "out"))
        ],
    ),
    "saved scores": Reader(
        make_scores,
        "scores.json",
        lambda folder: [
            *("export", "--vectors", str(folder / "vectors"), "--format", "npy", "--output", str(folder / "out")),
            *("--scores", str(folder / "scores.json")),
        ],
    ),
    "vocabulary as text": merging("--vocabulary", "list.txt"),
    "vocabulary as CSV": merging("--vocabulary", "list.csv"),
    "vocabulary as Parquet": merging("--vocabulary", "list.parquet"),
    "deny list": merging("--deny-list", "deny.txt"),
    "pairs as Parquet": importing("parquet", ""),
    "pairs as CSV": importing("csv", ""),
    "pairs as glove-binary": importing("bin", "txt"),
    "words as text": importing("bin", "txt", "words.txt"),
    "words as CSV": importing("csv", "csv", "words.csv"),
    "words as Parquet": importing("csv", "parquet", "words.parquet"),
    **{name: of_format(name) for name in FORMATS if FORMATS[name].load},
    **{
        f"evaluation set, {kind}": Reader(
            make_sets,
            f"sets/{kind}.*" if kind != "keywords" else "sets/keywords/*/*",
            lambda folder, path=path, flag=flag: [
                *("evaluate", "--vectors", str(folder / "vectors"), "--resamples", "20", "--json"),
                *(flag, str(folder / "sets" / path)),
            ],
        )
        for kind, path, flag in (
            ("similarity", "similarity.txt", "--sets"),
            ("analogy", "analogy.txt", "--sets"),
            ("categories", "categories.txt", "--categories"),
            ("sentences", "sentences.csv", "--sentences"),
            ("keywords", "keywords", "--keywords"),
        )
    },
}
