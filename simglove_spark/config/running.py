"""What a run may use and where it runs: nothing here changes a byte of the row solver's output."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from simglove_spark.memory import parse_time
from simglove_spark.option_checks import check_size, require, whole

Engine = Literal["spark", "sail"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What building a table outside Spark may use."""

    memory: str = "auto"
    """Memory outside Spark, such as 8g; auto takes 70 % of what is free. In training, shards that don't fit are read again each pass."""

    overwrite: Annotated[bool, Parameter(negative="")] = False
    """Build anew beside an existing output and switch at the end."""

    def __post_init__(self) -> None:
        check_size(self.memory, "memory")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunConfig(BuildConfig):
    """What a run may use; nothing here changes a byte of the row solver's output."""

    threads: Annotated[int | None, Parameter(show_default=False, converter=whole)] = None
    """Threads of the trainer. By default all cores."""

    max_runtime: Annotated[str | None, Parameter(show_default=False)] = None
    """Time for training, such as 90m or 8h; then it stops with a checkpoint and exit code 7, and the same command goes on."""

    watch: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)] = ()
    """Words whose nearest words are told after each pass of training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        ok = self.threads is None or 1 <= self.threads <= 4096
        require(ok, "threads", "lie between 1 and 4096", self.threads, "Leave it out to use all cores.")
        if self.max_runtime is not None:
            parse_time(self.max_runtime, "max-runtime")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SparkConfig:
    """What runs the counting, and how it is started when no session is there."""

    engine: Engine = "spark"
    """Spark, or Sail on this machine, which starts in a second and needs no Java (pip install 'simglove-spark[sail]')."""

    spark_remote: Annotated[str | None, Parameter(show_default=False)] = None
    """Spark Connect server to count on, sc://HOST:15002. By default SPARK_REMOTE, if that is set."""

    master: Annotated[str | None, Parameter(show_default=False)] = None
    """Spark master. By default what spark-submit says, else local[*,4] on this machine."""

    worker_memory: str = "auto"
    """Memory of each Python worker while counting, all in all. auto: 1280m, or less where this machine has less for each core."""

    driver_memory: str = "auto"
    """Heap of the local Spark; a compressed line or a column's row needs about 20 times its size. auto: 4g, or a quarter of the machine's memory."""

    spark_conf: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)] = ()
    """Further Spark settings, key=value; they win over ours."""

    def __post_init__(self) -> None:
        check_size(self.worker_memory, "worker-memory")
        check_size(self.driver_memory, "driver-memory")
        started = {"master": self.master, "driver-memory": None if self.driver_memory == "auto" else self.driver_memory}
        sail = {**started, "spark-remote": self.spark_remote, "spark-conf": " ".join(self.spark_conf) or None}
        for flag, value in sail.items() if self.engine == "sail" else ():
            require(
                value is None, flag, "be left out with --engine sail, which starts no Spark", value, "Leave it out."
            )
        for flag, value in started.items() if self.spark_remote else ():
            rule = "be left out with --spark-remote, whose server has its own"
            require(value is None, flag, rule, value, "Leave it out.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ObserveConfig:
    """Under which name a run is told of, and to whom."""

    run_id: Annotated[str | None, Parameter(show_default=False, env_var="SIMGLOVE_RUN_ID", show_env_var=False)] = None
    """Name of the run in logs, run.json, Spark's history, metrics and lineage, such as a scheduler's (or SIMGLOVE_RUN_ID); by default a new one."""

    metrics: Annotated[str | None, Parameter(show_default=False, env_var="SIMGLOVE_METRICS", show_env_var=False)] = None
    """Prometheus metrics: a file that ends in .prom, for the node exporter, or the URL of a push gateway (or SIMGLOVE_METRICS)."""

    def __post_init__(self) -> None:
        ok = self.run_id is None or bool(re.fullmatch(r"[\w.~:+@=-]{1,250}", self.run_id, re.ASCII))
        rule = "be 1 to 250 letters, digits and _.~:+@=-"
        require(ok, "run-id", rule, repr(self.run_id), "Leave it out for a new one.")
        given = self.metrics
        ok = given is None or given.endswith(".prom") or bool(re.match(r"https?://[^/@]+(/[^@]*)?$", given))
        rule = "be a file that ends in .prom, or an http or https URL without a password"
        require(ok, "metrics", rule, given, "Write for example metrics/simglove.prom.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FileConfig:
    """Where options may come from besides the command line."""

    config: Annotated[str | None, Parameter(show_default=False)] = None
    """YAML file with options, named as on the command line; those given by hand win."""
