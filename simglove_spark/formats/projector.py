"""TSV files of TensorBoard's embedding projector, a folder.

vectors.tsv             a line a word: its components, tabs between them
metadata.tsv            a line with the names of the columns, then word and count of each
projector_config.pbtxt  names the two, so that `tensorboard --logdir FOLDER` shows them
"""

from pathlib import Path

from simglove_spark.errors import InputError
from simglove_spark.formats.decimals import read_lines, texts
from simglove_spark.formats.numbers import Dtype
from simglove_spark.formats.places import files_of, reading, refuse_other_size
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import AGAIN, shown, utf8
from simglove_spark.storage.copies import fetched
from simglove_spark.vectors import Vectors

VECTORS, METADATA, CONFIG = "vectors.tsv", "metadata.tsv", "projector_config.pbtxt"
FILES = (VECTORS, METADATA, CONFIG)
COLUMNS = b"word\tcount"
CONFIG_TEXT = f'embeddings {{\n  tensor_name: "words"\n  tensor_path: "{VECTORS}"\n  metadata_path: "{METADATA}"\n}}\n'


def write(rows: Rows, folder: Path, dtype: Dtype) -> None:
    """Write the folder."""
    with (folder / VECTORS).open("wb") as vectors, (folder / METADATA).open("wb") as metadata:
        metadata.write(COLUMNS + b"\n")
        for block in rows.blocks():
            vectors.write("".join(f"{row}\n" for row in texts(block.matrix, "\t")).encode())
            known = zip(block.words, block.counts.tolist(), strict=True)
            metadata.write("".join(f"{word}\t{count}\n" for word, count in known).encode())
    (folder / CONFIG).write_text(CONFIG_TEXT)


def load(path: str | Path) -> Vectors:
    """Read the two files; metadata may also be words alone, one a line, without a first line of names."""
    folder = fetched(path)
    vectors, metadata = files_of(folder, (VECTORS, METADATA))
    with reading(vectors) as stream:
        _, matrix = read_lines(stream, vectors, 1, None, b"\t", named=False)
    with reading(metadata) as stream:
        lines = stream.read().removesuffix(b"\n").split(b"\n")
    counted = lines[0] == COLUMNS
    words, counts = [], []
    for place, line in enumerate(lines[counted:], 1 + counted):
        word, _, count = line.partition(b"\t") if counted else (line, b"", b"0")
        if b"\t" in word or not count.isdigit() or len(count) > 18:
            rule = "a word and its count" if counted else f"a word alone, or the first one {COLUMNS.decode()!r}"
            raise InputError(f"line must be {rule}; got {shown(line)} ({metadata}, line {place}). {AGAIN}")
        words.append(utf8(word, f"{metadata}, line {place}"))
        counts.append(int(count))
    refuse_other_size(vectors, len(matrix), len(words))
    return Vectors(words, matrix, counts)
