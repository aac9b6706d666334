"""What kind of evaluation set a path holds."""

from itertools import islice
from pathlib import Path

from simglove_spark.errors import InputError
from simglove_spark.evaluate import bats
from simglove_spark.evaluate.analogies import AnalogySet
from simglove_spark.evaluate.categories import CategorySet
from simglove_spark.evaluate.keywords import DOCUMENTS, KEYS, KeywordSet
from simglove_spark.evaluate.lines import lines, rows, shown
from simglove_spark.evaluate.sentences import SentenceSet
from simglove_spark.evaluate.similarity import SimilaritySet
from simglove_spark.storage.copies import fetched

HEAD = 5


#: A set of one kind, read whole: ``judge(vectors, seed)`` scores every item; the seed is for what is random, as clusters are.
EvaluationSet = AnalogySet | SentenceSet | SimilaritySet | CategorySet | KeywordSet

#: By name, in the order in which they are tried: the first whose first lines fit.
KINDS: dict[str, type[EvaluationSet]] = {
    kind.kind: kind for kind in (KeywordSet, AnalogySet, SentenceSet, SimilaritySet, CategorySet)
}


def read_set(path: str | Path, kind: str | None = None) -> EvaluationSet:
    """Read an evaluation set.

    Parameters
    ----------
    path
        File, or folder: of documents and keys, or of categories of analogies.
    kind
        One of `KINDS`; None tells it by the first lines.

    Raises
    ------
    InputError
        When it is missing, empty, malformed, or of no kind that is known; the message then says what was looked for.
    """
    path = fetched(path)
    return (_recognised(path) if kind is None else KINDS[kind]).read(path)


def _recognised(path: Path) -> type[EvaluationSet]:
    if path.is_dir():
        if (path / DOCUMENTS).is_dir() and (path / KEYS).is_dir():
            return KeywordSet
        if bats.is_here(path):
            return AnalogySet
        got = "a folder with " + (", ".join(sorted(inside.name for inside in path.iterdir())[:5]) or "nothing")
    else:
        first = list(islice(rows(lines(path)), HEAD))
        for kind in KINDS.values():
            if first and kind.fits(first):
                return kind
        got = shown(first[0].columns) if first else "comments alone"
    looked = "; ".join(f"{kind.kind}: {kind.looks}" for kind in KINDS.values())
    raise InputError(
        f"evaluation set must be of a known kind; got {got} ({path}). Looked for {looked}. "
        "Name its kind, as --similarity does, to be told which line does not fit."
    )
