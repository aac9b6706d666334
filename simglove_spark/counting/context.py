"""What all stages of a run share, and what both counting stages do with it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simglove_spark import bad_files, forecast
from simglove_spark.config import CorpusConfig, RunConfig, SparkConfig
from simglove_spark.disk import Rooms
from simglove_spark.errors import InputError
from simglove_spark.forecast import Forecast
from simglove_spark.progress import Progress
from simglove_spark.session import (
    driver_heap,
    local_slots,
    scratch_folder,
    start_session,
    watched,
    worker_memory,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BAD_FILES_TOLD = 3

Files = list[dict[str, Any]]


@dataclass
class Context:
    """What all stages of a run share: where they tell of progress, what they may use, and a session made when needed."""

    progress: Progress
    run: RunConfig = field(default_factory=RunConfig)
    spark: SparkConfig = field(default_factory=SparkConfig)
    app_name: str = "run"
    given: "SparkSession | None" = None

    def session(self) -> "SparkSession":
        """The Spark session that was given, or the running one, or a new one."""
        if self.given is not None:
            return self.given
        tell = self.progress.note if self.progress.writes else None
        return start_session(self.spark, f"{self.app_name} {self.progress.run_id}", tell)

    def refuse_what_cannot_fit(self, expected: Forecast, output: Path) -> Rooms:
        """Stop before anything is begun that this machine cannot hold; returns what is needed on disk."""
        local = local_slots(self.spark) is not None
        if self.spark.engine == "sail":  # what it shuffles stays in memory
            expected = replace(expected, memory=expected.memory + expected.shuffle, shuffle=0)
        return forecast.refuse_what_cannot_fit(expected, output, local, scratch_folder(self.spark))

    @property
    def worker_memory(self) -> int:
        """Bytes of a Python worker, all in all."""
        return worker_memory(self.spark)


def slots_and_memory(context: Context) -> tuple[int, int]:
    """Workers that run at once (one where a cluster decides), and bytes for them and Spark's JVM together."""
    slots = local_slots(context.spark) or 1
    return slots, slots * context.worker_memory + driver_heap(context.spark)


def bad_files_of(listed: Files, corpus: CorpusConfig, context: Context) -> Files:
    """Files to leave out, since they cannot be read whole, each with its ``reason``; none unless ``on_bad_file`` says so."""
    if corpus.on_bad_file == "error":
        return []  # what is found broken while it is counted is an error
    with context.progress.task("check files", unit="tasks") as task:
        spark = context.session()
        with watched(spark, "check files", task):
            reasons = bad_files.find_bad_files(spark, listed, corpus, local_slots(context.spark))
    return [{**entry, "reason": reasons[entry["path"]]} for entry in listed if entry["path"] in reasons]


def without(bad: Files, listed: Files, progress: Progress) -> Files:
    """The files to count; tells how many are left out and names the first ones.

    Raises
    ------
    InputError
        When none is left.
    """
    left_out = {entry["path"] for entry in bad}
    inputs = [entry for entry in listed if entry["path"] not in left_out]
    if bad and all(entry["bytes"] == 0 for entry in inputs):
        raise InputError(f"corpus must hold a file that can be read; got {len(bad):,} that cannot. {bad[0]['reason']}")
    if bad:
        first = " ".join(entry["reason"] for entry in bad[:BAD_FILES_TOLD])
        progress.note(
            f"{len(bad):,} of {len(listed):,} files cannot be read whole and are left out; the manifest names them. {first}"
        )
    return inputs


def check_bytes(corpus: CorpusConfig, counters: dict[str, int], progress: Progress) -> None:
    """Refuse, or tell of, words that were not UTF-8, as ``on_bad_bytes`` says."""
    bad = counters.get("bad_words", 0)
    if bad and corpus.on_bad_bytes == "replace":
        progress.note(f"{bad:,} words were not UTF-8; U+FFFD stands in place of their bad bytes.")
    elif bad:
        raise InputError(
            f"words must be UTF-8; got {bad:,} that are not ({', '.join(corpus.input)}). "
            "Give --on-bad-bytes replace to put U+FFFD in place of the bad bytes."
        )
