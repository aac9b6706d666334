"""Public evaluation sets: which kind a file is of, categories, sentences and keywords against plain loops."""

import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_evaluate import judged, naive_pearson, naive_spearman, write

from simglove_spark.asking.sentences import KeywordMeasure
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.evaluate import CategorySet, KeywordSet, SentenceSet, SimilaritySet, read_set
from simglove_spark.evaluate.keywords import _best
from simglove_spark.evaluate.texts import Texts, cut
from simglove_spark.vectors import Vectors

PAIRS = ["tiger", "love"], ["cat", "sex"], [7.35, 6.77]
SIMILARITY = {
    "wordsim353 tabs": "tiger\tcat\t7.35\nlove\tsex\t6.77\n",
    "combined.csv": "Word 1,Word 2,Human (mean)\ntiger,cat,7.35\nlove,sex,6.77\n",
    "set1.csv with raters": "Word 1,Word 2,Human (mean),1,2\ntiger,cat,7.35,9,7\nlove,sex,6.77,9,6\n",
    "SimLex": "word1\tword2\tPOS\tSimLex999\tconc(w1)\ntiger\tcat\tN\t7.35\t4.1\nlove\tsex\tN\t6.77\t2\n",
    "SimVerb": "tiger\tcat\tV\t7.35\tNONE\nlove\tsex\tV\t6.77\tSYNONYMS\n",
    "MEN": "tiger cat 7.35\nlove sex 6.77\n",
    "MEN with classes": "tiger-n cat-n 7.35\nlove-v sex-n 6.77\n",
    "RG-65": "# comment\n# another; one\ntiger;cat;7.35\nlove;sex;6.77\n",
    "upper case, blanks and CRLF": "Tiger \t CAT\t7.35\r\n\r\nlove\tsex\t6.77",
}


@pytest.mark.parametrize("text", SIMILARITY.values(), ids=SIMILARITY)
def test_word_similarity_is_recognised_in_its_layouts(tmp_path: Path, text: str) -> None:
    found = read_set(write(tmp_path / "pairs", text))
    assert isinstance(found, SimilaritySet)
    assert (found.first, found.second, found.gold.tolist()) == PAIRS


STS = "main-news\tMSRvid\t2012test\t0001\t{score}\t{first}\t{second}\n"
A, B = 'A man, "running".', "Two men\u2019s dogs ran"
SENTENCES = {
    "STS benchmark": STS.format(score=5, first=A, second=B) + STS.format(score=0.5, first=B, second=A),
    "with sources": STS.replace("\n", "\tx\ty\n").format(score=5, first=A, second=B)
    + STS.format(score=0.5, first=B, second=A),
    "plain": f"{A}\t{B}\t5\n{B}\t{A}\t0.5\n",
    "GLUE": f"index\tgenre\tsentence1\tsentence2\tscore\n0\tx\t{A}\t{B}\t5\n1\tx\t{B}\t{A}\t0.5\n",
    "SICK": "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
    f"1\t{A}\t{B}\t5\tNEUTRAL\n2\t{B}\t{A}\t0.5\tNEUTRAL\n",
}


@pytest.mark.parametrize("text", SENTENCES.values(), ids=SENTENCES)
def test_sentence_similarity_is_recognised_in_its_layouts(tmp_path: Path, text: str) -> None:
    found = read_set(write(tmp_path / "pairs", text))
    assert isinstance(found, SentenceSet)
    a, b = ["a", "man", "running"], ["two", "men", "s", "dogs", "ran"]
    assert (found.first, found.second, found.gold.tolist()) == ([a, b], [b, a], [5, 0.5])


CATEGORIES = {
    "tabs": "Dog\tanimal\nbanana\tfruit\n",
    "header": "word\tcategory\ndog\tanimal\nbanana\tfruit\n",
    "blanks": "dog animal\nbanana fruit\n",
    "BLESS": "dog-n\tanimal\tattri\tbig-j\ndog-n\tanimal\thyper\tbeast-n\nbanana-n\tfruit\tattri\tyellow-j\n",
}


