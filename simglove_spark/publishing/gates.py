"""What a run must be to be published: each gate is one figure and its bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simglove_spark.errors import ConfigError, InputError
from simglove_spark.evaluate import EvaluationSet, Measure, compare, shared_words
from simglove_spark.manifest import FILE_NAME, Manifest
from simglove_spark.vectors import Vectors
from simglove_spark.verifying.findings import Findings

#: Least figures; --min NAME=VALUE puts others in their place. docs/runs.md tells why.
LEAST = {"kept-words": 0.9, "size": 0.5, "neighbours": 0.2}
LESS_COVERAGE = 0.02  # than the published run, of the corpus or of a set
TOLD_ONLY = ("coverage",)
FREQUENT_WORDS, NEIGHBOURS = 1000, 10
RESAMPLES, SEED = 1000, 1


@dataclass(frozen=True)
class Gate:
    """One figure; it passes when it lies between ``least`` and ``most``, as far as these are set."""

    name: str
    figure: float | None
    told: str
    least: float | None = None
    most: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the figure is there and lies within the bounds."""
        if self.least is None and self.most is None:
            return True
        if self.figure is None:
            return False
        return (self.least is None or self.figure >= self.least) and (self.most is None or self.figure <= self.most)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        bounds = {"least": self.least, "most": self.most}
        return {"gate": self.name, "passed": self.passed, "figure": self.figure, **bounds, "told": self.told}


@dataclass(frozen=True)
class Candidate:
    """A run's vectors, and its corpus' words that are kept (None where the word counts are not beside them)."""

    vectors: Vectors
    coverage: float | None
    total_words: int

    @classmethod
    def of(cls, folder: Path, vectors: Path) -> "Candidate":
        """What a run folder holds beside its vectors."""
        loaded = Vectors.load(vectors)
        tables = {name: _manifest(folder / name, name) for name in ("word_counts", "vocabulary")}
        counted, kept = tables["word_counts"], tables["vocabulary"]
        coverage = None
        if counted is not None and kept is not None:
            coverage = kept.details["total_words"] / counted.details["total_words"]
        return cls(loaded, coverage, int(loaded.counts.sum()))


def _manifest(folder: Path, table: str) -> Manifest | None:
    return Manifest.load(folder, table) if (folder / FILE_NAME).is_file() else None


def soundness(found: Findings) -> list[Gate]:
    """What `verify` must not have found."""
    return [
        Gate("broken", len(found.found), "things that verify finds broken", most=0),
        Gate("not-finite", found.rows_not_finite, "vectors with NaN or infinity", most=0),
    ]


def drift(new: Candidate, old: Candidate | None) -> list[Gate]:
    """How far a run is from the published one, on the words they share."""
    before = None if old is None or new.coverage is None else old.coverage  # word_counts may be deleted, for privacy
    least = None if before is None else before - LESS_COVERAGE
    gates = [Gate("coverage", new.coverage, "share of the corpus whose words are kept", least)]
    if old is None:
        return gates
    sizes = sorted((new.total_words, old.total_words))
    if sizes[0]:  # vectors of elsewhere may come without counts
        told = f"the smaller corpus by the larger one: {new.total_words:,} words, before {old.total_words:,}"
        gates.append(Gate("size", sizes[0] / sizes[1], told, LEAST["size"]))
    kept = _kept(new.vectors, old.vectors)
    gates.append(
        Gate("kept-words", kept, "share of the published occurrences whose words are still there", LEAST["kept-words"])
    )
    told = f"share of the {NEIGHBOURS} nearest words that stayed, of the {FREQUENT_WORDS:,} most frequent words of both"
    gates.append(Gate("neighbours", _neighbours_kept(new.vectors, old.vectors), told, LEAST["neighbours"]))
    return gates


def _kept(new: Vectors, old: Vectors) -> float:
    there = pc.is_in(pa.array(list(old.words), pa.string()), value_set=pa.array(list(new.words), pa.string())).to_numpy(
        zero_copy_only=False
    )
    weights = old.counts if old.counts.any() else np.ones(len(old), np.int64)
    return float(weights[there].sum() / weights.sum())


def _neighbours_kept(new: Vectors, old: Vectors) -> float | None:
    """Mean share of neighbours in common; None where fewer words are shared than a word has neighbours."""
    try:
        shared = shared_words([old, new])
    except InputError:
        return None
    if len(shared[0]) <= NEIGHBOURS:
        return None
    asked = np.argsort(-shared[0].counts, kind="stable")[:FREQUENT_WORDS]
    before, after = (model.neighbours(asked, NEIGHBOURS, "similarity")[0] for model in shared)
    return float((before[:, :, None] == after[:, None, :]).any(axis=2).mean())


def quality(sets: Mapping[str, EvaluationSet], new: Candidate, old: Candidate | None) -> list[Gate]:
    """Scores by public sets, their coverage, and how they changed: a loss must not be more than chance makes.

    Parameters
    ----------
    sets
        By the names that their gates get.
    """
    gates = []
    before = {} if old is None else {name: one.judge(old.vectors, SEED).measures[0] for name, one in sets.items()}
    for name, one in sets.items():
        main = one.judge(new.vectors, SEED).measures[0]
        told = f"{main.name}, {main.found:,} of {main.total:,} found"
        gates.append(Gate(name, main.score, told))
        least = None if old is None else _coverage(before[name]) - LESS_COVERAGE
        gates.append(Gate(f"{name}.coverage", _coverage(main), "share of the set whose words have vectors", least))
    if old is not None:
        gates += _changes(sets, new.vectors, old.vectors)
    return gates


def _coverage(measure: Measure) -> float:
    return measure.found / measure.total if measure.total else 0.0


def _changes(sets: Mapping[str, EvaluationSet], new: Vectors, old: Vectors) -> list[Gate]:
    compared = compare(list(sets.values()), shared_words([old, new]), SEED, RESAMPLES)
    main = {one.place: one for one in reversed(compared)}  # the first measure of each set
    gates = []
    for place, name in enumerate(sets):
        change = main[place].differences[0]
        ends = change.interval
        told = "upper end of the 95 % interval of the change: not below 0 unless the loss is more than chance"
        score = "" if change.score is None else f" (the change itself is {change.score:+.3f})"
        gates.append(Gate(f"{name}.change", None if ends is None else ends[1], told + score, 0.0))
    return gates


def names_of_sets(paths: Sequence[str]) -> list[str]:
    """The names that gates of evaluation sets get: their files' names without the ending.

    Raises
    ------
    ConfigError
        When two have the same.
    """
    names = [Path(path).name.removesuffix(Path(path).suffix) or path for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"--sets must have different names; got {twice} twice. Rename one, or leave it out.")
    return names


def read_least(given: Sequence[str], sets: Sequence[str]) -> dict[str, float]:
    """Least figures by the names of gates, from NAME=VALUE.

    Raises
    ------
    ConfigError
        When one is no such thing, or no gate has that name.
    """
    known = [*LEAST, *TOLD_ONLY, *(name + end for name in sets for end in ("", ".coverage", ".change"))]
    least = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            least[name] = float(value)
        except ValueError:
            least[name] = float("nan")
        if name not in known or np.isnan(least[name]):
            raise ConfigError(f"--min must be NAME=VALUE with a gate's name; got {text!r}. Names: {', '.join(known)}.")
    return least


def with_least(gates: Sequence[Gate], least: Mapping[str, float]) -> list[Gate]:
    """The gates, with other least figures where some are given."""
    return [replace(gate, least=least.get(gate.name, gate.least)) for gate in gates]
