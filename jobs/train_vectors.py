"""Train on pair counts: python or spark-submit train_vectors.py --vocabulary DIR --pairs DIR --output DIR."""

import sys

from simglove_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
