"""A run folder: its stages, one after another, under one lock and one record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simglove_spark.config import CorpusConfig, PairsConfig, RunConfig, SparkConfig, TrainConfig, VocabularyConfig
from simglove_spark.corpus import list_inputs
from simglove_spark.errors import ConfigError, ResourceError
from simglove_spark.manifest import Manifest
from simglove_spark.output import hold
from simglove_spark.presets import PRESETS
from simglove_spark.progress import Progress
from simglove_spark.runs import there
from simglove_spark.runs.reading import LOCK, RUN_JSON, RUN_YAML
from simglove_spark.runs.record import Record
from simglove_spark.saved_config import save_config
from simglove_spark.storage.paths import StorePath, path_of

if TYPE_CHECKING:
    from simglove_spark import counting

# what a run folder may hold besides hidden names; with anything else in it, it is somebody's and not ours to write into
TABLES = ("word_counts", "vocabulary", "pairs", "vectors")
OWN = {*TABLES, RUN_JSON, RUN_YAML}
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
        refuse_contradictions(road)
        inputs = list_inputs(road.corpus)
        options_of_lists = there.options_of_lists(road.vocabulary, road.corpus)
        with _locked(folder):
            if is_done(folder, road, inputs, options_of_lists):
                progress.note(f"Nothing to do: {folder} is complete with the same inputs and options.")
            else:
                _walk(folder, road, Record(folder, run_id, command, options, inputs), progress)


def _walk(folder: Path, road: Road, record: Record, progress: Progress) -> None:
    from simglove_spark import counting, training  # numba and all that counts: not for a run that is done already
    from simglove_spark.warm_up import start_warm_up

    context = counting.Context(progress, road.resources, road.spark, record.values["command"])
    save_config(folder / RUN_YAML, record.values["config"], output=str(folder))
    words, pairs = folder / "vocabulary", folder / "pairs"
    stages: dict[str, tuple[Callable[[], Manifest], tuple[str, ...]]] = {
        "count-words": (
            lambda: counting.count_words(road.corpus, road.vocabulary, folder, context),
            ("word_counts", "vocabulary"),
        ),
        "count-pairs": (lambda: _count_pairs(folder, road, context), ("pairs",)),
        "train": (
            lambda: training.train_vectors(words, pairs, folder / "vectors", road.training, road.resources, progress),
            ("vectors",),
        ),
    }
    record.hear(progress)
    start_warm_up()
    with record.running():
        for name, (stage, tables) in stages.items():
            record.stage(name, stage, tables)


def _count_pairs(folder: Path, road: Road, context: "counting.Context") -> Manifest:
    from simglove_spark import counting
    from simglove_spark.forecast import forecast_training
    from simglove_spark.trainer import memory_budget

    vocabulary = folder / "vocabulary"
    words = Manifest.load(vocabulary, "vocabulary").rows
    # vectors that don't fit are told now that the words are known, not after the pairs are counted
    forecast_training(0, words, road.training, 1, memory_budget(road.resources))
    return counting.count_pairs(road.corpus, road.pairs, vocabulary, folder / "pairs", context)


def refuse_contradictions(road: Road) -> None:
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


def is_done(folder: Path, road: Road, inputs: list[dict[str, Any]], options_of_lists: dict[str, Any]) -> bool:
    """Whether all tables are there, as asked for; refuses what stands in the way before anything is written."""
    overwrite = road.resources.overwrite
    if not there.words_are_counted(road.corpus, road.vocabulary, inputs, folder, overwrite):
        return False
    if not there.words_are_chosen(folder, options_of_lists, overwrite):
        return False
    words, pairs = folder / "vocabulary", folder / "pairs"
    manifest = Manifest.load(words, "vocabulary")
    if not there.pairs_are_counted(road.corpus, road.pairs, inputs, manifest, pairs, overwrite):
        return False
    return there.vectors_are_trained(words, pairs, folder / "vectors", road.training, overwrite)


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds something else than a run.

    Raises
    ------
    ConfigError
    """
    foreign = sorted(p.name for p in folder.iterdir() if p.name not in OWN and not p.name.startswith("."))
    if foreign:
        raise ConfigError(
            f"output must be new, empty or a run folder; got {foreign[0]!r} in it ({folder}). Give another --output."
        )


def second_run(folder: Path) -> str:
    """What is said to a run that finds another one at work."""
    return f"output must be written by one run at a time; got a second ({folder}). Wait, or give another --output."


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other runs; the lock goes with the process, however it ends. A store has none, and needs none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_foreign(folder)
        lock = None if isinstance(folder, StorePath) else (folder / LOCK).open("a")
    except OSError as error:
        raise ResourceError(
            f"output must be a folder that can be written; got {error.strerror} ({folder}). Give another --output."
        ) from error
    if lock is None:
        yield
        return
    with lock:
        hold(lock, second_run(folder))
        yield
