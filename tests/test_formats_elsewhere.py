"""Exports as the other tools load them: every number is compared."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from simglove_spark.export import FORMATS, load_vectors, recognise, save_vectors
from simglove_spark.formats.numbers import int8_codes
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.static_model import write as write_static_model
from simglove_spark.vectors import Vectors

SIZE, DIM = 1500, 7
WORDS = ["the", "king", "queen", "été", "机场", "long" * 20_000, *(f"w{row}" for row in range(SIZE - 6))]
MATRIX = np.random.default_rng(1).standard_normal((SIZE, DIM)).astype(np.float32)
KNOWN = Vectors(WORDS, MATRIX, np.arange(SIZE, 0, -1))
HARD = Vectors(["new york", "tab\there", "line\nbreak", "king"], MATRIX[:4], [4, 3, 2, 1])


def exported(folder: Path, name: str, vectors: Vectors = KNOWN, **options: Any) -> Path:
    save_vectors(vectors, folder / "out", name, **options)
    return folder / "out"


@pytest.mark.parametrize(
    ("name", "how"),
    [("word2vec-text", {}), ("word2vec-binary", {"binary": True}), ("glove-text", {"no_header": True})],
)
def test_gensim_reads_its_formats_and_writes_them_for_us(tmp_path: Path, name: str, how: dict[str, bool]) -> None:
    gensim = pytest.importorskip("gensim.models")
    known = gensim.KeyedVectors.load_word2vec_format(str(exported(tmp_path, name)), **how)
    assert known.index_to_key == WORDS
    assert known.vectors.tobytes() == MATRIX.tobytes()
    headed = {"write_header": not how.get("no_header", False), "binary": how.get("binary", False)}
    known.save_word2vec_format(str(tmp_path / "theirs"), **headed)
    assert recognise(tmp_path / "theirs") == name
    loaded = load_vectors(tmp_path / "theirs")
    assert list(loaded.words) == WORDS
    assert loaded.matrix.tobytes() == MATRIX.tobytes()


@pytest.mark.parametrize("vectors", [KNOWN, HARD])
def test_gensim_loads_and_maps_its_own_format(tmp_path: Path, vectors: Vectors) -> None:
    gensim = pytest.importorskip("gensim.models")
    path = str(exported(tmp_path, "kv", vectors) / "vectors.kv")
    for known in (gensim.KeyedVectors.load(path), gensim.KeyedVectors.load(path, mmap="r")):
        assert known.index_to_key == list(vectors.words)
        assert known.vectors.dtype == np.float32
        assert known.vectors.tobytes() == vectors.matrix.tobytes()
        assert known.get_vecattr("king", "count") == vectors.counts[vectors.word_id("king")]
    assert [word for word, _ in known.most_similar("king", topn=3)] == [
        word for word, _ in vectors.most_correlative("king", 3, normalize=True)
    ]


@pytest.mark.parametrize("vectors", [KNOWN, HARD])
def test_model2vec_and_safetensors_load_a_static_model(tmp_path: Path, vectors: Vectors) -> None:
    model2vec, numpy = pytest.importorskip("model2vec"), pytest.importorskip("safetensors.numpy")
    folder = exported(tmp_path, "safetensors", vectors)
    tensors = numpy.load_file(folder / "model.safetensors")
    assert list(tensors) == ["embeddings"]
    assert tensors["embeddings"][:-1].tobytes() == vectors.matrix.tobytes()
    model = model2vec.StaticModel.from_pretrained(folder)
    assert list(model.tokens) == [*vectors.words, "<unk>"]
    assert model.embedding[:-1].tobytes() == vectors.matrix.tobytes()
    assert not model.embedding[-1].any()
    assert (model.normalize, model.max_length) == (False, None)
    if vectors is KNOWN:
        got = model.encode(["king  nobody\nqueen", "été 机场", "nobody"])
        expected = [(MATRIX[1] + MATRIX[2]) / 2, (MATRIX[3] + MATRIX[4]) / 2, np.zeros(DIM)]
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_model2vec_saves_what_we_read(tmp_path: Path) -> None:
    model2vec = pytest.importorskip("model2vec")
    model2vec.StaticModel.from_pretrained(exported(tmp_path, "safetensors")).save_pretrained(tmp_path / "theirs")
    loaded = load_vectors(tmp_path / "theirs")
    assert list(loaded.words) == [*WORDS, "<unk>"]  # theirs does not tell that it was added
    assert loaded.matrix[:-1].tobytes() == MATRIX.tobytes()


def test_model2vec_reads_smaller_numbers_and_their_scales(tmp_path: Path) -> None:
    model2vec = pytest.importorskip("model2vec")
    half = model2vec.StaticModel.from_pretrained(exported(tmp_path / "2", "safetensors", dtype="float16"))
    assert half.embedding[:-1].tobytes() == MATRIX.astype(np.float16).tobytes()
    byte = model2vec.StaticModel.from_pretrained(exported(tmp_path / "1", "safetensors", dtype="int8"))
    assert byte.embedding[:-1].tobytes() == int8_codes(MATRIX).tobytes()
    got, bound = byte.encode(["king"])[0], np.abs(MATRIX[1]).max() / 254
    assert np.abs(got - MATRIX[1]).max() <= bound * (1 + 1e-5)
    np.testing.assert_array_equal(got, load_vectors(tmp_path / "1" / "out")["king"])


def test_the_tokenizer_reads_text_as_the_corpus_was_read(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    write_static_model(Rows(KNOWN, reading={"normalize": "nfkc", "lowercase": True}), tmp_path, "float32")
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer.encode("ＫＩＮＧ\t Queen ÉTÉ x").ids == [1, 2, 3, SIZE]
    assert list(load_vectors(tmp_path).words) == WORDS


def test_the_layout_of_sentence_transformers_is_read(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    made, nested = exported(tmp_path, "safetensors"), tmp_path / "theirs" / "0_StaticEmbedding"
    nested.mkdir(parents=True)
    numpy.save_file(
        {"embedding.weight": np.vstack([MATRIX, np.ones((1, DIM), np.float32)])}, nested / "model.safetensors"
    )
    (made / "tokenizer.json").rename(nested / "tokenizer.json")
    loaded = load_vectors(tmp_path / "theirs")
    assert list(loaded.words) == [*WORDS, "<unk>"]
    assert loaded.matrix[:-1].tobytes() == MATRIX.tobytes()


def test_what_sentence_transformers_loads_by(tmp_path: Path) -> None:
    """Its StaticEmbedding without torch: the module's class and folder, the tokenizer, one tensor, and the mean of a text's rows."""
    numpy, tokenizers = pytest.importorskip("safetensors.numpy"), pytest.importorskip("tokenizers")
    folder = exported(tmp_path, "safetensors")
    (module,) = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    assert module["type"] == "sentence_transformers.models.StaticEmbedding"
    tensors = numpy.load_file(folder / module["path"] / "model.safetensors")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / module["path"] / "tokenizer.json"))
    rows = tensors["embedding.weight"] if "embedding.weight" in tensors else tensors["embeddings"]
    assert len(rows) == tokenizer.get_vocab_size()
    tokenizer.no_padding()
    king, both = tokenizer.encode_batch(["king", "été  机场\nnobody"], add_special_tokens=False)
    assert rows[king.ids].mean(axis=0).tobytes() == MATRIX[1].tobytes()
    np.testing.assert_allclose(rows[both.ids].mean(axis=0), (MATRIX[3] + MATRIX[4]) / 3, atol=1e-6)  # <unk> is zeros


def test_sentence_transformers_loads_the_same_folder(tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(exported(tmp_path, "safetensors")), device="cpu")
    assert model[0].embedding.weight.detach().numpy()[:-1].tobytes() == MATRIX.tobytes()
    np.testing.assert_allclose(model.encode(["king queen"])[0], (MATRIX[1] + MATRIX[2]) / 2, atol=1e-6)
    model.save(str(tmp_path / "theirs"))
    assert load_vectors(tmp_path / "theirs").matrix[:-1].tobytes() == MATRIX.tobytes()


@pytest.mark.parametrize("vectors", [KNOWN, HARD])
def test_faiss_writes_the_same_bytes_and_finds_the_highest_pmi(tmp_path: Path, vectors: Vectors) -> None:
    faiss = pytest.importorskip("faiss")
    folder = exported(tmp_path, "faiss", vectors)
    theirs = faiss.IndexFlatIP(DIM)
    theirs.add(vectors.matrix)
    assert (folder / "index.faiss").read_bytes() == faiss.serialize_index(theirs).tobytes()
    index = faiss.read_index(str(folder / "index.faiss"))
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    assert index.reconstruct_n(0, index.ntotal).tobytes() == vectors.matrix.tobytes()
    scores, found = index.search(vectors["king"][None], 4)
    best = [(words[row], float(score)) for row, score in zip(found[0], scores[0], strict=True) if words[row] != "king"]
    assert [word for word, _ in best] == [word for word, _ in vectors.most_correlative("king", len(best))]


@pytest.mark.parametrize(("dtype", "kind"), [("float16", "QT_fp16"), ("int8", "QT_8bit")])
def test_faiss_quantizes_the_same_way(tmp_path: Path, dtype: Any, kind: str) -> None:
    faiss = pytest.importorskip("faiss")
    folder = exported(tmp_path, "faiss", dtype=dtype)
    index = faiss.IndexScalarQuantizer(DIM, getattr(faiss.ScalarQuantizer, kind), faiss.METRIC_INNER_PRODUCT)
    index.train(MATRIX)
    index.add(MATRIX)
    assert (folder / "index.faiss").read_bytes() == faiss.serialize_index(index).tobytes()
    np.testing.assert_allclose(load_vectors(folder).matrix, index.reconstruct_n(0, SIZE), rtol=1e-6, atol=1e-6)


def test_other_indexes_of_faiss(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    folder = exported(tmp_path, "faiss")
    index = faiss.IndexFlatL2(DIM)
    index.add(MATRIX)
    faiss.write_index(index, str(folder / "index.faiss"))
    assert load_vectors(folder).matrix.tobytes() == MATRIX.tobytes()
    graph = faiss.IndexHNSWFlat(DIM, 4)
    graph.add(MATRIX[:10])
    faiss.write_index(graph, str(folder / "index.faiss"))
    with pytest.raises(Exception, match="must be a flat index, or one of fp16 or 8 bits; got b'IHNf'"):
        load_vectors(folder)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_parquet_and_arrays_are_plain(tmp_path: Path, dtype: Any) -> None:
    table = pq.read_table(exported(tmp_path / "1", "parquet", HARD, dtype=dtype)).to_pandas()
    folder = exported(tmp_path / "2", "npy", HARD, dtype=dtype)
    assert table["word"].tolist() == json.loads((folder / "words.json").read_text(encoding="utf-8")) == list(HARD.words)
    assert table["count"].tolist() == np.load(folder / "counts.npy").tolist() == [4, 3, 2, 1]
    matrix, column = np.load(folder / "vectors.npy"), np.stack(table["vector"])
    assert matrix.tobytes() == column.tobytes()
    assert matrix.dtype == column.dtype == dtype
    if dtype == "int8":
        assert table["scale"].tolist() == np.load(folder / "scales.npy").tolist()
        matrix = matrix * np.load(folder / "scales.npy")[:, None]
    assert np.array_equal(matrix, HARD.matrix) == (dtype == "float32")
    for place in (tmp_path / "1" / "out", folder):
        np.testing.assert_array_equal(load_vectors(place).matrix, matrix.astype(np.float32))


def test_a_vectors_table_of_ours_is_plain_parquet_too(tmp_path: Path) -> None:
    HARD.save(tmp_path / "table")
    assert load_vectors(tmp_path / "table" / "vectors.parquet").matrix.tobytes() == HARD.matrix.tobytes()


def test_projector_files_read_line_by_line(tmp_path: Path) -> None:
    folder = exported(tmp_path, "projector")
    matrix = np.loadtxt(folder / "vectors.tsv", np.float32, delimiter="\t")
    assert matrix.tobytes() == MATRIX.tobytes()
    lines = (folder / "metadata.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "word\tcount"
    assert [line.split("\t") for line in lines[1:-1]] == [[word, str(SIZE - row)] for row, word in enumerate(WORDS)]
    (folder / "metadata.tsv").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    loaded = load_vectors(folder)
    assert (list(loaded.words), loaded.counts.any()) == (WORDS, False)


def test_tensorboards_projector_serves_every_number(tmp_path: Path) -> None:
    plugin = pytest.importorskip("tensorboard.plugins.projector.projector_plugin")
    base, test = pytest.importorskip("tensorboard.plugins.base_plugin"), pytest.importorskip("werkzeug.test")
    context = base.TBContext(logdir=str(exported(tmp_path, "projector")))
    apps = plugin.ProjectorPlugin(context).get_plugin_apps()

    def asked(name: str) -> bytes:
        answer = test.Client(apps[f"/{name}"]).get("/", query_string={"run": ".", "name": "words"})
        assert answer.status_code == 200
        return answer.data

    (told,) = json.loads(asked("info"))["embeddings"]
    assert (told["tensorName"], told["tensorShape"]) == ("words", [SIZE, DIM])
    assert asked("tensor") == MATRIX.tobytes()
    lines = asked("metadata").decode().split("\n")
    assert lines[:3] == ["word\tcount", f"the\t{SIZE}", f"king\t{SIZE - 1}"]


def test_every_format_is_proved_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in FORMATS if f'"{name}"' not in source] == []
