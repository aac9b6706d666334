"""Words by id and ids by word, over three arrays that can be memory-mapped: no dictionary is built.

_word_bytes.npy    uint8[bytes]   UTF-8 of all words, one after the other, in order of their ids
_word_offsets.npy  int64[V + 1]   where each word begins, and where the last one ends
_word_order.npy    int32[V]       ids in order of the words' UTF-8 bytes; a word is found by binary search
"""

import difflib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import DTypeLike, NDArray

from simglove_spark.errors import InputError

BYTES, OFFSETS, ORDER = "_word_bytes.npy", "_word_offsets.npy", "_word_order.npy"
FILES = (BYTES, OFFSETS, ORDER)


class WordIndex(Sequence[str]):
    """Immutable sequence of distinct words, indexed by word_id, with a search by word."""

    def __init__(self, words: pa.LargeStringArray, order: NDArray[np.int32]) -> None:
        self._words = words
        self._order = order

    @classmethod
    def build(cls, words: Sequence[str]) -> "WordIndex":
        """Index words given in order of their ids.

        Raises
        ------
        InputError
            When there is none, when one is no text or is empty, or when one stands there twice.
        """
        try:
            array = pa.array(list(words), pa.large_string())
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
            raise InputError(f"words must be text that UTF-8 can hold; got {error}. Mend or drop that word.") from error
        if len(array) == 0:
            raise InputError("words must be at least one; got none. Give a vocabulary that is not empty.")
        lengths = pc.binary_length(array)
        if array.null_count or pc.min(lengths).as_py() == 0:
            position = int(np.argmin(lengths.fill_null(0).to_numpy()))
            raise InputError(f"words must not be empty; got nothing (word_id {position}). Drop it.")
        order = pc.sort_indices(array).to_numpy()
        ordered = array.take(pa.array(order))
        twice = np.flatnonzero(pc.equal(ordered[1:], ordered[:-1]).to_numpy(zero_copy_only=False))
        if len(twice):
            first, second = sorted(order[twice[0] : twice[0] + 2].tolist())
            raise InputError(
                f"words must be unique; got {array[first].as_py()!r} twice (word_id {first} and {second}). Keep one."
            )
        return cls(array, order.astype(np.int32))

    @classmethod
    def open(cls, folder: Path, size: int) -> "WordIndex":
        """Map the index of ``size`` words that `save` wrote into a folder.

        Raises
        ------
        InputError
            When the files do not fit each other.
        """
        order = open_array(folder / ORDER, np.int32, (size,))
        offsets = open_array(folder / OFFSETS, np.int64, (size + 1,))
        data = open_array(folder / BYTES, np.uint8, (int(offsets[-1]),))
        words = pa.Array.from_buffers(pa.large_string(), size, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
        try:
            words.validate(full=True)
        except pa.ArrowInvalid as error:
            raise _broken(folder / OFFSETS, str(error)) from error
        if order.min() < 0 or order.max() >= size or not np.bincount(order, minlength=size).all():
            raise _broken(folder / ORDER, "ids that are not 0, 1, 2, ... once each")
        return cls(words, order)

    def is_ordered(self) -> bool:
        """Whether the ids are in order of the words' bytes, each word once; without that a search misses words."""
        for start in range(0, len(self), 1 << 16):
            part = self._words.take(pa.array(self._order[start : start + (1 << 16) + 1]))
            if pc.all(pc.less(part[:-1], part[1:])).as_py() is False:
                return False
        return True

    def save(self, folder: Path) -> None:
        """Write the three files of the index."""
        _, offsets, data = self._words.buffers()
        offsets = np.frombuffer(offsets, np.int64)[: len(self) + 1]
        np.save(folder / OFFSETS, offsets)
        np.save(folder / BYTES, np.frombuffer(data, np.uint8)[: offsets[-1]])
        np.save(folder / ORDER, self._order)

    def find(self, word: str) -> int | None:
        """Id of a word, or None."""
        rank = self._rank(word)
        if rank < len(self) and self[int(self._order[rank])] == word:
            return int(self._order[rank])
        return None

    def nearest(self, word: str) -> str | None:
        """A word spelled much like the one given, among its lower case and the words that sort near it."""
        rank = self._rank(word)
        around = [self[int(position)] for position in self._order[max(0, rank - 50) : rank + 50]]
        lower = word.lower()
        if self.find(lower) is not None:
            return lower
        return next(iter(difflib.get_close_matches(word, around, n=1, cutoff=0.7)), None)

    def arrow(self, start: int, stop: int) -> pa.StringArray:
        """Words of ids ``start`` to ``stop`` as an Arrow column."""
        return self._words[start:stop].cast(pa.string())

    def _rank(self, word: str) -> int:
        # Python compares text by code points, and UTF-8 keeps that order
        return bisect_left(range(len(self)), word, key=lambda rank: self[int(self._order[rank])])

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return self._words[position].to_pylist()
        return self._words[position].as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), 1 << 16):
            yield from self._words[start : start + (1 << 16)].to_pylist()

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.find(word) is not None


def open_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map an array file, read-only, after checking its type and shape.

    Raises
    ------
    InputError
        When the file is no array or another one.
    """
    try:
        array = np.load(path, mmap_mode="r")
    except Exception as error:  # of what kind depends on where the head is damaged
        raise _broken(path, str(error)) from error
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        raise _broken(path, f"{array.dtype}{list(array.shape)} instead of {np.dtype(dtype)}{list(shape)}")
    return np.asarray(array)


def _broken(path: Path, found: str) -> InputError:
    return InputError(
        f"{path.name} must fit its table; got {found} ({path}). Run the stage that made the folder again."
    )
