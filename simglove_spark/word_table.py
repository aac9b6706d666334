"""The vocabulary as the workers look it up: a few arrays, built once a machine and shared by memory map."""

import shutil
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simglove_spark.cache import temporary_home
from simglove_spark.kernels import tokens
from simglove_spark.kernels.phrases import index_phrases
from simglove_spark.manifest import Manifest, checked_path
from simglove_spark.phrase_table import load_phrases, word_files
from simglove_spark.schemas import PHRASES

ARRAYS = ("word_bytes", "word_offsets", "slots", "sizes")
PHRASE_ARRAYS = ("phrase_keys", "phrase_words")
LAYOUT = 2  # raise it with any change of the arrays or of the hash: an old copy must not be read


@dataclass(frozen=True)
class WordTable:
    """Words by id, and an open-addressing table over them; with phrases also words that stand in these alone.

    Word w is word_bytes[word_offsets[w]:word_offsets[w + 1]]; ``slots`` (int32, a power of two) holds ids, -1 where free.
    ``sizes`` (int64): words of the vocabulary, whose ids come first, then the slots of each round of phrases. The rounds'
    tables (`kernels.phrases`) lie one after another in ``phrase_keys`` (uint64) and ``phrase_words`` (int32).
    """

    word_bytes: np.ndarray
    word_offsets: np.ndarray
    slots: np.ndarray
    sizes: np.ndarray
    phrase_keys: np.ndarray = field(default_factory=partial(np.empty, 0, np.uint64))
    phrase_words: np.ndarray = field(default_factory=partial(np.empty, 0, np.int32))

    @property
    def size(self) -> int:
        """Number of words in the vocabulary."""
        return int(self.sizes[0])

    @property
    def every(self) -> int:
        """Number of all words, those of phrases alone too."""
        return self.word_offsets.size - 1

    @property
    def rounds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keys and joined words of each round of phrases."""
        bounds = zip(self.sizes[1:], np.cumsum(self.sizes[1:]), strict=True)
        return [(self.phrase_keys[end - size : end], self.phrase_words[end - size : end]) for size, end in bounds]


def build_word_table(words: pa.Array, slots: int | None = None, phrases: pa.Table | None = None) -> WordTable:
    """Table over words in order of their ids, and over phrases.

    Parameters
    ----------
    words : pyarrow.Array
    slots : int, optional
        For tests: a power of two greater than the number of words.
    phrases : pyarrow.Table, optional
        Of schema `schemas.PHRASES`.
    """
    phrases = PHRASES.empty_table() if phrases is None else phrases
    column = _with_words_of(phrases, words.cast(pa.large_string()))
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    table = np.full(slots or 1 << (2 * len(column)).bit_length(), -1, np.int32)
    offsets = offsets - offsets[0]
    tokens.index_words(data, offsets, table)
    keys, joined, round_slots = _index(phrases, column)
    arrays = (data, offsets, table, np.array([len(words), *round_slots], np.int64), keys, joined)
    for array in arrays:
        array.flags.writeable = False  # as mapped ones are: numba compiles kernels anew for arrays that can be written
    return WordTable(*arrays)


def _with_words_of(phrases: pa.Table, words: pa.LargeStringArray) -> pa.LargeStringArray:
    """The words, then those that stand in phrases alone."""
    if phrases.num_rows == 0:
        return words
    named = [phrases[name].combine_chunks().cast(pa.large_string()) for name in ("first", "second", "word")]
    found = pc.unique(pa.concat_arrays(named))
    return pa.concat_arrays([words, found.filter(pc.invert(pc.is_in(found, words)))])


def _index(phrases: pa.Table, words: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Tables of all rounds, one after another, and how many slots each has."""
    ids = [pc.index_in(phrases[name].cast(pa.large_string()), words).to_numpy() for name in ("first", "second", "word")]
    rounds = phrases["round"].to_numpy()
    sizes = [1 << int(2 * number).bit_length() for number in np.bincount(rounds)[1:]]
    keys, joined, begin = np.zeros(sum(sizes), np.uint64), np.empty(sum(sizes), np.int32), 0
    for number, slots in enumerate(sizes, 1):
        own, end = rounds == number, begin + slots
        index_phrases(*(column[own] for column in ids), keys[begin:end], joined[begin:end])
        begin = end
    return keys, joined, sizes


@lru_cache(maxsize=1)
def shared_word_table(folder: str, content_sha256: str, table: str = "vocabulary") -> WordTable:
    """Words and phrases of a vocabulary folder, or of a ``phrases`` folder, from a copy that all workers of this machine map into memory.

    The copy is keyed by the table's checksum and lies in a folder that only this user can write; whoever is first
    checks the table's files, builds the copy aside and renames it into place.

    Raises
    ------
    InputError
        When the files are not those of the manifest.
    """
    place = temporary_home() / f"{table}-{LAYOUT}-{content_sha256[:32]}"
    try:
        return _mapped(place)
    except (OSError, ValueError, EOFError):  # not there yet, or a cleaner of temporary files was at it
        shutil.rmtree(place, ignore_errors=True)
    _build_copy(Path(folder), table, place)
    return _mapped(place)


def _mapped(place: Path) -> WordTable:
    arrays = {name: _array(place, name) for name in ARRAYS}
    if arrays["sizes"].size > 1:
        arrays |= {name: _array(place, name) for name in PHRASE_ARRAYS}
    return WordTable(**arrays)


def _array(place: Path, name: str) -> np.ndarray:
    return np.asarray(np.load(place / f"{name}.npy", mmap_mode="r"))


def _build_copy(folder: Path, table: str, place: Path) -> None:
    manifest = Manifest.load(folder, table)
    files = [checked_path(folder, entry) for entry in word_files(manifest)] if table == "vocabulary" else []
    words = [chunk for path in files for chunk in pq.read_table(path)["word"].chunks]
    built = build_word_table(pa.concat_arrays([pa.array([], pa.string()), *words]), phrases=load_phrases(folder, table))
    staging = Path(tempfile.mkdtemp(prefix=place.name, dir=place.parent))
    for name in (*ARRAYS, *(PHRASE_ARRAYS if built.rounds else ())):
        np.save(staging / f"{name}.npy", getattr(built, name))
    try:
        staging.rename(place)
    except OSError:  # another worker was first
        shutil.rmtree(staging)