@pytest.mark.parametrize("text", CATEGORIES.values(), ids=CATEGORIES)
def test_categories_are_recognised_in_their_layouts(tmp_path: Path, text: str) -> None:
    found = read_set(write(tmp_path / "words", text))
    assert isinstance(found, CategorySet)
    assert (found.words, found.names, found.category.tolist()) == (["dog", "banana"], ["animal", "fruit"], [0, 1])


def keyword_folder(folder: Path, documents: dict[str, tuple[str, str]]) -> Path:
    for name, (text, keys) in documents.items():
        for place, content in ((f"docsutf8/{name}.txt", text), (f"keys/{name}.key", keys)):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            write(folder / place, content)
    return folder


def test_keywords_are_recognised_by_their_folders(tmp_path: Path) -> None:
    folder = keyword_folder(tmp_path / "Inspec", {"2": ("The\tx-ray.", "x-ray\r\n\r\n X "), "10": ("b", "c")})
    found = read_set(folder)
    assert isinstance(found, KeywordSet)
    assert (found.documents, found.keys) == ([["b"], ["the", "x", "ray"]], [[["c"]], [["x", "ray"], ["x"]]])
    assert found.language == "english"
    write(folder / "language.txt", "Portuguese\n")
    assert KeywordSet.read(folder).language == "portuguese"


LOOKED = (
    "Looked for keywords: a folder with docsutf8/*.txt and keys/*.key of the same names, a key a line; analogy: lines ': name' of "
    "sections, and questions of four words between blanks; or a folder of .txt files, or of folders of them, with a word, a tab and its "
    "answers between slashes (BATS); sentences: columns between tabs: genre, file, year, id, score, sentence, "
    "sentence (STS benchmark); sentence, sentence, score; or a header with sentence1, sentence2, score; similarity: two words and a "
    "number, in columns of tabs, commas, semicolons or blanks, with or without a header; categories: a word and its category, in "
    "columns of tabs, commas, semicolons or blanks, without numbers. Name its kind, as --similarity does, to be told which line "
    "does not fit."
)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("onlyone\n", "'onlyone'"),
        ("some prose\nof lines\nand more words\n", "'some\\tprose'"),
        ("# note\n", "comments alone"),
        ("x" * 99, f"{'x' * 80!r}..."),
    ],
)
def test_what_is_not_recognised_is_told_with_what_was_looked_for(tmp_path: Path, text: str, got: str) -> None:
    path = write(tmp_path / "odd", text)
    with pytest.raises(InputError) as caught:
        read_set(path)
    assert str(caught.value) == f"evaluation set must be of a known kind; got {got} ({path}). {LOOKED}"


def test_a_set_whose_kind_is_clear_is_refused_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line must be word, word, score, .* got 'x' .*line 2"):
        read_set(write(tmp_path / "pairs", "a\tb\t1\nx\n"))


def test_a_folder_that_is_not_recognised_is_told_by_what_it_holds(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "x")
    with pytest.raises(InputError, match=re.escape(f"got a folder with a.txt ({tmp_path}). Looked for keywords: ")):
        read_set(tmp_path)


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        ("categories", "dog\n", "line must be word and category; got 'dog' ({}, line 1). Mend it."),
        (
            "categories",
            "dog\ta\ncat\tb\ndog\tb\n",
            "word must have one category; got 'a' and 'b' for 'dog' ({}, line 3). Keep one.",
        ),
        (
            "categories",
            "dog\ta\ncat\ta\n",
            "evaluation set must have two categories or more; got 1 ({}). Add others.",
        ),
        (
            "sentences",
            "a b\tc d\t1\na b\tc d\tx\n",
            "line must be two sentences and a score between tabs; got 'a b\\tc d\\tx' ({}, line 2). Mend it; known are "
            + SentenceSet.looks
            + ".",
        ),
        (
            "sentences",
            "sentence1\tsentence2\tscore\n",
            "evaluation set must have pairs of sentences; got none ({}). Give another file.",
        ),
        (
            "keywords",
            "x",
            "keywords must be " + KeywordSet.looks + "; got none ({}). Give the folder that holds both.",
        ),
    ],
)
def test_a_malformed_set_is_refused_with_its_line(tmp_path: Path, kind: str, raw: str, message: str) -> None:
    path = write(tmp_path / "set", raw)
    with pytest.raises(InputError) as caught:
        read_set(path, kind)
    assert str(caught.value) == message.format(path)


