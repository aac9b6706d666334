"""The params of `SimplerGlove` and its model: Word2Vec's where they mean the same, and four of ours."""

from dataclasses import fields
from typing import Any, Self, get_args

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasMaxIter, HasOutputCol, HasSeed

from simglove_spark.choices import check_choice
from simglove_spark.config import PairsConfig, RunConfig, TrainConfig, VocabularyConfig
from simglove_spark.errors import ConfigError
from simglove_spark.frames import checked_config
from simglove_spark.presets import PRESETS
from simglove_spark.spark_vectors.in_workers import Combine

#: Params that are options of ours under another name; their defaults are those of `config`.
OPTIONS = {
    "vectorSize": "dim",
    "minCount": "min_count",
    "windowSize": "window_size",
    "seed": "seed",
    "preset": "preset",
}
_TRAINING = {field.name for field in fields(TrainConfig)}
_RUNNING = {field.name for field in fields(RunConfig)} - {"overwrite"}


def _param(name: str, doc: str, convert: Any) -> Any:
    return Param(Params._dummy(), name, doc, convert)


class SimplerGloveParams(HasInputCol, HasOutputCol, HasSeed, HasMaxIter):
    """Params, which the model keeps for information, but for ``inputCol``, ``outputCol`` and ``combine``, which it needs."""

    vectorSize = _param("vectorSize", "components of a vector (--dim)", TypeConverters.toInt)
    minCount = _param("minCount", "words that occur at least so often are kept (--min-count)", TypeConverters.toInt)
    windowSize = _param("windowSize", "distance to each side, in words (--window-size)", TypeConverters.toInt)
    preset = _param("preset", f"set of options to start from: {', '.join(PRESETS)} (--preset)", TypeConverters.toString)
    options = _param("options", "further options of the commands, by their names in simglove_spark.config", dict)
    combine = _param("combine", "what a text's vectors become: mean, as of Word2Vec, or sum", TypeConverters.toString)
    workDir = _param("workDir", "folder that driver and workers share, for counts and vectors", TypeConverters.toString)

    def __init__(self) -> None:
        super().__init__()
        pairs, words, training = PairsConfig(), VocabularyConfig(), TrainConfig()
        self._setDefault(
            vectorSize=training.dim,
            minCount=words.min_count,
            windowSize=pairs.window_size,
            seed=training.seed,
            preset=training.preset,
            options={},
            combine=get_args(Combine)[0],
        )

    def setInputCol(self, value: str) -> Self:
        """Set the column of text or of arrays of words."""
        return self._given(inputCol=value)

    def setOutputCol(self, value: str) -> Self:
        """Set the column of the texts' vectors."""
        return self._given(outputCol=value)

    def setCombine(self, value: str) -> Self:
        """Set what a text's vectors become: mean or sum."""
        return self._given(combine=value)

    def getVectorSize(self) -> int:
        """Components of a vector."""
        return int(self.getOrDefault(self.vectorSize))

    def getMinCount(self) -> int:
        """How often a word must occur."""
        return int(self.getOrDefault(self.minCount))

    def getWindowSize(self) -> int:
        """Distance to each side, in words."""
        return int(self.getOrDefault(self.windowSize))

    def getPreset(self) -> str:
        """The set of options to start from."""
        return str(self.getOrDefault(self.preset))

    def getOptions(self) -> dict[str, Any]:
        """Further options."""
        return dict(self.getOrDefault(self.options))

    def getCombine(self) -> str:
        """What a text's vectors become."""
        return str(self.getOrDefault(self.combine))

    def getWorkDir(self) -> str | None:
        """The shared folder; None for this machine's temporary one."""
        return self.getOrDefault(self.workDir) if self.isDefined(self.workDir) else None

    def _given(self, **params: Any) -> Self:
        """Set params by name; None leaves one as it is."""
        for name in params:
            if not self.hasParam(name):
                known = ", ".join(param.name for param in self.params)
                raise ConfigError(f"param must be one of {known}; got {name!r}. Check its name.")
        self._set(**params)
        return self

    def _input_column(self) -> str:
        if not self.isDefined(self.inputCol):
            raise ConfigError("inputCol must be set; got none. Name the column of words or text: setInputCol.")
        return str(self.getInputCol())

    def _combined(self) -> str:
        combine = self.getCombine()
        check_choice("combine", combine, get_args(Combine), "Use mean.")
        return combine

    def _configs(self) -> tuple[dict[str, Any], TrainConfig, RunConfig]:
        """Options of counting, and the configurations of training."""
        check_choice("preset", self.getPreset(), PRESETS, "Name one.")
        own = {option: self.getOrDefault(param) for param, option in OPTIONS.items()}
        own["min_count"] = max(1, own["min_count"])  # the examples of Word2Vec have 0
        further = {**PRESETS[self.getPreset()], **self.getOptions()}  # type: ignore[index]
        twice = sorted({*own, "column", "overwrite"} & set(further))
        if twice:
            raise ConfigError(f"options must leave out what params say; got {', '.join(twice)}. Set the param instead.")
        every = {**own, **further}
        if self.isDefined(self.maxIter):
            passes = {"sweeps": self.getMaxIter(), "epochs": self.getMaxIter()}
            every = {**passes, **every}
        training = checked_config(TrainConfig, {name: every[name] for name in every if name in _TRAINING})
        running = checked_config(RunConfig, {name: every[name] for name in every if name in _RUNNING})
        counting = {name: every[name] for name in every if name not in _TRAINING | _RUNNING}
        return counting, training, running
