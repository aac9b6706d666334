"""How pair counts of other tools are read."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from simglove_spark.option_checks import Whole, require

PairFormat = Literal["parquet", "csv", "glove-binary"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    """How pair counts of other tools are read."""

    format: PairFormat
    """Parquet or CSV with columns word, context and count, or the binary file of GloVe's cooccur or shuffle."""

    unit: Whole = 1
    """Counts are kept as whole numbers of 1/unit: 2520 suits harmonic windows of up to 10, 1048576 any fractions."""

    one_direction: Annotated[bool, Parameter(negative="")] = False
    """Each row counts for both directions; without it the input must hold both, with the same count."""

    def __post_init__(self) -> None:
        require(1 <= self.unit <= 2**32, "unit", "lie between 1 and 4,294,967,296", self.unit, "Use 1048576.")
