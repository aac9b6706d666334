"""All formats alike: what comes back, what is refused, and what stays as it is when writing fails."""

import tracemalloc
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as numbers

from simglove_spark import commands_export
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.export import FORMATS, load_vectors, recognise, save_vectors
from simglove_spark.formats.numbers import int8_codes, int8_scales
from simglove_spark.vectors import Vectors

READ = [name for name in FORMATS if FORMATS[name].load]
FOLDERS = [name for name in FORMATS if FORMATS[name].files]
SMALL = [(name, dtype) for name in READ for dtype in FORMATS[name].dtypes[1:]]
HOSTILE = [
    "a b",
    "tab\there",
    "line\nbreak",
    "\r",
    "\0",
    '"quoted\\"',
    "<b>&amp;</b>",
    "\x1b[31m",
    "\u2028",
    "x" * (1 << 20),
    "[",
    "]",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
NOT_ANY_WORD = ("word2vec-text", "word2vec-binary", "glove-text", "projector")
TINY = Vectors(["été", "b c", "<unk>"], [[0.1, -0.0], [1e-3, 3.5], [0, 0]], [7, 3, 0])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def holding(name: str, words: list[str]) -> list[str]:
    """Words that a format can hold, at least one."""
    return [word for word in words if not set(word) & set(FORMATS[name].forbidden)] or ["word"]


def random_vectors(size: int, dim: int = 3, seed: int = 0) -> Vectors:
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((size, dim)) * random.lognormal(0, 2, (size, 1))
    return Vectors([f"w{row}" for row in range(size)], matrix, np.arange(size, 0, -1))


def test_the_command_line_names_the_formats_of_the_registry() -> None:
    assert list(get_args(commands_export.ExportFormat)) == list(FORMATS)
    assert list(get_args(commands_export.ImportFormat)) == ["auto", *READ]


@pytest.mark.parametrize("name", READ)
@settings(max_examples=25, deadline=None)
@given(words=st.lists(TEXT, min_size=1, max_size=8, unique=True), data=st.data())
@example(words=HOSTILE, data=None)
@example(words=["<unk>", "a"], data=None)
@example(words=["a", "<unk>"], data=None)
def test_any_words_and_any_finite_numbers_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, name: str, words: list[str], data: Any
) -> None:
    words = holding(name, words)
    dim = data.draw(st.integers(2, 5)) if data else 2
    shape = (len(words), dim)
    matrix = data.draw(numbers(np.float32, shape, elements=FLOATS)) if data else np.zeros(shape, np.float32)
    counts = np.arange(len(words)) * 10**14
    path = tmp_path_factory.mktemp("formats") / "out"
    save_vectors(Vectors(words, matrix, counts), path, name)
    assert recognise(path) == name
    loaded = load_vectors(path)
    assert list(loaded.words) == words
    assert loaded.matrix.tobytes() == matrix.tobytes()
    assert loaded.counts.tolist() == (counts if FORMATS[name].counts else counts * 0).tolist()


def test_a_word_that_the_projector_cannot_hold_is_refused(tmp_path: Path) -> None:
    """Which others cannot is in test_export."""
    with pytest.raises(InputError) as caught:
        save_vectors(Vectors(["a", "new\ryork"], np.ones((2, 2))), tmp_path / "out", "projector")
    assert str(caught.value) == (
        "words must be free of tabs, line breaks and NUL in projector; got 1 that are not, such as 'new\\ryork'. "
        "Use --format parquet, npy, safetensors or faiss, which hold any word, or drop them."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_vectors_give_the_same_bytes_in_blocks_of_any_kind(tmp_path: Path, name: str) -> None:
    vectors = random_vectors(2500)
    vectors.save(tmp_path / "table")
    for place, known in (("1", vectors), ("2", Vectors.load(tmp_path / "table"))):
        (tmp_path / place).mkdir()
        save_vectors(Vectors(known.words, known.matrix, known.counts), tmp_path / place / "out", name)
    here, there = (tmp_path / place / ("out" if FORMATS[name].files else "") for place in ("1", "2"))
    assert files(here) == files(there)
    if name in READ:
        loaded = load_vectors(tmp_path / "1" / "out")
        assert loaded.matrix.tobytes() == vectors.matrix.tobytes()
        assert list(loaded.words) == list(vectors.words)


@pytest.mark.parametrize(("name", "dtype"), SMALL)
def test_smaller_numbers_move_by_no_more_than_is_said(tmp_path: Path, name: str, dtype: Any) -> None:
    vectors = random_vectors(2500)
    save_vectors(vectors, tmp_path / "out", name, dtype)
    save_vectors(vectors, tmp_path / "plain", name)
    loaded = load_vectors(tmp_path / "out")
    size, plain = (
        sum(path.stat().st_size for path in tmp_path.rglob(f"{part}*/*" if FORMATS[name].files else part))
        for part in ("out", "plain")
    )
    assert size < plain
    exact = vectors.matrix.astype(np.float64)
    if dtype == "float16":
        bound = np.maximum(np.abs(exact) * 2.0**-11, 2.0**-25)
    elif name == "faiss":
        bound = np.broadcast_to((exact.max(axis=0) - exact.min(axis=0)) / 510, exact.shape)
    else:
        bound = np.broadcast_to(np.abs(exact).max(axis=1, keepdims=True) / 254, exact.shape)
    moved = np.abs(loaded.matrix - exact)
    assert (moved <= bound * (1 + 1e-5) + 1e-6 * np.abs(exact)).all()
    assert moved.max() > 0


@settings(max_examples=100, deadline=None)
@given(matrix=numbers(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=FLOATS))
@example(matrix=np.array([[1e-45, 0], [3.4e38, -3.4e38]], np.float32))
def test_int8_is_within_half_a_step_of_any_number(matrix: np.ndarray) -> None:
    scales = int8_scales(matrix).astype(np.float64)[:, None]
    codes = int8_codes(matrix)
    assert codes.min() >= -127
    for row, (scale,), coded in zip(matrix.tolist(), scales.tolist(), codes.tolist(), strict=True):  # the plain loop
        assert scale == np.float32(max(map(abs, row)) / 127)
        assert coded == [max(-127, min(127, round(value / scale))) if scale else 0 for value in row]
    assert (np.abs(codes * scales - matrix) <= scales / 2 * (1 + 1e-5) + 2.0**-142).all()


@pytest.mark.parametrize("name", [name for name in FORMATS if "float16" in FORMATS[name].dtypes])
def test_what_float16_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        save_vectors(Vectors(["a", "b"], [[1, 65519], [1, -65520]]), tmp_path / "out", name, "float16")
    assert str(caught.value) == (
        "components must be below 65,520 to be float16; got -65520.0 (word 'b', component 1). Use --dtype float32 or int8."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in FORMATS if "int8" not in FORMATS[name].dtypes])
