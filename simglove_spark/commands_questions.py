"""Commands that ask finished vectors, the words of one command or a stream: similar, correlate, analogy, keywords, similarity, pmi, explain."""

import json as json_module
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simglove_spark import questions
from simglove_spark.asking.sentences import Candidates, How, KeywordMeasure, told
from simglove_spark.config import TextConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.option_checks import Json, PairsFolder, VectorsFolder, Whole, open_pairs
from simglove_spark.shown import short_text
from simglove_spark.storage.paths import path_of
from simglove_spark.vectors import Vectors

if TYPE_CHECKING:
    from simglove_spark.asking.pair_table import PairTable

Words = Annotated[str, Parameter(help="Words to ask for; - or none: standard input, one question a line.")]
TopN = Annotated[Whole, Parameter(help="How many words to show.")]
Asked = TypeVar("Asked")
TITLE = 40  # characters of a question over its answers


@dataclass(frozen=True)
class Answer:
    """Rows of a table, each with the same columns, and what else is to be told in JSON."""

    rows: list[dict[str, Any]]
    more: dict[str, Any] = field(default_factory=dict)


def similar(*words: Words, vectors: VectorsFolder, topn: TopN = 10, json: Json = False) -> None:
    """Words that behave like the given ones: cosine in the metric of the contexts."""

    def answer(known: Vectors, word: str) -> Answer:
        return _ranked(known.most_similar(word, topn), "similarity")

    _ask(words, str, answer, {word: word for word in words}, vectors, json, by_question=True)


def correlate(
    *words: Words,
    vectors: VectorsFolder,
    topn: TopN = 10,
    normalize: Annotated[bool, Parameter(negative="", help="Cosine instead of the inner product.")] = False,
    json: Json = False,
) -> None:
    """Words that are said together with the given ones: the inner product, which is the predicted PMI in nats."""

    def answer(known: Vectors, word: str) -> Answer:
        return _ranked(known.most_correlative(word, topn, normalize), "cosine" if normalize else "pmi")

    _ask(words, str, answer, {word: word for word in words}, vectors, json, by_question=True)


def analogy(
    *positive: Annotated[str, Parameter(help="Words that are added; - or none: standard input, as king woman - man.")],
    vectors: VectorsFolder,
    minus: Annotated[
        tuple[str, ...],
        Parameter(help="Words whose vectors are subtracted.", consume_multiple=True, negative="", show_default=False),
    ] = (),
    topn: TopN = 10,
    json: Json = False,
) -> None:
    """Words nearest to a sum of words: king woman --minus man."""

    def answer(known: Vectors, words: tuple[list[str], list[str]]) -> Answer:
        return _ranked(known.analogy(*words, topn), "cosine")

    asked = " + ".join(positive) + "".join(f" - {word}" for word in minus)
    given = {asked: (list(positive), list(minus))}
    _ask(positive, questions.plus_and_minus, answer, given, vectors, json, by_question=True)


def keywords(
    *text: Annotated[str, Parameter(help="A text cut into words; - or none: standard input, one text a line.")],
    vectors: VectorsFolder,
    topn: TopN = 10,
    measure: Annotated[
        KeywordMeasure,
        Parameter(help="z: against an average text; inner product or cosine with the sum; sif: weighed."),
    ] = "z",
    candidates: Annotated[Candidates, Parameter(help="The text's own words, or all that are known.")] = "text",
    reading: TextConfig = TextConfig(),
    json: Json = False,
) -> None:
    """Words that a text calls for most."""

    def answer(known: Vectors, line: str) -> Answer:
        sentence = known.sentence(line)
        found = _ranked(known.keywords(sentence, topn, measure, candidates), measure)
        return Answer(found.rows, {"unknown": sentence.unknown})

    asked = " ".join(text)
    _ask(text, str, answer, {asked: asked}, vectors, json, reading=reading)


def similarity(
    *texts: Annotated[str, Parameter(help="Two texts; - or none: standard input, two a line with a tab between.")],
    vectors: VectorsFolder,
    how: Annotated[How, Parameter(help="What is compared: see Vectors.sentence_vector.")] = "whitened",
    reading: TextConfig = TextConfig(),
    json: Json = False,
) -> None:
    """How alike two texts are: the cosine of their sums of words."""

    def answer(known: Vectors, pair: tuple[str, str]) -> Answer:
        first, second = map(known.sentence, pair)
        row = {"first": pair[0], "second": pair[1], "similarity": known.sentence_similarity(first, second, how)}
        return Answer([row], {"unknown": tuple(dict.fromkeys(first.unknown + second.unknown))})

    _ask_of_two(texts, answer, vectors, json, reading=reading)


def pmi(*words: Words, vectors: VectorsFolder, pairs: PairsFolder = None, json: Json = False) -> None:
    """PMI of two words in nats: inner product, predicted and, with --pairs, observed with its pair count."""
    table = open_pairs(pairs)
    _ask_of_two(words, lambda known, pair: Answer([asdict(known.pmi(*pair, table))]), vectors, json, table)


