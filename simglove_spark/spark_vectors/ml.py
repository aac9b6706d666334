"""A stage of pyspark.ml pipelines: `SimplerGlove` and its model, where Word2Vec and Word2VecModel stood.

    model = SimplerGlove(inputCol="words", outputCol="features").fit(df)
    model.transform(df);  model.getVectors();  model.findSynonyms("king", 10);  model.save("model")

Other than with Word2Vec there is no ``numPartitions``, ``stepSize`` or ``maxSentenceLength``: Spark's own partitions are counted as
they are, steps are not needed, and a row of any length is one text.
"""

import atexit
import shutil
import tempfile
import uuid
from functools import cached_property
from pathlib import Path
from typing import Any

import pyspark
from numpy.typing import ArrayLike
from pyspark.ml import Estimator, Model
from pyspark.ml.functions import array_to_vector
from pyspark.ml.util import (
    DefaultParamsReadable,
    DefaultParamsReader,
    DefaultParamsWritable,
    DefaultParamsWriter,
    MLReadable,
    MLReader,
    MLWritable,
    MLWriter,
)
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col, lit, when

from simglove_spark import output
from simglove_spark.asking.reading import Reading, reading_told
from simglove_spark.cache import temporary_home
from simglove_spark.errors import ConfigError
from simglove_spark.frames import save_counts
from simglove_spark.progress import Progress
from simglove_spark.publishing.latest import resolved
from simglove_spark.spark_vectors.functions import row_function
from simglove_spark.spark_vectors.in_workers import TableVectors
from simglove_spark.spark_vectors.params import SimplerGloveParams
from simglove_spark.training import train_vectors
from simglove_spark.vectors import Vectors
from simglove_spark.vectors_table import PARQUET

METADATA, VECTORS = "metadata", "vectors"


class SimplerGlove(Estimator, SimplerGloveParams, DefaultParamsReadable, DefaultParamsWritable):
    """Learns word vectors from a column of text or of arrays of words: counts on Spark, trains on the driver.

    Parameters
    ----------
    inputCol, outputCol : str
        Column of text (cut as ``options`` say, by default at ASCII white space) or of arrays of words, and the model's column of vectors.
    vectorSize, minCount, windowSize, seed : int
        As `--dim`, `--min-count`, `--window-size` and `--seed`, with their defaults.
    maxIter : int
        Passes over all cells, at most. By default those of the preset's solver.
    preset : str
        As `--preset`.
    options : dict
        Any other option of the commands, by its name in `simglove_spark.config`: ``{"count_power": 1.0, "max_vocab": 50000}``.
    combine : str
        ``mean`` or ``sum``, see `SimplerGloveModel`.
    workDir : str
        Folder that driver and workers can write. The model's vectors stay there, in a new folder of each fit; without it they lie in
        this machine's temporary folder until Python ends: save the model.

    Raises
    ------
    ConfigError
        When a param is none.
    """

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._given(**params)

    def setParams(self, **params: Any) -> "SimplerGlove":
        """Set any params by name."""
        return self._given(**params)

    def setVectorSize(self, value: int) -> "SimplerGlove":
        """Set the components of a vector."""
        return self._given(vectorSize=value)

    def setMinCount(self, value: int) -> "SimplerGlove":
        """Set how often a word must occur."""
        return self._given(minCount=value)

    def setWindowSize(self, value: int) -> "SimplerGlove":
        """Set the distance to each side, in words."""
        return self._given(windowSize=value)

    def setMaxIter(self, value: int) -> "SimplerGlove":
        """Set the most passes over all cells."""
        return self._given(maxIter=value)

    def setSeed(self, value: int) -> "SimplerGlove":
        """Set the seed of start vectors and order."""
        return self._given(seed=value)

    def setPreset(self, value: str) -> "SimplerGlove":
        """Set the options to start from."""
        return self._given(preset=value)

    def setOptions(self, value: dict[str, Any]) -> "SimplerGlove":
        """Set further options."""
        return self._given(options=value)

    def setWorkDir(self, value: str) -> "SimplerGlove":
        """Set the shared folder."""
        return self._given(workDir=value)

    def _fit(self, dataset: DataFrame) -> "SimplerGloveModel":
        counting, training, running = self._configs()
        column = self._input_column()
        self._combined()
        folder = self._new_folder()
        counts, vectors = folder / "counts", folder / VECTORS
        try:
            save_counts(dataset, counts, f"simglove_{uuid.uuid4().hex}", column=column, **counting)
            train_vectors(counts / "vocabulary", counts / "pairs", vectors, training, running, Progress())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(counts)
        reading = Reading(**reading_told(counting))  # a tokenizer of the user's own is named here and now
        model: SimplerGloveModel = self._copyValues(SimplerGloveModel(vectors, reading))
        return model._resetUid(self.uid)

    def _new_folder(self) -> Path:
        given = self.getWorkDir()
        if given is None:
            folder = Path(tempfile.mkdtemp(prefix="model-", dir=temporary_home()))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            return folder
        home = output.local_path(given)
        home.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="model-", dir=home))


