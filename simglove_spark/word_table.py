"""The vocabulary, with its phrases, as the workers look it up: arrays, built once a machine and shared by memory map."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from tokenize import TokenError  # numpy's, of the head of an array file

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from simglove_spark.cache import temporary_home
from simglove_spark.cleaning import offsets_of
from simglove_spark.errors import InputError, ResourceError
from simglove_spark.kernels import tokens
from simglove_spark.kernels.phrases import index_phrases
from simglove_spark.manifest import Manifest, checked_source
from simglove_spark.memory import show_size
from simglove_spark.phrase_table import load_phrases
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.storage.paths import path_of
from simglove_spark.text_rows import bytes_of

ABSENT = tokens.HOLE
ARRAYS = ("word_bytes", "word_offsets", "slots", "ids", "counts", "round_slots", "phrase_keys", "phrase_words")
LAYOUT = 5  # raise it with any change of the arrays or of the hash: an old copy must not be read


@dataclass(frozen=True)
class WordTable:
    """Words by rank, the most frequent first, and an open-addressing table over them; with phrases also words of these alone.

    Word w is word_bytes[word_offsets[w]:word_offsets[w + 1]], has the id ids[w] (int32) and occurs counts[w] times (int64; none
    where they were not told); ``slots`` (int32, a power of two) holds ranks, -1 where free. But for vocabularies that people
    gave, ranks are ids. Words that stand in phrases alone have the ranks behind these, no id and no count.

    ``round_slots`` (int64): slots of each round of phrases, whose tables (`kernels.phrases`, with ranks) lie one after another in
    ``phrase_keys`` (uint64) and ``phrase_words`` (int32).
    """

    word_bytes: np.ndarray
    word_offsets: np.ndarray
    slots: np.ndarray
    ids: np.ndarray
    counts: np.ndarray
    round_slots: np.ndarray = field(default_factory=partial(np.empty, 0, np.int64))
    phrase_keys: np.ndarray = field(default_factory=partial(np.empty, 0, np.uint64))
    phrase_words: np.ndarray = field(default_factory=partial(np.empty, 0, np.int32))

    @property
    def size(self) -> int:
        """Number of words in the vocabulary."""
        return self.ids.size

    @property
    def every(self) -> int:
        """Number of all words, those of phrases alone too."""
        return self.word_offsets.size - 1

    @property
    def rounds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keys and joined words of each round of phrases."""
        bounds = zip(self.round_slots, np.cumsum(self.round_slots), strict=True)
        return [(self.phrase_keys[end - size : end], self.phrase_words[end - size : end]) for size, end in bounds]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, name).nbytes for name in ARRAYS)

    def find(self, words: pa.Array) -> np.ndarray:
        """Ranks of words (a string array), int32[n]; `ABSENT` of others."""
        offsets, ranks = offsets_of(words), np.empty(len(words), np.int32)
        spans = bytes_of(words), offsets[:-1], offsets[1:], len(words)
        tokens.look_up(*spans, self.word_bytes, self.word_offsets, self.slots, True, ranks, 0)
        return ranks

    def by_id(self, values: np.ndarray) -> np.ndarray:
        """Values of all words, given by rank, in order of their ids."""
        ordered = np.empty_like(values)
        ordered[self.ids] = values
        return ordered


def build_word_table(
    words: pa.Array, counts: ArrayLike | None = None, slots: int | None = None, phrases: pa.Table | None = None
) -> WordTable:
    """Table over words in order of their ids, ranked by their counts if these are given, and over phrases (`schemas.PHRASES`).

    ``slots`` is for tests: a power of two greater than their number.
    """
    known = np.array([] if counts is None else counts, np.int64)
    ids = np.arange(len(words)) if counts is None else np.argsort(-known, kind="stable")
    column = words.cast(pa.large_string()).take(pa.array(ids))
    column = column if phrases is None else _with_words_of(phrases, column)
    offsets = offsets_of(column)
    data = bytes_of(column)[offsets[0] : offsets[-1]]
    table = np.full(slots or 1 << (2 * len(column)).bit_length(), -1, np.int32)
    offsets, ids = offsets - offsets[0], ids.astype(np.int32)
    tokens.index_words(data, offsets, table)
    known = known if counts is None else known[ids]
    arrays = (data, offsets, table, ids, known, *(() if phrases is None else _index(phrases, column)))
    for array in arrays:
        array.flags.writeable = False  # as mapped ones are: numba compiles kernels anew for arrays that can be written
    return WordTable(*arrays)


