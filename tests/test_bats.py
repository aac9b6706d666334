"""The Bigger Analogy Test Set: its layout, its questions against plain loops, and what is refused."""

import json
import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_evaluate import counted, judged, naive_answer, write

from simglove_spark import cli
from simglove_spark.errors import InputError
from simglove_spark.evaluate import AnalogySet, analogies, read_set
from simglove_spark.vectors import Vectors

# as published: four folders of ten files, here of one or two; words that are lower case or not, several answers
PUBLISHED = {
    "1_Inflectional_morphology/I01 [noun - plural_reg].txt": "album\talbums\napplication\tapplications\narea\tareas\n",
    "1_Inflectional_morphology/I02 [noun - plural_irreg].txt": "ability\tabilities\nchild\tchildren\n",
    "2_Derivational_morphology/D01 [noun+less_reg].txt": "arm\tarmless\nart\tartless\n",
    "3_Encyclopedic_semantics/E10 [male - female].txt": "Actor\tactress\r\nbatman\tbatwoman/batgirl\r\nboar\tsow/gilt\r\n",
    "4_Lexicographic_semantics/L10 [antonyms - binary].txt": "after\tbefore/earlier/previously\nahead\tbehind\n",
}


def published(folder: Path, files: dict[str, str] = PUBLISHED) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, text)
    return folder


def test_it_is_recognised_as_published(tmp_path: Path) -> None:
    folder = published(tmp_path / "BATS_3.0")
    write(folder / "metadata.json", "{}")
    found = read_set(folder)
    assert isinstance(found, AnalogySet)
    assert found.file == "BATS_3.0"
    assert [tuple(section) for section in found.sections] == [
        ("I01 [noun - plural_reg]", "Inflectional morphology"),
        ("I02 [noun - plural_irreg]", "Inflectional morphology"),
        ("D01 [noun+less_reg]", "Derivational morphology"),
        ("E10 [male - female]", "Encyclopedic semantics"),
        ("L10 [antonyms - binary]", "Lexicographic semantics"),
    ]
    assert np.bincount(found.section).tolist() == [6, 2, 2, 6, 2]
    male_female = [question for question, place in zip(found.questions, found.section, strict=True) if place == 3]
    assert male_female[1] == (("boar", "sow", "actor"), ("actress",), ("boar", "actor", "sow", "gilt"))
    assert {question.asked[:2] for question in male_female} == {
        ("actor", "actress"),
        ("batman", "batwoman"),
        ("boar", "sow"),
    }
    assert read_set(folder, "analogy").questions == found.questions


def test_files_side_by_side_have_no_groups(tmp_path: Path) -> None:
    found = read_set(published(tmp_path / "own", {"a.txt": "x y,z\nv w\n"}))
    assert isinstance(found, AnalogySet)
    assert [tuple(section) for section in found.sections] == [("a", None)]
    assert found.questions[0] == (("v", "w", "x"), ("y", "z"), ("v", "x", "w"))


