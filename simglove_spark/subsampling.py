"""Fewer occurrences of frequent words, decided by a hash of where each one stands: however the work is cut, alike.

An occurrence is kept when splitmix64(place) <= keep[word]. Its place is

    in plain text        hash of the file's name and size + the byte where its text between white space begins
                         + how far into that text, cleaned, the word begins
    in any other input   hash of its row's bytes, cleaned + how far into them the word begins

so equal rows are decided alike, and plain files may lie anywhere.
"""

import hashlib
import os
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simglove_spark.cleaning import clean, offsets_of
from simglove_spark.kernels import subsample
from simglove_spark.text_rows import Origin, Piece, Places, Spans, bytes_of

ALWAYS = np.uint64(2**64 - 1)


def chances(counts: NDArray[np.int64], threshold: float) -> NDArray[np.float64]:
    """Chance of an occurrence to be kept: min(1, sqrt(t / f) + t / f), f = n_i / N.

    So does word2vec.c (Mikolov 2013, TrainModelThread: ``(sqrt(cn / (sample * train_words)) + 1) * (sample * train_words) /
    cn``); Mikolov et al. 2013, eq. 5, has the first term alone.

    Parameters
    ----------
    counts : int64[V]
        Of the whole vocabulary, so that all parts of a corpus are decided alike.
    threshold : float
        t.
    """
    ratios = threshold * counts.sum() / np.maximum(counts, 1)
    return np.minimum(1.0, np.sqrt(ratios) + ratios)


class Subsampling:
    """The decisions of one worker, and what is left of each word.

    Parameters
    ----------
    counts : int64[V]
        n_i of the vocabulary.
    threshold : float

    Attributes
    ----------
    left : int64[V]
        Occurrences that were kept and counted.
    """

    def __init__(self, counts: NDArray[np.int64], threshold: float) -> None:
        share = chances(counts, threshold)  # only divisions and square roots: the same bits on every machine
        self.keep = np.full(counts.size, ALWAYS)
        self.keep[share < 1] = (share[share < 1] * 2.0**64).astype(np.uint64)
        self.left = np.zeros(counts.size, np.int64)

    def drop(self, spans: Spans, ids: NDArray[np.int32], first: int, keep_places: bool) -> int:
        """Drop occurrences among the spans' ids from place ``first`` on; returns the number of ids in use."""
        positions, places = cast(Places, spans.places)
        return int(
            subsample.drop_frequent(ids, first, spans.starts, spans.size, positions, places, self.keep, keep_places)
        )

    def count(self, ids: NDArray[np.int32], first: int, end: int) -> None:
        """Count what is left."""
        subsample.tally(ids, first, end, self.left)


def hash_of_file(path: str, size: int) -> int:
    """Hash of a file's name and size, not of the folder: the same corpus elsewhere is thinned out alike."""
    name = os.fsencode(Path(path).name)
    return int.from_bytes(hashlib.blake2b(b"%d %s" % (size, name), digest_size=8).digest(), "little")


def places_of(piece: Piece) -> Places:
    """Where the words of a piece stand."""
    return places_of_rows(piece.column) if piece.origin is None else _places_in_file(piece.column, piece.origin)


def places_of_rows(column: pa.Array) -> Places:
    """Where words stand in rows of which no more is known than their bytes."""
    data, rows = _bytes_of_rows(column)
    places = np.empty(rows.size - 1, np.uint64)
    subsample.hash_rows(data, rows, places)
    return Places(rows[:-1], places)


def _bytes_of_rows(column: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Bytes of a column of text, or of lists of words, and where in them its rows lie."""
    rows = offsets_of(column)
    if pa.types.is_large_list(column.type):
        column = column.values
        rows = offsets_of(column)[rows]
    return bytes_of(column), rows


def _places_in_file(column: pa.Array, origin: Origin) -> Places:
    """Where words stand in text that was at a known byte of a file before it was cleaned."""
    before, (cleaned, after) = offsets_of(origin.rows), _bytes_of_rows(column)
    text = bytes_of(origin.rows)[before[0] : before[-1]]
    begin = np.uint64((hash_of_file(origin.path, origin.size) + origin.begin) % 2**64)
    is_text = not pa.types.is_large_list(column.type)
    if is_text and (text.size == 0 or text.max() < 128 or np.array_equal(text, cleaned[after[0] : after[-1]])):
        return Places(after[:1], np.array([begin]))  # cleaning moves nothing in ASCII
    white = (text == ord(" ")) | ((text >= ord("\t")) & (text <= ord("\r")))
    starts = np.flatnonzero(~white & np.append(True, white[:-1]))
    bounds = np.append(starts, text.size)
    chunks = pa.Array.from_buffers(pa.large_binary(), starts.size, [None, pa.py_buffer(bounds), pa.py_buffer(text)])
    moved = _bytes_of_rows(clean(chunks, origin.cleaning)[0])[1]
    first = after[0] + bounds[0] if is_text else after[0]  # lists hold no white space
    return Places(first + moved[:-1] - moved[0], begin + starts.astype(np.uint64))
