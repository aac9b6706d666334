"""What evaluate prints as JSON is read again whole, and nothing else is."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_evaluate import write

from simglove_spark import cli
from simglove_spark.errors import InputError
from simglove_spark.evaluate import read_set
from simglove_spark.evaluate.saved import Compared, Scored, read_saved
from simglove_spark.vectors import Vectors


def printed(capsys: pytest.CaptureFixture[str], folder: Path, models: int) -> Path:
    """Output of a real evaluation, of words and of sections."""
    write(folder / "pairs.txt", "a b 9\na c 4\nb d 1\nc d 7\nx y 1\n")
    write(folder / "questions.txt", ": one\na b c d\n: gram two\nb a d c\nx a b c\n")
    names = [str(folder / f"vectors{number}") for number in range(models)]
    for number, name in enumerate(names):
        Vectors(list("abcde"), np.random.default_rng(number).standard_normal((5, 3)), [9, 8, 7, 6, 5]).save(name)
    sets = [str(folder / name) for name in ("pairs.txt", "questions.txt")]
    assert cli.main(["evaluate", "--vectors", *names, "--sets", *sets, "--resamples", "20", "--json"]) == 0
    return write(folder / "scores.json", capsys.readouterr().out)


def test_scores_of_one_model_are_read_as_they_were_judged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved = read_saved(printed(capsys, tmp_path, 1))
    known = Vectors.load(tmp_path / "vectors0")
    ((name, rows),) = saved.models
    assert (name, saved.shared) == (str(tmp_path / "vectors0"), [])
    expected = []
    for file in ("pairs.txt", "questions.txt"):
        judged = read_set(tmp_path / file).judge(known, 1)
        for measure in judged:
            told = measure.to_dict(20, 1)
            counts = measure.found, measure.total
            expected.append(
                Scored(judged.kind, file, measure.name, measure.part, measure.score, told["interval"], *counts)
            )
    assert rows == expected
    assert len({row.measure for row in rows}) == 3


def test_a_comparison_has_a_row_for_each_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = printed(capsys, tmp_path, 3)
    saved, names = read_saved(path), [str(tmp_path / f"vectors{number}") for number in range(3)]
    assert [name for name, _ in saved.models] == names
    assert all(len(rows) == len(saved.models[0][1]) for _, rows in saved.models)
    first, second, third = saved.shared[:3]
    printed_first = json.loads(path.read_text())["shared"]["results"][0]
    assert first == Compared(
        "similarity", "pairs.txt", "spearman", "all", names[0], first.score, None, None, None, 4, 5
    )
    assert [row.score for row in (first, second, third)] == printed_first["scores"]
    assert (second.vectors, second.against, third.against) == (names[1], names[0], names[0])
    assert first.score is not None and third.score is not None
    assert third.difference == pytest.approx(third.score - first.score)
    assert list(third.interval or ()) == printed_first["differences"][1]["interval"]


ROW = {"measure": "m", "part": "all", "score": 0.5, "interval": None, "found": 1, "total": 2}
DOCUMENT = {"vectors": "v", "results": [{"kind": "k", "file": "f", "scores": [ROW]}]}


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("{}", "other JSON"),
        ("[]", "other JSON"),
        ("7", "other JSON"),
        ('{"models": []}', "other JSON"),
        (json.dumps({"vectors": "v", "results": [1]}), "other JSON"),
        *(
            (json.dumps(DOCUMENT).replace("0.5", value), "other JSON")
            for value in ('"x"', "true", "NaN", "[1]", "9" * 400)
        ),
        (json.dumps(DOCUMENT).replace("null", "[1, null]"), "other JSON"),
        (json.dumps(DOCUMENT).replace('"found": 1', '"found": 1.5'), "other JSON"),
        ("nonsense", "Expecting value: line 1 column 1 (char 0)"),
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[" * 100_000, "maximum recursion depth exceeded while decoding a JSON array from a unicode string"),
    ],
)
def test_what_evaluate_did_not_print_is_refused(tmp_path: Path, content: str, got: str) -> None:
    path = write(tmp_path / "scores.json", content)
    with pytest.raises(InputError) as caught:
        read_saved(path)
    assert str(caught.value) == (
        f"scores must be what simglove evaluate --json prints; got {got} ({path}). Save that in a file."
    )


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    for path, got in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError) as caught:
            read_saved(path)
        message = f"scores must be a file; got {got} ({path}). Save what simglove evaluate --json prints."
        assert str(caught.value) == message
    with pytest.raises(InputError, match="scores must be what simglove evaluate --json prints; got 'utf-"):
        read_saved(write(tmp_path / "bytes", b"\xff\xfe\xfa"))


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    place=st.sampled_from(["vectors", "results", "models", "shared", "scores", "score", "interval", "found", "file"]),
)
def test_any_value_in_any_place_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: Any, place: str
) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    inner = document if place in ("vectors", "results", "models", "shared") else document["results"][0]
    (inner["scores"][0] if place in ROW else inner)[place] = value
    path = write(tmp_path_factory.mktemp("any") / "scores.json", json.dumps(document))
    with contextlib.suppress(InputError):
        read_saved(path)