def test_documents_without_keys_and_other_encodings_are_refused(tmp_path: Path) -> None:
    folder = keyword_folder(tmp_path, {"1": ("a", "a")})
    write(folder / "docsutf8" / "2.txt", b"\xff")
    with pytest.raises(InputError, match=re.escape(f"got No such file or directory ({folder / 'keys' / '2.key'})")):
        read_set(folder)
    write(folder / "keys" / "2.key", "a")
    with pytest.raises(InputError, match=re.escape(f"must be UTF-8; got invalid start byte ({folder / 'docsutf8'}")):
        read_set(folder)


# --- purity ---


def test_purity_counted_by_hand(tmp_path: Path) -> None:
    # two clusters: three animals and a fruit, two fruits: 5 of 6 are of their cluster's category
    matrix = [[1, 0], [1, 0.1], [1, 0.2], [1, 0.15], [0, 1], [0.1, 1]]
    vectors = Vectors(["dog", "cat", "cow", "kiwi", "pear", "plum"], matrix)
    text = "dog\ta\ncat\ta\ncow\ta\nkiwi\tf\npear\tf\nplum\tf\nnone\tf\n"
    purity = judged(vectors, write(tmp_path / "c", text)).measure("purity")
    assert (purity.correct, purity.found, purity.total) == (5, 6, 7)


def test_one_category_found_has_no_purity(tmp_path: Path) -> None:
    path = write(tmp_path / "c", "dog\ta\ncat\ta\npear\tf\n")
    purity = judged(Vectors(["dog", "cat"], np.eye(2)), path).measure("purity")
    assert (purity.score, purity.found) == (None, 0)


@pytest.mark.parametrize(("package", "kind"), [("sklearn.cluster", "categories"), ("snowballstemmer", "keywords")])
def test_a_package_that_is_missing_is_told_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, kind: str
) -> None:
    from simglove_spark.evaluate import keywords

    keywords._stemmer.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    folder = keyword_folder(tmp_path / "k", {"1": ("a", "a")})
    path = folder if kind == "keywords" else write(tmp_path / "c", "a\tx\nb\ty\n")
    with pytest.raises(ConfigError, match=re.escape("pip install 'simglove-spark[evaluation]'.")):
        judged(Vectors(["a", "b"], np.eye(2)), path)


# --- sums ---


WORDS = st.sampled_from(["a", "b", "c", "d", "zero", "nobody"])
TEXTS = st.lists(st.lists(WORDS, max_size=6), min_size=1, max_size=8)


def small(counts: bool = True) -> Vectors:
    matrix = np.random.default_rng(3).standard_normal((5, 3))
    matrix[4] = 0
    return Vectors(["a", "b", "c", "d", "zero"], matrix, [900, 90, 9, 1, 0] if counts else None)


@given(texts=TEXTS)
def test_texts_are_their_words_that_have_vectors(texts: list[list[str]]) -> None:
    vectors = small()
    found = Texts(texts, vectors)
    known = [[word for word in text if word not in ("nobody", "zero")] for text in texts]
    assert [[vectors.words[int(word)] for word in sentence.ids] for sentence in found.sentences] == known
    assert found.is_found.tolist() == [bool(text) for text in known]
    assert found.covered * max(1, sum(map(len, texts))) == pytest.approx(sum(map(len, known)))


def test_without_counts_there_is_no_weighting_by_frequency(tmp_path: Path) -> None:
    sentences = write(tmp_path / "s", "a b\tb c\t1\nc d\td a\t2\n")
    folder = keyword_folder(tmp_path / "k", {"1": ("a b c d", "a")})
    for counts, weighed in ((True, ["sif"]), (False, [])):
        ways = {measure.part for measure in judged(small(counts), sentences)}
        assert ways == {"sum", "whitened", *weighed}
        ways = {measure.part for measure in judged(small(counts), folder) if "whole" not in measure.part}
        assert ways == {"sum", "z", *weighed}


