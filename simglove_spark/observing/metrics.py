"""Prometheus metrics of a run: a file for the node exporter's textfile collector, or a push to a gateway.

A batch job ends before anybody scrapes it, so it hands its metrics over: after each stage, and after each pass of training.
A file is replaced as a whole, a gateway's group too. Every metric carries the labels ``run_id`` and ``stage``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from simglove_spark.errors import ResourceError
from simglove_spark.manifest import Manifest
from simglove_spark.observing.outbox import Outbox
from simglove_spark.observing.stages import Stage

TIMEOUT = 5  # seconds for an answer of the gateway
PASSES = ("sweep", "epoch")

HELP = {
    "start_time_seconds": "When the stage began (Unix time).",
    "end_time_seconds": "When it ended.",
    "duration_seconds": "How long it took, once it ended.",
    "exit_code": "0 done or nothing to do; the other codes are those of the README.",
    "driver_peak_memory_bytes": "Most memory that this process has held, without Spark's JVM and workers.",
    "table_rows": "Rows of a table that the stage wrote, or found there.",
    "table_bytes": "Bytes of its files.",
    "words": "Occurrences of words in a table's corpus: of all in word_counts, else of those in the vocabulary.",
    "pairs": "Sum of the pair counts, in both directions, harmonic ones as fractions.",
    "counter": "What was counted besides: rows, words that were not UTF-8, words denied.",
    "training_pass": "Sweeps or epochs done.",
    "training_loss": "Weighted mean of the squared errors, in nats squared: over the cells trained on, held out, all pairs.",
    "training_cells_per_second": "Speed of the last pass.",
    "training_memory_bytes": "Memory of this process after it.",
}
LOSSES = {
    "loss": "trained",
    "held_out_loss": "held_out",
    "held_out_baseline": "baseline",
    "all_pairs_loss": "all_pairs",
}


class Metrics:
    """Listens to a run and keeps its figures in a registry.

    Parameters
    ----------
    target : str
        A file, or a URL such as ``http://gateway:9091`` or ``http://gateway:9091/metrics/job/nightly/corpus/news``.
    tell : callable
        Takes a sentence and its level, when the metrics cannot be handed over.

    Raises
    ------
    ResourceError
        When prometheus-client is not installed.
    """

    def __init__(self, target: str, tell: Callable[[str, str], None]) -> None:
        try:
            from prometheus_client import CollectorRegistry
        except ImportError as error:
            raise ResourceError(
                f"--metrics must have prometheus-client; got {error}. pip install 'simglove-spark[metrics]'."
            ) from error
        self._target, self._job = target, "simglove"
        self._registry = CollectorRegistry()
        self._gauges: dict[str, Any] = {}
        self._outbox = Outbox(f"metrics to {target}", tell)

    def started(self, stage: Stage) -> None:
        """Note when it began; the outermost stage names the job."""
        if stage.outer is None:
            self._job = f"simglove-{stage.name}"
        self._set("start_time_seconds", stage.began.timestamp(), stage)
        self._hand_over()

    def told(self, stage: Stage | None, event: str, fields: dict[str, Any]) -> None:
        """Note the figures of a pass of training."""
        if stage is None or event not in PASSES:
            return
        self._set("training_pass", fields[event], stage)
        self._set("training_cells_per_second", fields["cells_per_second"], stage)
        self._set("training_memory_bytes", fields["memory"], stage)
        for name, over in LOSSES.items():
            if name in fields:
                self._set("training_loss", fields[name], stage, over=over)
        self._hand_over()

    def ended(self, stage: Stage) -> None:
        """Note how it ended, and what its tables hold; wait for the gateway at the end of all."""
        self._set("end_time_seconds", stage.began.timestamp() + stage.seconds, stage)
        self._set("duration_seconds", stage.seconds, stage)
        self._set("exit_code", stage.exit_code or 0, stage)
        self._set("driver_peak_memory_bytes", stage.peak_memory, stage)
        for _, table in stage.written():
            self._table(table, stage)
        self._hand_over()
        if stage.outer is None:
            self._outbox.wait()

    def _table(self, table: Manifest, stage: Stage) -> None:
        self._set("table_rows", table.rows, stage, table=table.table)
        self._set("table_bytes", table.bytes, stage, table=table.table)
        if "total_words" in table.details:
            self._set("words", table.details["total_words"], stage, table=table.table)
        if "total_pairs" in table.details:
            self._set("pairs", table.details["total_pairs"] / table.details["unit"], stage, table=table.table)
        for name, value in table.details.get("counters", {}).items():
            self._set("counter", value, stage, table=table.table, counter=name)

    def _set(self, name: str, value: float, stage: Stage, **labels: str) -> None:
        if name not in self._gauges:
            from prometheus_client import Gauge

            known = ["run_id", "stage", *labels]
            self._gauges[name] = Gauge(f"simglove_{name}", HELP[name], known, registry=self._registry)
        self._gauges[name].labels(run_id=stage.run_id, stage=stage.name, **labels).set(value)

    def _hand_over(self) -> None:
        send = self._push if "://" in self._target else self._write
        self._outbox.send(send)

    def _write(self) -> None:
        from prometheus_client import write_to_textfile

        Path(self._target).parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(self._target, self._registry)

    def _push(self) -> None:
        from prometheus_client import push_to_gateway

        gateway, job, group = gateway_of(self._target, self._job)
        push_to_gateway(gateway, job, self._registry, group, TIMEOUT)


def gateway_of(url: str, job: str) -> tuple[str, str, dict[str, str]]:
    """Gateway, job and further labels of a group, of a URL as the push gateway takes it; ``job`` where it names none."""
    gateway, _, path = url.rstrip("/").partition("/metrics/job/")
    if not path:
        return gateway, job, {}
    job, *labels = map(unquote, path.split("/"))
    return gateway, job, dict(zip(labels[::2], labels[1::2], strict=True))
