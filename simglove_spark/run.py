"""A run folder: its tables, its resolved configuration, and `run.json`, the truth for whoever watches it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simglove_spark import counting, training, vocabulary
from simglove_spark.config import (
    CorpusConfig,
    PairsConfig,
    RunConfig,
    SparkConfig,
    TrainConfig,
    VocabularyConfig,
    content_config,
)
from simglove_spark.corpus import list_inputs
from simglove_spark.errors import ConfigError, ResourceError, StoppedError, explain
from simglove_spark.forecast import forecast_training
from simglove_spark.manifest import Manifest, software_versions
from simglove_spark.output import hold
from simglove_spark.presets import PRESETS
from simglove_spark.progress import Progress
from simglove_spark.saved_config import replace_text, save_config
from simglove_spark.storage.paths import StorePath, path_of
from simglove_spark.trainer import memory_budget
from simglove_spark.warm_up import start_warm_up
from simglove_spark.word_lists import WordLists, read_lists

# what a run folder may hold besides hidden names; with anything else in it, it is somebody's and not ours to write into
OWN = {"word_counts", "vocabulary", "pairs", "vectors", "run.json", "run.yaml"}
OWN |= {"count-words.yaml", "merge-words.yaml", "pairs.yaml", "vectors.yaml"}


@dataclass(frozen=True)
class Road:
    """All options of a run from corpus to vectors."""

    corpus: CorpusConfig
    vocabulary: VocabularyConfig
    pairs: PairsConfig
    training: TrainConfig
    resources: RunConfig
    spark: SparkConfig


def walk(folder: Path, road: Road, command: str, options: dict[str, Any], run_id: str, progress: Progress) -> None:
    """Count words, count pairs, train: each stage that isn't there yet.

    A run that is refused, or that finds nothing to do, leaves the folder as it is, run.json included.

    Parameters
    ----------
    folder : Path
        Run folder; tables go to word_counts, vocabulary, pairs and vectors below it.
    road : Road
    command : str
    options : dict
        Resolved configuration, saved as run.yaml.
    run_id : str
        Under which ``progress`` logs.
    progress : Progress

    Raises
    ------
    SimgloveError
        As the stages say; ConfigError also when another run is writing the folder.
    """
    with progress.stage(command):
        _walk(folder, road, command, options, run_id, progress)


def _walk(folder: Path, road: Road, command: str, options: dict[str, Any], run_id: str, progress: Progress) -> None:
    _refuse_contradictions(road)
    inputs, lists = list_inputs(road.corpus), read_lists(road.vocabulary, content_config(road.corpus))
    with _locked(folder):
        if _is_done(folder, road, inputs, lists):
            progress.note(f"Nothing to do: {folder} is complete with the same inputs and options.")
            return
        context = counting.Context(progress, road.resources, road.spark, command)
        record = _Record(folder, {"run_id": run_id, "command": command, "config": options})
        save_config(folder / "run.yaml", options, output=str(folder))
        stages: dict[str, Callable[[], Manifest]] = {
            "count-words": lambda: counting.count_words(road.corpus, road.vocabulary, folder, context),
            "count-pairs": lambda: _count_pairs(folder, road, context),
            "train": lambda: training.train_vectors(
                folder / "vocabulary", folder / "pairs", folder / "vectors", road.training, road.resources, progress
            ),
        }
        start_warm_up()
        with record.running():
            for name, stage in stages.items():
                record.stage(name, stage)


def _count_pairs(folder: Path, road: Road, context: counting.Context) -> Manifest:
    vocabulary = folder / "vocabulary"
    words = Manifest.load(vocabulary, "vocabulary").rows
    # vectors that don't fit are told now that the words are known, not after the pairs are counted
    forecast_training(0, words, road.training, 1, memory_budget(road.resources))
    return counting.count_pairs(road.corpus, road.pairs, vocabulary, folder / "pairs", context)


def _refuse_contradictions(road: Road) -> None:
    """Refuse at once what the last stage would refuse."""
    _refuse_wrong_names(road.training)
    weighting = PRESETS[road.training.preset].get("distance_weighting")
    if weighting not in (None, road.pairs.distance_weighting):
        raise ConfigError(
            f"--preset {road.training.preset} must be given {weighting} pairs; got --distance-weighting "
            f"{road.pairs.distance_weighting}. Leave one of the two out."
        )


def _refuse_wrong_names(config: TrainConfig) -> None:
    """Refuse a loss or earlier vectors that are not there, before anything is counted."""
    if config.loss is not None:
        from simglove_spark.custom_loss import load_loss

        load_loss(config.loss)
    if config.start_from is not None:
        Manifest.load(path_of(config.start_from), "vectors")


def _is_done(folder: Path, road: Road, inputs: list[dict[str, Any]], lists: WordLists) -> bool:
    """Whether all tables are there, as asked for; refuses what stands in the way before anything is written."""
    overwrite = road.resources.overwrite
    if not counting.words_are_counted(road.corpus, road.vocabulary, inputs, folder, overwrite):
        return False
    if not vocabulary.is_chosen(folder, lists, overwrite):
        return False
    words, pairs = folder / "vocabulary", folder / "pairs"
    manifest = Manifest.load(words, "vocabulary")
    if not counting.pairs_are_counted(road.corpus, road.pairs, inputs, manifest, pairs, overwrite):
        return False
    return training.vectors_are_trained(words, pairs, folder / "vectors", road.training, overwrite)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other runs; the lock goes with the process, however it ends. A store has none, and needs none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = sorted(p.name for p in folder.iterdir() if p.name not in OWN and not p.name.startswith("."))
        if foreign:
            raise ConfigError(
                f"output must be new, empty or a run folder; got {foreign[0]!r} in it ({folder}). Give another --output."
            )
        lock = None if isinstance(folder, StorePath) else (folder / ".simglove.lock").open("a")
    except OSError as error:
        raise ResourceError(
            f"output must be a folder that can be written; got {error.strerror} ({folder}). Give another --output."
        ) from error
    if lock is None:
        yield
        return
    with lock:
        hold(
            lock,
            f"output must be written by one run at a time; got a second ({folder}). Wait, or give another --output.",
        )
        yield


class _Record:
    """What run.json says."""

    def __init__(self, folder: Path, what: dict[str, Any]) -> None:
        self.path = folder / "run.json"
        self.values = {**what, "status": "running", "started": _now(), "versions": software_versions(), "stages": {}}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write the record at the beginning and at the end, whichever end it is."""
        self._save()
        try:
            yield
        except BaseException as error:
            code, message = explain(error)
            status = "interrupted" if code == StoppedError.exit_code else "failed"
            self.values |= {"status": status, "ended": _now(), "exit_code": code, "error": message}
            self._save()
            raise
        self.values |= {"status": "complete", "ended": _now(), "exit_code": 0}
        self._save()

    def stage(self, name: str, work: Callable[[], Manifest]) -> dict[str, Any]:
        """Do one stage and record it; returns what is recorded of it."""
        stages, began = self.values["stages"], time.perf_counter()
        stages[name] = {"status": "running"}
        self._save()
        try:
            manifest = work()
        except BaseException:
            stages[name] = {"status": "failed", "seconds": round(time.perf_counter() - began, 3)}
            raise
        seconds = round(time.perf_counter() - began, 3)
        size = {"rows": manifest.rows, "bytes": manifest.bytes, "sha256": manifest.content_sha256}
        stages[name] = {"status": "complete", "seconds": seconds, **size}
        self._save()
        return stages[name]

    def _save(self) -> None:
        replace_text(self.path, json.dumps(self.values, indent=1, default=str) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