def _with_words_of(phrases: pa.Table, words: pa.LargeStringArray) -> pa.LargeStringArray:
    """The words, then those that stand in phrases alone."""
    named = [phrases[name].combine_chunks().cast(pa.large_string()) for name in ("first", "second", "word")]
    found = pc.unique(pa.concat_arrays(named))
    return pa.concat_arrays([words, found.filter(pc.invert(pc.is_in(found, words)))])


def _index(phrases: pa.Table, words: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many slots each round has, and the tables of all, one after another."""
    ids = [pc.index_in(phrases[name].cast(pa.large_string()), words).to_numpy() for name in ("first", "second", "word")]
    rounds = phrases["round"].to_numpy()
    sizes = [1 << int(2 * number).bit_length() for number in np.bincount(rounds)[1:]]
    keys, joined, begin = np.zeros(sum(sizes), np.uint64), np.empty(sum(sizes), np.int32), 0
    for number, slots in enumerate(sizes, 1):
        own, end = rounds == number, begin + slots
        index_phrases(*(column[own] for column in ids), keys[begin:end], joined[begin:end])
        begin = end
    return np.array(sizes, np.int64), keys, joined


@lru_cache(maxsize=1)
def shared_word_table(folder: str, content_sha256: str, table: str = "vocabulary") -> WordTable:
    """Words and phrases of a ``vocabulary``, or of a table ``phrases``, from a copy that all workers of this machine map into memory.

    The copy is keyed by the table's checksum and lies in a folder that only this user can write; whoever is first
    checks the table's files, builds the copy aside and renames it into place, while others wait.

    Raises
    ------
    InputError
        When the files are not those of the manifest.
    """
    place = temporary_home() / f"{table}-{LAYOUT}-{content_sha256[:32]}"
    with suppress(OSError, ValueError, EOFError, TokenError):
        return _mapped(place)
    with _alone_in(place.parent):
        try:
            return _mapped(place)  # another worker was first
        except (OSError, ValueError, EOFError, TokenError):  # not there yet, or a cleaner of temporary files was at it
            shutil.rmtree(place, ignore_errors=True)
        _refuse_another(path_of(folder), table, content_sha256)
        _build_copy(path_of(folder), table, place)
        return _mapped(place)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One worker at a time, of all processes and threads of this machine."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _mapped(place: Path) -> WordTable:
    return WordTable(*(np.asarray(np.load(place / f"{name}.npy", mmap_mode="r")) for name in ARRAYS))


def _refuse_another(folder: Path, table: str, content_sha256: str) -> None:
    """Refuse a table that took the place of the one that is counted under."""
    found = Manifest.load(folder, table).content_sha256
    if found != content_sha256:
        raise InputError(
            f"{table} must stay as it is while it is counted under; got {found[:12]} in place of {content_sha256[:12]} "
            f"({folder}). Give the same command again."
        )


def read_word_table(folder: Path, table: str = "vocabulary") -> WordTable:
    """Words and phrases of a table, in the memory of this process alone (errors as of `shared_word_table`)."""
    entries = Manifest.load(folder, table).own_files if table == "vocabulary" else []
    files = [pq.read_table(checked_source(folder, entry), columns=WORD_COUNTS.names) for entry in entries]
    words, phrases = pa.concat_tables([WORD_COUNTS.empty_table(), *files]), load_phrases(folder, table)
    known = None if phrases.num_rows == 0 else phrases
    return build_word_table(words["word"].combine_chunks(), words["count"].to_numpy(), phrases=known)


def _build_copy(folder: Path, table: str, place: Path) -> None:
    built = read_word_table(folder, table)
    staging = Path(tempfile.mkdtemp(prefix=place.name, dir=place.parent))
    try:
        for name in ARRAYS:
            np.save(staging / f"{name}.npy", getattr(built, name))
    except OSError as error:  # numpy's own has no number
        shutil.rmtree(staging)
        raise ResourceError(
            f"temporary folder must have {show_size(built.nbytes)} for the workers' vocabulary; got {error} ({place.parent}). "
            "Free some, or set TMPDIR."
        ) from error
    staging.rename(place)
