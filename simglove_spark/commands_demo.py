"""`simglove demo`: the whole road on text that every machine has, and what came out of it."""

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simglove_spark.commands_road import resolved
from simglove_spark.config import (
    CorpusConfig,
    ObserveConfig,
    PairsConfig,
    RunConfig,
    SparkConfig,
    TrainConfig,
    VocabularyConfig,
)
from simglove_spark.docstrings import write_docstrings
from simglove_spark.memory import cores
from simglove_spark.observing.observed import observed
from simglove_spark.output import local_path
from simglove_spark.shown import plain_text
from simglove_spark.vectors import Vectors

TELLING_WORDS = ("array", "thread", "exception", "socket", "monday")
HELD_OUT = 0.01
FREQUENT_WORDS = 3000  # the norms of rare words say little


def demo(
    *,
    output: Annotated[str, Parameter(help="Run folder to write.")] = "simglove-demo",
    resources: RunConfig = RunConfig(),
    spark: SparkConfig = SparkConfig(),
    observe: ObserveConfig = ObserveConfig(),
) -> None:
    """The whole road on real text: the docstrings of this Python's packages. Counts, trains, and shows what came out."""
    from simglove_spark.run import Road, walk  # brings numba, which other commands do without

    folder = local_path(output)
    # the plain pmi, so that what is said together and the norms can be shown as what they are
    vocabulary, pairs, training = VocabularyConfig(), PairsConfig(), TrainConfig(held_out=HELD_OUT, count_power=1.0)
    progress = observed(observe)
    with progress.task("read docstrings", unit="files") as task:
        text = write_docstrings(None, cores(), task.set)
    corpus = CorpusConfig(input=(str(text),))
    road = Road(corpus, vocabulary, pairs, training, resources, spark)
    walk(
        folder, road, "demo", resolved(corpus, vocabulary, pairs, training, resources, spark), progress.run_id, progress
    )
    _show(folder, text)


def _show(folder: Path, text: Path) -> None:
    vectors = Vectors.load(folder / "vectors")
    console = Console(highlight=False, soft_wrap=True)
    _show_losses(console, vectors)
    known = [word for word in TELLING_WORDS if word in vectors]
    _show_words(console, "Words that behave alike", {word: vectors.most_similar(word, 8) for word in known})
    _show_words(console, "Words said together (pmi)", {word: vectors.most_correlative(word, 8) for word in known})
    _show_norms(console, vectors)
    console.print(f"The text is {text}, the results are in {folder} (run.json tells how they came about).")
    console.print("What to type next:")
    console.print(f"  simglove similar list --vectors {folder / 'vectors'}")
    console.print(f"  simglove correlate file --vectors {folder / 'vectors'}")
    console.print("  simglove run --input YOUR_TEXT --output RUN      # your own corpus: one text or paragraph a line")
    console.print("  simglove --help")


def _show_losses(console: Console, vectors: Vectors) -> None:
    passes = vectors.manifest.details["passes"] if vectors.manifest else []
    if passes and "held_out_loss" in passes[-1]:
        first, last = passes[0], passes[-1]
        console.print(
            f"\nOf {HELD_OUT:.0%} of the pairs, kept out of training, the squared error of the predicted pmi is "
            f"{last['held_out_loss']:.2f} (weighted mean, nats squared);\nafter the first sweep it was "
            f"{first['held_out_loss']:.2f}, and the guess that all words are independent has {last['held_out_baseline']:.2f}.\n"
        )


def _show_words(console: Console, title: str, found: dict[str, list[tuple[str, float]]]) -> None:
    table = Table("word", "nearest first", title=title, title_justify="left")
    for word, rows in found.items():
        table.add_row(word, Text(", ".join(f"{plain_text(other)} {score:.2f}" for other, score in rows)))
    console.print(table)


def _show_norms(console: Console, vectors: Vectors) -> None:
    frequent = vectors.most_frequent(FREQUENT_WORDS)
    order = frequent[np.argsort(vectors.norms[frequent])]
    title = f"|v| of the {len(frequent):,} most frequent words"
    table = Table("norms", "words", title=title, title_justify="left")
    for name, ids in (("smallest", order[:12]), ("largest", order[::-1][:12])):
        shown = (f"{plain_text(vectors.words[i])} {vectors.norms[i]:.2f}" for i in ids.tolist())
        table.add_row(name, Text(", ".join(shown)))
    console.print(table)


COMMANDS = {"demo": demo}
