"""pyspark's daemon, with the kernels loaded: each of its workers is a fork, and has them already."""

from pyspark.daemon import manager
from warming import warm

if __name__ == "__main__":
    warm()
    manager()