def explain(
    *words: Words, vectors: VectorsFolder, pairs: PairsFolder = None, topn: TopN = 10, json: Json = False
) -> None:
    """Contexts that bring two words together: as predicted or, with --pairs, as observed."""
    table = open_pairs(pairs)

    def answer(known: Vectors, pair: tuple[str, str]) -> Answer:
        found, value = known.explain(*pair, topn, table), "observed" if pairs else "predicted"
        rows = []
        for context in found.contexts:
            row: dict[str, Any] = {"word": context.word, "score": context.score}
            for place, one in (("first", context.first), ("second", context.second)):
                row |= {f"{place}_pmi": getattr(one, value)} | ({f"{place}_count": one.count} if pairs else {})
            rows.append(row)
        return Answer(rows, {"similarity": found.similarity, "pmi": asdict(found.pmi)})

    _ask_of_two(words, answer, vectors, json, table)


def _ranked(found: list[tuple[str, float]], measure: str) -> Answer:
    return Answer([{"word": word, measure: score} for word, score in found])


def _ask_of_two(
    words: tuple[str, ...],
    answer: Callable[..., Answer],
    folder: str,
    as_json: bool,
    pairs: "PairTable | None" = None,
    reading: TextConfig | None = None,
) -> None:
    if words and not questions.are_piped(words) and len(words) != 2:
        raise ConfigError(f"words must be two; got {len(words)}. Put a text of several words into quotes.")
    _ask(words, questions.tabbed_pair, answer, {" | ".join(words): words}, folder, as_json, pairs, reading)


def _ask(
    words: tuple[str, ...],
    parse: Callable[[str], Asked],
    answer: Callable[[Vectors, Asked], Answer],
    given: dict[str, Asked],
    folder: str,
    as_json: bool,
    pairs: "PairTable | None" = None,
    reading: TextConfig | None = None,
    by_question: bool = False,
) -> None:
    """Answer the questions ``given``, or those of standard input, each of whose lines ``parse`` reads.

    The JSON of questions given is that of a line of a stream, or with ``by_question`` one object of all.
    """
    if questions.are_piped(words):
        lines = questions.lines()
        _answer_lines(lines, parse, answer, _load(folder, pairs, reading), as_json or not sys.stdout.isatty())
        return
    if not words:
        raise questions.no_words()
    questions.check_text(words)
    known = _load(folder, pairs, reading)
    answers = {asked: answer(known, question) for asked, question in given.items()}
    for found in answers.values():
        _tell_unknown(found, "")
    if not as_json:
        _show(answers)
    elif by_question:
        print(json_module.dumps({asked: found.rows for asked, found in answers.items()}, ensure_ascii=False, indent=1))
    else:
        for asked, found in answers.items():
            _print_line({"question": asked, "answers": found.rows, **found.more})


def _load(folder: str, pairs: "PairTable | None", reading: TextConfig | None) -> Vectors:
    known = Vectors.load(path_of(folder))
    if reading is not None:
        questions.read_texts_as(reading, known)
    if pairs is not None:
        known.check_pairs(pairs)
    return known


def _answer_lines(
    lines: Any,
    parse: Callable[[str], Asked],
    answer: Callable[[Vectors, Asked], Answer],
    known: Vectors,
    as_json: bool,
) -> None:
    """Answer each line as it comes; one without an answer is told, and is an error only in the end."""
    asked = failed = 0
    for line in lines:
        asked += 1
        try:
            found = answer(known, line.read(parse))
        except InputError as error:
            failed += 1
            print(f"simglove: line {line.number}: {error}", file=sys.stderr, flush=True)
            if as_json:
                _print_line({"question": line.text, "error": str(error)})
            continue
        _tell_unknown(found, f"line {line.number}: ")
        if as_json:
            _print_line({"question": line.text, "answers": found.rows, **found.more})
        else:
            _show({line.text: found})
    if failed:
        raise InputError(
            f"questions must have an answer; got {failed:,} of {asked:,} without (standard input). "
            "The lines above say why."
        )


def _tell_unknown(found: Answer, where: str) -> None:
    unknown = found.more.get("unknown")
    if unknown:
        print(
            f"simglove: {where}words outside the vocabulary were passed over: {told(unknown)}",
            file=sys.stderr,
            flush=True,
        )


def _print_line(value: dict[str, Any]) -> None:
    print(json_module.dumps(value, ensure_ascii=False), flush=True)


def _show(answers: dict[str, Answer]) -> None:
    """Tables side by side, each question's under its name."""
    table = Table()
    columns: list[list[Text]] = []
    for asked, found in answers.items():
        names = list(found.rows[0]) if found.rows else ["word"]
        for name in names:
            values = [row[name] for row in found.rows]
            is_text = all(isinstance(value, str) for value in values)
            title = short_text(asked, TITLE) if name == "word" else name
            table.add_column(Text(title), justify="left" if is_text else "right")
            columns.append([Text(_shown(value)) for value in values])
    for place in range(max(map(len, columns), default=0)):
        table.add_row(*(column[place] if place < len(column) else "" for column in columns))
    Console(highlight=False).print(table)
    for found in answers.values():
        if "pmi" in found.more:
            figures = {"similarity": found.more["similarity"], **found.more["pmi"]}
            numbers = ", ".join(
                f"{name} {_shown(value)}"
                for name, value in figures.items()
                if name not in ("first", "second") and value is not None
            )
            Console(highlight=False).print(numbers, soft_wrap=True, markup=False)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return short_text(value)
    return "-" if value is None else f"{value:,.3f}"


COMMANDS = {
    "similar": similar,
    "correlate": correlate,
    "analogy": analogy,
    "keywords": keywords,
    "similarity": similarity,
    "pmi": pmi,
    "explain": explain,
}
