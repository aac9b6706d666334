"""Words a second of reading, cutting and counting a plain text in one process, by tokenizer: see benchmarks/README.md."""

import argparse
import time
from pathlib import Path

import pyarrow.compute as pc

from simglove_spark.cleaning import Cleaning
from simglove_spark.text_ranges import Range, pieces_of
from simglove_spark.text_rows import spans
from simglove_spark.word_counter import WordCounter


def count(text: Path, tokenizer: str) -> tuple[int, float]:
    """Words, and CPU seconds."""
    size, began = text.stat().st_size, time.process_time()
    counter = WordCounter(1 << 29)
    for piece in pieces_of(Range(str(text), 0, size, size), Cleaning(tokenizer=tokenizer)):
        for block in spans(piece.column, piece.is_open):
            counter.add(block)
    return pc.sum(counter.drain()["count"]).as_py(), time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--tokenizers", nargs="+", default=["whitespace", "words"])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    for tokenizer in arguments.tokenizers:
        runs = [count(arguments.text, tokenizer) for _ in range(arguments.repeats + 1)][1:]  # the first one compiles
        words, seconds = min(runs)
        megabytes = arguments.text.stat().st_size / 1e6
        print(
            f"{tokenizer}: {words:,} words, {seconds:.2f} s: {words / seconds / 1e6:.2f} M words/s, {megabytes / seconds:.1f} MB/s"
        )


if __name__ == "__main__":
    main()
