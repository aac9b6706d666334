"""Tokenizers: from rows of text to rows of words.

`words` cuts at Unicode's word boundaries (UAX 29) as ICU finds them, whose dictionaries also cut Chinese, Japanese, Thai and
other scripts without blanks; `jieba` is the usual tokenizer of Chinese; both keep what holds a letter or a digit, and no
word of theirs reaches over ASCII white space. MODULE:FUNCTION, the user's own, gets a row's text and returns its words.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simglove_spark.errors import ConfigError
from simglove_spark.user_function import load_function, reason

Tokenizer = Callable[[pa.Array], pa.Array]
PART_BYTES = 1 << 20
WHITE = " \t\n\v\f\r"
_LISTS = pa.large_list(pa.large_string())
_NARROW_BLANK = "\u202f"  # stands inside of words: 10 000


def needs_whole_rows(name: str) -> bool:
    """Whether the tokenizer must see a row at once, since its words may depend on what stands beyond a blank."""
    return ":" in name


@lru_cache
def load_tokenizer(name: str) -> Tokenizer | None:
    """What makes lists of words of a column of text (large_string); None where white space alone separates words.

    Raises
    ------
    ConfigError
        When its package or function is not there.
    """
    if name == "whitespace":
        return None
    if needs_whole_rows(name):
        rule = "--tokenizer must be MODULE:FUNCTION that can be imported here and by Spark's workers"
        function = load_function(name, rule, "On a cluster give the module to spark-submit by --py-files.")
        return partial(_by_rows, cut=partial(_checked, function=function, name=name))
    try:
        if name == "jieba":
            from rjieba import Jieba

            return partial(_by_rows, cut=partial(_without_marks, cut=Jieba().cut))
        from icu4py.breakers import WordBreaker
    except ImportError as error:
        raise ConfigError(
            f"--tokenizer {name} must have its package, here and in Spark's workers; got {error}. "
            "pip install 'simglove-spark[tokenizers]'."
        ) from error
    points = [chr(point) for point in range(0x110000)]
    is_letter = np.array([point.isalnum() for point in points])
    is_blank = np.array([point.isspace() and point != _NARROW_BLANK for point in points])
    return partial(
        _by_boundaries, cut=partial(_words_between, breaker=WordBreaker, is_letter=is_letter, is_blank=is_blank)
    )


def _by_rows(column: pa.Array, cut: Callable[[str], list[str]]) -> pa.Array:
    return pa.array([cut(text) if text else [] for text in map(_stripped, column.to_pylist())], _LISTS)


def _stripped(text: str) -> str:
    return text.strip(WHITE)


def _without_marks(text: str, cut: Callable[[str], list[str]]) -> list[str]:
    return [word for word in cut(text) if word.isalnum() or any(map(str.isalnum, word))]


def _checked(text: str, function: Callable[[str], Any], name: str) -> list[str]:
    """What the user's function makes of a row."""
    try:
        words = function(text)
        if not isinstance(words, list):
            raise TypeError(f"it returned {type(words).__name__}")
        "".join(words).encode()  # all of them are str, and text
    except Exception as error:  # whatever somebody's function raises
        raise ConfigError(
            f"--tokenizer must return a list of str for each row; got {reason(error)} ({name}, of the row that begins "
            f"{text[:40]!r}). Mend the function."
        ) from error
    return words


def _by_boundaries(column: pa.Array, cut: Callable[[bytes], tuple[np.ndarray, np.ndarray, np.ndarray]]) -> pa.Array:
    """Words of all rows at once: rows are put together with line ends, over which no word reaches."""
    lengths = pc.binary_length(column).to_numpy(zero_copy_only=False)
    text = b"\n".join(column.cast(pa.large_binary()).to_pylist())
    sizes, begins, kept = [np.empty(0, np.int64)], [np.empty(0, np.int64)], []
    for begin, end in _parts(text):
        first, size, data = cut(text[begin:end])
        begins.append(first + begin)
        sizes.append(size)
        kept.append(data.tobytes())
    ends = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    words = pa.LargeStringArray.from_buffers(ends.size - 1, pa.py_buffer(ends), pa.py_buffer(b"".join(kept)))
    rows = np.searchsorted(np.concatenate(begins), np.concatenate([[0], np.cumsum(lengths + 1)]))
    return pa.LargeListArray.from_arrays(pa.array(rows.astype(np.int64)), words)


def _parts(text: bytes) -> Iterator[tuple[int, int]]:
    """Bounds of parts of about a megabyte, each cut behind a blank or a line end."""
    begin = 0
    while len(text) - begin > PART_BYTES:
        end = max(text.rfind(white, begin, begin + PART_BYTES) for white in (b" ", b"\n")) + 1
        if end == 0:
            later = (text.find(white, begin + PART_BYTES) for white in (b" ", b"\n"))
            end = min((place for place in later if place >= 0), default=len(text) - 1) + 1
        yield begin, end
        begin = end
    if begin < len(text):
        yield begin, len(text)


def _words_between(
    text: bytes, breaker: type, is_letter: np.ndarray, is_blank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First byte and size of each word, and all words' bytes one after another."""
    data, decoded = np.frombuffer(text, np.uint8), text.decode()
    points = np.frombuffer(decoded.encode("utf-32-le"), np.uint32)
    lengths = np.fromiter(map(len, breaker(decoded, "root")), np.int64)
    begins = np.cumsum(lengths) - lengths
    keeps = np.logical_or.reduceat(is_letter[points], begins)
    # a mark joins itself to a blank before it, and may be a letter: the blank is no part of the word
    kept_points = np.repeat(keeps, lengths) & ~is_blank[points]
    is_first = (data & 0xC0) != 0x80
    kept = kept_points[np.cumsum(is_first) - 1]
    places = np.append(np.flatnonzero(is_first), data.size)  # of the points among the bytes
    used = np.concatenate([[0], np.cumsum(kept)])
    firsts = places[begins[keeps]]
    sizes = used[places[(begins + lengths)[keeps]]] - used[firsts]
    return firsts, sizes, data[kept]
