"""Which neighbours are joined to one word."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from simglove_spark.option_checks import Whole, require


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PhrasesConfig:
    """Which neighbours are joined to one word."""

    min_count: Whole = 20
    """Join only words that stand side by side at least this often."""

    threshold: float = 0.5
    """Join only words whose normalised pmi is at least this: 1 for words that never stand apart, 0 for chance."""

    joiner: Annotated[str, Parameter(allow_leading_hyphen=True)] = "_"
    """What stands between the words in the joined one; may be empty."""

    def __post_init__(self) -> None:
        require(self.min_count >= 1, "min-count", "be at least 1", self.min_count, "Use 20.")
        require(-1 <= self.threshold <= 1, "threshold", "lie between -1 and 1", self.threshold, "Use 0.5.")
        plain = self.joiner == "" or (self.joiner.isprintable() and not any(map(str.isspace, self.joiner)))
        require(plain, "joiner", "be printable and without white space", repr(self.joiner), "Use _.")