class SimplerGloveModel(Model, SimplerGloveParams, MLReadable, MLWritable):
    """Word vectors as a stage of a pipeline; also of any vectors table: ``SimplerGloveModel("runs/first/vectors")``.

    `transform` adds a column of pyspark.ml vectors, as Word2VecModel does: the sum of the known words' vectors, with ``combine`` mean
    over the number of all words, known or not; zeros for a text without a known word. Only null, of which Word2VecModel fails, gives
    null. With the default's evened counts such sums are mostly frequent words: ``count_power`` 1 or the preset simpler-glove for sums.

    Parameters
    ----------
    vectors : str or Path
        Folder of a vectors table that all workers can read.
    reading : Reading, optional
        How texts become words, where that is not as the corpus was read; of a model that was loaded, a tokenizer MODULE:FUNCTION must
        be named again: ``SimplerGloveModel("model/vectors", Reading(tokenizer="mine:cut"))``.

    Raises
    ------
    InputError
        When it is no complete vectors table.
    """

    def __init__(self, vectors: str | Path, reading: Reading | None = None) -> None:
        super().__init__()
        self.reading = reading
        self.folder = output.local_path(resolved(vectors))
        self._setDefault(vectorSize=self.vectors.matrix.shape[1])

    @cached_property
    def vectors(self) -> Vectors:
        """The vectors themselves, memory-mapped, with all that can be asked of them."""
        return Vectors.load(self.folder, reading=self.reading)

    def getVectors(self) -> DataFrame:
        """DataFrame(word string, vector of pyspark.ml) of all words."""
        table = SparkSession.active().read.parquet(_uri(self.folder / PARQUET))
        return table.select("word", array_to_vector(col("vector")).alias("vector"))

    def findSynonyms(self, word: str | ArrayLike, num: int) -> DataFrame:
        """DataFrame(word string, similarity double) of the words nearest by cosine, as `findSynonymsArray`."""
        found = self.findSynonymsArray(word, num)
        return SparkSession.active().createDataFrame(found, "word string, similarity double")

    def findSynonymsArray(self, word: str | ArrayLike, num: int) -> list[tuple[str, float]]:
        """Words nearest by cosine and their cosines, best first, from the driver.

        Parameters
        ----------
        word
            A word, which is none of the answers, or a vector (an array, or one of pyspark.ml).
        num
            Number of words wanted.

        Raises
        ------
        InputError
            When the word is unknown.
        """
        asked = word.toArray() if hasattr(word, "toArray") else word
        return self.vectors.most_correlative(asked, num, normalize=True)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        combined = row_function("combined", TableVectors.row_combined, "array<double>", self.folder, self.reading)
        column = col(self._input_column())
        vector = when(column.isNotNull(), array_to_vector(combined(column, lit(self._combined()))))
        return dataset.withColumn(self.getOutputCol(), vector)

    def write(self) -> "SimplerGloveModelWriter":
        """A writer for a folder that driver and workers share."""
        return SimplerGloveModelWriter(self)

    @classmethod
    def read(cls) -> "SimplerGloveModelReader":
        """A reader of what `write` wrote."""
        return SimplerGloveModelReader()


class SimplerGloveModelWriter(MLWriter):
    """Writes FOLDER/metadata as all of pyspark.ml does, and FOLDER/vectors, the vectors table: all of it or nothing."""

    def __init__(self, model: SimplerGloveModel) -> None:
        super().__init__()
        self.model = model

    def save(self, path: str) -> None:
        """Write the model; with `overwrite` the one that is there stays until the new one is whole.

        Raises
        ------
        ConfigError
            When the path has a scheme other than file:, or is taken.
        """
        folder = output.local_path(path)
        if folder.exists() and not (self.shouldOverwrite and (folder / METADATA).is_dir()):
            raise ConfigError(
                f"path must be new, or a saved model to be overwritten; got other content ({folder}). "
                "Give another, or write().overwrite().save(path)."
            )
        with output.building(folder, self.shouldOverwrite) as staging:
            DefaultParamsWriter.saveMetadata(self.model, _uri(staging), _session(self))
            shutil.copytree(self.model.folder, staging / VECTORS)


class SimplerGloveModelReader(MLReader):
    """Reads what `SimplerGloveModelWriter` wrote; the model's vectors stay where they are."""

    def load(self, path: str) -> SimplerGloveModel:
        """The model of a folder.

        Raises
        ------
        InputError
            When it holds none, or its vectors are not whole.
        """
        folder = output.local_path(path)
        model = SimplerGloveModel(folder / VECTORS)
        metadata = DefaultParamsReader.loadMetadata(_uri(folder), _session(self))
        model._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(model, metadata)
        return model


def _session(of: MLReader | MLWriter) -> Any:
    """What pyspark's own functions of metadata take: the session, and its context before Spark 4."""
    return of.sc if pyspark.__version__ < "4" else of.sparkSession


def _uri(path: Path) -> str:
    """For Spark, whose paths without a scheme may lie elsewhere."""
    return f"file://{path}"
