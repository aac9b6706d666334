"""A synthetic corpus of any size with a Zipf law and planted pairs whose counts are known: see benchmarks/README.md.

Words are drawn independently by P(rank) ~ rank^-exponent, by inverting the law's distribution function. A text's words come
in fewer pairs than independent ones: with exponent 1.2 there are about as many cells as in a text of that size. Line number l (from 1) begins with the
two words of planted pair k, where 2^k divides l and 2^(k+1) does not: so pair k occurs in (lines / 2^k + 1) / 2 lines,
each time side by side, and its words nowhere else.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

PLANTED = 20
LINES_PER_BLOCK = 1 << 10


def names(words: int) -> list[str]:
    """Names of the ranks in syllables, the shorter the more frequent, as in a language."""
    syllables = [f"{consonant}{vowel}n" for vowel in "aeiou" for consonant in "bcdfghjklmnpqrstvwxz"]
    found = []
    for rank in range(words):
        number, name = rank + 1, ""
        while number:
            number, syllable = divmod(number - 1, len(syllables))
            name = syllables[syllable] + name
        found.append(name)
    return found


def planted_counts(lines: int) -> list[int]:
    """How often each planted pair occurs."""
    return [((lines >> k) + 1) >> 1 for k in range(PLANTED)]


def draw_ranks(draw: np.random.Generator, shape: tuple[int, int], vocabulary: int, exponent: float) -> np.ndarray:
    """Ranks from 0 by a density of rank^-exponent between 1 and vocabulary + 1, rounded down."""
    share = draw.random(shape)
    if exponent == 1:
        places = np.exp(share * np.log(vocabulary + 1))
    else:  # a power by float32 logarithms, which numpy has vectorised: good to a third of the millionth rank
        power = np.float32(1 / (1 - exponent))
        places = np.exp(np.log((1 - share * (1 - (vocabulary + 1) ** (1 - exponent))).astype(np.float32)) * power)
    return np.clip(places.astype(np.int32) - 1, 0, vocabulary - 1)


def write_corpus(path: Path, words: int, vocabulary: int, exponent: float, line: int, seed: int) -> dict:
    """Write at least ``words`` words in whole lines of ``line`` words; returns what a count must find."""
    plain = names(vocabulary)
    pairs = [f"left{k} right{k}" for k in range(PLANTED)]
    # a rank's word in a line, the same at its end, planted pairs
    table = pa.array([f"{name} " for name in plain] + [f"{name}\n" for name in plain] + [f"{pair} " for pair in pairs])
    draw = np.random.default_rng(seed)
    lines = -(-words // line)
    with path.open("wb") as out:
        for first in range(1, lines + 1, LINES_PER_BLOCK):
            numbers = np.arange(first, min(first + LINES_PER_BLOCK, lines + 1))
            ranks = draw_ranks(draw, (numbers.size, line - 1), vocabulary, exponent)
            ranks[:, -1] += vocabulary
            power = np.log2((numbers & -numbers).astype(np.float64)).astype(np.int32)
            ranks[:, 0] = np.where(power < PLANTED, 2 * vocabulary + power, ranks[:, 0])
            text = table.take(pa.array(ranks.ravel()))
            bounds = np.frombuffer(text.buffers()[1], np.int32)
            out.write(memoryview(text.buffers()[2])[bounds[0] : bounds[len(text)]])
    planted = planted_counts(lines)
    unplanted = lines - sum(planted)
    return {
        "words": lines * line - unplanted,
        "lines": lines,
        "planted": {f"left{k} right{k}": count for k, count in enumerate(planted)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=lambda text: int(float(text)), default=int(1e8))
    parser.add_argument("--vocabulary", type=lambda text: int(float(text)), default=int(1e6))
    parser.add_argument("--exponent", type=float, default=1.2)
    parser.add_argument("--line", type=int, default=500, help="Words in a line.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="Text; what a count must find goes to OUTPUT.json.")
    given = parser.parse_args()
    began = time.perf_counter()
    told = write_corpus(given.output, given.words, given.vocabulary, given.exponent, given.line, given.seed)
    Path(f"{given.output}.json").write_text(json.dumps(told, indent=1) + "\n")
    size, seconds, busy = given.output.stat().st_size, time.perf_counter() - began, time.process_time()
    print(
        f"{told['words']:,} words, {size:,} bytes in {seconds:.1f} s ({busy:.1f} s of CPU): {size / busy / 1e6:.0f} MB/s"
    )


if __name__ == "__main__":
    main()
