"""What vectors come from: their manifest, the tables they were made of, the run, and scores that were measured."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simglove_spark.errors import InputError
from simglove_spark.evaluate.saved import Scored, read_saved
from simglove_spark.manifest import Manifest
from simglove_spark.runs.reading import read_record
from simglove_spark.vectors import Vectors

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
READING = ("column", "normalize", "lowercase", "tokenizer")


@dataclass(frozen=True)
class Lineage:
    """What is known of vectors' origin; what is not known is None or empty.

    ``tables`` are manifests by the tables' names, in order of the road; ``ended`` is when the run ended.
    """

    tables: Mapping[str, Manifest] = field(default_factory=dict)
    ended: str | None = None
    scores: tuple[Scored, ...] = ()

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
        own = self.tables.get("vectors")
        config = {**(own.details.get("reading", {}) if own else {}), **self.config("vocabulary")}
        return {name: config[name] for name in READING if config.get(name) is not None}

    @property
    def date(self) -> str | None:
        """Day of the training, else of the corpus' last change, with what it is."""
        if self.ended and _DAY.fullmatch(self.ended[:10]):
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
    return Lineage(known, _ended(folder.parent, own), scores)


def _parent(run: Path, table: str, own: Manifest) -> Manifest | None:
    try:
        found = Manifest.load(run / table, table)
    except InputError:
        return None
    return found if found.content_sha256 == own.parent_sha256(table) else None


def _ended(run: Path, own: Manifest) -> str | None:
    try:
        record = read_record(run)
    except InputError:
        return None
    mine = record.get("stages", {}).get("train", {}).get("sha256") == own.content_sha256
    return str(record["ended"]) if mine and "ended" in record else None


def _scores(path: Path) -> list[Scored]:
    """Scores of the one model in a file, as far as there are any."""
    models = read_saved(path).models
    if len(models) != 1:
        raise InputError(f"scores must be of one model; got {len(models)} ({path}). Evaluate these vectors alone.")
    return [row for row in models[0][1] if row.score is not None]
