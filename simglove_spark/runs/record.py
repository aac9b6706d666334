"""Writes run.json, the truth for whoever watches a run; its fields are told in docs/runs.md and docs/run.schema.json."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simglove_spark.errors import SimgloveError, ending
from simglove_spark.manifest import FILE_NAME, Manifest, hash_file, sealed, software_versions
from simglove_spark.progress import Progress
from simglove_spark.runs.reading import RUN_JSON, RUN_YAML, read_record
from simglove_spark.runs.settling import NEIGHBOURS, Settling
from simglove_spark.storage.texts import replace_text

FORMAT_VERSION = 1
HEARTBEAT_SECONDS = 10
Tables = dict[str, Manifest]


class Record:
    """What run.json says; written whole at each change, and while the run lives, at each beat.

    Parameters
    ----------
    folder : Path
    run_id : str
    command : str
    config : dict
        Resolved options.
    inputs : list of dict
        Files of the corpus, as `corpus.list_inputs` lists them.
    """

    def __init__(
        self, folder: Path, run_id: str, command: str, config: dict[str, Any], inputs: list[dict[str, Any]]
    ) -> None:
        self.folder, self._lock = folder, threading.Lock()
        self.values: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "run_id": run_id,
            "command": command,
            "status": "running",
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": now(),
            "heartbeat_seconds": HEARTBEAT_SECONDS,
            "seed": config.get("seed", 0),
            "config": config,
            "versions": software_versions(),
            "inputs": {"files": len(inputs), "bytes": sum(entry["bytes"] or 0 for entry in inputs)},
            "stages": {},
            NEIGHBOURS: [],
        }

    def hear(self, progress: Progress) -> None:
        """Keep what training tells of the words it watches; of passes that an earlier run made, what its record says."""
        earlier: dict[str, Any] = {}
        with suppress(SimgloveError):  # which is broken, and written anew
            earlier = read_record(self.folder)
        settling = Settling(earlier)
        self.values[NEIGHBOURS] = settling.heard
        progress.listeners.append(settling)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write the record at the beginning, at each beat, and at the end, whichever end it is."""
        if (self.folder / RUN_YAML).is_file():
            self.values["run_yaml_sha256"] = hash_file(self.folder / RUN_YAML)
        self._save()
        stop = threading.Event()
        heart = threading.Thread(target=self._beat, args=(stop,), name="heartbeat", daemon=True)
        heart.start()
        try:
            yield
            end: dict[str, Any] = {"status": "complete", "exit_code": 0}
        except BaseException as error:
            status, code, message = ending(error)
            end = {"status": status, "exit_code": code, "error": message}
            raise
        finally:
            stop.set()
            heart.join()
            self.values |= {**end, "ended": now()}
            with suppress(*((OSError, SimgloveError) if end["exit_code"] else ())):
                self._save()

    def stage(self, name: str, work: Callable[[], Manifest], tables: tuple[str, ...]) -> dict[str, Any]:
        """Do one stage and record it, with the ``tables`` of the folder that are its; returns what is recorded of it."""
        began = time.perf_counter()
        told: dict[str, Any] = {"status": "running", "started": now()}
        self._set(name, told)
        before = {table: _identity(self.folder / table) for table in tables}
        try:
            manifest = work()
        except BaseException:
            with suppress(OSError, SimgloveError):  # which would hide the one that is told
                self._set(name, {**told, "status": "failed", "seconds": round(time.perf_counter() - began, 3)})
            raise
        seconds = round(time.perf_counter() - began, 3)
        made = {table: Manifest.load(self.folder / table, table) for table in tables if (self.folder / table).exists()}
        after = {table: _identity(self.folder / table) for table in tables}
        told |= {"status": "complete", "seconds": seconds, "found": before == after}
        told |= {"rows": manifest.rows, "bytes": manifest.bytes, "sha256": manifest.content_sha256}
        told["counters"] = counters(made)
        told["tables"] = {
            table: {"sha256": one.content_sha256, "manifest_sha256": hash_file(self.folder / table / FILE_NAME)}
            for table, one in made.items()
        }
        self._set(name, told)
        return told

    def _set(self, stage: str, told: dict[str, Any]) -> None:
        with self._lock:
            self.values["stages"][stage] = told
        self._save()

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                self._save()
            except (OSError, SimgloveError):
                continue  # a full disk, or a store that is away, is told by the stage that meets it

    def _save(self) -> None:
        with self._lock:
            self.values["heartbeat"] = now()
            values = json.loads(json.dumps(self.values, default=str))
            replace_text(self.folder / RUN_JSON, json.dumps(sealed(values), indent=1) + "\n")


def _identity(folder: Path) -> tuple[int, int, str] | None:
    """What changes when a table is built anew; in a store its time, and its content."""
    path = folder / FILE_NAME
    return (path.stat().st_ino, path.stat().st_mtime_ns, hash_file(path)) if path.is_file() else None


def counters(tables: Tables) -> dict[str, int]:
    """Counters of a stage, from the manifests of its tables: what was read, kept, dropped and left out."""
    found: dict[str, int] = {}
    for table, manifest in tables.items():
        details = manifest.details
        found |= details.get("counters", {})
        found["bad_files"] = len(manifest.bad_files)
        if table == "word_counts":
            found |= {"words": details["total_words"], "distinct_words": manifest.rows}
        elif table == "vocabulary":
            found |= {"kept_words": manifest.rows, "kept_occurrences": details["total_words"]}
        elif table == "pairs":
            found |= {"cells": manifest.rows, "pairs": details["total_pairs"], "words": details["total_words"]}
        else:
            found |= {"vectors": manifest.rows, "passes": len(details.get("passes", ()))}
    if "distinct_words" in found and "kept_words" in found:
        found["dropped_words"] = found["distinct_words"] - (found["kept_words"] - found.get("absent", 0))
        found["dropped_occurrences"] = found["words"] - found["kept_occurrences"]
    return found


def now() -> str:
    """This moment, UTC, as records tell it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
