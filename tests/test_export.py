"""Exported files: round trips bit for bit, bytes checked by hand, and broken files refused with their line."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simglove_spark.errors import ConfigError, InputError
from simglove_spark.export import FORMATS, load_glove_text, load_word2vec, recognise, save_vectors
from simglove_spark.formats.spelling import SEPARATORS
from simglove_spark.vectors import Vectors

NAMES = ("word2vec-text", "word2vec-binary", "glove-text")
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=SEPARATORS)
WORDS = st.lists(st.text(CHARACTERS, min_size=1), min_size=1, max_size=10, unique=True)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
TINY = Vectors(["été", "b"], [[0.1, -0.0], [1e-45, 3.4028235e38]], [7, 3])
TEXT = "été 0.1 -0\nb 1e-45 3.4028235e+38\n".encode()
BINARY = (
    "2 2\nété ".encode() + struct.pack("<2f", 0.1, -0.0) + b"\nb " + struct.pack("<2f", 1e-45, 3.4028235e38) + b"\n"
)
AGAIN = "Get the file again: it is cut short or damaged."


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(words=WORDS, data=st.data())
def test_any_words_and_any_finite_numbers_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, name: str, words: list[str], data: st.DataObject
) -> None:
    dim = data.draw(st.integers(1, 5))
    matrix = data.draw(arrays(np.float32, (len(words), dim), elements=FLOATS))
    path = tmp_path_factory.mktemp("export") / "file"
    save_vectors(Vectors(words, matrix, np.ones(len(words))), path, name)
    loaded = FORMATS[name].load(path)
    assert list(loaded.words) == words
    assert loaded.matrix.tobytes() == matrix.tobytes()
    assert not loaded.counts.any()


@settings(max_examples=300, deadline=None)
@given(bits=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
@example(bits=[0x80000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x3F7FFFFF])
def test_text_numbers_are_the_shortest_that_read_back(
    tmp_path_factory: pytest.TempPathFactory, bits: list[int]
) -> None:
    values = np.array(bits, np.uint32).view(np.float32)
    values = np.where(np.isfinite(values), values, np.float32(0))[None, :]
    path = tmp_path_factory.mktemp("export") / "file"
    save_vectors(Vectors(["word"], values), path, "glove-text")
    assert load_glove_text(path).matrix.tobytes() == values.tobytes()
    texts = path.read_text().split()[1:]
    assert [np.float32(text) for text in texts] == values[0].tolist()  # and another reader agrees
    digits = [len(text.lower().split("e")[0].replace(".", "").lstrip("-").strip("0")) for text in texts]
    shortest = [
        len(np.format_float_scientific(value, unique=True).split("e")[0].replace(".", "").lstrip("-").strip("0"))
        for value in values[0]
    ]
    assert digits == shortest


def test_the_bytes_are_those_of_the_formats(tmp_path: Path) -> None:
    save_vectors(TINY, tmp_path / "glove", "glove-text")
    save_vectors(TINY, tmp_path / "text", "word2vec-text")
    save_vectors(TINY, tmp_path / "binary", "word2vec-binary")
    assert (tmp_path / "glove").read_bytes() == TEXT
    assert (tmp_path / "text").read_bytes() == b"2 2\n" + TEXT
    assert (tmp_path / "binary").read_bytes() == BINARY
    names = ["binary", "glove", "text"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, *(f"{name}.card.md" for name in names)])


def test_more_words_than_one_batch(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vectors = Vectors([f"w{row}" for row in range(2500)], random.standard_normal((2500, 3)))
    for name in NAMES:
        save_vectors(vectors, tmp_path / name, name)
        loaded = FORMATS[name].load(tmp_path / name)
        assert list(loaded.words) == list(vectors.words)
        assert loaded.matrix.tobytes() == vectors.matrix.tobytes()
    with (tmp_path / "glove-text").open("ab") as out:
        out.write(b"more 1 2\n")
    with pytest.raises(InputError, match=r"got 3 columns \(.*, line 2501\)"):
        load_glove_text(tmp_path / "glove-text")


def write(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("raw", [TEXT[:-1], TEXT.replace(b"\n", b" \n"), TEXT.replace(b"\n", b"\r\n")])
def test_trailing_spaces_and_a_missing_last_newline_are_understood(tmp_path: Path, raw: bytes) -> None:
    loaded = load_glove_text(write(tmp_path / "f", raw))
    assert list(loaded.words) == ["été", "b"]
    assert loaded.matrix.tobytes() == TINY.matrix.tobytes()


@pytest.mark.parametrize("raw", [BINARY, BINARY[:-1], BINARY.replace(b"\nb ", b"b ")[:-1]])
def test_binary_files_with_and_without_newlines_are_understood(tmp_path: Path, raw: bytes) -> None:
    loaded = load_word2vec(write(tmp_path / "f", raw), binary=True)
    assert list(loaded.words) == ["été", "b"]
    assert loaded.matrix.tobytes() == TINY.matrix.tobytes()


def test_a_binary_file_that_looks_like_letters_is_recognised(tmp_path: Path) -> None:
    values = np.frombuffer(b"\\[D?ab =", "<f4")[None, :]
    save_vectors(Vectors(["0"], values), tmp_path / "f", "word2vec-binary")
    assert load_word2vec(tmp_path / "f").matrix.tobytes() == values.tobytes()


@settings(max_examples=60, deadline=None)
@given(words=WORDS, binary=st.booleans(), data=st.data())
def test_the_kind_of_word2vec_file_is_recognised(tmp_path_factory: pytest.TempPathFactory, words, binary, data) -> None:
    dim = data.draw(st.integers(3, 5))
    small = st.floats(-1, 1, width=32, allow_subnormal=False)
    matrix = data.draw(arrays(np.float32, (len(words), dim), elements=small))
    path = tmp_path_factory.mktemp("export") / "file"
    name = "word2vec-binary" if binary else "word2vec-text"
    save_vectors(Vectors(words, matrix), path, name)
    assert recognise(path) == name
    loaded = load_word2vec(path)
    assert list(loaded.words) == words
    assert loaded.matrix.tobytes() == matrix.tobytes()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a 1 2\nb 1\n", f"line must be a word and 2 numbers; got 2 columns ({{}}, line 2). {AGAIN}"),
        (b"a 1 2\nb 1 2 3\n", f"line must be a word and 2 numbers; got 4 columns ({{}}, line 2). {AGAIN}"),
        (b"a 1 2\n\n", f"line must be a word and 2 numbers; got 1 columns ({{}}, line 2). {AGAIN}"),
        (b"a\n", f"line must be a word and its numbers; got 1 columns ({{}}, line 1). {AGAIN}"),
        (b"a 1 2\n 1 2\n", f"line must be a word and 2 numbers; got 3 columns ({{}}, line 2). {AGAIN}"),
        (b"a 1 2\nb 1 x\n", f"components must be finite numbers; got 'x' ({{}}, line 2). {AGAIN}"),
        (b"a 1 2\nb \xff 2\n", f"components must be finite numbers; got '\\xff' ({{}}, line 2). {AGAIN}"),
        (b"a 1 nan\n", f"components must be finite numbers; got 'nan' ({{}}, line 1). {AGAIN}"),
        (b"a 1 2\nb 1e39 1\n", f"components must be finite numbers; got '1e39' ({{}}, line 2). {AGAIN}"),
        (b"a 1\n\xff 1\n", "words must be UTF-8; got '\\xff' ({}, line 2). Convert the file."),
        (b"a 1\nb 1\na 2\n", "words must be unique; got 'a' in line 1 and again ({}, line 3). Keep one of the two."),
        (b"", f"vectors must be at least one line; got an empty file ({{}}). {AGAIN}"),
    ],
)
def test_a_broken_glove_file_is_refused_with_its_line(tmp_path: Path, raw: bytes, message: str) -> None:
    path = write(tmp_path / "f", raw)
    with pytest.raises(InputError) as caught:
        load_glove_text(path)
    assert str(caught.value) == message.format(path)


HEADER = "first line must be the numbers of words and of dimensions; got"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (TEXT, f"{HEADER} '\\xc3\\xa9t\\xc3\\xa9 0.1 -0\\n' ({{}}, line 1). A file without such a line is glove-text."),
        (b"0 2\n", f"{HEADER} '0 2\\n' ({{}}, line 1). A file without such a line is glove-text."),
        (b"2 2\na 1 2\n", f"first line must count the words; got 2 for 1 ({{}}). {AGAIN}"),
        (b"1 2\na 1 2\nb 1 2\n", f"first line must count the words; got 1 for 2 ({{}}). {AGAIN}"),
        (b"2 2\na 1 2\nb 1\n", f"line must be a word and 2 numbers; got 2 columns ({{}}, line 3). {AGAIN}"),
        (
            b"2 2\na 1 2\na 1 2\n",
            "words must be unique; got 'a' in line 2 and again ({}, line 3). Keep one of the two.",
        ),
        (b"1 2\na 1 x\n", f"components must be finite numbers; got 'x' ({{}}, line 2). {AGAIN}"),
    ],
)
def test_a_broken_word2vec_text_is_refused_with_its_line(tmp_path: Path, raw: bytes, message: str) -> None:
    path = write(tmp_path / "f", raw)
    with pytest.raises(InputError) as caught:
        load_word2vec(path)
    assert str(caught.value) == message.format(path)


ONE = struct.pack("<2f", 1, 2)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"2 2\na " + ONE, f"2 words must take 24 bytes or more; got 14 ({{}}). {AGAIN}"),
        (
            b"2 2\nabc " + ONE + b"\nb " + ONE[:-1],
            f"word must be followed by 2 numbers; got the file's end ({{}}, word 2). {AGAIN}",
        ),
        (b"1 2\na " + ONE + b"\nb", f"file must end after 1 words; got more bytes ({{}}). {AGAIN}"),
        (b"1 2\n\xff " + ONE, "words must be UTF-8; got '\\xff' ({}, word 1). Convert the file."),
        (
            b"2 2\na " + ONE + b"\na " + ONE,
            "words must be unique; got 'a' in word 1 and again ({}, word 2). Keep one of the two.",
        ),
        (b"1 2\na " + struct.pack("<2f", 1, np.nan), f"components must be finite; got nan ({{}}, word 1). {AGAIN}"),
    ],
)
def test_a_broken_word2vec_binary_is_refused_with_the_word_number(tmp_path: Path, raw: bytes, message: str) -> None:
    path = write(tmp_path / "f", raw)
    with pytest.raises(InputError) as caught:
        load_word2vec(path, binary=True)
    assert str(caught.value) == message.format(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="vectors must be a file; got nothing"):
        FORMATS[name].load(tmp_path / "nothing")
    with pytest.raises(InputError, match="vectors must be a file; got a folder"):
        FORMATS[name].load(tmp_path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_words_that_the_formats_cannot_hold_are_refused(tmp_path: Path, name: str, separator: str) -> None:
    word = f"new{separator}york"
    with pytest.raises(InputError) as caught:
        save_vectors(Vectors(["a", word, f"b{separator}"], np.ones((3, 1))), tmp_path / "f", name)
    assert str(caught.value) == (
        f"words must be free of spaces, tabs, line breaks and NUL in {name}; got 2 that are not, such as {word!r}. "
        "Use --format parquet, npy, safetensors or faiss, which hold any word, or drop them."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_existing_file_is_kept_unless_overwritten(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "f", b"mine")
    with pytest.raises(ConfigError) as caught:
        save_vectors(TINY, path, name)
    assert str(caught.value) == f"output must be a new file; got one that exists ({path}). Give another, or overwrite."
    assert path.read_bytes() == b"mine"
    with path.open("rb") as reader:  # who reads the old file goes on with it
        save_vectors(TINY, path, name, overwrite=True)
        assert reader.read() == b"mine"
    assert list(FORMATS[name].load(path).words) == ["été", "b"]
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "f.card.md"]


def test_a_failed_export_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "f", b"mine")

    def fail(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("simglove_spark.formats.word2vec.texts", fail)
    with pytest.raises(MemoryError):
        save_vectors(TINY, path, "word2vec-text", overwrite=True)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("f", b"mine")]
