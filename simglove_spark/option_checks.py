"""How single options are read and refused, by one message template."""

import re
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from simglove_spark.errors import ConfigError
from simglove_spark.memory import parse_size

if TYPE_CHECKING:
    from simglove_spark.asking.pair_table import PairTable


def whole(_kind: type, tokens: Any) -> int:
    """A whole number that 64 bits hold; the parser alone would round 1.5, and a float cannot hold any that is larger."""
    text = tokens[0].value.strip()
    is_whole = re.fullmatch(r"[+-]?[0-9][0-9_]*", text)
    if is_whole and len(text) < 40 and abs(int(text)) < 2**63:
        return int(text)
    where = "" if tokens[0].source == "cli" else f" ({tokens[0].source})"
    rule = "lie between -2^63 and 2^63" if is_whole else "be a whole number"
    raise ValueError(f"must {rule}; got {text[:40]!r}{where}.")


def wholes(_kind: type, tokens: Any) -> tuple[int, ...]:
    """Whole numbers, as many as there are."""
    return tuple(whole(int, [token]) for token in tokens)


Whole = Annotated[int, Parameter(converter=whole)]
Output = Annotated[str, Parameter(help="Folder to write into.")]
VectorsFolder = Annotated[
    str, Parameter(help="Folder of a vectors table, such as RUN/vectors, or one that publish wrote to.")
]
PairsFolder = Annotated[
    str | None, Parameter(help="Folder of the pair table, such as RUN/pairs, for what was counted.", show_default=False)
]
Threads = Annotated[
    int | None,
    Parameter(help="Files to read at once. By default one for each core.", converter=whole, show_default=False),
]
DryRun = Annotated[bool, Parameter(negative="", help="Only tell what would be done, why, and what it would take.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of a table.")]


def require(ok: bool, flag: str, rule: str, value: object, hint: str) -> None:
    """Refuse an impossible option by the message template."""
    if not ok:
        raise ConfigError(f"--{flag} must {rule}; got {value}. {hint}")


def open_pairs(folder: str | None) -> "PairTable | None":
    """The pair table of a folder, if one is given."""
    if folder is None:
        return None
    from simglove_spark.asking.pair_table import PairTable  # with numba, which takes a second to load

    return PairTable(folder)


def check_size(text: str, flag: str) -> None:
    """Refuse what is neither auto nor a size."""
    if text != "auto":
        parse_size(text, flag)
