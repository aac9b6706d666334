"""Deny lists and vocabularies that people give: how they are read, what they do to a vocabulary, and what is refused."""

import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import Any

import naive
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tables
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simglove_spark import vocabulary
from simglove_spark.config import VocabularyConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest, new_manifest
from simglove_spark.progress import JsonProgress, Progress
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.table_files import commit, write_file
from simglove_spark.word_lists import read_lists

TEXT = {"column": None, "lowercase": False, "normalize": "none"}
COUNTS = {"a": 9, "b": 5, "c": 5, "d": 3, "飞机": 2, "e": 1}


def word_counts(output: Path, counts: dict[str, int], files: int = 2, **corpus: Any) -> Path:
    """A run folder with a complete table of words."""
    folder = output / "word_counts"
    folder.mkdir(parents=True)
    report = []
    for number in range(files):
        rows = sorted(counts.items())[number::files]
        columns = [[word for word, _ in rows], [count for _, count in rows]]
        report.append(write_file(folder, f"words-{number:05d}", WORD_COUNTS, [pa.table(columns, schema=WORD_COUNTS)]))
    entries, total, _ = commit(folder, report)
    details = {"total_words": total, "counters": {}}
    new_manifest("word_counts", WORD_COUNTS, entries, {**TEXT, **corpus}, details=details).save(folder)
    return output


def choose(output: Path, overwrite: bool = False, progress: Progress | None = None, **options: Any) -> list[tuple]:
    """Rows of the vocabulary that is chosen."""
    config = VocabularyConfig(**options)
    lists = read_lists(config, Manifest.load(output / "word_counts", "word_counts").config)
    manifest = vocabulary.choose_into(output, config, lists, overwrite, progress or Progress())
    (entry,) = manifest.files
    return [tuple(row.values()) for row in pq.read_table(output / "vocabulary" / entry.path).to_pylist()]


def written(path: Path, words: Any, ids: Any = None) -> str:
    """A list in the format that its name says."""
    words = list(words)
    ids = list(range(len(words))) if ids is None else ids
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"count": [0.5] * len(words), "word_id": ids, "word": words}), path)
    elif path.suffix == ".csv":
        quoted = ['"' + word.replace('"', '""') + '"' for word in words]
        path.write_text("\n".join(["word_id,word", *(f"{i},{w}" for i, w in zip(ids, quoted, strict=True))]))
    else:
        path.write_text("".join(f"{word}\n" for word in words))
    return str(path)


def naive_choice(
    counts: dict[str, int], own: list[str] | None, denied: set[str], grow: bool, min_count: int, most: int | None
) -> list[tuple[str, int, int]]:
    others = {word.encode(): n for word, n in counts.items() if word not in denied and word not in (own or [])}
    added = [word.decode() for word in naive.vocabulary(others, min_count)] if own is None or grow else []
    chosen = ([*(own or []), *added])[: most if own is None or most is None else max(most, len(own))]
    return [(word, number, counts.get(word, 0)) for number, word in enumerate(chosen)]


WORD = st.sampled_from([*"abcdefgh", "été", "飞机", "𐍈", '"', "x,y", "NA", "null"])


