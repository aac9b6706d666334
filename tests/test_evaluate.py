"""Word similarity and analogies against naive twins and examples counted by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simglove_spark.errors import ConfigError, InputError
from simglove_spark.evaluate import Judged, Measure, analogies, read_set, spearman
from simglove_spark.vectors import Vectors


def naive_ranks(values: list[float]) -> list[float]:
    return [sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values]


def naive_pearson(x: list[float], y: list[float]) -> float | None:
    a, b = sum(x) / len(x), sum(y) / len(y)
    top = sum((p - a) * (q - b) for p, q in zip(x, y, strict=True))
    scale = sum((p - a) ** 2 for p in x) * sum((q - b) ** 2 for q in y)
    return top / math.sqrt(scale) if scale else None


def naive_spearman(first: list[float], second: list[float]) -> float | None:
    return naive_pearson(naive_ranks(first), naive_ranks(second))


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


def judged(vectors: Vectors, path: Path, kind: str | None = None) -> Judged:
    return read_set(path, kind).judge(vectors, 1)


def counted(measure: Measure) -> tuple[int, int, int]:
    return measure.correct, measure.found, measure.total


def test_similarity_counted_by_hand(tmp_path: Path) -> None:
    # cosines with "a" (1, 0): b 1, c 0.6, d 0, e -1; the scores put c before b, so ranks 4 3 2 1 against 3 4 2 1
    vectors = Vectors(list("abcde"), [[1, 0], [9, 0], [3, 4], [0, 2], [-1, 0]])
    path = write(tmp_path / "pairs.txt", "A\tb\t8\r\na\tC\t9.5\r\nmissing\ta\t1\r\n\r\na\td\t3\r\ne\ta\t.5")
    result = judged(vectors, path)
    assert result.score == pytest.approx(0.8)
    told = result.to_dict(0, 1)
    assert told.pop("scores") == [
        {
            "measure": "spearman",
            "part": "all",
            "score": result.score,
            "interval": None,
            "found": 4,
            "total": 5,
            "coverage": 0.8,
        }
    ]
    assert told == {
        "kind": "similarity",
        "file": "pairs.txt",
        "score": result.score,
        "interval": None,
        "found": 4,
        "total": 5,
        "coverage": 0.8,
        "setting": "cosine, Spearman over the pairs found among 5 words",
    }


@pytest.mark.parametrize("text", ["x\ty\t1\n", "a\tb\t1\n", "a\tb\t1\na\tb\t2\n"])
def test_similarity_without_an_order_has_no_score(tmp_path: Path, text: str) -> None:
    result = judged(Vectors(["a", "b"], np.eye(2)), write(tmp_path / "pairs.txt", text))
    assert result.score is None
    assert result.measure("spearman").found == text.count("a")
    told = json.loads(json.dumps(result.to_dict(10, 1)))
    assert (told["score"], told["interval"]) == (None, None)


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


def test_analogies_counted_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analogies, "MOST_FREQUENT", 5)
    result = judged(square(), write(tmp_path / "q.txt", QUESTIONS.replace("\n", "\r\n")))
    expected = {"all": (3, 4, 6), "semantic": (2, 3, 4), "syntactic": (1, 1, 2)}
    expected |= {"family": (1, 2, 2), "second": (1, 1, 2), "gram1-odd": (1, 1, 2)}
    for name in ("3CosAdd", "3CosMul"):
        assert {part: counted(result.measure(name, part)) for part in expected} == expected
    assert [measure.part for measure in result if measure.detail] == ["family", "second", "gram1-odd"] * 2
    told = json.loads(json.dumps(result.to_dict(0, 1)))
    assert (told["score"], told["found"], told["total"], told["coverage"]) == (0.75, 4, 6, 4 / 6)
    assert "over the 5 most frequent words" in told["setting"]
    monkeypatch.setattr(analogies, "MOST_FREQUENT", 6)  # with all words the question with "rare" is found, too
    assert judged(square(), tmp_path / "q.txt").measure("3CosAdd").found == 5


def test_without_grammar_sections_only_all_is_told(tmp_path: Path) -> None:
    result = judged(square(), write(tmp_path / "q.txt", QUESTIONS.replace("gram1", "third")))
    assert [measure.part for measure in result if not measure.detail] == ["all", "all"]
    with pytest.raises(KeyError):
        result.measure("3CosAdd", "semantic")


def test_nothing_covered_has_no_score(tmp_path: Path) -> None:
    result = judged(Vectors(["x"], [[1]]), write(tmp_path / "q.txt", QUESTIONS))
    assert (result.score, result.measure("3CosAdd").found, result.to_dict(10, 1)["coverage"]) == (None, 0, 0)


def naive_answer(unit: list[np.ndarray], frequent: list[int], a: int, b: int, c: int, multiply: bool) -> int:
    def score(row: int) -> float:
        to_a, to_b, to_c = (float(unit[row] @ unit[word]) for word in (a, b, c))
        if multiply:
            return (to_b + 1) / 2 * (to_c + 1) / 2 / ((to_a + 1) / 2 + 0.001)
        return to_b - to_a + to_c

    return max((row for row in frequent if row not in (a, b, c)), key=score)


@pytest.mark.parametrize(("name", "multiply"), [("3CosAdd", False), ("3CosMul", True)])
def test_analogies_are_their_naive_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, multiply: bool
) -> None:
    monkeypatch.setattr(analogies, "BATCH_QUESTIONS", 16)  # several batches, the last one short
    monkeypatch.setattr(analogies, "MOST_FREQUENT", 25)
    random = np.random.default_rng(5)
    words = [f"w{row}" for row in range(40)]
    counts = random.permutation(40)
    vectors = Vectors(words, random.standard_normal((40, 3)), counts)
    frequent = sorted(range(40), key=lambda row: -counts[row])[:25]
    unit = [np.asarray(row, float) / math.sqrt(sum(float(x) ** 2 for x in row)) for row in vectors.matrix]
    lines, correct, found = [": all"], 0, 0
    for _ in range(150):
        a, b, c, d = (int(number) for number in random.integers(0, 40, 4))
        best = naive_answer(unit, frequent, a, b, c, multiply)
        d = best if random.random() < 0.5 else d
        lines.append(" ".join(words[row] for row in (a, b, c, d)))
        covered = all(row in frequent for row in (a, b, c, d))
        found += covered
        correct += covered and best == d
    result = judged(vectors, write(tmp_path / "q.txt", "\n".join(lines)))
    assert counted(result.measure(name)) == (correct, found, 150)
    assert 0 < correct < found < 150


def test_equal_words_answer_by_frequency(tmp_path: Path) -> None:
    twins = Vectors(["a", "b", "c", "late", "early"], [[1, 0], [0, 1], [1, 0], [0, 1], [0, 1]], [9, 9, 9, 1, 5])
    path = write(tmp_path / "q.txt", ": s\na b c early\na b c late\n")
    assert counted(judged(twins, path).measure("3CosAdd")) == (1, 2, 2)


WRONG_LINE = "line must be word, word, score, separated as the first line is; got"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a\tb\t1\na b 2\n", WRONG_LINE + " 'a b 2' ({}, line 2). Mend it."),
        (b"a\tb\n", WRONG_LINE + " 'a\\tb' ({}, line 1). Mend it."),
        (b"one\ttwo\tscore\nthree\tfour\tfive\n", WRONG_LINE + " 'three\\tfour\\tfive' ({}, line 2). Mend it."),
        (b"a\tb\t1\n\nc\td\tx\n", "score must be a finite number; got 'x' ({}, line 3). Mend the line."),
        (b"a\tb\tnan\n", "score must be a finite number; got 'nan' ({}, line 1). Mend the line."),
        (b"\n\na\tb\tx\n", "evaluation set must have pairs of words with scores; got none ({}). Give another."),
        (b"a\tb\t1\n\xff\tb\t2\n", "line must be UTF-8; got b'\\xff\\tb\\t2' ({}, line 2). Convert the file."),
        (b" \r\n", "evaluation set must have lines; got an empty file ({}). Give another file."),
        (b"\r\x1d\n\xc2\x85", "evaluation set must have lines; got an empty file ({}). Give another file."),
        (b"a" * 9999, WRONG_LINE + f" {'a' * 80!r}... " + "({}, line 1). Mend it."),
    ],
)
def test_a_malformed_similarity_file_is_refused_with_its_line(tmp_path: Path, raw: bytes, message: str) -> None:
    path = write(tmp_path / "pairs.txt", raw)
    with pytest.raises(InputError) as caught:
        read_set(path, "similarity")
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
        (b"\r\x1d\n", "evaluation set must have lines; got an empty file ({}). Give another file."),
    ],
)
def test_a_malformed_analogy_file_is_refused_with_its_line(tmp_path: Path, raw: bytes, message: str) -> None:
    path = write(tmp_path / "q.txt", raw)
    with pytest.raises(InputError) as caught:
        read_set(path, "analogy")
    assert str(caught.value) == message.format(path)


def test_missing_files_and_impossible_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("similarity", "analogy", "categories", "sentences", None):
        with pytest.raises(InputError) as caught:
            read_set(tmp_path / "none", kind)
        assert str(caught.value) == f"evaluation set must be a file; got nothing ({tmp_path / 'none'}). Give its path."
    monkeypatch.setattr(analogies, "MOST_FREQUENT", 0)
    with pytest.raises(ConfigError, match="must be at least 1; got 0"):
        judged(square(), write(tmp_path / "q.txt", QUESTIONS))


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.txt", b"\xef\xbb\xbfman\tking\t1\n")
    assert judged(square(), path).measure("spearman").found == 1
