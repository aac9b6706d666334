"""Score vectors: python or spark-submit evaluate_vectors.py --vectors DIR --similarity FILE ...."""

import sys

from simglove_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
