"""A run folder: its tables, its resolved configuration, and `run.json`, the truth for whoever watches it."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from simglove_spark.config import CorpusConfig, PairsConfig, RunConfig, SparkConfig, TrainConfig, VocabularyConfig
from simglove_spark.errors import ConfigError, ResourceError, SimgloveError
from simglove_spark.manifest import Manifest, software_versions
from simglove_spark.progress import Progress, make_progress


class Run:
    """The stages of one run, told of in run.json as they begin and end.

    Parameters
    ----------
    folder : Path
        Run folder; tables go to word_counts, vocabulary, pairs and vectors below it.
    command : str
    options : dict
        Resolved configuration, saved as run.yaml.
    resources : RunConfig
    spark : SparkConfig
    """

    def __init__(
        self, folder: Path, command: str, options: dict[str, Any], resources: RunConfig, spark: SparkConfig
    ) -> None:
        self.folder, self.options = folder, options
        self.resources, self.spark = resources, spark
        self.progress: Progress = make_progress()
        self.record: dict[str, Any] = {
            "command": command,
            "status": "running",
            "started": _now(),
            "config": options,
            "versions": software_versions(),
            "stages": {},
        }

    def __enter__(self) -> "Run":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(
                f"output must be a folder that can be written; got {error.strerror} ({self.folder})."
            ) from error
        foreign = [
            path.name for path in self.folder.iterdir() if path.name not in OWN and not path.name.startswith(".")
        ]
        if foreign:
            raise ConfigError(
                f"output must be new, empty or a run folder; got {foreign[0]!r} in it ({self.folder}). Give another --output."
            )
        self._save()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.record["ended"] = _now()
        self.record["status"] = "complete" if error is None else "failed"
        if error is not None:
            code = error.exit_code if isinstance(error, SimgloveError) else 1
            self.record |= {"error": str(error), "exit_code": code}
        else:
            self.record["exit_code"] = 0
            save_config(self.folder / "run.yaml", self.options, output=str(self.folder))
        try:
            self._save()
        except OSError:
            if error is None:
                raise

    def count_words(self, corpus: CorpusConfig, config: VocabularyConfig) -> None:
        """Stage one: word_counts and vocabulary."""
        from simglove_spark import counting

        with _Stage(self, "count-words") as stage:
            stage.manifest = counting.count_words(corpus, config, self.folder, self._context())

    def count_pairs(self, corpus: CorpusConfig, config: PairsConfig) -> None:
        """Stage two: pairs."""
        from simglove_spark import counting

        with _Stage(self, "count-pairs") as stage:
            vocabulary, output = self.folder / "vocabulary", self.folder / "pairs"
            stage.manifest = counting.count_pairs(corpus, config, vocabulary, output, self._context())

    def train(self, config: TrainConfig) -> None:
        """Stage three: vectors."""
        from simglove_spark.training import train_vectors

        with _Stage(self, "train") as stage:
            vocabulary, pairs = self.folder / "vocabulary", self.folder / "pairs"
            output = self.folder / "vectors"
            stage.manifest = train_vectors(vocabulary, pairs, output, config, self.resources, self.progress)

    def _context(self) -> Any:
        from simglove_spark.counting import Context

        return Context(self.progress, self.resources, self.spark, self.record["command"])

    def _save(self) -> None:
        replace_text(self.folder / "run.json", json.dumps(self.record, indent=1, default=str) + "\n")


class _Stage:
    """Times one stage and tells run.json of it."""

    def __init__(self, run: Run, name: str) -> None:
        self.run, self.name = run, name
        self.manifest: Manifest | None = None

    def __enter__(self) -> "_Stage":
        self.began = time.perf_counter()
        self.run.record["stages"][self.name] = {"status": "running"}
        self.run._save()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        record: dict[str, Any] = {"status": "complete" if error is None else "failed"}
        record["seconds"] = round(time.perf_counter() - self.began, 3)
        if self.manifest is not None:
            record |= {"rows": self.manifest.rows, "bytes": self.manifest.bytes, "sha256": self.manifest.content_sha256}
        self.run.record["stages"][self.name] = record
        if error is None:
            self.run._save()
            self.run.progress.event("stage", stage=self.name, **record)


OWN = {"word_counts", "vocabulary", "pairs", "vectors", "run.json", "run.yaml", "count-words.yaml"}
OWN |= {"pairs.yaml", "vectors.yaml"}


def save_config(path: Path, options: dict[str, Any], **paths: str) -> None:
    """Save resolved options as a file for --config; options that are not set are left out."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in {**options, **paths}.items()}
    kept = {key.replace("_", "-"): value for key, value in plain.items() if value is not None and value != []}
    replace_text(path, yaml.safe_dump(kept, sort_keys=False, allow_unicode=True))


def replace_text(path: Path, text: str) -> None:
    """Write a small file so that no reader ever sees half of it."""
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