@settings(max_examples=150, deadline=None)
@given(
    counts=st.dictionaries(WORD, st.integers(1, 6), min_size=2),
    own=st.none() | st.lists(WORD, min_size=2, max_size=6, unique=True),
    denied=st.sets(WORD, max_size=4),
    grow=st.booleans(),
    min_count=st.integers(1, 4),
    most=st.none() | st.integers(6, 9),
    kind=st.sampled_from(["own.txt", "own.csv", "own.parquet"]),
    files=st.integers(1, 3),
)
@example({"a": 3, "b": 1}, ["c", "a", "b"], {"d"}, False, 1, None, "own.txt", 1)
def test_lists_choose_what_a_plain_loop_chooses(
    tmp_path_factory: pytest.TempPathFactory,
    counts: dict[str, int],
    own: list[str] | None,
    denied: set[str],
    grow: bool,
    min_count: int,
    most: int | None,
    kind: str,
    files: int,
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    word_counts(folder / "run", counts, files)
    denied -= set(own or [])
    given_options: dict[str, Any] = {}
    if own is None or grow:
        given_options = {"min_count": min_count, "max_vocab": most}
    if own is not None:
        given_options |= {"vocabulary": written(folder / kind, own), "grow": grow}
    if denied:
        given_options["deny_list"] = written(folder / "denied.txt", [*sorted(denied), "", "elsewhere"])
    expected = naive_choice(counts, own, denied, grow, min_count, most)
    if sum(count > 0 for _, _, count in expected) < 2:
        with pytest.raises(InputError, match="vocabulary must have at least 2 words"):
            choose(folder / "run", **given_options)
        return
    assert choose(folder / "run", **given_options) == expected
    counters: Counter[str] = Counter()
    if denied:
        counters["denied"] = len(denied & set(counts))
    if own is not None:
        counters["absent"] = len(set(own) - set(counts))
    if own is not None and grow:
        counters["added"] = len(expected) - len(own)
    details = Manifest.load(folder / "run" / "vocabulary", "vocabulary").details
    assert details.get("counters", {}) == counters
    assert details["total_words"] == sum(count for _, _, count in expected)


def test_a_changed_list_is_another_vocabulary_and_a_moved_one_is_not(tmp_path: Path) -> None:
    output = word_counts(tmp_path / "run", COUNTS)
    denied = Path(written(tmp_path / "denied.txt", ["a", "e"]))
    first = choose(output, min_count=1, deny_list=str(denied))
    assert [word for word, _, _ in first] == ["b", "c", "d", "飞机"]
    moved = denied.rename(tmp_path / "moved.txt")
    before = (output / "vocabulary" / "_manifest.json").read_bytes()
    assert choose(output, min_count=1, deny_list=str(moved)) == first
    assert (output / "vocabulary" / "_manifest.json").read_bytes() == before
    checksum = hashlib.sha256(moved.read_bytes()).hexdigest()
    assert Manifest.load(output / "vocabulary", "vocabulary").config["deny_list"] == f"sha256:{checksum}"
    moved.write_text("a\n")
    with pytest.raises(ConfigError, match=f"deny_list is 'sha256:{checksum}' there and 'sha256:[0-9a-f]*' here"):
        choose(output, min_count=1, deny_list=str(moved))
    assert len(choose(output, min_count=1, deny_list=str(moved), overwrite=True)) == 5


def test_a_denied_word_is_nowhere_in_the_vocabulary(tmp_path: Path) -> None:
    counts = {f"word{number:03d}": 1 + number % 7 for number in range(400)} | {"secretword": 9999, "zzsecret": 1}
    output = word_counts(tmp_path / "run", counts)
    choose(output, min_count=1, deny_list=written(tmp_path / "denied.txt", ["secretword", "zzsecret"]))
    for path in (output / "vocabulary").rglob("*"):
        assert b"secret" not in path.read_bytes()
    (path,) = (output / "vocabulary").glob("*.parquet")
    assert not [word for word in pq.read_table(path)["word"].to_pylist() if "secret" in word]


def test_denied_words_are_cleaned_as_the_corpus_is(tmp_path: Path) -> None:
    counts = {"smith": 3, "spark": 4, "fine": 2, "x": 1, "y": 1, "été": 1}
    output = word_counts(tmp_path / "run", counts, lowercase=True, normalize="nfkc")
    (tmp_path / "denied.txt").write_bytes("\ufeffSmith\r\nＳＰＡＲＫ\r\n\r\nﬁne\r\nÉTÉ".encode())
    left = choose(output, min_count=1, deny_list=str(tmp_path / "denied.txt"))
    assert [word for word, _, _ in left] == ["x", "y"]
    plain = word_counts(tmp_path / "plain", {"smith": 3, "Smith": 1})
    with pytest.raises(InputError):
        choose(plain, min_count=2, deny_list=written(tmp_path / "one.txt", ["Smith"]))
    assert choose(word_counts(tmp_path / "three", {"smith": 3, "Smith": 1, "x": 1}), min_count=1,
                  deny_list=str(tmp_path / "one.txt")) == [("smith", 0, 3), ("x", 1, 1)]  # fmt: skip


@pytest.mark.parametrize("name", ["own.csv", "own.parquet"])
def test_ids_of_a_table_decide_and_not_its_rows(tmp_path: Path, name: str) -> None:
    output = word_counts(tmp_path / "run", COUNTS)
    own = written(tmp_path / name, ["b", "new", "a"], [2, 0, 1])
    assert choose(output, vocabulary=own) == [("new", 0, 0), ("a", 1, 9), ("b", 2, 5)]


def test_an_earlier_vocabulary_keeps_its_ids_and_grows(tmp_path: Path) -> None:
    first = word_counts(tmp_path / "monday", {"a": 5, "b": 7, "c": 6})
    choose(first, min_count=1)
    second = word_counts(tmp_path / "tuesday", {"a": 9, "c": 5, "new": 5, "also": 5, "rare": 4})
    own, told = str(first / "vocabulary"), io.StringIO()
    rows = choose(second, vocabulary=own, grow=True, progress=JsonProgress(told, "r"))
    assert rows == [("b", 0, 0), ("c", 1, 5), ("a", 2, 9), ("also", 3, 5), ("new", 4, 5)]
    checksum = Manifest.load(first / "vocabulary", "vocabulary").content_sha256
    assert Manifest.load(second / "vocabulary", "vocabulary").config["vocabulary"] == checksum
    assert (
        '"1 words of --vocabulary are not in the corpus and have count 0; 2 words were added to it."' in told.getvalue()
    )
    assert '"event": "vocabulary chosen", "words": 5, "absent": 1, "added": 2}' in told.getvalue()
    third = word_counts(tmp_path / "wednesday", {"b": 5, "new": 5, "more": 8})
    grown = choose(third, vocabulary=str(second / "vocabulary"), grow=True, max_vocab=6)
    assert [word for word, _, _ in grown] == ["b", "c", "a", "also", "new", "more"]
    full = choose(third, vocabulary=str(second / "vocabulary"), grow=True, max_vocab=5, overwrite=True)
    assert [word for word, _, _ in full] == ["b", "c", "a", "also", "new"]
    with pytest.raises(ConfigError) as caught:
        choose(third, vocabulary=own, grow=True, max_vocab=2, overwrite=True)
    assert str(caught.value) == (
        f"--max-vocab must be at least the 3 words of --vocabulary, which are all kept; got 2 ({own}). "
        "Raise it, or leave it out."
    )


@pytest.mark.parametrize("name", ["own.csv", "own.parquet", "own.txt"])
def test_words_with_white_space_are_for_lists_of_words(tmp_path: Path, name: str) -> None:
    own = written(tmp_path / name, ["b", "new york"])
    output = word_counts(tmp_path / "run", {"new york": 2, "b": 1, "los angeles": 2}, column="words")
    assert choose(output, vocabulary=own) == [("b", 0, 1), ("new york", 1, 2)]
    left = choose(output, min_count=1, deny_list=written(tmp_path / "d.txt", ["los angeles"]), overwrite=True)
    assert left == [("new york", 0, 2), ("b", 1, 1)]


def refused(tmp_path: Path, kind: type[Exception], **options: Any) -> str:
    output = tmp_path / "run"
    if not output.exists():
        word_counts(output, COUNTS)
    with pytest.raises(kind) as caught:
        choose(output, **options)
    assert not (output / "vocabulary").exists()
    return str(caught.value)


BAD_LINES = {
    b"a\nb c\n": "--vocabulary must hold words without white space, which parts words; got 'b c' ({}, line 2). Mend it, or leave it out.",
    b"a\nb \n": "--vocabulary must hold words without white space, which parts words; got 'b ' ({}, line 2). Mend it, or leave it out.",
    b"a\n\nb\n": "--vocabulary must hold no empty word; got one ({}, line 2). Give each id its word.",
    b"a\nb\nc\nb\na\n": "--vocabulary must hold each word once; got 'b' again ({0}, line 4; first: {0}, line 2). Keep one.",
    b"a\nb\xff\n": "line must be UTF-8; got b'b\\xff' ({}, line 2). Convert the file.",
    b"a\n": "--vocabulary must hold at least 2 words; got 1 ({}). Give more.",
    b"": "--vocabulary must hold at least 2 words; got 0 ({}). Give more.",
}


@pytest.mark.parametrize("text", BAD_LINES)
def test_a_line_that_is_no_word_is_named(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(text)
    assert refused(tmp_path, InputError, vocabulary=str(path)) == BAD_LINES[text].format(path)


COLUMNS = "--vocabulary must have the columns word and word_id; got "
BAD_TABLES = {
    b"word,word_id\na,0\nb,2\nc,3\n": "word_id must be 0, 1, 2, ..., each once; got 2 where 1 is due ({}, line 3). Number the words anew.",
    b"word,word_id\na,1\nb,1\nc,0\n": "word_id must be 0, 1, 2, ..., each once; got 1 where 2 is due ({}, line 3). Number the words anew.",
    b"word,word_id\na,0\nb,\n": "word_id must be 0, 1, 2, ..., each once; got nothing where 0 is due ({}, line 3). Number the words anew.",
    b"word,word_id\na,1\n,0\n": "--vocabulary must hold no empty word; got one ({}, line 3). Give each id its word.",
    b"word,word_id\na,1\nb,0\nb,2\n": "--vocabulary must hold each word once; got 'b' again ({0}, line 4; first: {0}, line 3). Keep one.",
    b"word,id\na,0\n": COLUMNS
    + "Column 'word_id' in include_columns does not exist in CSV file ({}). Give such a csv file.",
    b"": COLUMNS + "Empty CSV file ({}). Give such a csv file.",
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_a_table_that_is_no_vocabulary_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(text)
    assert refused(tmp_path, InputError, vocabulary=str(path)) == BAD_TABLES[text].format(path)


@pytest.mark.parametrize(
    "table",
    [{"word": ["a", "b"]}, {"word": ["a", "b"], "word_id": ["x", "y"]}, {"word": [[1], [2]], "word_id": [0, 1]}, None],
)
def test_parquet_of_another_kind_is_refused(tmp_path: Path, table: Any) -> None:
    path = tmp_path / "own.parquet"
    path.write_bytes(b"PAR1 or not")
    if table is not None:
        pq.write_table(pa.table(table), path)
    assert refused(tmp_path, InputError, vocabulary=str(path)).startswith(COLUMNS)


def test_lists_that_are_not_there_or_contradict_each_other(tmp_path: Path) -> None:
    missing, folder = tmp_path / "no.txt", tmp_path / "folder"
    folder.mkdir()
    for flag in ("vocabulary", "deny_list"):
        message = refused(tmp_path, InputError, **{flag: str(missing)})
        name = flag.replace("_", "-")
        assert (
            message == f"--{name} must be a file that can be read; got No such file or directory ({missing}). Check it."
        )
    assert "vocabulary must be a complete table with a _manifest.json" in refused(
        tmp_path, InputError, vocabulary=str(folder)
    )
    assert "got Is a directory" in refused(tmp_path, InputError, deny_list=str(folder))
    denied = written(tmp_path / "denied.txt", ["", "", " "])
    assert refused(tmp_path, InputError, deny_list=denied) == (
        f"--deny-list must hold words without white space, which parts words; got ' ' ({denied}, line 3). "
        "Mend it, or leave it out."
    )
    assert refused(tmp_path, InputError, deny_list=written(tmp_path / "denied.txt", [""])) == (
        f"--deny-list must hold words; got none ({denied}). Leave it out to deny none."
    )
    own = written(tmp_path / "own.txt", ["a", "b", "c"])
    written(tmp_path / "denied.txt", ["x", "c", "b"])
    assert refused(tmp_path, ConfigError, deny_list=denied, vocabulary=own) == (
        f"--deny-list must hold no word of --vocabulary, whose ids are kept; got 'b', one of 2 ({denied}). "
        "Take it out of one of the two."
    )
    absent = written(tmp_path / "absent.txt", ["x", "y", "a"])
    assert refused(tmp_path, InputError, vocabulary=absent) == (
        f"--vocabulary must have at least 2 words of the corpus; got 1 ({absent}). "
        "Check its words, --lowercase and --normalize."
    )


def test_a_damaged_earlier_vocabulary_is_refused(tmp_path: Path) -> None:
    tables.write_vocabulary(tmp_path / "own", {"a": 2, "b": 1})
    path = next((tmp_path / "own").glob("*.parquet"))
    path.write_bytes(path.read_bytes() + b"x")
    assert "changed or damaged" in refused(tmp_path, InputError, vocabulary=str(tmp_path / "own"))
