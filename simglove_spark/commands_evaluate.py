"""The command that judges vectors: evaluate."""

import json as json_module
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simglove_spark.config import ObserveConfig
from simglove_spark.errors import ConfigError
from simglove_spark.evaluate import (
    Comparison,
    Judged,
    Measure,
    compare,
    load_model,
    read_set,
    shared_words,
)
from simglove_spark.evaluate.statistics import interval
from simglove_spark.observing.observed import observed
from simglove_spark.option_checks import Json, Whole, require
from simglove_spark.publishing.latest import resolved
from simglove_spark.shown import plain_text
from simglove_spark.storage.paths import path_of
from simglove_spark.vectors import Vectors


def _paths(name: str, help: str) -> Parameter:
    return Parameter(name=name, help=help, consume_multiple=True, negative="", show_default=False)


SETS = {
    "similarity": "Word similarity files: word, word and score in columns.",
    "analogy": "Analogy files: `: section` lines, and questions of four words; or folders such as BATS_3.0.",
    "categories": "Categorisation files: word and category in columns (extra `evaluation`).",
    "sentences": "Sentence similarity files: the STS benchmark's columns, or two sentences and a score between tabs.",
    "keywords": "Folders of documents with docsutf8/*.txt and keys/*.key, such as Inspec (extra `evaluation`).",
}


def evaluate(
    *,
    vectors: Annotated[
        tuple[str, ...],
        _paths(
            "--vectors",
            "Vectors tables, such as RUN/vectors, or files of word2vec or GloVe; the others are compared to the first.",
        ),
    ],
    sets: Annotated[
        tuple[str, ...], _paths("--sets", "Public evaluation sets of any kind; told by their first lines.")
    ] = (),
    similarity: Annotated[tuple[str, ...], _paths("--similarity", SETS["similarity"])] = (),
    analogy: Annotated[tuple[str, ...], _paths("--analogy", SETS["analogy"])] = (),
    categories: Annotated[tuple[str, ...], _paths("--categories", SETS["categories"])] = (),
    sentences: Annotated[tuple[str, ...], _paths("--sentences", SETS["sentences"])] = (),
    keywords: Annotated[tuple[str, ...], _paths("--keywords", SETS["keywords"])] = (),
    trend: Annotated[
        bool, Parameter(negative="", help="Compare each to the one before it, such as runs in order.")
    ] = False,
    resamples: Annotated[Whole, Parameter(help="Bootstrap draws for the 95 % intervals; 0 for none.")] = 1000,
    seed: Annotated[Whole, Parameter(help="Seed of draws and clusters.")] = 1,
    json: Json = False,
    observe: ObserveConfig = ObserveConfig(),
) -> None:
    """Score vectors by public evaluation sets, with coverage and intervals; compare several on the words they share."""
    named: dict[str | None, tuple[str, ...]] = {"similarity": similarity, "analogy": analogy, "categories": categories}
    named |= {"sentences": sentences, "keywords": keywords, None: sets}
    require(0 <= resamples <= 1_000_000, "resamples", "lie between 0 and 1,000,000", resamples, "Use 1000.")
    require(0 <= seed < 2**32, "seed", "lie between 0 and 4,294,967,295", seed, "Use 1.")
    if not any(named.values()):
        raise ConfigError("evaluate must be given a file; got none. Add --sets FILE, or --similarity FILE or its like.")
    files = [(kind, path) for kind, paths in named.items() for path in paths]
    reads = [("vectors", path_of(resolved(path))) for path in vectors]
    with observed(observe).stage("evaluate", corpus=[path for _, path in files], reads=reads):
        read = [read_set(path, kind) for kind, path in files]
        models = [load_model(path) for path in vectors]
        judged = [[one.judge(model, seed) for one in read] for model in models]
        compared = compare(read, shared := shared_words(models), seed, resamples, trend) if len(models) > 1 else []
    if json:
        told = [_to_dict(*each, resamples, seed) for each in zip(vectors, models, judged, strict=True)]
        if len(told) > 1:
            results = [comparison.to_dict(vectors) for comparison in compared]
            print_json({"models": told, "shared": {"words": len(shared[0]), "results": results}})
        else:
            print_json(told[0])
        return
    console = Console(highlight=False)
    for name, model, own in zip(vectors, models, judged, strict=True):
        _show(console, name, model, own, resamples, seed)
    if compared:
        _show_differences(console, vectors, len(shared[0]), compared)


