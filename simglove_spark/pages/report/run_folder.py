"""What a report is made of: the tables of a run folder, its run.json, and results of `simglove evaluate --json`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simglove_spark.errors import InputError
from simglove_spark.manifest import FILE_NAME, Manifest
from simglove_spark.vectors import Vectors

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
    found = read_object(path) if path.is_file() else {}
    stages, config = found.get("stages", {}), found.get("config", {})
    if not (
        isinstance(config, dict) and isinstance(stages, dict) and all(isinstance(s, dict) for s in stages.values())
    ):
        raise InputError(f"run.json must hold config and stages as objects; got others ({path}). Run the stages again.")
    return found


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises
    ------
    InputError
        When it is missing or something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"file must be readable; got {error.strerror} ({path}). Give another path.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"file must be JSON; got {error} ({path}). Write it again.") from error
    if not isinstance(found, dict):
        raise InputError(f"file must hold a JSON object; got {type(found).__name__} ({path}). Write it again.")
    return found


def read_evaluations(paths: Sequence[Path]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Name and results of each model in files that `simglove evaluate --json` wrote, and of a comparison where there is one.

    Raises
    ------
    InputError
        When one has no list of results.
    """
    return [told for path in paths for told in _evaluations(path, read_object(path))]


def _evaluations(path: Path, document: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    models, shared = document.get("models"), document.get("shared")
    parts = [document]
    if isinstance(models, list):
        parts = [*models, *([] if shared is None else [shared])]
    for part in parts:
        results = part.get("results") if isinstance(part, dict) else part
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            raise InputError(
                f"evaluation must hold a list of results; got {type(results).__name__} ({path}). "
                "Give a file that `simglove evaluate --json` wrote."
            )
        of = "the words that all share" if part is shared else part.get("vectors", "")
        yield f"{path.name}: {of}".removesuffix(": "), results
