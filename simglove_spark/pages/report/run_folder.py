"""What a report is made of: the tables of a run folder, its run.json, and results of `simglove evaluate --json`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simglove_spark.errors import InputError
from simglove_spark.evaluate.saved import Compared, Scored, read_saved
from simglove_spark.manifest import FILE_NAME, Manifest
from simglove_spark.vectors import Vectors

Evaluation = tuple[str, Sequence[Scored] | Sequence[Compared]]
FIGURES = ("seconds", "rows", "bytes")
MOST = 2**63
TABLES = ("word_counts", "vocabulary", "phrases", "pairs", "vectors")


@dataclass(frozen=True)
class RunFolder:
    """A run: ``vectors``, the ``manifests`` of the tables that are there, and ``run``, what run.json says (or nothing)."""

    path: Path
    vectors: Vectors
    manifests: dict[str, Manifest]
    run: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "RunFolder":
        """Open a run folder; nothing but its vectors must be there.

        Raises
        ------
        InputError
            When it holds no vectors, or something in it is broken.
        """
        if (path / FILE_NAME).is_file():
            raise InputError(
                f"folder must be that of a run, which holds vectors/; got a table ({path}). Give {path.parent}."
            )
        vectors = Vectors.load(path / "vectors")
        manifests = {name: Manifest.load(path / name, name) for name in TABLES if (path / name / FILE_NAME).is_file()}
        return cls(path, vectors, manifests, _record(path / "run.json"))


def _record(path: Path) -> dict[str, Any]:
    """What run.json says; nothing where there is none."""
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"run.json must be JSON; got {str(error)[:200]} ({path}). Run the stages again.") from error
    if not _is_record(found):
        raise InputError(f"run.json must hold config and stages as objects; got others ({path}). Run the stages again.")
    return dict(found)


def _is_record(found: Any) -> bool:
    """Whether a value has the parts that the page reads, of the kinds that `run` writes."""
    if not isinstance(found, dict):
        return False
    stages, config = found.get("stages", {}), found.get("config", {})
    if not (isinstance(config, dict) and isinstance(stages, dict)):
        return False
    whole = all(isinstance(stage, dict) for stage in stages.values())
    return whole and all(
        type(stage[figure]) in (int, float) and 0 <= stage[figure] < MOST
        for stage in stages.values()
        for figure in FIGURES
        if figure in stage
    )


def read_evaluations(paths: Sequence[Path]) -> list[Evaluation]:
    """Rows of each model in files that `simglove evaluate --json` wrote, and of a comparison where there is one.

    Raises
    ------
    InputError
        When one is missing, or something else.
    """
    found: list[Evaluation] = []
    for path in paths:
        saved = read_saved(path)
        found += [(f"{path.name}: {name}", rows) for name, rows in saved.models]
        if saved.shared:
            found.append((f"{path.name}: the words that all share", saved.shared))
    return found
