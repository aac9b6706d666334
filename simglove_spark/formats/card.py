"""The model card that goes with every export: Markdown, with the head that the Hugging Face hub reads.

It tells what the corpus was, when, which settings, which scores and which gaps are known; no word of the vocabulary stands in it,
and of paths only the names of files, since a card is published and a path may tell of people.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from simglove_spark.evaluate.saved import Scored
from simglove_spark.formats.lineage import Lineage
from simglove_spark.formats.numbers import Dtype
from simglove_spark.formats.registry import FORMATS
from simglove_spark.formats.rows import Rows
from simglove_spark.memory import show_size
from simglove_spark.shown import plain_text, short_text
from simglove_spark.unknown import UNKNOWN

MOST_FILES, LONGEST = 20, 200
LOST = {
    "float16": "Components are float16: each moved by 2^-11 of itself at most, or by 2^-25 where it is below 2^-14.",
    "int8": "Components are int8 codes with a scale a word: each moved by 1/254 of the word's largest one at most.",
}
FAISS_INT8 = "Components are 8 bits: each moved by 1/510 of the range of its column at most."


def card(rows: Rows, name: str, dtype: Dtype, lineage: Lineage) -> str:
    """Text of the card of an export in the format ``name``."""
    size, dim = rows.shape
    parts = [
        f"---\n{yaml.safe_dump(_head(name, lineage), sort_keys=False, allow_unicode=True)}---\n",
        f"# Word vectors: {size:,} words, {dim} components\n",
        f"Written by simglove-spark as {name}, {dtype}. To open them:\n",
        f"    {FORMATS[name].use}\n",
        "## Corpus\n",
        _corpus(lineage),
        "## Settings\n",
        _settings(lineage),
        "## Scores\n",
        _scores(lineage.scores),
        "## Known gaps\n",
        "".join(f"- {gap}\n" for gap in _gaps(rows, name, dtype, lineage)),
    ]
    return "\n".join(parts)


def _head(name: str, lineage: Lineage) -> dict[str, Any]:
    static = name == "safetensors"
    head: dict[str, Any] = {"library_name": "model2vec"} if static else {}
    head["pipeline_tag"] = "feature-extraction"
    tags = ["word-vectors", "word-embeddings", "static-embeddings", "pmi", "simglove"]
    head["tags"] = tags + ["model2vec", "sentence-transformers"] * static
    if lineage.scores:
        results = [
            {
                "task": {"type": "feature-extraction", "name": _measured(score)},
                "dataset": {"type": plain_text(score.file), "name": plain_text(score.file)},
                "metrics": [{"type": "score", "name": _measured(score), "value": score.score}],
            }
            for score in lineage.scores
        ]
        head["model-index"] = [{"name": "simglove vectors", "results": results}]
    return head


def _corpus(lineage: Lineage) -> str:
    words, own = lineage.tables.get("vocabulary"), lineage.tables.get("vectors")
    lines = [f"Date: {lineage.date}.\n"] if lineage.date else []
    imported = own.details.get("imported") if own else None
    if isinstance(imported, dict):
        lines += [
            "Imported; what they were trained on is not known here:\n",
            _files(imported.get("files", ()), "sha256"),
        ]
    elif words is None:
        lines.append("Not known: the vectors' vocabulary table was not beside them.\n")
    else:
        lines.append(
            f"{words.details.get('total_words', 0):,} words of the vocabulary; input files: {len(words.inputs):,}\n"
        )
        lines.append(_files(words.inputs, "bytes"))
    return "\n".join(lines)


def _files(entries: Iterable[Mapping[str, Any]], key: str) -> str:
    every = list(entries)
    rows = []
    for entry in every[:MOST_FILES]:
        told = entry.get(key)
        value = show_size(told) if key == "bytes" and isinstance(told, int) else code(told)
        rows.append((code(Path(str(entry.get("path"))).name), value))
    more = f"\nand {len(every) - MOST_FILES:,} more.\n" if len(every) > MOST_FILES else ""
    return _table(("file", "size" if key == "bytes" else key), rows) + more


def _settings(lineage: Lineage) -> str:
    own = lineage.tables.get("vectors")
    if own is None:
        return "Not known: they did not come from a table.\n"
    rows = [
        (table, code(key), code(_without_folder(value)))
        for table in lineage.tables
        for key, value in sorted(lineage.config(table).items())
        if value is not None
    ]
    software = ", ".join(code(f"{key} {value}") for key, value in own.versions.items())
    return (
        _table(("table", "option", "value"), rows)
        + f"\nSoftware: {software}. Content of the table: `{own.content_sha256}`.\n"
    )


def _scores(scores: tuple[Scored, ...]) -> str:
    if not scores:
        return "None were given with this export.\n"
    rows = [
        (
            code(score.file),
            code(_measured(score)),
            f"{score.score:.3f}",
            " to ".join(f"{limit:.3f}" for limit in score.interval or ()) or "-",
            f"{score.found:,}",
            f"{score.total:,}",
        )
        for score in scores
    ]
    return _table(("file", "part", "score", "interval", "found", "of"), rows)


def _gaps(rows: Rows, name: str, dtype: Dtype, lineage: Lineage) -> list[str]:
    config = lineage.config("vectors")
    gaps = [
        "One vector a word, whatever its sense; what the corpus says wrongly or unjustly of people, the vectors say too.",
        "The head of this card names no language and no license: nobody told them. Add both before you publish.",
    ]
    if dtype != "float32":
        gaps.append(FAISS_INT8 if (name, dtype) == ("faiss", "int8") else LOST[dtype])
    if not FORMATS[name].counts:
        gaps.append("The format carries no counts: the order of the words tells which is more frequent.")
    unseen = int(np.count_nonzero(rows.vectors.counts == 0))
    if 0 < unseen < len(rows.vectors):
        gaps.append(f"Words of count 0, which the corpus lacks and of which nothing was learned: {unseen:,}.")
    if rows.more and rows.more[0] == UNKNOWN:
        gaps.append(f"`{UNKNOWN}` is the mean of the 100 rarest words, not learned.")
    else:
        gaps.append("Words that are not among them have no vector.")
    if config.get("model") == "glove":
        gaps.append("The model is GloVe's, with biases: the inner product of two of these vectors is not their pmi.")
    elif config.get("count_power", 1) != 1:
        gaps.append(
            f"Counts were evened (count_power {code(config['count_power'])}): inner products predict the pmi of the evened counts, and "
            "norms do not plainly tell importance; those of stop words are among the largest."
        )
    if config.get("space") == "separate":
        gaps.append("Words and contexts have a space each: the inner product of two of these vectors is not their pmi.")
    cut = lineage.reading.get("tokenizer", "whitespace")
    if cut != "whitespace":
        gaps.append(f"Text must be cut by {code(cut)} before it is looked up, as the corpus was.")
    bad = lineage.tables["vocabulary"].bad_files if "vocabulary" in lineage.tables else []
    if bad:
        gaps.append(f"Files of the corpus that could not be read and were left out: {len(bad):,}.")
    return gaps


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _measured(score: Scored) -> str:
    return f"{score.kind}, {score.measure}, {score.part}"


def _without_folder(value: Any) -> Any:
    return Path(value).name if isinstance(value, str) and value.startswith("/") else value


def code(value: Any) -> str:
    """A value as code in a cell of a table: nothing in it is markup."""
    return f"`{short_text(str(value), LONGEST).replace('`', chr(39)).replace('|', chr(0xA6))}`"
