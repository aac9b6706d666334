"""What the report shows in rows: the run at a glance, its stages, lineage and settings, and what an evaluation found."""

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

from simglove_spark.config import (
    CorpusConfig,
    PairsConfig,
    PhrasesConfig,
    RunConfig,
    SparkConfig,
    TrainConfig,
    VocabularyConfig,
)
from simglove_spark.evaluate.saved import Compared, Scored
from simglove_spark.figures import readable
from simglove_spark.manifest import Manifest
from simglove_spark.memory import show_size
from simglove_spark.pages.report.run_folder import RunFolder
from simglove_spark.runs.settling import neighbours_of
from simglove_spark.shown import short_text

GROUPS = {
    "Corpus": CorpusConfig,
    "Words": VocabularyConfig,
    "Phrases": PhrasesConfig,
    "Pairs": PairsConfig,
    "Training": TrainConfig,
    "Resources": RunConfig,
    "Spark": SparkConfig,
}
STAGE_OF_TABLE = {"vocabulary": "count-words", "pairs": "count-pairs", "vectors": "train"}
NAMING = ("kind", "file", "measure", "part", "vectors", "against")  # columns of words
SHOWN_SHA = 12  # characters of a checksum


def glance(folder: RunFolder) -> list[tuple[str, str]]:
    """The run in a few figures: name and value."""
    size, dim = folder.vectors.matrix.shape
    found = [("words", f"{size:,}"), ("components", f"{dim:,}")]
    pairs = folder.manifests.get("pairs")
    if pairs is not None:
        found.append(("tokens", f"{pairs.details.get('total_words', 0):,}"))
        found.append(("cells (directed pairs)", f"{pairs.rows:,}"))
        window = pairs.details.get("window_size")
        found.append(("window", f"{window} words, {pairs.details.get('weighting')}" if window else "imported"))
    if "status" in folder.run:
        found.append(("status", str(folder.run["status"])))
    if "started" in folder.run:
        found.append(("started (UTC)", str(folder.run["started"])[:19].replace("T", " ")))
    return found


def stages(folder: RunFolder) -> list[dict[str, str]]:
    """Each stage with what it took and made; without run.json, what is there says all but the time."""
    told = folder.run.get("stages") or {
        STAGE_OF_TABLE[name]: {"status": "complete", "rows": table.rows, "bytes": table.bytes}
        for name, table in folder.manifests.items()
        if name in STAGE_OF_TABLE
    }
    rows = []
    for name, stage in told.items():
        seconds, made = stage.get("seconds"), stage.get("rows")
        rows.append(
            {
                "stage": name,
                "status": stage.get("status", ""),
                "seconds": "" if seconds is None else f"{seconds:,.1f}",
                "rows": "" if made is None else f"{made:,}",
                "rate": f"{made / seconds:,.0f}" if seconds and made else "",
                "size": show_size(stage["bytes"]) if "bytes" in stage else "",
            }
        )
    return rows


def settling(folder: RunFolder) -> dict[str, Any] | None:
    """The nearest words of watched ones after each pass, and which of them are new; None where training told of none."""
    vectors, trained = folder.manifests["vectors"], folder.run.get("stages", {}).get("train", {})
    found = neighbours_of(folder.run) if trained.get("sha256") == vectors.content_sha256 else []
    words: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        rows = words.setdefault(one["word"], [])
        before = {word for word, _ in rows[-1]["nearest"]} if rows else set(one["nearest"])
        number = one.get("sweep", one.get("epoch"))
        rows.append({"pass": number, "nearest": [(short_text(word), word not in before) for word in one["nearest"]]})
    unit = "epoch" if found and "epoch" in found[0] else "sweep"
    return {"unit": unit, "words": {short_text(word): rows for word, rows in words.items()}} if found else None


def lineage(folder: RunFolder) -> list[dict[str, Any]]:
    """Each table with its checksum, what it was made from, and what was counted on the way."""
    here = {table.content_sha256 for table in folder.manifests.values()}
    return [
        {
            "table": name,
            "sha256": table.content_sha256[:SHOWN_SHA],
            "rows": f"{table.rows:,}",
            "size": show_size(table.bytes),
            "parents": [_parent(parent, here) for parent in table.parents],
            "inputs": [_input(entry) for entry in table.inputs],
            "bad_files": [f"{_input(entry)}: {entry.get('reason', '')}" for entry in table.bad_files],
            "counters": {
                key.replace("_", " "): readable(value) for key, value in table.details.get("counters", {}).items()
            },
            "versions": ", ".join(f"{package} {version}" for package, version in table.versions.items()),
        }
        for name, table in folder.manifests.items()
    ]


def _parent(parent: dict[str, str], here: set[str]) -> str:
    where = "in this folder" if parent["sha256"] in here else "of elsewhere"
    return f"{parent['table']} {parent['sha256'][:SHOWN_SHA]}, {where}"


def _input(entry: dict[str, Any]) -> str:
    size = f" ({show_size(entry['bytes'])})" if entry.get("bytes") is not None else ""
    return f"{entry.get('path')}{size}"


def settings(folder: RunFolder) -> dict[str, list[dict[str, Any]]]:
    """Options by group: name, value, default, and whether the value is another one.

    What a table's manifest says of itself wins over run.json.
    """
    values: dict[str, Any] = dict(folder.run.get("config") or {})
    for table in folder.manifests.values():
        values |= table.config
    groups = {}
    for title, kind in GROUPS.items():
        rows = [
            _setting(field.name, values.pop(field.name), field.default)
            for field in fields(kind)
            if field.name in values
        ]
        if rows:
            groups[title] = rows
    if values:
        groups["Others"] = [_setting(name, value, MISSING) for name, value in values.items()]
    return groups


def _setting(name: str, value: Any, default: Any) -> dict[str, Any]:
    value, default = (list(given) if isinstance(given, tuple) else given for given in (value, default))
    changed = default is not MISSING and value != default
    default_text = _text(None if default is MISSING else default)
    return {
        "name": f"--{name.replace('_', '-')}",
        "value": _text(value),
        "default": default_text,
        "changed": changed,
    }


def _text(value: Any) -> str:
    if value is None or value == []:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return short_text(", ".join(map(str, value)) if isinstance(value, list) else str(value), 500)


def evaluation(rows: Sequence[Scored] | Sequence[Compared]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Columns and rows of what an evaluation found."""
    return rows[0]._fields if rows else (), [[_figure(value) for value in row] for row in rows]


def _figure(value: str | float | tuple[float, float] | None) -> str:
    if isinstance(value, tuple):
        return " to ".join(map(_figure, value))
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else short_text(readable(value))


def evened(manifest: Manifest | None) -> float | None:
    """The `--count-power` of the vectors, 1 for the plain pmi; None when their manifest does not say."""
    power = (manifest.config if manifest else {}).get("count_power")
    return None if power is None else float(power)
