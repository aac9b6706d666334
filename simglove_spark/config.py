"""Every option, its default and its help, in frozen dataclasses: the only place with defaults.

Command line, YAML file, spark-submit jobs and the Python functions all read them here. The text under a field is its help.
Options in `CorpusConfig`, `VocabularyConfig`, `PairsConfig` and `TrainConfig` decide the bytes of a table and stand
in its manifest; those in `RunConfig` and `SparkConfig` do not.
"""

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from simglove_spark.memory import parse_time
from simglove_spark.option_checks import Whole, check_size, require, whole
from simglove_spark.presets import Preset

DistanceWeighting = Literal["flat", "harmonic"]
Solver = Literal["rows", "adagrad"]
Model = Literal["pmi", "glove"]
Space = Literal["shared", "separate"]
HandOut = Literal["words", "sum", "concatenated"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """What is read."""

    input: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
    """Corpus: files, folders or globs of text (plain, .gz, .bz2, .zst); by --column of Parquet, ORC, JSON lines, or table:NAME."""

    column: Annotated[str | None, Parameter(show_default=False)] = None
    """Column that holds text or a list of words. Without it the input is text, one window's end per line."""

    where: Annotated[str | None, Parameter(show_default=False)] = None
    """With --column: an SQL condition; only rows that meet it are read, such as "lang = 'en' AND length(text) > 20"."""

    normalize: Literal["none", "nfkc"] = "none"
    """Bring text into Unicode's form NFKC before it is split: full-width letters, ligatures and wide blanks become plain."""

    lowercase: Annotated[bool, Parameter(negative="")] = False
    """Put words into lower case (Unicode, one character to one)."""

    on_bad_bytes: Literal["error", "replace"] = "error"
    """What to do with words that are not UTF-8: stop with their number, or put U+FFFD in place of the bad bytes."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class VocabularyConfig:
    """Which words are kept."""

    min_count: Whole = 5
    """Keep words that occur at least this often."""

    max_vocab: Annotated[int | None, Parameter(show_default=False, converter=whole)] = None
    """Keep at most this many words, the most frequent ones."""

    def __post_init__(self) -> None:
        require(self.min_count >= 1, "min-count", "be at least 1", self.min_count, "Use 1 to keep every word.")
        ok = self.max_vocab is None or 2 <= self.max_vocab < 2**31 - 1
        require(ok, "max-vocab", "lie between 2 and 2,147,483,646", self.max_vocab, "Leave it out to keep all words.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PairsConfig:
    """How pairs of words are counted."""

    window_size: Whole = 10
    """Distance to each side, in words."""

    distance_weighting: DistanceWeighting = "harmonic"
    """What a pair at distance d counts: 1 (flat) or 1/d (harmonic)."""

    unknown_words: Literal["drop", "keep-place"] = "drop"
    """Words outside the vocabulary are dropped before windows are formed, or keep their place in them."""

    num_shards: Annotated[int | None, Parameter(show_default=False, converter=whole)] = None
    """Number of shards of the pair table. By default one for every two million words of the corpus, at least four."""

    def __post_init__(self) -> None:
        require(1 <= self.window_size <= 1000, "window-size", "lie between 1 and 1000", self.window_size, "Use 10.")
        ok = self.num_shards is None or 1 <= self.num_shards <= 2**20
        require(ok, "num-shards", "lie between 1 and 1,048,576", self.num_shards, "Leave it out.")

    @property
    def keep_places(self) -> bool:
        """Whether unknown words take a place in the window."""
        return self.unknown_words == "keep-place"


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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What a run may use; nothing here changes a byte of the row solver's output."""

    threads: Annotated[int | None, Parameter(show_default=False, converter=whole)] = None
    """Threads of the trainer. By default all cores."""

    memory: str = "auto"
    """Memory of the trainer, such as 8g; auto takes 70 % of what is free. Shards that don't fit are read again each pass."""

    max_runtime: Annotated[str | None, Parameter(show_default=False)] = None
    """Time for training, such as 90m or 8h; then it stops with a checkpoint and exit code 7, and the same command goes on."""

    overwrite: Annotated[bool, Parameter(negative="")] = False
    """Build anew beside an existing output and switch at the end."""

    def __post_init__(self) -> None:
        ok = self.threads is None or 1 <= self.threads <= 4096
        require(ok, "threads", "lie between 1 and 4096", self.threads, "Leave it out to use all cores.")
        check_size(self.memory, "memory")
        if self.max_runtime is not None:
            parse_time(self.max_runtime, "max-runtime")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SparkConfig:
    """How Spark is started when no session is there."""

    master: Annotated[str | None, Parameter(show_default=False)] = None
    """Spark master. By default what spark-submit says, else local[*,4] on this machine."""

    worker_memory: str = "auto"
    """Memory of each Python worker's tables while counting. auto: 1g, or less where this machine has less for each core."""

    driver_memory: str = "auto"
    """Heap of the local Spark; a compressed line or a column's row needs about 20 times its size. auto: 4g, or a quarter of the machine's memory."""

    spark_conf: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)] = ()
    """Further Spark settings, key=value; they win over ours."""

    def __post_init__(self) -> None:
        check_size(self.worker_memory, "worker-memory")
        check_size(self.driver_memory, "driver-memory")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FileConfig:
    """Where options may come from besides the command line."""

    config: Annotated[str | None, Parameter(show_default=False)] = None
    """YAML file with options, named as on the command line; those given by hand win."""


def content_config(*configs: Any) -> dict[str, Any]:
    """Options that decide a table's content, as they stand in its manifest; `input` is recorded apart, with sizes."""
    merged = {key: value for config in configs for key, value in asdict(config).items()}
    merged.pop("input", None)
    return merged
