"""The report's page: everything about a run in one text, which fetches nothing."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from simglove_spark.errors import ConfigError
from simglove_spark.figures import plain
from simglove_spark.pages.report import charts, tables
from simglove_spark.pages.report.run_folder import Evaluation, RunFolder
from simglove_spark.pages.report.word_map import Projection
from simglove_spark.pages.telling_words import telling_words
from simglove_spark.shown import short_text

WATCHED = 12  # words, where none is named
PAGES = files("simglove_spark.pages")
NEEDED = "report must have Jinja2; got an environment without it. Install it: pip install 'simglove-spark[report]'"


def render(
    folder: RunFolder,
    evaluations: Sequence[Evaluation],
    watch: Sequence[str],
    map_words: int,
    projection: Projection,
) -> str:
    """The report of a run as HTML; the same run and options give the same text on one machine.

    Parameters
    ----------
    folder : RunFolder
    evaluations : sequence of (name, rows)
        As `read_evaluations` gives them.
    watch : sequence of str
        Words whose neighbours are shown; when there are none, words of all ranks.
    map_words : int
        So many of the most frequent words are on the map.
    projection : str
        As `word_map.project` says.

    Raises
    ------
    ConfigError
        When a library of the extra ``report`` is missing.
    InputError
        When a word to watch is not in the vocabulary.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise ConfigError(NEEDED) from error
    vectors = folder.vectors
    manifest = folder.manifests["vectors"]
    watched = charts.neighbours(vectors, watch or telling_words(vectors, WATCHED))
    passes = manifest.details.get("passes", [])
    data = {
        "losses": charts.losses(passes),
        "norms": charts.norms(vectors),
        "map": charts.word_map(vectors, map_words, projection, manifest.seed),
        "watched": [row["word"] for row in watched],
    }
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    scripts = {"echarts": _asset("report/echarts/echarts.min.js"), "own": _asset("report/report.js")}
    text = template.from_string(_asset("report/report.html")).render(
        title=folder.path.name,
        glance=tables.glance(folder),
        stages=tables.stages(folder),
        lineage=tables.lineage(folder),
        settings=tables.settings(folder),
        evaluations=[(short_text(name), *tables.evaluation(rows)) for name, rows in evaluations],
        watched=watched,
        settling=tables.settling(folder),
        power=tables.evened(manifest),
        data=plain(data),
        error=folder.run.get("error"),
        projection=projection,
        naming=tables.NAMING,
        style=_asset("base.css") + _asset("report/report.css"),
        scripts=scripts,
        policy=_policy(scripts.values()),
    )
    return text.encode("utf-8", "replace").decode()  # a path may hold bytes that are no text


def _asset(name: str) -> str:
    return PAGES.joinpath(*name.split("/")).read_text(encoding="utf-8")


def _policy(scripts: Any) -> str:
    """What the page may do: run these scripts, dress itself, and nothing else."""
    sums = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{checksum}'" for checksum in sums)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def default_output(folder: Path) -> Path:
    """Where a report goes when nothing is said: beside the run, which is never changed."""
    return folder.parent / f"{folder.name}.report.html"
