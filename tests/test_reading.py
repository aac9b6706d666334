"""Texts that are asked become words as their corpus did: by the settings the vectors tell, or by those the user names."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import refused, simglove
from test_tokenizing import CHARACTERS
from test_trainer import options

from simglove_spark.asking.reading import Reading
from simglove_spark.cleaning import Cleaning, clean
from simglove_spark.config import RunConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.formats.lineage import Lineage
from simglove_spark.manifest import Manifest
from simglove_spark.pages.explore.answers import Answers
from simglove_spark.progress import Progress
from simglove_spark.spark_vectors.in_workers import TableVectors
from simglove_spark.text_rows import spans
from simglove_spark.tokenizing import load_tokenizer
from simglove_spark.training import train_vectors
from simglove_spark.vectors import Vectors

WORDS = ["king", "queen", "火车", "机场", "从", "King"]
CHINESE = "我从机场来，火车快。"
SAID = "KING，Ｑueen!"
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "jieba": {"tokenizer": "jieba", "normalize": "none", "lowercase": False},
    "words": {"tokenizer": "words", "normalize": "nfkc", "lowercase": True},
    "code": {"tokenizer": "own_cut:cut", "normalize": "none", "lowercase": True},
}
OWN_CUT = "def cut(text):\n    return text.split('|')\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors tables whose corpus was read in several ways."""
    folder = tmp_path_factory.mktemp("reading")
    matrix = np.random.default_rng(4).standard_normal((len(WORDS), 4))
    for name, told in SETTINGS.items():
        details = {"reading": told} if told else {}
        Vectors(WORDS, matrix, range(9, 9 - len(WORDS), -1)).save(folder / name, details=details)
    return folder


@settings(deadline=None)
@given(
    text=st.text(st.sampled_from([*CHARACTERS, " ", "\t", "\n", "A", "É", "Ａ"]), max_size=30),
    normalize=st.sampled_from(["none", "nfkc"]),
    tokenizer=st.sampled_from(["whitespace", "words", "jieba"]),
    lowercase=st.booleans(),
)
def test_a_text_becomes_the_words_that_are_counted(text: str, normalize: Any, tokenizer: str, lowercase: bool) -> None:
    column, _ = clean(pa.array([text]), Cleaning(lowercase, normalize == "nfkc", tokenizer))
    counted = [
        block.data[start:end].tobytes().decode()
        for block in spans(column)
        for start, end in zip(block.starts[: block.size].tolist(), block.ends[: block.size].tolist(), strict=True)
        if start >= 0
    ]
    assert Reading(normalize=normalize, tokenizer=tokenizer, lowercase=lowercase).words(text) == counted


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("plain", "king  queen\n机场\u3000King", ["king", "queen", "机场\u3000King"]),
        ("jieba", CHINESE, ["我", "从", "机场", "来", "火车", "快"]),
        ("words", SAID + " " + CHINESE, ["king", "queen", "我", "从", "机场", "来", "火车", "快"]),
        ("words", "\ud800king", ["king"]),
        ("plain", "", []),
    ],
)
def test_vectors_read_as_their_manifest_tells(home: Path, name: str, text: str, expected: list[str]) -> None:
    known = Vectors.load(home / name)
    assert known.reading.words(text) == expected
    found = known.sentence(text)
    assert [WORDS[place] for place in found.ids] == [word for word in expected if word in WORDS]
    assert list(found.unknown) == [word for word in expected if word not in WORDS]


def test_training_tells_how_the_corpus_was_read(tmp_path: Path) -> None:
    for name, told in SETTINGS.items():
        folder = tmp_path / name
        vocabulary = tables.write_vocabulary(folder / "vocabulary", tables.word_counts(12), column="body", **told)
        tables.write_pairs(folder / "pairs", tables.random_pairs(12, 40), vocabulary)
        made = folder / "vocabulary", folder / "pairs", folder / "vectors"
        train_vectors(*made, options(), RunConfig(threads=1, memory="1g"), Progress())
        manifest = Manifest.load(folder / "vectors", "vectors")
        assert manifest.details["reading"] == told
        assert Vectors.load(folder / "vectors").reading == Reading(**told, is_named=False)
        assert Lineage.of(Vectors.load(folder / "vectors")).reading == told  # also where no vocabulary lies beside


