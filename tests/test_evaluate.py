"""Evaluation: Spearman and analogies against naive twins and an example counted by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simglove_spark import evaluate
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.evaluate import Accuracy, analogies, similarity, spearman
from simglove_spark.vectors import Vectors


def naive_ranks(values: list[float]) -> list[float]:
    return [sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values]


def naive_spearman(first: list[float], second: list[float]) -> float | None:
    x, y = naive_ranks(first), naive_ranks(second)
    mean = (len(x) + 1) / 2
    top = sum((a - mean) * (b - mean) for a, b in zip(x, y, strict=True))
    scale = sum((a - mean) ** 2 for a in x) * sum((b - mean) ** 2 for b in y)
    return top / math.sqrt(scale) if scale else None


def test_spearman_counted_by_hand() -> None:
    # ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 (1 + 1 + 1 + 1 + 0) / (5 * 24) = 0.8
    assert spearman([1, 2, 3, 4, 50], [20, 10, 40, 30, 50]) == pytest.approx(0.8)
    # ranks 1 2.5 2.5 4 against 1 2 3 4: deviations -1.5 0 0 1.5 and -1.5 -.5 .5 1.5; 4.5 / sqrt(4.5 * 5)
    assert spearman([1, 2, 2, 9], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(22.5))
    assert spearman([1, 2, 3], [3, 2, 1]) == -1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_spearman_is_its_naive_twin_with_many_ties(pairs: list[tuple[int, int]]) -> None:
    first, second = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    expected = naive_spearman(first, second)
    assert spearman(first, second) == (None if expected is None else pytest.approx(expected, abs=1e-12))


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_similarity_counted_by_hand(tmp_path: Path) -> None:
    # cosines with "a" (1, 0): b 1, c 0.6, d 0, e -1; the scores put c before b, so ranks 4 3 2 1 against 3 4 2 1
    vectors = Vectors(list("abcde"), [[1, 0], [9, 0], [3, 4], [0, 2], [-1, 0]])
    path = write(tmp_path / "pairs.txt", "A\tb\t8\r\na\tC\t9.5\r\nmissing\ta\t1\r\n\r\na\td\t3\r\ne\ta\t.5")
    result = similarity(vectors, path)
    assert result.score == pytest.approx(0.8)
    assert result.to_dict() == {
        "kind": "similarity",
        "file": "pairs.txt",
        "score": result.score,
        "found": 4,
        "total": 5,
        "coverage": 0.8,
        "setting": {"metric": "cosine", "correlation": "spearman", "lowercase": True, "words": 5},
    }


@pytest.mark.parametrize("text", ["x\ty\t1\n", "a\tb\t1\n", "a\tb\t1\na\tb\t2\n"])
def test_similarity_without_an_order_has_no_score(tmp_path: Path, text: str) -> None:
    result = similarity(Vectors(["a", "b"], np.eye(2)), write(tmp_path / "pairs.txt", text))
    assert result.score is None
    assert result.found == text.count("a")
    assert json.loads(json.dumps(result.to_dict()))["score"] is None


def square() -> Vectors:
    """Two directions, sex and rank: king - man + woman is nearest to queen."""
    angles = {"man": (1, 0, 1), "woman": (-1, 0, 1), "king": (1, 2, 1), "queen": (-1, 2, 1), "prince": (0, 2, 1)}
    rows = np.array(list(angles.values()), dtype=float)
    return Vectors([*angles, "rare"], np.vstack([rows, [5, 5, 5]]), [50, 40, 30, 20, 10, 1])


QUESTIONS = """: family
Man king woman QUEEN
man king woman prince
: second
king man queen woman
unknown king woman queen
: gram1-odd
woman queen man king
rare king woman queen
"""


def test_analogies_counted_by_hand(tmp_path: Path) -> None:
    result = analogies(square(), write(tmp_path / "q.txt", QUESTIONS.replace("\n", "\r\n")), most_frequent=5)
    assert result.all == Accuracy("all", 3, 4, 6)
    assert result.semantic == Accuracy("semantic", 2, 3, 4)
    assert result.syntactic == Accuracy("syntactic", 1, 1, 2)
    assert result.sections == (Accuracy("family", 1, 2, 2), Accuracy("second", 1, 1, 2), Accuracy("gram1-odd", 1, 1, 2))
    told = json.loads(json.dumps(result.to_dict()))
    assert (told["score"], told["found"], told["total"], told["coverage"]) == (0.75, 4, 6, 4 / 6)
    assert told["semantic"] == {"score": 2 / 3, "found": 3, "total": 4, "coverage": 0.75, "correct": 2}
    assert told["sections"][1] == {"name": "second", "score": 1, "found": 1, "total": 2, "coverage": 0.5, "correct": 1}
    assert told["setting"] == {"metric": "cosine of b - a + c", "lowercase": True, "words": 5}
    # with all six words the question with "rare" is found, too
    assert analogies(square(), tmp_path / "q.txt").all.found == 5


def test_without_grammar_sections_only_all_is_told(tmp_path: Path) -> None:
    result = analogies(square(), write(tmp_path / "q.txt", QUESTIONS.replace("gram1", "third")))
    assert result.semantic is None
    assert result.syntactic is None
    assert "semantic" not in result.to_dict()


def test_nothing_covered_has_no_score(tmp_path: Path) -> None:
    result = analogies(Vectors(["x"], [[1]]), write(tmp_path / "q.txt", QUESTIONS))
    assert (result.all.score, result.all.found, result.to_dict()["coverage"]) == (None, 0, 0)


def test_analogies_are_their_naive_twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "BATCH_QUESTIONS", 16)  # several batches, the last one short
    random = np.random.default_rng(5)
    words = [f"w{row}" for row in range(40)]
    counts = random.permutation(40)
    vectors = Vectors(words, random.standard_normal((40, 3)), counts)
    frequent = sorted(range(40), key=lambda row: -counts[row])[:25]
    unit = [np.asarray(row, float) / math.sqrt(sum(float(x) ** 2 for x in row)) for row in vectors.matrix]
    lines, correct, found = [": all"], 0, 0
    for _ in range(150):
        a, b, c, d = (int(number) for number in random.integers(0, 40, 4))
        target = unit[b] - unit[a] + unit[c]
        best = max((row for row in frequent if row not in (a, b, c)), key=lambda row: float(unit[row] @ target))
        d = best if random.random() < 0.5 else d
        lines.append(" ".join(words[row] for row in (a, b, c, d)))
        covered = all(row in frequent for row in (a, b, c, d))
        found += covered
        correct += covered and best == d
    result = analogies(vectors, write(tmp_path / "q.txt", "\n".join(lines)), most_frequent=25)
    assert result.all == Accuracy("all", correct, found, 150)
    assert 0 < correct < found < 150


def test_equal_words_answer_by_frequency(tmp_path: Path) -> None:
    twins = Vectors(["a", "b", "c", "late", "early"], [[1, 0], [0, 1], [1, 0], [0, 1], [0, 1]], [9, 9, 9, 1, 5])
    path = write(tmp_path / "q.txt", ": s\na b c early\na b c late\n")
    assert analogies(twins, path).all == Accuracy("all", 1, 2, 2)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a\tb\t1\na b 2\n", "line must be word, tab, word, tab, score; got 'a b 2' ({}, line 2). Mend it."),
        (b"a\tb\t1\t2\n", "line must be word, tab, word, tab, score; got 'a\\tb\\t1\\t2' ({}, line 1). Mend it."),
        (b"\n\na\tb\tx\n", "score must be a finite number; got 'x' ({}, line 3). Mend the line."),
        (b"a\tb\tnan\n", "score must be a finite number; got 'nan' ({}, line 1). Mend the line."),
        (b"a\tb\t1\n\xff\tb\t2\n", "line must be UTF-8; got b'\\xff\\tb\\t2' ({}, line 2). Convert the file."),
        (b" \r\n", "evaluation set must have lines; got an empty file ({}). Give another file."),
    ],
)
def test_a_malformed_similarity_file_is_refused_with_its_line(tmp_path: Path, raw: bytes, message: str) -> None:
    path = write(tmp_path / "pairs.txt", raw)
    with pytest.raises(InputError) as caught:
        similarity(square(), path)
    assert str(caught.value) == message.format(path)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b": s\na b c\n", "line must be four words; got 'a b c' ({}, line 2). Mend it."),
        (b": s\na b c d e\n", "line must be four words; got 'a b c d e' ({}, line 2). Mend it."),
        (
            b"a b c d\n",
            "line must be ': name' of a section before the first question; got 'a b c d' ({}, line 1). Mend it.",
        ),
        (b": s\n", "analogies must be one question or more; got none ({}). Give another file."),
        (b"", "evaluation set must have lines; got an empty file ({}). Give another file."),
    ],
)
def test_a_malformed_analogy_file_is_refused_with_its_line(tmp_path: Path, raw: bytes, message: str) -> None:
    path = write(tmp_path / "q.txt", raw)
    with pytest.raises(InputError) as caught:
        analogies(square(), path)
    assert str(caught.value) == message.format(path)


def test_missing_files_and_impossible_settings_are_refused(tmp_path: Path) -> None:
    for judge in (similarity, analogies):
        with pytest.raises(InputError) as caught:
            judge(square(), tmp_path / "none")
        assert str(caught.value) == f"evaluation set must be a file; got nothing ({tmp_path / 'none'}). Give its path."
    with pytest.raises(ConfigError, match="must be at least 1; got 0"):
        analogies(square(), write(tmp_path / "q.txt", QUESTIONS), most_frequent=0)


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.txt", b"\xef\xbb\xbfman\tking\t1\n")
    assert similarity(square(), path).found == 1
