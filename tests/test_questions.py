"""Questions on the command line and on standard input: tables, JSON, lines that have no answer, hostile words."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables
from test_cli import refused, simglove

from simglove_spark.asking.pair_table import PairTable
from simglove_spark.vectors import Vectors

EVIL = "[red]evil\x1b[31m"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with vectors and the pairs they were learned from."""
    folder = tmp_path_factory.mktemp("run")
    counts = {**tables.word_counts(30), EVIL: 2, "new york": 1}
    vocabulary = tables.write_vocabulary(folder / "vocabulary", counts)
    tables.write_pairs(folder / "pairs", tables.random_pairs(32, 300), vocabulary)
    matrix = np.random.default_rng(2).standard_normal((32, 4))
    Vectors(list(counts), matrix, list(counts.values())).save(folder / "vectors", parents=[vocabulary.as_parent()])
    return folder


def piped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str | bytes, *arguments: Any
) -> tuple[int, list[dict[str, Any]], list[str]]:
    """Exit code, lines of JSON and lines on standard error of a command with that standard input."""
    raw = text if isinstance(text, bytes) else text.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    code, out, err = simglove(capsys, *arguments)
    return code, [json.loads(line) for line in out.splitlines()], err.splitlines()


def ranked(found: list[tuple[str, float]], measure: str) -> list[dict[str, Any]]:
    return [{"word": word, measure: score} for word, score in found]


