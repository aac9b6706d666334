"""Find phrases and count words with them joined: spark-submit find_phrases.py --input ... --words DIR --output DIR."""

import sys

from simglove_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["phrases", *sys.argv[1:]]))