def cosine(a: Any, b: Any) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def test_sentence_similarity_is_its_naive_twin(tmp_path: Path) -> None:
    random, vectors = np.random.default_rng(7), small()
    rows, cosines, gold, pairs = [], [], [], []
    for _ in range(30):
        first, second = (random.choice(["a", "b", "c", "d", "zero"], random.integers(2, 5)).tolist() for _ in range(2))
        score = float(random.integers(0, 5))
        rows.append(f"{' '.join(first)}!\t{', '.join(second)}\t{score}")
        sums = [sum((vectors[word].astype(float) for word in side), np.zeros(3)) for side in (first, second)]
        if all(side.any() for side in sums):
            cosines.append(cosine(*sums))
            gold.append(score)
            pairs.append([[word for word in side if word != "zero"] for side in (first, second)])
    result = judged(vectors, write(tmp_path / "s", "\n".join([*rows, "no body\ta b\t3"])))
    assert (result.measure("pearson", "sum").found, result.measure("pearson", "sum").total) == (len(gold), 31)
    assert result.measure("pearson", "sum").score == pytest.approx(naive_pearson(cosines, gold), abs=1e-6)
    assert result.measure("spearman", "sum").score == pytest.approx(naive_spearman(cosines, gold), abs=1e-9)
    for how in ("sif", "whitened"):
        values = [value for value in result.measure("pearson", how).values if not np.isnan(value)]
        assert values == pytest.approx([vectors.sentence_similarity(*pair, how) for pair in pairs], abs=1e-6)


# --- keywords ---


def test_keywords_counted_by_hand(tmp_path: Path) -> None:
    matrix = np.eye(4) + 0.01
    vectors = Vectors(["networks", "network", "graph", "the"], matrix, [1, 1, 1, 9])
    # document: networks (twice), network, graph: stems network, graph. Keys' words: network, theori, graph
    documents = {
        "1": ("Networks networks: network graph", "network theory\ngraphs"),
        "2": ("the", "graph"),
        "3": ("unknown", "graph"),
        "4": ("graph", "\n"),
    }
    result = judged(vectors, keyword_folder(tmp_path / "k", documents))
    for part in ("sum", "sif", "z"):
        scores = {name: result.measure(f"{name} at 10", part) for name in ("precision", "recall", "F1")}
        np.testing.assert_allclose(scores["precision"].values, [1, 0, np.nan, np.nan])
        np.testing.assert_allclose(scores["recall"].values, [2 / 3, 0, np.nan, np.nan])
        np.testing.assert_allclose(scores["F1"].values, [0.8, 0, np.nan, np.nan])
        # whole keys: network theori, graph; only graph is a word of the document
        assert result.measure("precision at 10", f"{part}, whole keys").values[0] == 0.5
        assert result.measure("F1 at 10", f"{part}, whole keys").values[0] == 0.5
    assert (scores["F1"].found, scores["F1"].total) == (2, 4)
    assert "Porter" in result.setting


@given(texts=TEXTS, measure=st.sampled_from(["inner", "sif", "z"]))
def test_the_best_words_are_the_keywords_with_each_stem_once(texts: list[list[str]], measure: KeywordMeasure) -> None:
    vectors = small()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simglove_spark.evaluate.keywords.TOP", 2)
        for sentence in Texts(texts, vectors).sentences:
            ranked = [word for word, _ in vectors.keywords(sentence, 9, measure)] if sentence.ids.size else []
            stems = list(dict.fromkeys("ab" if word in "ab" else word for word in ranked))
            assert _best(vectors, sentence, measure, lambda word: "ab" if word in "ab" else word) == stems[:2]


@given(st.text())
def test_any_text_is_cut_into_runs_of_letters_and_digits(text: str) -> None:
    words = cut(text)
    assert all(word and all(c.isalnum() for c in word) for word in words)
    assert "".join(words) == "".join(c for c in text.lower() if re.match(r"[^\W_]", c))


def test_other_languages_have_their_stemmer_or_none(tmp_path: Path) -> None:
    vectors = Vectors(["redes", "rede"], np.eye(2))
    folder = keyword_folder(tmp_path / "k", {"1": ("redes", "rede")})
    for language, score in (("portuguese", 1), ("klingon", 0)):
        write(folder / "language.txt", language)
        assert judged(vectors, folder).measure("F1 at 10", "sum").score == score
