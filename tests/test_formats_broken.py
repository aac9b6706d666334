"""Files that are missing, damaged, packed, pickled or something else: one clear error each, and nothing is run or written."""

import errno
import io
import json
import os
import pickle
import re
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import besides

from simglove_spark import cli
from simglove_spark.errors import ConfigError, InputError, ResourceError, SimgloveError
from simglove_spark.export import FORMATS, load_glove_text, load_vectors, recognise, save_vectors
from simglove_spark.formats import faiss_index
from simglove_spark.manifest import Manifest
from simglove_spark.vectors import Vectors

TINY = Vectors(["a", "b", "c"], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [3, 2, 1])
AGAIN = "Get the file again: it is cut short or damaged."
READ = [name for name in FORMATS if FORMATS[name].load]
MAIN = {
    "npy": ("vectors.npy", "words.json", "counts.npy"),
    "safetensors": ("model.safetensors", "tokenizer.json"),
    "projector": ("vectors.tsv", "metadata.tsv"),
    "faiss": ("index.faiss", "words.json", "counts.npy"),
}
FILES = [(name, file) for name in READ for file in MAIN.get(name, ("",))]


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def safetensors(head: Any, data: bytes = b"") -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(("name", "file"), FILES)
@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 10_000), place=st.integers(0, 10_000), byte=st.integers(0, 255), kind=st.sampled_from("cfa"))
def test_damage_anywhere_is_refused_or_read_but_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, name: str, file: str, cut: int, place: int, byte: int, kind: str
) -> None:
    path = tmp_path_factory.mktemp("broken") / "out"
    save_vectors(TINY, path, name)
    target = path / file if file else path
    raw = bytearray(target.read_bytes())
    if kind == "c":
        del raw[cut % len(raw) :]
    elif kind == "f":
        raw[place % len(raw)] = byte
    else:
        raw += bytes([byte]) * (cut % 50)
    target.write_bytes(raw)
    try:
        assert load_vectors(path, name).matrix.ndim == 2
    except SimgloveError as error:
        assert re.search(r" must .*; got ", str(error))


BROKEN: list[tuple[str, str, bytes, str]] = [
    ("npy", "vectors.npy", npy(np.array([["x", None]], object)), "vectors.npy must be an array without pickles; got "),
    ("npy", "vectors.npy", npy(np.ones((2, 2), np.int64)), "vectors.npy must be an array of 2 dimensions and f4 f2 f8 i1; got int64[2, 2]"),
    ("npy", "vectors.npy", npy(np.ones((2, 2), np.float32)), "vectors.npy must have a row for each of 3 words; got 2"),
    ("npy", "counts.npy", npy(np.ones(2, np.int64)), "counts.npy must have a row for each of 3 words; got 2"),
    ("npy", "words.json", b'["a", "b"', "words.json must be JSON in UTF-8; got "),
    ("npy", "words.json", b"[" * 100_000, "words.json must be JSON in UTF-8; got "),
    ("npy", "words.json", b'["a", "b", 1]', "words.json must be a JSON array of words; got other values"),
    ("npy", "words.json", b'["a", "b", "a"]', "words must be unique; got 'a' twice (word_id 0 and 2)"),
    ("npy", "words.json", b'["a", "b", "\\ud800"]', "words must be text that UTF-8 can hold; got "),
    ("npy", "vectors.npy", npy(np.full((3, 2), np.nan, np.float32)), "components must be finite; got nan (word 'a', component 0)"),
    ("safetensors", "model.safetensors", b"\xff" * 20, "model.safetensors must be safetensors, whole; got "),
    ("safetensors", "model.safetensors", safetensors([]), "model.safetensors must be safetensors, whole; got "),
    ("safetensors", "model.safetensors", safetensors({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"1234"), "tensors must be embeddings (V, dim), and weights (V) or none; got {'x': 'float32[1]'}"),
    ("safetensors", "model.safetensors", safetensors({"embeddings": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 8]}}, b"12345678"), "model.safetensors must be safetensors, whole; got cannot reshape array of size 2 into shape"),
    ("safetensors", "tokenizer.json", b'{"model": {"vocab": 1}}', "tokenizer.json must have a model with its vocab; got "),
    ("safetensors", "tokenizer.json", b'{"model": {"vocab": {"a": 0, "b": 2}}}', "ids must be 0, 1, 2, ... once each; got others"),
    ("safetensors", "tokenizer.json", b'{"model": {"vocab": {"a": 0, "b": 1}}}', "model.safetensors must have a row for each of 2 words; got 4"),
    ("faiss", "index.faiss", b"IxFI", "index.faiss must be an index of FAISS, whole; got "),
    ("faiss", "index.faiss", b"IHNf" + b"\0" * 60, "index.faiss must be a flat index, or one of fp16 or 8 bits; got b'IHNf'"),
    ("projector", "vectors.tsv", b"1\t2\n3\n", "line must be 2 numbers; got 1 columns ("),
    ("projector", "vectors.tsv", b"1\t2\n", "vectors.tsv must have a row for each of 3 words; got 1"),
    ("projector", "metadata.tsv", b"word\tcount\na\t1\nb\n", "line must be a word and its count; got 'b' ("),
    ("projector", "metadata.tsv", b"a\nb\tc\n", "line must be a word alone, or the first one 'word\\tcount'; got 'b\\tc' ("),
    ("parquet", "", b"PAR1" + b"\0" * 20 + b"PAR1", "vectors must be readable, whole; got "),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "raw", "message"), BROKEN)
