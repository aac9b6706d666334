"""A small run whose words are as hostile as words can be, and a reader of pages."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import tables

from simglove_spark.manifest import Manifest
from simglove_spark.vectors import Vectors

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "<!--<script>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&amp;",
    "\u202egnirts",
    "tab\there\nand\u2028there",
    "\x1b[31mred\x07",
    "javascript:window.hacked=1",
    "'); window.hacked = 1; ('",
    "飞机场",
    "x" * 1_000_000,
]
VOID = {"meta", "link", "input", "br", "img", "hr", "col"}


def words_of(size: int, words: list[str]) -> dict[str, int]:
    """Counts of the given words, and of plain ones for the rest."""
    names = [*words, *(f"w{number}" for number in range(size - len(words)))]
    return {name: 10_000 // (rank + 1) + 5 for rank, name in enumerate(names)}


def write_run(folder: Path, words: list[str], size: int = 40, power: float | None = 0.75) -> Manifest:
    """A finished run over ``size`` words, without the word counts; returns the manifest of its vectors."""
    counts = words_of(size, words)
    vocabulary = tables.write_vocabulary(folder / "vocabulary", counts)
    pairs = tables.write_pairs(folder / "pairs", tables.random_pairs(size, 600), vocabulary, unit=10)
    matrix = np.random.default_rng(3).standard_normal((size, 4))
    passes = [{"sweep": number, "loss": 5.0 / number, "held_out_loss": 6.0 / number} for number in (1, 2, 3)]
    manifest = Vectors(list(counts), matrix, list(counts.values())).save(
        folder / "vectors",
        config={} if power is None else {"count_power": power, "dim": 4, "sweeps": 3},
        parents=[vocabulary.as_parent(), pairs.as_parent()],
        seed=1,
        details={"passes": passes},
    )
    stages = {"train": {"status": "complete", "seconds": 2.0, "rows": size, "bytes": 4096, "sha256": "0" * 64}}
    run = {"status": "complete", "started": "2026-01-02T03:04:05.678+00:00", "config": {"threads": 2}, "stages": stages}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return manifest


class Page(HTMLParser):
    """Tags with their attributes in order, the text of each script, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} closes another element (after {self.text[-80:]!r})"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif not self.open or self.open[-1] != "style":
            self.text += data
