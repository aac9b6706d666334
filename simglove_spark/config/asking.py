"""How text that is asked becomes words."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from simglove_spark.choices import check_tokenizer


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """How text that is asked becomes words; what is left out is as the corpus of the vectors was read."""

    normalize: Annotated[Literal["none", "nfkc"] | None, Parameter(show_default=False)] = None
    """Unicode's form NFKC for the text that is asked, or none. By default as the corpus was read."""

    tokenizer: Annotated[str | None, Parameter(show_default=False)] = None
    """What cuts it into words: whitespace, words, jieba, MODULE:FUNCTION. By default as the corpus was read; code only if named here."""

    lowercase: Annotated[bool | None, Parameter(negative="--no-lowercase", show_default=False)] = None
    """Put it into lower case, or not. By default as the corpus was read."""

    def __post_init__(self) -> None:
        if self.tokenizer is not None:
            check_tokenizer("--tokenizer", self.tokenizer)
