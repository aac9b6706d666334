"""NumPy arrays with their words, a folder.

vectors.npy   float32[V, dim]; float16, or int8 codes
words.json    the words in the same order, a JSON array
counts.npy    int64[V]
scales.npy    float32[V], with int8 only: a vector is its codes times its scale
"""

from pathlib import Path

import numpy as np

from simglove_spark.formats.numbers import LITTLE, Dtype, all_scales, coded_blocks, decoded
from simglove_spark.formats.places import files_of, mapped, refuse_other_size
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import WORDS, read_words, write_words
from simglove_spark.storage.copies import fetched
from simglove_spark.vectors import Vectors

MATRIX, COUNTS, SCALES = "vectors.npy", "counts.npy", "scales.npy"
FILES = (MATRIX, WORDS, COUNTS, SCALES)


def write(rows: Rows, folder: Path, dtype: Dtype) -> None:
    """Write the folder."""
    write_matrix(folder / MATRIX, rows, dtype)
    if dtype == "int8":
        np.save(folder / SCALES, all_scales(rows))
    write_words(folder / WORDS, rows.words())
    np.save(folder / COUNTS, rows.counts)


def write_matrix(path: Path, rows: Rows, dtype: Dtype) -> None:
    """Write an array of all components, a block of rows at a time."""
    with path.open("wb") as out:
        form = {"descr": np.lib.format.dtype_to_descr(LITTLE[dtype]), "fortran_order": False, "shape": rows.shape}
        np.lib.format.write_array_header_1_0(out, form)
        for block in coded_blocks(rows, dtype):
            out.write(block.data)


def load(path: str | Path) -> Vectors:
    """Read the folder; counts and scales may be missing."""
    folder = fetched(path)
    matrix, names = files_of(folder, (MATRIX, WORDS))
    words = read_words(names)
    codes = mapped(matrix, 2, "f4 f2 f8 i1")
    refuse_other_size(matrix, len(codes), len(words))
    more = {}
    for name, kinds in ((COUNTS, "i8"), (SCALES, "f4")):
        if (folder / name).is_file():
            more[name] = mapped(folder / name, 1, kinds)
            refuse_other_size(folder / name, len(more[name]), len(words))
    return Vectors(words, decoded(codes, more.get(SCALES)), more.get(COUNTS))