def test_what_is_broken_is_said(tmp_path: Path, name: str, file: str, raw: bytes, message: str) -> None:
    path = tmp_path / "out"
    save_vectors(TINY, path, name)
    (path / file if file else path).write_bytes(raw)
    with pytest.raises(InputError) as caught:
        load_vectors(path, name)
    assert str(caught.value).startswith(message)


VECTOR, WORD = [[1.0, 2.0], [3.0, 4.0]], ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"token": WORD, "vector": VECTOR}, r"columns must be word \(string\) and vector \(list of float, .*; got \{'token': 'string', "),
        ({"word": [1, 2], "vector": VECTOR}, r"columns must be word \(string\)"),
        ({"word": WORD, "vector": [[1], [2]]}, r"columns must be word .* int8 with a scale\); got .*list<.*int64>"),
        ({"word": WORD, "vector": [[1.0], [1.0, 2.0]]}, r"rows must be whole, with vectors of one length; got lengths \[1, 2\] \("),
        ({"word": WORD, "vector": [[1.0, None], [1.0, 2.0]]}, r"got missing values \(.*, row 1 and below\)"),
        ({"word": ["a", None], "vector": VECTOR}, "got missing values"),
        ({"word": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float32()))}, "vectors must be one row or more; got none"),
    ],
)  # fmt: skip
def test_parquet_of_another_shape_is_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "f")
    with pytest.raises(InputError, match=message):
        load_vectors(tmp_path / "f")


