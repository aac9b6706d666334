"""What judging gives: the value of each item, from which scores, coverage and intervals follow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simglove_spark.evaluate.statistics import Statistic, draws, interval, scores


@dataclass(frozen=True)
class Measure:
    """One measure on one part of a set.

    Attributes
    ----------
    name : str
        What is measured, such as spearman or 3CosAdd.
    part : str
        Of what: all, a section of questions, or the way it was done.
    values : float64[items]
        What the vectors say of each item; NaN where they lack a word of it.
    gold : float64[items] or None
        Human scores for a correlation; None where the score is the mean of the values.
    statistic : str
        mean, spearman or pearson.
    detail : bool
        Whether it is left out of tables.
    """

    name: str
    part: str
    values: NDArray[np.float64]
    gold: NDArray[np.float64] | None = None
    statistic: Statistic = "mean"
    detail: bool = False

    @property
    def total(self) -> int:
        """Items of the set."""
        return len(self.values)

    @property
    def found(self) -> int:
        """Items whose words have vectors."""
        return int(self.is_found.sum())

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """Which items those are: bool[items]."""
        return ~np.isnan(self.values)

    @property
    def correct(self) -> int:
        """Sum of the values found: of right answers, where each is 0 or 1."""
        return int(np.nansum(self.values))

    @property
    def score(self) -> float | None:
        """The score of the items found; None when none is, or when no order can be told."""
        if not self.found:
            return None
        score = float(self._scores(np.ones((1, self.found)))[0])
        return None if np.isnan(score) else score

    def drawn(self, number: int, seed: int) -> NDArray[np.float64]:
        """Scores of bootstrap draws of the items found: float64[number], paired for all models that found the same items."""
        if self.found < 2:
            return np.full(number, np.nan)
        return np.concatenate([self._scores(weights) for weights in draws(self.found, number, seed)])

    def _scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        gold = self.values if self.gold is None else self.gold
        return scores(self.statistic, self.values[self.is_found], gold[self.is_found], weights)

    def to_dict(self, resamples: int, seed: int) -> dict[str, Any]:
        """All but the items, as JSON values; ``interval`` is the middle 95 % of the draws, None without draws."""
        return {
            "measure": self.name,
            "part": self.part,
            "score": self.score,
            "interval": interval(self.drawn(resamples, seed)) if resamples else None,
            "found": self.found,
            "total": self.total,
            "coverage": self.found / self.total if self.total else 0.0,
        }


@dataclass(frozen=True)
class Judged:
    """What one model makes of one set; the first measure is the main one."""

    kind: str
    file: str
    measures: tuple[Measure, ...]
    setting: str

    def __iter__(self) -> Iterator[Measure]:
        return iter(self.measures)

    def measure(self, name: str, part: str = "all") -> Measure:
        """The measure of that name and part; KeyError when there is none."""
        for measure in self.measures:
            if (measure.name, measure.part) == (name, part):
                return measure
        raise KeyError(f"{name}, {part}")

    @property
    def score(self) -> float | None:
        """Score of the main measure."""
        return self.measures[0].score

    def to_dict(self, resamples: int, seed: int) -> dict[str, Any]:
        """All of it as JSON values, with the main measure's score and coverage on top."""
        told = [measure.to_dict(resamples, seed) for measure in self.measures]
        main = {key: told[0][key] for key in ("score", "interval", "found", "total", "coverage")}
        return {"kind": self.kind, "file": self.file, **main, "scores": told, "setting": self.setting}
