"""Counting a second time: slow and obviously right. Plain Python; shares no line with the library."""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from math import gcd, log

Row = bytes | list[bytes]
MASK = 2**64 - 1
END_OF_ROW = -1


def words_of(row: Row) -> list[bytes]:
    """Words of a row: bytes are split at ASCII white space, a list is taken as it is without empty words."""
    return row.split() if isinstance(row, bytes) else [word for word in row if word]


def lines(text: bytes) -> list[bytes]:
    r"""Rows of a text file: \n, \r and \r\n end a line."""
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def lower(text: str) -> str:
    """Lower case, one character to one, whatever stands beside it."""
    return "".join(char.lower()[0] for char in text)


def count_words(rows: Iterable[Row]) -> Counter[bytes]:
    """Occurrences of every word."""
    return Counter(word for row in rows for word in words_of(row))


def count_documents(rows: Iterable[Row]) -> Counter[bytes]:
    """Rows that hold each word."""
    return Counter(word for row in rows for word in set(words_of(row)))


def vocabulary(counts: dict[bytes, int], min_count: int = 1, max_vocab: int | None = None) -> dict[bytes, int]:
    """Id of each kept word: falling by count, then by bytes."""
    kept = [word for word in counts if counts[word] >= min_count]
    kept.sort(key=lambda word: (-counts[word], word))
    return {word: number for number, word in enumerate(kept[:max_vocab])}


def unit(window_size: int, weighting: str) -> int:
    """What a pair of neighbours counts."""
    if weighting == "flat":
        return 1
    if window_size > 16:
        return 2**20
    value = 1
    for distance in range(2, window_size + 1):
        value *= distance // gcd(value, distance)
    return value


def weight(distance: int, window_size: int, weighting: str) -> int:
    """What a pair at a distance counts, in units."""
    if weighting == "flat":
        return 1
    exact = Fraction(unit(window_size, weighting), distance)
    assert window_size > 16 or exact.denominator == 1
    return int(exact + Fraction(1, 2))


def count_pairs(
    rows: Iterable[Row], ids: dict[bytes, int], window_size: int, weighting: str, keep_places: bool = False
) -> Counter[tuple[int, int]]:
    """Count of every ordered pair, in units; with ``keep_places`` other words take a place in the window."""
    weights = [0, *(weight(distance, window_size, weighting) for distance in range(1, window_size + 1))]
    counts: Counter[tuple[int, int]] = Counter()
    for row in rows:
        known = [ids.get(word) for word in words_of(row) if keep_places or word in ids]
        for place, word in enumerate(known):
            for distance in range(1, window_size + 1):
                if place < distance or word is None or known[place - distance] is None:
                    continue
                if known[place - distance] != word:
                    counts[word, known[place - distance]] += weights[distance]
                    counts[known[place - distance], word] += weights[distance]
    return counts


def splitmix64(value: int) -> int:
    """First output of SplitMix64 for a seed, as Vigna's C code has it."""
    z = (value + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def number(value: int) -> bytes:
    """Unsigned LEB128."""
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127)
    return bytes([digit | 128 for digit in digits[:-1]] + digits[-1:])


def run_of(cells: dict[tuple[int, int], int]) -> bytes:
    """Directed cells as a run."""
    rows: dict[int, list[tuple[int, int]]] = {}
    for (word, context), count in sorted(cells.items()):
        rows.setdefault(word, []).append((context, count))
    out, last_word = b"", 0
    for word, row in rows.items():
        out += number(word - last_word) + number(len(row))
        last_word, last_context = word, 0
        for context, count in row:
            out += number(context - last_context) + number(count)
            last_context = context
    return out


Phrases = dict[tuple[bytes, bytes], bytes]


def join(words: list[bytes], rounds: list[Phrases]) -> list[bytes]:
    """A row's words with neighbours that are a phrase joined, from left to right, round after round."""
    for phrases in rounds:
        joined, left = [], list(words)
        while left:
            pair = tuple(left[:2])
            joined.append(phrases.get(pair, left[0]))
            left = left[2 if pair in phrases else 1 :]
        words = joined
    return words


def count_neighbours(rows: Iterable[Row], known: Iterable[bytes]) -> Counter[tuple[bytes, bytes]]:
    """How often a known word is directly followed by another."""
    every = [words_of(row) for row in rows]
    pairs = (pair for words in every for pair in pairwise(words))
    return Counter(pair for pair in pairs if set(pair) <= set(known))


def npmi(pair: int, first: int, second: int, total: int) -> float:
    """Normalised pointwise mutual information (Bouma 2009)."""
    return log(pair / total / (first / total * (second / total))) / -log(pair / total)