def test_parquet_of_other_engines_is_read(tmp_path: Path) -> None:
    columns = {
        "vector": pa.array(VECTOR, pa.large_list(pa.float64())),
        "word": pa.array(WORD, pa.large_string()),
        "x": [0, 0],
    }
    pq.write_table(pa.table(columns), tmp_path / "f")
    loaded = load_vectors(tmp_path / "f")
    assert (list(loaded.words), loaded.matrix.tolist(), loaded.counts.tolist()) == (WORD, VECTOR, [0, 0])


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_no_pickle_is_ever_read(tmp_path: Path) -> None:
    trap, why = tmp_path / "sprung", "formats must be readable without a pickle, which could run any code; got "
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "vectors.kv").write_bytes(pickle.dumps(Trap(trap), protocol))
        with pytest.raises(InputError, match=f"{why}a pickle, such as gensim's .kv .*save_word2vec_format"):
            load_vectors(tmp_path / "vectors.kv")
    with pytest.raises(InputError, match=f"{why}a folder of gensim's KeyedVectors.save"):
        load_vectors(tmp_path)
    with pytest.raises(InputError, match=f"{why}kv"):
        load_vectors(tmp_path, "kv")
    save_vectors(TINY, tmp_path / "npy", "npy")
    np.save(tmp_path / "npy" / "vectors.npy", np.array([[Trap(trap)]], object))
    with pytest.raises(InputError, match="must be an array without pickles"):
        load_vectors(tmp_path / "npy")
    (tmp_path / "npy" / "vectors.npy").write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(InputError, match="must be an array without pickles"):
        load_vectors(tmp_path / "npy")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("start", "kind"), [(b"\x1f\x8b\x08", "gzip"), (b"PK\3\4", "a zip archive"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")]
)  # fmt: skip
def test_packed_files_are_named(tmp_path: Path, start: bytes, kind: str) -> None:
    (tmp_path / "f").write_bytes(start + b" 1 2\n")
    with pytest.raises(InputError) as caught:
        recognise(tmp_path / "f")
    assert str(caught.value) == f"vectors must be unpacked; got {kind} ({tmp_path / 'f'}). Unpack it first."


def test_an_index_that_claims_more_than_its_file_holds_is_refused(tmp_path: Path) -> None:
    save_vectors(TINY, tmp_path / "out", "faiss", "int8")
    path = tmp_path / "out" / "index.faiss"
    raw, place = path.read_bytes(), faiss_index.HEAD.size + faiss_index.QUANTIZER.size
    for values in (2**38, 2**61, 2**63):  # whose bytes no memory holds
        path.write_bytes(raw[:place] + faiss_index.LENGTH.pack(values) + raw[place + faiss_index.LENGTH.size :])
        with pytest.raises(InputError, match=r"index\.faiss must be "):
            load_vectors(tmp_path / "out")


@pytest.mark.parametrize("name", ["npy", "parquet"])
def test_a_full_disk_is_told_and_leaves_the_old_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    save_vectors(TINY, tmp_path / "out", name)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    how = FORMATS[name]

    def full(rows: Any, path: Path, dtype: Any) -> None:
        how.write(rows, path, dtype)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(FORMATS, name, replace(how, write=full))
    with pytest.raises(ResourceError) as caught:
        save_vectors(TINY, tmp_path / "out", name, overwrite=True)
    message = f"output must be writable; got No space left on device ({tmp_path / 'out'}). Give another path."
    assert str(caught.value) == message
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="output must be a new file; got one that exists"):
        save_vectors(TINY, tmp_path / "pipe", "parquet", overwrite=True)
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ResourceError, match=r"output must be writable; got (Not a directory|File exists)"):
        save_vectors(TINY, tmp_path / "file" / "out", "parquet")


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"folder must hold one of model\.safetensors, .*; got none of them"):
        recognise(tmp_path / "empty")
    TINY.save(tmp_path / "table")
    with pytest.raises(InputError, match="vectors must be of another tool; got a table of this one"):
        recognise(tmp_path / "table")
    with pytest.raises(InputError, match="vectors must be a file; got nothing"):
        recognise(tmp_path / "nothing")
    save_vectors(TINY, tmp_path / "npy", "npy")
    with pytest.raises(
        InputError, match=r"vectors must be a folder with vectors\.npy, words\.json; got a file without"
    ):
        load_vectors(tmp_path / "npy" / "vectors.npy", "npy")


def test_words_with_spaces_in_a_glove_file_of_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"the 1 2\n. . . 3 4\nat name@domain.com 5 6\n7 8 9\n")
    loaded = load_glove_text(tmp_path / "f")
    assert list(loaded.words) == ["the", ". . .", "at name@domain.com", "7"]
    assert loaded.matrix.tolist() == [[1, 2], [3, 4], [5, 6], [8, 9]]


