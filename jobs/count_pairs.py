"""Count pairs under a vocabulary: spark-submit count_pairs.py --input ... --vocabulary DIR --output DIR."""

import sys

from simglove_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["count-pairs", *sys.argv[1:]]))
