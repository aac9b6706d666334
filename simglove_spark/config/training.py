"""How vectors are learned from pair counts."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from simglove_spark.option_checks import Whole, require
from simglove_spark.presets import Preset

Solver = Literal["rows", "adagrad"]
Model = Literal["pmi", "glove"]
Space = Literal["shared", "separate"]
HandOut = Literal["words", "sum", "concatenated"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How vectors are learned from pair counts."""

    dim: Whole = 100
    """Components of a vector."""

    model: Model = "pmi"
    """pmi: inner products are pmi; glove: inner product and two biases are log counts (Pennington et al. 2014, eq. 8)."""

    space: Space = "shared"
    """shared: one vector a word; separate: another one for the word as context."""

    hand_out: HandOut = "words"
    """With --space separate: the words' vectors, their sum with the contexts', or both end to end (twice --dim)."""

    solver: Solver = "rows"
    """rows: solve one word's vector at a time (fast, the same bytes for any number of threads); adagrad: as published."""

    sweeps: Whole = 6
    """Passes of the row solver over all cells, at most."""

    epochs: Whole = 15
    """Passes of AdaGrad over all cells, at most."""

    tolerance: Annotated[float | None, Parameter(show_default=False)] = None
    """Stop early when a pass no longer lowers the loss (with --held-out, that of the held-out pairs) by this share."""

    patience: Whole = 1
    """How many such passes in a row are needed."""

    start_from: Annotated[str | None, Parameter(show_default=False)] = None
    """Vectors table to start from; words that are not in it get the solution of their own row, given the others."""

    count_power: float = 0.75
    """Exponent that evens out word counts in the pmi: n becomes mean (n / mean)^power; 1 is the plain pmi."""

    x_max: float = 1000.0
    """Count from which a pair has full weight."""

    alpha: float = 0.5
    """Exponent of the weight (x / x_max)^alpha."""

    no_truncate_weight: Annotated[bool, Parameter(negative="")] = False
    """Let the weight of a pair grow beyond 1 where its count is above x_max."""

    loss: Annotated[str | None, Parameter(show_default=False)] = None
    """Loss of your own: MODULE:FUNCTION of (product, pmi, weight) that returns loss and slope, compiled by numba."""

    all_pairs_weight: float = 1e-3
    """Weight of the term over all pairs, seen or not (row solver); 0 leaves it out."""

    all_pairs_pmi: float = -3.0
    """PMI in nats that the all-pairs term pulls towards."""

    all_pairs_power: float = 0.25
    """Exponent of word frequency in the all-pairs term; 0 treats all words alike."""

    l2: float = 1.0
    """Ridge on each vector (row solver)."""

    learning_rate: float = 0.1
    """Step of AdaGrad."""

    held_out: float = 0.0
    """Share of pairs kept out of training, by a hash of the pair, and scored after each pass."""

    seed: Whole = 1
    """Seed of start vectors, order and held-out pairs."""

    preset: Preset = "default"
    """Set of options to start from: default (the best we have), simpler-glove (the published tool to the letter) or glove."""

    def __post_init__(self) -> None:
        for flag, least in (("dim", 1), ("sweeps", 1), ("epochs", 1), ("patience", 1)):
            value = getattr(self, flag)
            require(value >= least, flag, f"be at least {least}", value, "Give a positive whole number.")
        require(self.dim <= 4096, "dim", "be at most 4096", self.dim, "Use 100 to 300.")
        for flag in ("x_max", "learning_rate"):
            value = getattr(self, flag)
            require(0 < value < math.inf, flag.replace("_", "-"), "be positive and finite", value, "Use the default.")
        for flag in ("all_pairs_weight", "l2", "alpha"):
            value = getattr(self, flag)
            require(0 <= value < math.inf, flag.replace("_", "-"), "be 0 or more and finite", value, "Use the default.")
        for flag in ("all_pairs_pmi", "all_pairs_power", "count_power"):
            value = getattr(self, flag)
            require(math.isfinite(value), flag.replace("_", "-"), "be finite", value, "Use the default.")
        require(0 <= self.held_out < 1, "held-out", "lie in [0, 1)", self.held_out, "Use 0.01.")
        require(0 <= self.seed < 2**63, "seed", "lie in [0, 2^63)", self.seed, "Use a small whole number.")
        ok = self.tolerance is None or 0 <= self.tolerance < 1
        require(ok, "tolerance", "lie in [0, 1)", self.tolerance, "Use 0.001.")
        self._check_combinations()

    def _check_combinations(self) -> None:
        require(
            self.solver == "rows" or self.all_pairs_weight == 0,
            "all-pairs-weight",
            "be 0 with --solver adagrad, which visits seen pairs only",
            self.all_pairs_weight,
            "Add --all-pairs-weight 0, or use --preset simpler-glove.",
        )
        glove = self.solver == "adagrad" and self.space == "separate"
        hint = "Add --solver adagrad --all-pairs-weight 0 --space separate, or use --preset glove."
        require(self.model == "pmi" or glove, "model", "be pmi with one space or the row solver", self.model, hint)
        one = self.space == "separate" or self.hand_out == "words"
        require(one, "hand-out", "be words with --space shared", self.hand_out, "Add --space separate.")
        both = self.start_from is not None and (self.space == "separate" or self.model == "glove")
        require(not both, "start-from", "be left out with --space separate", self.start_from, "Use --space shared.")

    @property
    def passes(self) -> int:
        """Number of passes over all cells that the chosen solver makes."""
        return self.sweeps if self.solver == "rows" else self.epochs

    @property
    def spaces(self) -> int:
        """Number of vectors that a word has."""
        return 1 if self.space == "shared" else 2

    @property
    def biases(self) -> int:
        """Components that a vector has for biases besides its ``dim``."""
        return 2 if self.model == "glove" else 0
