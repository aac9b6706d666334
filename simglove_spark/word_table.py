"""The vocabulary as the workers look it up: arrays, built once a machine and shared by memory map."""

import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from simglove_spark.cache import temporary_home
from simglove_spark.errors import ResourceError
from simglove_spark.kernels import tokens
from simglove_spark.manifest import Manifest, checked_path
from simglove_spark.memory import show_size

ARRAYS = ("word_bytes", "word_offsets", "slots", "ids", "counts")
LAYOUT = 3  # raise it with any change of the arrays or of the hash: an old copy must not be read


@dataclass(frozen=True)
class WordTable:
    """Words by rank, the most frequent first, and an open-addressing table over them.

    Word w is word_bytes[word_offsets[w]:word_offsets[w + 1]], has the id ids[w] (int32) and occurs counts[w] times (int64; none
    where they were not told); ``slots`` (int32, a power of two) holds ranks, -1 where free. But for vocabularies that people
    gave, ranks are ids.
    """

    word_bytes: np.ndarray
    word_offsets: np.ndarray
    slots: np.ndarray
    ids: np.ndarray
    counts: np.ndarray

    @property
    def size(self) -> int:
        """Number of words."""
        return self.word_offsets.size - 1

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, name).nbytes for name in ARRAYS)

    def by_id(self, values: np.ndarray) -> np.ndarray:
        """Values of all words, given by rank, in order of their ids."""
        ordered = np.empty_like(values)
        ordered[self.ids] = values
        return ordered


def build_word_table(words: pa.Array, counts: ArrayLike | None = None, slots: int | None = None) -> WordTable:
    """Table over words in order of their ids, ranked by their counts if these are given.

    ``slots`` is for tests: a power of two greater than their number.
    """
    known = np.array([] if counts is None else counts, np.int64)
    ids = np.arange(len(words)) if counts is None else np.argsort(-known, kind="stable")
    column = words.cast(pa.large_string()).cast(pa.large_binary()).take(pa.array(ids))
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    table = np.full(slots or 1 << (2 * len(column)).bit_length(), -1, np.int32)
    offsets, ids = offsets - offsets[0], ids.astype(np.int32)
    tokens.index_words(data, offsets, table)
    known = known if counts is None else known[ids]
    for array in (data, offsets, table, ids, known):
        array.flags.writeable = False  # as mapped ones are: numba compiles kernels anew for arrays that can be written
    return WordTable(data, offsets, table, ids, known)


@lru_cache(maxsize=1)
def shared_word_table(folder: str, content_sha256: str) -> WordTable:
    """Table of a vocabulary folder, from a copy that all workers of this machine map into memory.

    The copy is keyed by the vocabulary's checksum and lies in a folder that only this user can write; whoever is first
    checks the vocabulary's files, builds the copy aside and renames it into place.

    Raises
    ------
    InputError
        When the vocabulary's files are not those of its manifest.
    """
    place = temporary_home() / f"vocabulary-{LAYOUT}-{content_sha256[:32]}"
    try:
        return _mapped(place)
    except (OSError, ValueError, EOFError):  # not there yet, or a cleaner of temporary files was at it
        shutil.rmtree(place, ignore_errors=True)
    _build_copy(Path(folder), place)
    return _mapped(place)


def _mapped(place: Path) -> WordTable:
    return WordTable(*(np.asarray(np.load(place / f"{name}.npy", mmap_mode="r")) for name in ARRAYS))


def _build_copy(folder: Path, place: Path) -> None:
    manifest = Manifest.load(folder, "vocabulary")
    files = [checked_path(folder, entry) for entry in manifest.files]
    words = pa.concat_tables([pq.read_table(path, columns=["word", "count"]) for path in files])
    table = build_word_table(words["word"].combine_chunks(), words["count"].to_numpy())
    staging = Path(tempfile.mkdtemp(prefix=place.name, dir=place.parent))
    try:
        for name in ARRAYS:
            np.save(staging / f"{name}.npy", getattr(table, name))
    except OSError as error:  # numpy's own has no number
        shutil.rmtree(staging)
        raise ResourceError(
            f"temporary folder must have {show_size(table.nbytes)} for the workers' vocabulary; got {error} ({place.parent}). "
            "Free some, or set TMPDIR."
        ) from error
    try:
        staging.rename(place)
    except OSError:  # another worker was first
        shutil.rmtree(staging)
