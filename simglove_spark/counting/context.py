"""What all stages of a run share, and what both counting stages do with it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simglove_spark.config import CorpusConfig, RunConfig, SparkConfig
from simglove_spark.errors import InputError
from simglove_spark.progress import Progress
from simglove_spark.session import WORKER_BASE, driver_heap, local_slots, start_session, worker_memory

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
        return self.given or start_session(self.spark, self.app_name)

    @property
    def worker_memory(self) -> int:
        """Bytes of a Python worker's tables."""
        return worker_memory(self.spark)


def slots_and_memory(context: Context) -> tuple[int, int]:
    """Workers that run at once (one where a cluster decides), and bytes for them and Spark's JVM together."""
    slots = local_slots(context.spark) or 1
    return slots, slots * (context.worker_memory + WORKER_BASE) + driver_heap(context.spark)


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