def print_json(value: Any) -> None:
    """Print JSON values as one document."""
    print(json_module.dumps(value, ensure_ascii=False, indent=1))


def _to_dict(name: str, vectors: Vectors, judged: Sequence[Judged], resamples: int, seed: int) -> dict[str, Any]:
    results = [one.to_dict(resamples, seed) for one in judged]
    return {"vectors": name, "setting": {**_setting(vectors), "resamples": resamples}, "results": results}


def _setting(vectors: Vectors) -> dict[str, Any]:
    config = vectors.manifest.config if vectors.manifest else {}
    return {"words": len(vectors), "dim": int(vectors.matrix.shape[1]), **config}


def _show(console: Console, name: str, vectors: Vectors, judged: Sequence[Judged], resamples: int, seed: int) -> None:
    """A model's scores on its own vocabulary, and below them how they were taken."""
    setting = _setting(vectors)
    shown = (f"{key} {setting[key]}" for key in ("words", "dim", "solver", "preset", "seed") if key in setting)
    console.print(Text(plain_text(f"vectors: {name}: {', '.join(shown)}")), soft_wrap=True)
    for one in judged:
        table = _table(one.file, "score", "95 %", "found", "of")
        for measure in one:
            if not measure.detail:
                ends = interval(measure.drawn(resamples, seed)) if resamples else None
                counts = f"{measure.found:,}", f"{measure.total:,}"
                table.add_row(_label(measure), _number(measure.score), _ends(ends), *counts)
        console.print(table)
    for sentence in dict.fromkeys(f"{one.kind}: lower case, {one.setting}" for one in judged):
        console.print(Text(sentence), soft_wrap=True)


def _show_differences(console: Console, names: Sequence[str], words: int, compared: Sequence[Comparison]) -> None:
    """All models on the words they share, a row for each."""
    console.print(f"\non the {words:,} words that all share, differences with paired intervals:")
    for place, name in enumerate(names, 1):
        console.print(Text(plain_text(f"{place}: {name}")), soft_wrap=True)
    for (_, file), group in groupby(compared, key=lambda comparison: (comparison.place, comparison.file)):
        table = _table(file, "vectors", "score", "difference", "95 %", "found")
        for comparison in group:
            if not comparison.measures[0].detail:
                _add_differences(table, comparison)
        console.print(table)


def _add_differences(table: Table, comparison: Comparison) -> None:
    differences = {difference.model: difference for difference in comparison.differences}
    for place, measure in enumerate(comparison.measures):
        told = differences.get(place)
        change = ("", "") if told is None else (_number(told.score, "+"), _ends(told.interval, "+"))
        label = Text("") if place else _label(measure)
        table.add_row(label, Text(str(place + 1)), _number(measure.score), *change, f"{measure.found:,}")


def _table(file: str, *numbers: str) -> Table:
    """A table under a file's name, whose numbers stay on one line however narrow the terminal."""
    table = Table("measure", title=Text(plain_text(file)), title_justify="left")
    for name in numbers:
        table.add_column(name, no_wrap=True)
    return table


def _label(measure: Measure) -> Text:
    part = "" if measure.part == "all" else f", {plain_text(measure.part)}"
    return Text(measure.name + part)


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.3f}"


def _ends(ends: tuple[float, float] | None, sign: str = "") -> str:
    return "-" if ends is None else f"{ends[0]:{sign}.3f} to {ends[1]:{sign}.3f}"


COMMANDS = {"evaluate": evaluate}
