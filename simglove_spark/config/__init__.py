"""Every option, its default and its help, in frozen dataclasses: the only folder with defaults.

Command line, YAML file, spark-submit jobs and the Python functions all read them here. The text under a field is its help.
Options in `CorpusConfig`, `VocabularyConfig`, `PhrasesConfig`, `PairsConfig`, `ImportConfig` and `TrainConfig` decide the bytes of a table
and stand in its manifest; those in `BuildConfig`, `RunConfig`, `SparkConfig`, `ObserveConfig` and `TextConfig` do not.
"""

from dataclasses import asdict
from typing import Any

from simglove_spark.config.asking import TextConfig
from simglove_spark.config.counting import CorpusConfig, DistanceWeighting, PairsConfig, VocabularyConfig
from simglove_spark.config.exchange import ImportConfig, PairFormat
from simglove_spark.config.phrases import PhrasesConfig
from simglove_spark.config.running import BuildConfig, FileConfig, ObserveConfig, RunConfig, SparkConfig
from simglove_spark.config.training import HandOut, Model, Solver, Space, TrainConfig

__all__ = [
    "BuildConfig",
    "CorpusConfig",
    "DistanceWeighting",
    "FileConfig",
    "HandOut",
    "ImportConfig",
    "Model",
    "ObserveConfig",
    "PairFormat",
    "PairsConfig",
    "PhrasesConfig",
    "RunConfig",
    "Solver",
    "Space",
    "SparkConfig",
    "TextConfig",
    "TrainConfig",
    "VocabularyConfig",
    "content_config",
]


def content_config(*configs: Any) -> dict[str, Any]:
    """Options that decide a table's content, as they stand in its manifest; `input` is recorded apart, with sizes."""
    merged = {key: value for config in configs for key, value in asdict(config).items()}
    merged.pop("input", None)
    return merged
