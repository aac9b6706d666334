"""How text that is asked becomes words: by the very lines that read the corpus, with the settings its vectors tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

import pyarrow as pa

from simglove_spark.choices import check_choice, check_tokenizer
from simglove_spark.cleaning import AS_IT_IS, Cleaning, clean
from simglove_spark.errors import ConfigError
from simglove_spark.manifest import Manifest
from simglove_spark.tokenizing import needs_whole_rows

#: Where a vectors table's manifest tells them, among its details.
READING = "reading"
Normalize = Literal["none", "nfkc"]
_WORD = re.compile(r"[^ \t\n\r\v\f]+")  # between ASCII white space, as everywhere


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How text becomes words; the names and meanings are those of `simglove count-words`.

    Attributes
    ----------
    normalize : str
        none or nfkc.
    tokenizer : str
        whitespace, words, jieba or MODULE:FUNCTION.
    lowercase : bool
    is_named : bool
        Whether the user named the tokenizer. A MODULE:FUNCTION that only a manifest names is not imported: a table is data, and may
        come from anybody.

    Raises
    ------
    ConfigError
        When one is none of these.
    """

    normalize: Normalize = get_args(Normalize)[0]
    tokenizer: str = AS_IT_IS.tokenizer
    lowercase: bool = AS_IT_IS.lowercase
    is_named: bool = True

    def __post_init__(self) -> None:
        check_choice("normalize", self.normalize, get_args(Normalize))
        check_tokenizer("tokenizer", self.tokenizer)

    @classmethod
    def of(cls, manifest: Manifest | None) -> Self:
        """As the corpus of these vectors was read; between blanks where nobody tells."""
        told = manifest.details.get(READING, {}) if manifest else {}
        return cls(**told, is_named=False)

    def over(self, **given: Any) -> Self:
        """The same but for what is given and not None."""
        given = {name: value for name, value in given.items() if value is not None}
        return replace(self, **given, is_named=self.is_named or "tokenizer" in given)

    def check(self) -> None:
        """Refuse a tokenizer that cannot be had (errors as of `words`)."""
        self.words("")

    def words(self, text: str) -> list[str]:
        """Words of a text, in order.

        Raises
        ------
        ConfigError
            When the tokenizer's package or function is not there, or is code that the user did not name.
        """
        if needs_whole_rows(self.tokenizer) and not self.is_named:
            raise ConfigError(
                f"tokenizer must be named by you, since it is code; got it from the vectors' manifest ({self.tokenizer}). Give "
                f"--tokenizer {self.tokenizer} (in Python Reading(tokenizer=...)) if you trust it, or --tokenizer whitespace."
            )
        cleaning = Cleaning(self.lowercase, self.normalize == "nfkc", self.tokenizer)
        if cleaning == AS_IT_IS:
            return _WORD.findall(text)
        row = clean(pa.array([text.encode("utf-8", "replace")], pa.large_binary()), cleaning)[0][0].as_py()
        return _WORD.findall(row) if isinstance(row, str) else [word for word in row if word]


def reading_told(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a corpus's options that say how its text became words; none where no text was read, as for imported pairs."""
    return {name: options[name] for name in ("normalize", "tokenizer", "lowercase") if name in options}
