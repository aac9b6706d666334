"""Count words of a corpus and choose the vocabulary: spark-submit count_words.py --input ... --output DIR."""

import sys

from simglove_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["count-words", *sys.argv[1:]]))