def test_any_right_answer_counts_and_none_of_the_first_pair(tmp_path: Path) -> None:
    # The nearest to b - a + c is b2, an answer of the first pair; then e, and never d. To d - c + a of what is left it is b, or b2
    rows = {"a": (1, 0, 0), "b": (1, 1, 0), "b2": (1, 1, 1), "c": (1, 0, 1), "d": (-1, 0, 0), "e": (1, 0.9, 0.9)}
    vectors = Vectors(list(rows), list(rows.values()), range(9, 3, -1))
    for answers, told in (("d/e", (2, 2, 2)), ("e/nobody", (2, 2, 2)), ("d", (1, 2, 2)), ("nobody/e", (0, 0, 2))):
        folder = published(tmp_path / answers.replace("/", "-"), {"k/x.txt": f"a\tb/b2\nc\t{answers}\n"})
        result = judged(vectors, folder)
        assert counted(result.measure("3CosAdd", "all")) == told
        assert counted(result.measure("3CosAdd", "k")) == counted(result.measure("3CosAdd", "x")) == told
    assert result.setting == (
        "unit vectors, argmax over the 6 most frequent words less those asked and all answers of the first pair (BATS: any "
        "right answer counts)"
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999))
def test_it_is_its_naive_twin(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    random = np.random.default_rng(seed)
    words, frequent = [f"w{row}" for row in range(24)], list(range(20))
    vectors = Vectors(words, random.standard_normal((24, 3)), range(24, 0, -1))
    unit = [row / np.linalg.norm(row) for row in vectors.matrix.astype(float)]
    pairs = [(int(random.integers(0, 24)), random.choice(24, random.integers(1, 4), False).tolist()) for _ in range(6)]
    text = "".join(f"{words[word]}\t{'/'.join(words[one] for one in answers)}\n" for word, answers in pairs)
    folder = published(tmp_path_factory.mktemp("bats"), {"k/x.txt": text})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analogies, "MOST_FREQUENT", 20)
        patch.setattr(analogies, "BATCH_QUESTIONS", 7)
        result = judged(vectors, folder)
    for name, multiply in (("3CosAdd", False), ("3CosMul", True)):
        found = correct = 0
        for (a, of_a), (c, of_c) in permutations(pairs, 2):
            if all(row in frequent for row in (a, of_a[0], c, of_c[0])):
                found += 1
                open_to = [row for row in frequent if row not in of_a]
                correct += naive_answer(unit, open_to, a, of_a[0], c, multiply) in of_c
        assert counted(result.measure(name)) == (correct, found, 30)


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ("word", "'word'"),
        ("word\t/ /", "'word\\t/ /'"),
        ("word\t\tx", "'word\\t\\tx'"),
        ("king\tqueen\tx", "'king\\tqueen\\tx'"),
    ],
)
def test_a_line_without_answers_is_refused(tmp_path: Path, line: str, got: str) -> None:
    folder = published(tmp_path / "b", {"k/x.txt": f"a\tb\nc\td\nc\td\nc\td\nc\td\n{line}\n"})
    message = f"line must be a word, a tab and its answers; got {got} ({folder / 'k' / 'x.txt'}, line 6). Mend it."
    with pytest.raises(InputError, match=re.escape(message)):
        read_set(folder)


def test_a_folder_of_other_texts_is_none(tmp_path: Path) -> None:
    for text in ("some prose of lines\n", "word\t7.5\n", "word\n"):
        with pytest.raises(InputError, match="evaluation set must be of a known kind; got a folder with k"):
            read_set(published(tmp_path / "other", {"k/x.txt": text}))
    with pytest.raises(InputError, match="analogies must be one question or more; got none"):
        read_set(published(tmp_path / "one", {"k/x.txt": "a\tb\n"}))


def test_the_command_scores_it_with_coverage_and_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for text in PUBLISHED.values() for word in re.split(r"[\t/\s]+", text.lower()) if word]
    random = np.random.default_rng(1)
    Vectors(words[:-1], random.standard_normal((len(words) - 1, 5)), range(len(words), 1, -1)).save(tmp_path / "v")
    asked = ["evaluate", "--vectors", str(tmp_path / "v"), "--sets", str(published(tmp_path / "BATS_3.0"))]
    assert cli.main([*asked, "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["kind"], result["found"], result["total"]) == ("analogy", 16, 18)  # "behind" is unknown
    told = {one["part"]: one for one in result["scores"] if one["measure"] == "3CosMul"}
    assert told["Lexicographic semantics"]["coverage"] == told["L10 [antonyms - binary]"]["coverage"] == 0
    assert told["Encyclopedic semantics"]["interval"] is not None
    assert cli.main(asked) == 0
    shown = capsys.readouterr().out
    assert "3CosAdd, Inflectional morphology" in shown
    assert "I01" not in shown
