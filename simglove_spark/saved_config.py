"""The resolved configuration beside an output: a YAML file that --config reads again."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from simglove_spark.storage.texts import replace_text

#: Names of Spark's settings whose values nobody else may read.
SECRET = re.compile(r"secret|password|token|access[._]?key|account[._]?key|sas", re.IGNORECASE)
SAVED_HEAD = "# resolved options, saved by simglove; can be given back with --config\n"


def resolved(*configs: Any) -> dict[str, Any]:
    """Resolved options by their names on the command line, without secrets: those are given each time."""
    found = {key: value for config in configs for key, value in asdict(config).items()}
    if found.get("spark_conf"):
        found["spark_conf"] = tuple(one for one in found["spark_conf"] if not SECRET.search(one.partition("=")[0]))
    if found.get("spark_remote"):
        found["spark_remote"] = without_options(found["spark_remote"])
    return found


def without_options(address: str) -> str:
    """The address of a Spark Connect server without its options, among which a token may be."""
    return address.partition(";")[0].rstrip("/") if ";" in address else address


def beside(folder: Path) -> Path:
    """Where a table's resolved configuration is saved: beside its folder."""
    return folder.parent / f"{folder.name}.yaml"


def save_config(path: Path, options: dict[str, Any], **paths: Any) -> None:
    """Save resolved options as a file for --config, but for those not set and ``overwrite``, which is said each time."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in {**options, **paths}.items()}
    plain.pop("overwrite", None)
    kept = {key.replace("_", "-"): value for key, value in plain.items() if value is not None and value != []}
    text = SAVED_HEAD + yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    found = path.read_text(encoding="utf-8") if path.is_file() else None
    if found != text and (found is None or found.startswith(SAVED_HEAD)):  # a file that people wrote is left alone
        replace_text(path, text)