@pytest.mark.parametrize(
    ("command", "name", "texts", "words"),
    [
        (["keywords"], "jieba", [CHINESE], [["从", "机场", "火车"]]),
        (["keywords"], "words", [SAID + CHINESE], [["king", "queen", "从", "机场", "火车"]]),
        (["similarity"], "words", [SAID, CHINESE], [["king", "queen"], ["从", "机场", "火车"]]),
        (["keywords", "--no-lowercase"], "words", ["King QUEEN"], [["King"]]),
        (["keywords", "--tokenizer", "whitespace"], "jieba", ["机场 火车 从机场"], [["机场", "火车"]]),
        (
            ["keywords", "--tokenizer", "words", "--lowercase"],
            "plain",
            [CHINESE + "KING"],
            [["从", "机场", "火车", "king"]],
        ),
        (["keywords", "--normalize", "nfkc"], "plain", ["ｋｉｎｇ queen"], [["king", "queen"]]),
        (["keywords", "--tokenizer", "whitespace"], "code", ["KING queen"], [["king", "queen"]]),
    ],
)
def test_commands_read_so_unless_told_otherwise(
    home: Path, capsys: pytest.CaptureFixture[str], command: list[str], name: str, texts: list[str], words: list[Any]
) -> None:
    known = Vectors.load(home / name)
    code, out, _ = simglove(capsys, *command, *texts, "--vectors", home / name, "--json")
    assert code == 0
    answers = json.loads(out)["answers"]
    if command == ["similarity"]:
        assert answers[0]["similarity"] == known.sentence_similarity(*words)
    else:
        assert answers == [{"word": word, "z": score} for word, score in known.keywords(words[0])]


NAMED = (
    "tokenizer must be named by you, since it is code; got it from the vectors' manifest (own_cut:cut). Give --tokenizer "
    "own_cut:cut (in Python Reading(tokenizer=...)) if you trust it, or --tokenizer whitespace."
)


def test_code_that_only_a_manifest_names_is_not_run(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_cut.py").write_text(OWN_CUT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    load_tokenizer.cache_clear()
    for command in (["keywords", "a"], ["similarity", "a", "b"], ["explore", "--port", "0"]):
        for more in ([], ["--lowercase"], ["--normalize", "nfkc"]):
            assert refused(capsys, 2, *command, *more, "--vectors", home / "code") == NAMED
    known = Vectors.load(home / "code")
    for ask in (known.sentence_vector, known.keywords, known.sentence, known.reading.over(lowercase=False).words):
        with pytest.raises(ConfigError, match=re.escape(NAMED)):
            ask("king|queen")
    assert known.keywords(["king", "queen"])  # words need no tokenizer
    assert "own_cut" not in sys.modules
    asked = ["keywords", "KING|queen", "--vectors", home / "code", "--json"]
    code, out, _ = simglove(capsys, *asked, "--tokenizer", "own_cut:cut")
    assert (code, json.loads(out)["unknown"]) == (0, [])
    named = Vectors.load(home / "code", reading=Reading(tokenizer="own_cut:cut", lowercase=True))
    assert named.sentence("KING|queen").unknown == ()
    sys.modules.pop("own_cut")
    load_tokenizer.cache_clear()


@pytest.mark.parametrize(("name", "package"), [("words", "icu4py.breakers"), ("jieba", "rjieba")])
def test_a_tokenizer_that_is_missing_is_told_with_its_extra(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    load_tokenizer.cache_clear()
    for command in (["keywords", "king"], ["similarity", "king", "queen"], ["explore", "--port", "0"]):
        told = refused(capsys, 2, *command, "--vectors", home / name)
        assert told.startswith(f"--tokenizer {name} must have its package")
        assert told.endswith("pip install 'simglove-spark[tokenizers]'.")
    code, _, _ = simglove(capsys, "similar", "king", "--vectors", home / name)  # which cuts no text
    assert code == 0
    load_tokenizer.cache_clear()


def test_a_pasted_text_is_cut_so_too(home: Path) -> None:
    for name, known in (("jieba", 3), ("words", 3), ("plain", 3)):  # plain: cut into the longest known words
        told = Answers(Vectors.load(home / name)).keywords({"text": CHINESE})
        assert told["known"] == known
    told = Answers(Vectors.load(home / "words")).keywords({"text": SAID})
    assert (told["known"], told["unknown"]) == (2, 0)


def test_rows_on_spark_are_cut_so_too(home: Path) -> None:
    rows = TableVectors.load(home / "words")
    assert rows.row_keywords(SAID) == rows.row_keywords(SAID.encode()) == rows.keywords(["king", "queen"])
    assert rows.row_keywords([SAID, "King"]) == rows.keywords(["King"])  # an array's elements are words as they are
    other = TableVectors.load(home / "words", reading=Reading())
    assert other.row_keywords(f"{SAID} King") == rows.keywords(["King"])


@pytest.mark.parametrize(
    "reading",
    [
        {"tokenizer": "os:sys tem"},
        {"tokenizer": 3},
        {"normalize": "x"},
        {"lowercase": 1},
        {"is_named": True},
        ["words"],
    ],
)
def test_a_manifest_that_tells_nonsense_is_refused(home: Path, tmp_path: Path, reading: Any) -> None:
    Vectors(["a"], [[1.0]]).save(tmp_path / "v", details={"reading": reading})
    with pytest.raises(InputError, match="reading is"):
        Vectors.load(tmp_path / "v")


def test_impossible_options_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, 2, "keywords", "a", "--vectors", home / "plain", "--tokenizer", "spaces")
    assert told == (
        "--tokenizer must be whitespace, words, jieba or MODULE:FUNCTION; got spaces. Leave it out for words between blanks."
    )
    with pytest.raises(ConfigError, match="normalize must be one of none, nfkc; got 'x'"):
        Reading(normalize="x")  # type: ignore[arg-type]
