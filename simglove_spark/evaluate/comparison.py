"""Two or more models on the words they share: differences, with intervals from the same draws of the same items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.evaluate.recognition import EvaluationSet
from simglove_spark.evaluate.results import Measure
from simglove_spark.evaluate.statistics import interval
from simglove_spark.vectors import Vectors


@dataclass(frozen=True)
class Difference:
    """How much a model is ahead of another; ``interval`` is the middle 95 % of paired bootstrap draws."""

    model: int
    against: int
    score: float | None
    interval: tuple[float, float] | None

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """JSON values, with the models' names."""
        ends = {"vectors": names[self.model], "against": names[self.against]}
        return {**ends, "difference": self.score, "interval": self.interval}


@dataclass(frozen=True)
class Comparison:
    """One measure of all models, over the items that all of them found; ``place`` is the set's among those given."""

    place: int
    kind: str
    file: str
    measures: tuple[Measure, ...]
    differences: tuple[Difference, ...]

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """JSON values; scores are in the order of the models' names."""
        first = self.measures[0]
        return {
            "kind": self.kind,
            "file": self.file,
            "measure": first.name,
            "part": first.part,
            "found": first.found,
            "total": first.total,
            "scores": [measure.score for measure in self.measures],
            "differences": [difference.to_dict(names) for difference in self.differences],
        }


def shared_words(models: Sequence[Vectors]) -> list[Vectors]:
    """The models with the words that have vectors in all of them, in the first one's order.

    All get the counts of the first model that has some: so the most frequent words and their weights are the same for all.

    Raises
    ------
    InputError
        When they share no word.
    """
    words = [pa.array(list(model.words), pa.large_string()) for model in models]
    places = [pc.index_in(words[0], value_set=own).fill_null(-1).to_numpy().astype(np.intp) for own in words]
    here = [
        (ids >= 0) & np.asarray(model.matrix.any(axis=1))[np.maximum(ids, 0)]
        for ids, model in zip(places, models, strict=True)
    ]
    kept = np.flatnonzero(np.logical_and.reduce(here))
    if kept.size == 0:
        raise InputError("vectors to be compared must share words; got none in common. Give vectors of one language.")
    counted = next((place for place, model in enumerate(models) if model.counts.any()), 0)
    common = words[0].take(pa.array(kept)).to_pylist()
    counts = models[counted].counts[places[counted][kept]]
    return [Vectors(common, _rows(model, ids[kept]), counts) for ids, model in zip(places, models, strict=True)]


def _rows(model: Vectors, ids: NDArray[np.intp]) -> NDArray[np.float32]:
    """Some rows of a matrix; no copy where they are all, as in runs of one vocabulary."""
    return model.matrix if np.array_equal(ids, np.arange(len(model))) else model.matrix[ids]


def compare(
    sets: Sequence[EvaluationSet], models: Sequence[Vectors], seed: int, resamples: int, trend: bool = False
) -> list[Comparison]:
    """Judge models that have the same words (see `shared_words`), and take their differences.

    Parameters
    ----------
    sets
        What they are judged by.
    models
        Two or more.
    seed, resamples
        Of the draws.
    trend
        Each against the one before it, not against the first.
    """
    found = []
    for place, one in enumerate(sets):
        judged = [one.judge(model, seed) for model in models]
        for measures in zip(*judged, strict=True):
            common = reduce(np.logical_and, [measure.is_found for measure in measures])
            same = tuple(replace(m, values=np.where(common, m.values, np.nan)) for m in measures)
            found.append(Comparison(place, one.kind, one.file, same, _differences(same, seed, resamples, trend)))
    return found


def _differences(measures: Sequence[Measure], seed: int, resamples: int, trend: bool) -> tuple[Difference, ...]:
    drawn = [measure.drawn(resamples, seed) if resamples else None for measure in measures]
    scores = [measure.score for measure in measures]
    found = []
    for place in range(1, len(measures)):
        against = place - 1 if trend else 0
        ours, theirs, a, b = scores[place], scores[against], drawn[place], drawn[against]
        difference = None if ours is None or theirs is None else ours - theirs
        found.append(Difference(place, against, difference, None if a is None or b is None else interval(a - b)))
    return tuple(found)
