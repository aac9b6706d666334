"""Publishing a run, and going back to the one before."""

import json
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simglove_spark.errors import ConfigError, InputError, QualityError
from simglove_spark.evaluate import read_set
from simglove_spark.manifest import FILE_NAME, Manifest
from simglove_spark.progress import Progress
from simglove_spark.publishing import gates
from simglove_spark.publishing.gates import Candidate, Gate
from simglove_spark.publishing.latest import (
    FORMAT_VERSION,
    HISTORY,
    Record,
    alone,
    name_of,
    place_of,
    previous_of,
    published,
    read_latest,
    switch,
    unwritable,
    vectors_of,
)
from simglove_spark.runs.reading import read_record
from simglove_spark.runs.record import now
from simglove_spark.storage.paths import StorePath
from simglove_spark.storage.texts import replace_text
from simglove_spark.verifying import verify
from simglove_spark.verifying.folders import TABLES


@dataclass(frozen=True)
class Asked:
    """How a run is judged: evaluation sets, least figures by NAME=VALUE, and whether as the first of all."""

    sets: tuple[str, ...] = ()
    least: tuple[str, ...] = ()
    first: bool = False


@dataclass(frozen=True)
class Published:
    """What came of it: the record (None when it was refused, or only asked for), and the gates (none when it was there already)."""

    record: Record | None
    gates: Sequence[Gate]
    error: QualityError | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"published": self.record, "gates": [gate.to_dict() for gate in self.gates]}


def publish(run: Path, root: Path, asked: Asked, threads: int, progress: Progress, dry_run: bool = False) -> Published:
    """Judge a run and, when it passes, name it in root/latest.json.

    Parameters
    ----------
    run : Path
        Folder that holds vectors/, and the other tables as far as they are there.
    root : Path
    asked : Asked
    threads : int
        Files that are read at once.
    progress : Progress
    dry_run : bool
        Judge it, and leave all as it is.

    Returns
    -------
    Published
        With the `QualityError` when a gate is not passed: then latest.json is as it was, and the figures are saved.

    Raises
    ------
    InputError
        When there are no vectors, or latest.json or what it names is broken.
    ConfigError
        When a least figure is of no gate, another process publishes into ``root``, or a local run into a store.
    """
    names = gates.names_of_sets(asked.sets)
    least = gates.read_least(asked.least, names)
    _refuse_unreachable(run, root)
    own = Manifest.load(run / "vectors", "vectors")
    with nullcontext() if dry_run else alone(root):  # who cannot write is told so before the judging
        before = read_latest(root)
    if before is not None and _is_same(root, before, run, own):
        return Published(before, [])
    old = None
    if before is not None and not asked.first:
        old = Candidate.of(place_of(root, before["path"]), vectors_of(root, before))
    sets = dict(zip(names, map(read_set, asked.sets), strict=True))
    judged = gates.with_least(_judge(run, sets, old, threads, progress), least)
    error = _refusal(judged, run, before)
    if error is not None and not dry_run:
        _keep_refused(root, run, own, judged)
    if error is not None or dry_run:
        return Published(None, judged, error)
    return Published(switch(root, before, _record(run, root, own, before, judged)), judged)


def _refuse_unreachable(run: Path, root: Path) -> None:
    """Refuse to name in a store, which is read from any machine, what lies on this one."""
    if isinstance(root, StorePath) and not isinstance(run, StorePath):
        raise ConfigError(
            f"run must lie in a store, as the folder does that names it; got {run} ({root}). Copy it there, or give another --to."
        )


def _is_same(root: Path, record: Record, run: Path, own: Manifest) -> bool:
    return place_of(root, record["path"]) == run and record["tables"]["vectors"] == own.content_sha256


def _judge(run: Path, sets: dict[str, Any], old: Candidate | None, threads: int, progress: Progress) -> list[Gate]:
    judged = gates.soundness(verify(run, threads, progress))
    if not all(gate.passed for gate in judged):
        return judged  # nothing can be said of what is broken
    new = Candidate.of(run, run / "vectors")
    return [*judged, *gates.drift(new, old), *gates.quality(sets, new, old)]


def _refusal(judged: Sequence[Gate], run: Path, before: Record | None) -> QualityError | None:
    failed = [_failure(gate) for gate in judged if not gate.passed]
    if not failed:
        return None
    still = "Nothing is published" if before is None else f"Published is still {before['path']}"
    return QualityError(
        f"run must pass all gates; got {', '.join(failed)} ({run}). {still}; mend the run, or say --min NAME=VALUE."
    )


def _failure(gate: Gate) -> str:
    figure = "no figure" if gate.figure is None else f"{gate.figure:.4g}"
    return f"{gate.name} {figure} where {gate.least if gate.most is None else gate.most:g} is needed"


def _keep_refused(root: Path, run: Path, own: Manifest, judged: Sequence[Gate]) -> None:
    name = re.sub(r"[^\w.+-]", "-", f"refused-{_run_id(run) or own.content_sha256[:12]}")[:200] + ".json"
    told = {"path": str(run), "judged": now(), "gates": [gate.to_dict() for gate in judged]}
    try:
        (root / HISTORY).mkdir(exist_ok=True)
        replace_text(root / HISTORY / name, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise unwritable(root, error) from error


def _run_id(run: Path) -> str | None:
    found = read_record(run).get("run_id")
    return found if isinstance(found, str) and found else None


def _record(run: Path, root: Path, own: Manifest, before: Record | None, judged: Sequence[Gate]) -> Record:
    tables = {
        name: Manifest.load(run / name, name).content_sha256 for name in TABLES if (run / name / FILE_NAME).is_file()
    }
    return {
        "format_version": FORMAT_VERSION,
        "number": 1 if before is None else before["number"] + 1,
        "action": "publish",
        "published": now(),
        "run_id": _run_id(run),
        "path": name_of(root, run),
        "vectors": name_of(root, run / "vectors"),
        "words": own.rows,
        "dim": own.details["dim"],
        "tables": tables,
        "gates": [gate.to_dict() for gate in judged],
        "previous": None if before is None else {name: before[name] for name in ("number", "run_id", "path")},
    }


def rollback(root: Path, threads: int, progress: Progress) -> Record:
    """Name the run again that was published before the present one; its vectors are checked to the last byte first.

    Raises
    ------
    ConfigError
        When there is none before, or another process publishes into ``root``.
    InputError
        When its vectors are gone, damaged or others; or latest.json is broken.
    """
    latest = published(root)
    target = previous_of(root, latest)
    folder = vectors_of(root, target)
    found = verify(folder, threads, progress).found
    if found:
        raise InputError(
            f"vectors must be whole to be rolled back to; got {found[0].what} ({folder}). Publish another run."
        )
    return switch(root, latest, {**target, "number": latest["number"] + 1, "action": "rollback", "published": now()})