def test_each_line_is_a_question(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    known, where = Vectors.load(run / "vectors"), ["--vectors", run / "vectors"]
    cases: list[tuple[list[Any], str, list[dict[str, Any]]]] = [
        (["similar"], "w1", ranked(known.most_similar("w1", 3), "similarity")),
        (["similar"], "new york", ranked(known.most_similar("new york", 3), "similarity")),
        (["correlate", "--normalize"], EVIL, ranked(known.most_correlative(EVIL, 3, True), "cosine")),
        (["analogy"], "w1 w2 - w3 w4", ranked(known.analogy(["w1", "w2"], ["w3", "w4"], 3), "cosine")),
        (["analogy"], "w1 w2", ranked(known.analogy(["w1", "w2"], [], 3), "cosine")),
        (["keywords"], "w1 w9 w2 w1", ranked(known.keywords(["w1", "w9", "w2", "w1"], 3), "z")),
        (
            ["keywords", "--measure", "inner", "--candidates", "vocabulary", "--lowercase"],
            "W1 w2",
            ranked(known.keywords(["w1", "w2"], 3, "inner", "vocabulary"), "inner"),
        ),
    ]
    for command, line, expected in cases:
        for dash in ([], ["-"]):
            code, found, err = piped(
                capsys, monkeypatch, f"\n{line}\r\n \n", command[0], *dash, *command[1:], *where, "--topn", 3
            )
            assert (code, err) == (0, [])
            assert [(one["question"], one["answers"]) for one in found] == [(line, expected)]


def test_two_words_or_texts_are_parted_by_a_tab(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    known, where = Vectors.load(run / "vectors"), ["--vectors", run / "vectors"]
    line = "w1 w2\tw3 W4"
    code, found, err = piped(capsys, monkeypatch, line, "similarity", "--how", "sum", "--lowercase", *where)
    likeness = known.sentence_similarity(["w1", "w2"], ["w3", "w4"], "sum")
    row = {"first": "w1 w2", "second": "w3 W4", "similarity": likeness}
    assert (code, found, err) == (0, [{"question": line, "answers": [row], "unknown": []}], [])
    table = PairTable(run / "pairs")
    code, found, _ = piped(capsys, monkeypatch, "w1\tnew york\n", "pmi", *where, "--pairs", run / "pairs")
    assert (code, found[0]["answers"]) == (0, [vars(known.pmi("w1", "new york", table))])
    explained = known.explain("w1", "w2", 4, table)
    asked = ["explain", *where, "--pairs", run / "pairs", "--topn", 4]
    code, found, _ = piped(capsys, monkeypatch, "w1\tw2\n", *asked)
    assert code == 0
    assert found[0]["similarity"] == explained.similarity
    assert found[0]["pmi"] == vars(explained.pmi)
    assert [(row["word"], row["first_pmi"], row["second_count"]) for row in found[0]["answers"]] == [
        (context.word, context.first.observed, context.second.count) for context in explained.contexts
    ]


def test_a_line_without_an_answer_ends_no_stream(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    lines = b"w1\nnobody\n\xff\xfe\nw2\n" + b"\xc3\xa9" * (1 << 19) + b"\nw3"
    code, found, err = piped(capsys, monkeypatch, lines, "similar", "--vectors", run / "vectors")
    assert code == 3
    assert [line["question"][:6] for line in found] == ["w1", "nobody", "\ufffd\ufffd", "w2", "é" * 6, "w3"]
    assert ["answers" in line for line in found] == [True, False, False, True, False, True]
    assert found[1]["error"].startswith("word must be one of the vocabulary's 32; got 'nobody'.")
    assert err[0] == f"simglove: line 2: {found[1]['error']}"
    assert err[1] == "simglove: line 3: question must be UTF-8; got b'\\xff\\xfe'. Convert the text."
    assert err[-1] == (
        "simglove: questions must have an answer; got 3 of 6 without (standard input). The lines above say why."
    )
    assert max(map(len, err)) < 300
    for command, line, message in (
        ("pmi", "w1 w2", "line must be two, with a tab between them; got 'w1 w2'. Mend it."),
        ("analogy", "- w1", "question must begin with words to be added; got '- w1'. Write: king woman - man"),
        ("keywords", "x y", "sentence must have a word of the vocabulary's 32; got 'x', 'y'."),
    ):
        code, found, err = piped(capsys, monkeypatch, line, command, "--vectors", run / "vectors")
        assert (code, len(found), len(err)) == (3, 1, 2)
        assert found[0]["error"].startswith(message)


def test_words_of_a_text_that_are_unknown_are_told(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    where = ["--vectors", run / "vectors"]
    code, found, err = piped(capsys, monkeypatch, "w1\nw1 x\x1b y w2 x\x1b\n", "keywords", *where)
    assert code == 0
    assert [line["unknown"] for line in found] == [[], ["x\x1b", "y"]]
    assert err == ["simglove: line 2: words outside the vocabulary were passed over: 'x\\x1b', 'y'"]
    code, out, shown = simglove(capsys, "similarity", "w1 x", "w2", *where, "--json")
    assert (code, json.loads(out)["unknown"]) == (0, ["x"])
    assert shown == "simglove: words outside the vocabulary were passed over: 'x'\n"


def test_answers_are_tables_and_hostile_words_are_shown_harmless(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known, where = Vectors.load(run / "vectors"), ["--vectors", run / "vectors"]
    code, out, _ = simglove(capsys, "keywords", f"w1 w2 w3 {EVIL}", *where, "--candidates", "vocabulary", "--topn", 40)
    assert code == 0
    assert "[red]evil\ufffd[31m" in out
    assert "\x1b" not in out
    code, out, _ = simglove(capsys, "similarity", "w1 w2", "w3", *where)
    assert f"{known.sentence_similarity(['w1', 'w2'], ['w3']):.3f}" in out
    code, out, _ = simglove(capsys, "pmi", "w1", "w2", *where)
    assert f"{known.pmi('w1', 'w2').inner:.3f}" in out
    code, out, _ = simglove(capsys, "explain", "w1", EVIL, *where, "--pairs", run / "pairs")
    assert f"similarity {known.explain('w1', EVIL).similarity:.3f}, inner" in out
    assert "\x1b" not in out


def test_wrong_questions_are_one_line(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path) -> None:
    where = ["--vectors", run / "vectors"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b" \n\n")))
    for command in ("similar", "analogy", "keywords", "similarity", "explain"):
        assert refused(capsys, 2, command, *where).startswith("words must be given; got none.")
    assert refused(capsys, 2, "pmi", "w1", *where) == (
        "words must be two; got 1. Put a text of several words into quotes."
    )
    assert refused(capsys, 3, "keywords", "w\udcff", *where).startswith("words must be UTF-8; got 'w\\udcff'.")
    assert "got 'nobody'" in refused(capsys, 3, "explain", "w1", "nobody", *where)
    assert "topn must be at least 1" in refused(capsys, 2, "keywords", "w1", *where, "--topn", 0)
    assert "pairs must be a complete table" in refused(capsys, 3, "pmi", "w1", "w2", *where, "--pairs", tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    assert "got none" in refused(capsys, 2, "similar", *where)


def test_pairs_that_do_not_fit_are_refused_before_the_first_line(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path: Path
) -> None:
    vocabulary = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 3, "b": 2})
    tables.write_pairs(tmp_path / "pairs", {(0, 1): 2}, vocabulary)
    for command in ("pmi", "explain"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"w1\tw2\n" * 3)))
        told = refused(capsys, 3, command, "--vectors", run / "vectors", "--pairs", tmp_path / "pairs")
        assert told.startswith("pairs must be counted under the vectors' vocabulary, ")


def test_a_text_of_many_unknown_words_is_told_by_the_first(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(["w1", "w2", *(f"unknown{number}" for number in range(1000))])
    code, _, err = simglove(capsys, "keywords", text, "--vectors", run / "vectors")
    shown = ", ".join(f"'unknown{number}'" for number in range(5))
    assert (code, err) == (0, f"simglove: words outside the vocabulary were passed over: {shown}, ...\n")


def test_a_program_may_ask_line_by_line_and_get_each_answer_at_once(run: Path) -> None:
    command = [sys.executable, "-c", "from simglove_spark.cli import entry; entry()", "similar", "--topn", "2"]
    with subprocess.Popen(
        [*command, "--vectors", str(run / "vectors")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in ("w1", "w2"):
            process.stdin.write(word + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["question"] == word
        process.stdin.close()
        assert process.wait(timeout=60) == 0
