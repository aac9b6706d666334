"""What Spark's event log tells of each stage of a command."""

import json
from pathlib import Path

MIB = 2**20


def settings(folder: Path) -> list[str]:
    """What makes Spark write a plain log into a folder, as `--spark-conf` takes it."""
    folder.mkdir(parents=True, exist_ok=True)
    log = {"enabled": "true", "dir": f"file://{folder.absolute()}", "compress": "false", "rolling.enabled": "false"}
    return [f"spark.eventLog.{key}={value}" for key, value in log.items()]


def stages(folder: Path) -> list[dict[str, float]]:
    """Sums over the tasks of each stage: seconds of their time and of the JVM's CPU, MiB shuffled and spilled."""
    found: dict[int, dict[str, float]] = {}
    for log in folder.iterdir():
        for line in log.read_text().splitlines():
            event = json.loads(line)
            if event["Event"] != "SparkListenerTaskEnd" or not event.get("Task Metrics"):
                continue
            stage = found.setdefault(event["Stage ID"], dict.fromkeys(FIELDS, 0.0))
            metrics = event["Task Metrics"]
            write, read = metrics["Shuffle Write Metrics"], metrics["Shuffle Read Metrics"]
            for name, value in zip(FIELDS, _values(metrics, write, read), strict=True):
                stage[name] += value
    return [found[number] for number in sorted(found)]


FIELDS = ("tasks", "task s", "JVM CPU s", "GC s", "written MiB", "write s", "read MiB", "spilled MiB")


def _values(metrics: dict, write: dict, read: dict) -> tuple[float, ...]:
    return (
        1,
        metrics["Executor Run Time"] / 1e3,
        metrics["Executor CPU Time"] / 1e9,
        metrics["JVM GC Time"] / 1e3,
        write["Shuffle Bytes Written"] / MIB,
        write["Shuffle Write Time"] / 1e9,
        (read["Remote Bytes Read"] + read["Local Bytes Read"]) / MIB,
        metrics["Disk Bytes Spilled"] / MIB,
    )
