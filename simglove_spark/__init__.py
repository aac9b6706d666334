"""Word vectors whose inner product is pointwise mutual information, counted on Apache Spark.

Nothing here imports Spark or numba: `Vectors` loads in a plain Python with numpy and pyarrow.
"""

from simglove_spark.vectors import Reading, Vectors

__all__ = ["Reading", "Vectors"]
