"""Commands that judge finished vectors and hand them on: evaluate, export."""

import json as json_module
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simglove_spark.errors import ConfigError
from simglove_spark.evaluate import AnalogyResult, SimilarityResult, analogies, similarity
from simglove_spark.export import FORMATS
from simglove_spark.option_checks import Whole
from simglove_spark.output import local_path
from simglove_spark.unknown import with_unknown
from simglove_spark.vectors import Vectors

VectorsFolder = Annotated[str, Parameter(help="Folder of a vectors table, such as RUN/vectors.")]
TopN = Annotated[Whole, Parameter(help="How many words to show.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of a table.")]
Files = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)]
ExportFormat = Literal["word2vec-text", "word2vec-binary", "glove-text"]


def evaluate(
    *,
    vectors: VectorsFolder,
    similarity_files: Annotated[
        Files, Parameter(name="--similarity", help="Word similarity files: word, word and score, separated by tabs.")
    ] = (),
    analogy_files: Annotated[
        Files, Parameter(name="--analogy", help="Analogy files: `: section` lines, and questions of four words.")
    ] = (),
    json: Json = False,
) -> None:
    """Score vectors on word similarity and analogy files; coverage and setting stand with every score."""
    if not similarity_files and not analogy_files:
        raise ConfigError("evaluate must be given a file; got none. Add --similarity FILE or --analogy FILE.")
    known = Vectors.load(local_path(vectors))
    results: list[SimilarityResult | AnalogyResult] = [similarity(known, path) for path in similarity_files]
    results += [analogies(known, path) for path in analogy_files]
    if json:
        _print_json({"vectors": vectors, "setting": _setting(known), "results": [r.to_dict() for r in results]})
        return
    table = Table("file", "part", "score", "found", "of")
    settings: dict[str, None] = {}  # in order, each once
    for result in results:
        settings[_add_rows(table, result)] = None
    console = _console()
    console.print(table)
    for setting in settings:
        console.print(setting, soft_wrap=True)
    console.print(f"vectors: {vectors}: {_sentence(_setting(known))}", soft_wrap=True, markup=False)


def export(
    *,
    vectors: VectorsFolder,
    format: Annotated[ExportFormat, Parameter(help="File format.")],
    output: Annotated[str, Parameter(help="File to write.")],
    unk: Annotated[bool, Parameter(negative="", help="Add <unk>, the mean of the 100 rarest words.")] = False,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an existing file.")] = False,
) -> None:
    """Write vectors as a file that other tools read."""
    known = Vectors.load(local_path(vectors))
    known = with_unknown(known) if unk else known
    FORMATS[format].save(known, local_path(output), overwrite=overwrite)
    print(f"{len(known):,} vectors of {known.matrix.shape[1]} components are in {output}.")


def _add_rows(table: Table, result: SimilarityResult | AnalogyResult) -> str:
    """Add a result to the table; returns the setting it was scored in."""
    if isinstance(result, SimilarityResult):
        _add_row(table, result.file, "similarity", result)
        return f"similarity: lower case, cosine, Spearman over the pairs found among {result.vocabulary_size:,} words"
    for part in (result.semantic, result.syntactic, result.all):
        if part is not None:
            _add_row(table, result.file, part.name, part)
    return f"analogy: lower case, unit vectors, argmax of b - a + c over the {result.words:,} most frequent words"


def _add_row(table: Table, file: str, part: str, result: Any) -> None:
    score = "-" if result.score is None else f"{result.score:.3f}"
    table.add_row(Text(plain_text(file)), Text(plain_text(part)), score, f"{result.found:,}", f"{result.total:,}")


def _setting(vectors: Vectors) -> dict[str, Any]:
    config = vectors.manifest.config if vectors.manifest else {}
    return {"words": len(vectors), "dim": int(vectors.matrix.shape[1]), **config}


def _sentence(setting: dict[str, Any]) -> str:
    names = ("words", "dim", "solver", "preset", "seed")
    return ", ".join(f"{name} {setting[name]}" for name in names if name in setting)


def _print_json(value: Any) -> None:
    print(json_module.dumps(value, ensure_ascii=False, indent=1))


def plain_text(text: str) -> str:
    """A word without what could move the cursor; show it as rich's Text, which has no markup."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _console() -> Console:
    return Console(highlight=False, width=None)


COMMANDS = {
    "evaluate": evaluate,
    "export": export,
}