def test_lines_of_any_length_and_number_fill_one_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simglove_spark.formats.decimals.READ_BYTES", 7)
    (tmp_path / "f").write_bytes(b"".join(b"%s %d %d\n" % (b"w" * row, row, -row) for row in range(1, 60))[:-1])
    loaded = load_glove_text(tmp_path / "f")
    assert loaded.matrix.tolist() == [[row, -row] for row in range(1, 60)]
    assert loaded.matrix.base.shape == (59, 2)


def simglove(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, besides(err)


@pytest.mark.parametrize("name", READ)
def test_import_makes_a_table_of_every_format(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    save_vectors(TINY, tmp_path / "in", name)
    given = ["import-vectors", "--input", tmp_path / "in", "--output", tmp_path / "table"]
    told = f"3 vectors of 2 components are in {tmp_path / 'table'}; they were {name}.\n"
    assert simglove(capsys, *given) == (0, told, "")
    table = Vectors.load(tmp_path / "table", verify=True)
    assert list(table.words) == list(TINY.words)
    assert table.matrix.tobytes() == TINY.matrix.tobytes()
    before = Manifest.load(tmp_path / "table", "vectors")
    assert before.config == {"format": name}
    names = {entry["path"] for entry in before.details["imported"]["files"]}
    assert names == (
        {path.name for path in (tmp_path / "in").iterdir()} - {"README.md"} if FORMATS[name].files else {"in"}
    )
    code, _, err = simglove(capsys, *given)
    assert (code, "output must be new or empty; got other content" in err) == (2, True)
    assert simglove(capsys, *given, "--overwrite", "--format", name)[0] == 0
    assert Manifest.load(tmp_path / "table", "vectors") == before
    code, out, _ = simglove(capsys, "correlate", "b", "--vectors", tmp_path / "table", "--json")
    assert (code, [row["word"] for row in json.loads(out)["b"]]) == (0, ["c", "a"])


def test_a_bad_import_is_exit_code_3_and_keeps_the_old_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    TINY.save(tmp_path / "table")
    (tmp_path / "in").write_bytes(b"a 1\nb x\n")
    given = ["import-vectors", "--input", tmp_path / "in", "--output", tmp_path / "table", "--overwrite"]
    told = f"components must be finite numbers; got 'x' ({tmp_path / 'in'}, line 2). {AGAIN}"
    assert simglove(capsys, *given) == (3, "", f"simglove: {told}\n")
    assert len(Vectors.load(tmp_path / "table", verify=True)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "table"]


def test_export_with_numbers_scores_and_the_unknown_word(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    TINY.save(tmp_path / "table")
    row = {"measure": "spearman", "part": "all", "score": 0.5, "interval": None, "found": 3, "total": 4}
    results = [{"file": "ws.txt", "kind": "similarity", "scores": [row]}]
    (tmp_path / "scores.json").write_text(json.dumps({"vectors": "v", "results": results}))
    given = ["export", "--vectors", tmp_path / "table", "--output", tmp_path / "out", "--format"]
    more = ["--dtype", "int8", "--unk", "--scores", tmp_path / "scores.json"]
    told = (
        f"4 vectors of 2 components are in {tmp_path / 'out'}.\nTheir model card is {tmp_path / 'out' / 'README.md'}.\n"
    )
    assert simglove(capsys, *given, "npy", *more) == (0, told, "")
    assert (
        "| `ws.txt` | `similarity, spearman, all` | 0.500 | - | 3 | 4 |" in (tmp_path / "out" / "README.md").read_text()
    )
    assert np.load(tmp_path / "out" / "vectors.npy").dtype == np.int8
    code, _, err = simglove(capsys, *given, "glove-text", "--dtype", "int8")
    assert (code, "--dtype must be float32 for glove-text; got int8" in err) == (2, True)


def test_kv_without_gensim_names_the_extra(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    TINY.save(tmp_path / "table")
    code, _, err = simglove(
        capsys, "export", "--vectors", tmp_path / "table", "--output", tmp_path / "out", "--format", "kv"
    )
    assert code == 2
    assert "Install 'simglove-spark[gensim]', or use --format word2vec-binary" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table"]
