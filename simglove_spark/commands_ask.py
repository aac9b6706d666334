"""Commands that ask finished vectors: similar, correlate, analogy."""

import json as json_module
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simglove_spark.errors import ConfigError
from simglove_spark.option_checks import Whole
from simglove_spark.output import local_path
from simglove_spark.vectors import Vectors

VectorsFolder = Annotated[str, Parameter(help="Folder of a vectors table, such as RUN/vectors.")]
TopN = Annotated[Whole, Parameter(help="How many words to show.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of a table.")]


def similar(
    *words: Annotated[str, Parameter(help="Words to ask for.")],
    vectors: VectorsFolder,
    topn: TopN = 10,
    json: Json = False,
) -> None:
    """Words that behave like the given ones: cosine in the metric of the contexts."""
    known = _load(vectors, words)
    _show({word: known.most_similar(word, topn) for word in words}, "similarity", json)


def correlate(
    *words: Annotated[str, Parameter(help="Words to ask for.")],
    vectors: VectorsFolder,
    topn: TopN = 10,
    normalize: Annotated[bool, Parameter(negative="", help="Cosine instead of the inner product.")] = False,
    json: Json = False,
) -> None:
    """Words that are said together with the given ones: the inner product, which is the predicted PMI in nats."""
    known = _load(vectors, words)
    found = {word: known.most_correlative(word, topn, normalize) for word in words}
    _show(found, "cosine" if normalize else "pmi", json)


def analogy(
    *positive: Annotated[str, Parameter(help="Words whose vectors are added.")],
    vectors: VectorsFolder,
    minus: Annotated[
        tuple[str, ...],
        Parameter(help="Words whose vectors are subtracted.", consume_multiple=True, negative="", show_default=False),
    ] = (),
    topn: TopN = 10,
    json: Json = False,
) -> None:
    """Words nearest to a sum of words: king woman --minus man."""
    known = _load(vectors, positive)
    asked = " + ".join(positive) + "".join(f" - {word}" for word in minus)
    _show({asked: known.analogy(list(positive), list(minus), topn)}, "cosine", json)


def _load(folder: str, words: tuple[str, ...]) -> Vectors:
    if not words:
        raise ConfigError(
            "words must be given; got none. Write for example: simglove similar king --vectors RUN/vectors"
        )
    return Vectors.load(local_path(folder))


def _show(found: dict[str, list[tuple[str, float]]], measure: str, as_json: bool) -> None:
    if as_json:
        _print_json({word: [{"word": w, measure: float(score)} for w, score in rows] for word, rows in found.items()})
        return
    table = Table()
    for word in found:
        table.add_column(Text(plain_text(word)))
        table.add_column(measure, justify="right")
    for cells in zip(*found.values(), strict=True):
        table.add_row(*(Text(text) for word, score in cells for text in (plain_text(word), f"{score:.3f}")))
    _console().print(table)


def _print_json(value: Any) -> None:
    print(json_module.dumps(value, ensure_ascii=False, indent=1))


def plain_text(text: str) -> str:
    """A word without what could move the cursor; show it as rich's Text, which has no markup."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _console() -> Console:
    return Console(highlight=False, width=None)


COMMANDS = {
    "similar": similar,
    "correlate": correlate,
    "analogy": analogy,
}
