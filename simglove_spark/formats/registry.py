"""All formats by their names, and which of them a file or folder is, by its content."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simglove_spark import manifest
from simglove_spark.errors import InputError
from simglove_spark.formats import (
    arrays,
    faiss_index,
    glove,
    keyed_vectors,
    parquet_file,
    projector,
    static_model,
    word2vec,
)
from simglove_spark.formats.numbers import Dtype
from simglove_spark.formats.places import reading
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import SEPARATORS
from simglove_spark.storage.copies import fetched
from simglove_spark.vectors import Vectors

ALL: tuple[Dtype, ...] = ("float32", "float16", "int8")


@dataclass(frozen=True)
class Format:
    """How one format is written and read.

    Attributes
    ----------
    write
        Writes rows to a new file, or into a new folder.
    load
        Reads a file or folder; None where that would need a pickle.
    use
        How another tool opens it; the model card tells.
    files
        Names of the folder's files; none for a single file.
    forbidden
        Characters that no word may hold.
    dtypes
        Numbers that it can carry.
    counts
        Whether it carries the words' counts.
    """

    write: Callable[[Rows, Path, Dtype], None]
    load: Callable[[str | Path], Vectors] | None
    use: str
    files: tuple[str, ...] = ()
    forbidden: str = ""
    dtypes: tuple[Dtype, ...] = ALL
    counts: bool = True


PLAIN: tuple[Dtype, ...] = ("float32",)
_bare = partial(Format, forbidden=SEPARATORS, dtypes=PLAIN, counts=False)  # a word, a space and its numbers, no more
FORMATS: dict[str, Format] = {
    "word2vec-text": _bare(
        word2vec.write_text,
        partial(word2vec.load_word2vec, binary=False),
        'gensim.models.KeyedVectors.load_word2vec_format("FILE")',
    ),
    "word2vec-binary": _bare(
        word2vec.write_binary,
        partial(word2vec.load_word2vec, binary=True),
        'gensim.models.KeyedVectors.load_word2vec_format("FILE", binary=True)',
    ),
    "glove-text": _bare(
        glove.write,
        glove.load_glove_text,
        'gensim.models.KeyedVectors.load_word2vec_format("FILE", no_header=True)',
    ),
    "kv": Format(
        keyed_vectors.write,
        None,
        'gensim.models.KeyedVectors.load("FOLDER/vectors.kv", mmap="r")',
        keyed_vectors.FILES,
        dtypes=PLAIN,
    ),
    "npy": Format(
        arrays.write,
        arrays.load,
        'numpy.load("FOLDER/vectors.npy", mmap_mode="r"), json.load(open("FOLDER/words.json"))',
        arrays.FILES,
    ),
    "parquet": Format(parquet_file.write, parquet_file.load, 'pandas.read_parquet("FILE")'),
    "safetensors": Format(
        static_model.write,
        static_model.load,
        'model2vec.StaticModel.from_pretrained("FOLDER") or sentence_transformers.SentenceTransformer("FOLDER")',
        static_model.FILES,
        counts=False,
    ),
    "projector": Format(
        projector.write,
        projector.load,
        "tensorboard --logdir FOLDER",
        projector.FILES,
        forbidden=SEPARATORS.replace(" ", ""),
        dtypes=PLAIN,
    ),
    "faiss": Format(faiss_index.write, faiss_index.load, 'faiss.read_index("FOLDER/index.faiss")', faiss_index.FILES),
}

_PICKLE = (
    "formats must be readable without a pickle, which could run any code; got {} ({}). In gensim save it with "
    "wv.save_word2vec_format(FILE, binary=True), and import that."
)
_PACKED = {b"\x1f\x8b": "gzip", b"PK\3\4": "a zip archive", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def recognise(path: str | Path) -> str:
    """Name of the format of a file or folder.

    A first line of two whole numbers is word2vec's, which glove-text of one dimension may have as well.

    Raises
    ------
    InputError
        When it is nothing, unknown, packed, or a pickle.
    """
    path = fetched(path)
    if path.is_dir():
        return _of_folder(path)
    with reading(path) as stream:
        start = stream.read(8)
        stream.seek(0)
        if start.startswith(b"PAR1"):
            return "parquet"
        if start[:1] == b"\x80" and start[1:2] in b"\2\3\4\5":
            raise InputError(_PICKLE.format("a pickle, such as gensim's .kv", path))
        packed = next((kind for magic, kind in _PACKED.items() if start.startswith(magic)), None)
        if packed:
            raise InputError(f"vectors must be unpacked; got {packed} ({path}). Unpack it first.")
        if not word2vec.is_header(stream.readline(100)):
            return "glove-text"
        stream.seek(0)
        return word2vec.recognise(stream, path)


def _of_folder(path: Path) -> str:
    if (path / manifest.FILE_NAME).is_file():
        raise InputError(f"vectors must be of another tool; got a table of this one ({path}). It needs no import.")
    marks = {
        static_model.MODEL: "safetensors",
        static_model.NESTED: "safetensors",
        faiss_index.INDEX: "faiss",
        projector.VECTORS: "projector",
        arrays.MATRIX: "npy",
    }
    found = next((name for mark, name in marks.items() if (path / mark).exists()), None)
    if found is None and any(path.glob("*.kv")):
        raise InputError(_PICKLE.format("a folder of gensim's KeyedVectors.save", path))
    if found is None:
        raise InputError(
            f"folder must hold one of {', '.join(marks)}; got none of them ({path}). Give a file, or another folder."
        )
    return found


def load_vectors(path: str | Path, name: str | None = None) -> Vectors:
    """Vectors of a file or folder of another tool.

    Parameters
    ----------
    path
        File, or folder for formats of several files.
    name
        Format, a key of `FORMATS`; None recognises it by its content.

    Raises
    ------
    InputError
        When it is missing, damaged, or can only be read as a pickle.
    """
    how = FORMATS[name or recognise(path)]
    if how.load is None:
        raise InputError(_PICKLE.format(f"{name}", path))
    return how.load(path)
