"""What vectors come from: their manifest, the tables they were made of, the run, and scores that were measured."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from simglove_spark.errors import InputError
from simglove_spark.formats.spelling import read_json
from simglove_spark.manifest import Manifest
from simglove_spark.vectors import Vectors

READING = ("column", "normalize", "lowercase", "tokenizer")


class Score(NamedTuple):
    """One number of an evaluation: on which file, which part of it, its interval, and how many items of it were known."""

    file: str
    part: str
    score: float
    interval: tuple[float, ...] | None
    found: int | None
    total: int | None


@dataclass(frozen=True)
class Lineage:
    """What is known of vectors' origin; what is not known is None or empty.

    ``tables`` are manifests by the tables' names, in order of the road; ``ended`` is when the run ended.
    """

    tables: Mapping[str, Manifest] = field(default_factory=dict)
    ended: str | None = None
    scores: tuple[Score, ...] = ()

    @classmethod
    def of(cls, vectors: Vectors) -> "Lineage":
        """What the vectors' own manifest tells."""
        return cls({"vectors": vectors.manifest} if vectors.manifest else {})

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Files of the corpus: path, bytes and time of change."""
        return self.tables["vocabulary"].inputs if "vocabulary" in self.tables else []

    def config(self, table: str) -> Mapping[str, Any]:
        """Options that decided a table's content; none for one that is not known."""
        return self.tables[table].config if table in self.tables else {}

    @property
    def reading(self) -> Mapping[str, Any]:
        """Options that say how text became words, where they are known."""
        config = self.config("vocabulary")
        return {name: config[name] for name in READING if config.get(name) is not None}

    @property
    def date(self) -> str | None:
        """Day of the training, else of the corpus' last change, with what it is."""
        if self.ended:
            return f"trained {self.ended[:10]}"
        changed = [entry["modified"] for entry in self.inputs if isinstance(entry.get("modified"), int)]
        day = datetime.fromtimestamp(max(changed) / 1e9, UTC).date().isoformat() if changed else None
        return day and f"corpus last changed {day}"


def find(folder: Path, vectors: Vectors, evaluations: Iterable[Path] = ()) -> Lineage:
    """Lineage of a vectors table in its run folder; only tables and a run that are its very own are taken.

    Parameters
    ----------
    folder : Path
        The vectors table.
    vectors : Vectors
        Loaded from there.
    evaluations : iterable of Path
        What `simglove evaluate --json` printed.

    Raises
    ------
    InputError
        When an evaluation cannot be read.
    """
    own = vectors.manifest
    scores = tuple(score for path in evaluations for score in _scores(path))
    if own is None:
        return Lineage(scores=scores)
    parents = {name: _parent(folder.parent, name, own) for name in ("vocabulary", "pairs")}
    known = {name: found for name, found in {**parents, "vectors": own}.items() if found}
    return Lineage(known, _ended(folder.parent / "run.json", own), scores)


def _parent(run: Path, table: str, own: Manifest) -> Manifest | None:
    try:
        found = Manifest.load(run / table, table)
    except InputError:
        return None
    return found if found.content_sha256 == own.parent_sha256(table) else None


def _ended(path: Path, own: Manifest) -> str | None:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        mine = run["stages"]["train"]["sha256"] == own.content_sha256
        return str(run["ended"]) if mine else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _scores(path: Path) -> Iterator[Score]:
    if not path.is_file():
        raise InputError(f"scores must be a file; got nothing ({path}). Save what simglove evaluate --json prints.")
    results = read_json(path)
    results = results.get("results") if isinstance(results, dict) else None
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise InputError(
            f"scores must be what simglove evaluate --json prints; got other JSON ({path}). Save that in a file."
        )
    for result in results:
        file, listed = Path(str(result.get("file", ""))).name, result.get("scores")
        for value in listed if isinstance(listed, list) else []:
            if isinstance(value, dict) and isinstance(value.get("score"), int | float):
                part = f"{result.get('kind')}, {value.get('measure')}, {value.get('part')}"
                score, limits = float(value["score"]), value.get("interval")
                interval = tuple(map(float, limits)) if isinstance(limits, list) and len(limits) == 2 else None
                yield Score(file, part, score, interval, value.get("found"), value.get("total"))
