"""What a report is made of: the tables of a run folder, its run.json, and results of `simglove evaluate --json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simglove_spark.errors import InputError
from simglove_spark.evaluate.saved import Compared, Scored, read_saved
from simglove_spark.manifest import FILE_NAME, Manifest
from simglove_spark.runs.reading import read_record
from simglove_spark.vectors import Vectors

Evaluation = tuple[str, Sequence[Scored] | Sequence[Compared]]
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
        manifests = {name: Manifest.load(folder, name) for name, folder in tables_of(path)}
        return cls(path, vectors, manifests, read_record(path))


def tables_of(run: Path) -> list[tuple[str, Path]]:
    """Names and folders of a run's tables, as far as they are there."""
    return [(name, run / name) for name in TABLES if (run / name / FILE_NAME).is_file()]


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