def test_formats_of_float32_alone_say_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        save_vectors(TINY, tmp_path / "out", name, "int8")
    assert str(caught.value) == (
        f"--dtype must be float32 for {name}; got int8. The formats npy, parquet, safetensors, faiss can carry it."
    )


@pytest.mark.parametrize("name", [name for name in READ if name not in NOT_ANY_WORD])
def test_the_unknown_word_is_one_row_more_and_comes_back(tmp_path: Path, name: str) -> None:
    known = random_vectors(200)
    save_vectors(known, tmp_path / "out", name, unknown=True)
    loaded = load_vectors(tmp_path / "out")
    assert [*loaded.words] == [*known.words, "<unk>"]
    np.testing.assert_allclose(loaded["<unk>"], known.matrix[100:].mean(axis=0), rtol=1e-6)
    with pytest.raises(InputError, match="words must leave <unk> free"):
        save_vectors(TINY, tmp_path / "no", name, unknown=True)


@pytest.mark.parametrize(
    ("name", "dtype"), [*SMALL, *((name, "float32") for name in READ if name not in ("glove-text", "projector"))]
)
def test_neither_way_holds_a_second_copy(
    tmp_path: Path, name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simglove_spark.formats.decimals.READ_BYTES", 1 << 16)
    monkeypatch.setattr("simglove_spark.formats.parquet_file.GROUP_ROWS", 256)
    vectors = random_vectors(8192, 64)
    peaks = []
    for work in (lambda: save_vectors(vectors, tmp_path / "out", name, dtype), lambda: load_vectors(tmp_path / "out")):
        tracemalloc.start()
        work()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 0.9 * vectors.matrix.nbytes
    assert peaks[1] < 1.8 * vectors.matrix.nbytes


@pytest.mark.parametrize("name", FOLDERS)
def test_an_earlier_folder_is_kept_unless_overwritten_and_others_always(tmp_path: Path, name: str) -> None:
    folder, tiny = tmp_path / "out", Vectors(["a"], [[1.0, 2.0]])
    save_vectors(tiny, folder, name)
    before = files(folder)
    with pytest.raises(ConfigError) as caught:
        save_vectors(tiny, folder, name)
    assert str(caught.value) == (
        f"output must be a new folder; got an earlier export ({folder}). Give another, or overwrite."
    )
    save_vectors(Vectors(["b"], [[1.0, 2.0]]), folder, name, overwrite=True)
    assert sorted(files(folder)) == sorted(before)
    assert files(folder) != before
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"output must be a new folder or an earlier export; got mine\.txt"):
        save_vectors(tiny, folder, name, overwrite=True)
    assert (folder / "mine.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="output must be a new folder or an earlier export; got a file"):
        save_vectors(tiny, tmp_path / "file", name, overwrite=True)


@pytest.mark.parametrize("name", FORMATS)
def test_a_failed_export_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "out"
    save_vectors(Vectors(["a"], [[1.0, 2.0]]), place, name)
    before = files(place if FORMATS[name].files else tmp_path)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simglove_spark.formats.rows.Rows.blocks", fail)
    with pytest.raises(KeyboardInterrupt):
        save_vectors(Vectors(["b"], [[1.0, 2.0]]), place, name, overwrite=True)
    assert files(place if FORMATS[name].files else tmp_path) == before
    assert len(list(tmp_path.iterdir())) == (1 if FORMATS[name].files else 2)


def test_a_card_that_people_wrote_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out.card.md").write_text("mine")
    with pytest.raises(ConfigError, match="got one that exists"):
        save_vectors(TINY, tmp_path / "out", "parquet")
    assert files(tmp_path) == {"out.card.md": b"mine"}
