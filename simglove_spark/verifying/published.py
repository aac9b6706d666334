"""What publish wrote: latest.json, its history, and the runs that they name."""

import re
from pathlib import Path

from simglove_spark.errors import InputError
from simglove_spark.publishing.latest import (
    HISTORY,
    LATEST,
    history_path,
    place_of,
    read_latest,
    read_number,
    vectors_of,
)
from simglove_spark.verifying.findings import Findings

NUMBERED, REFUSED = re.compile(r"\d{6}\.json"), re.compile(r"refused-[\w.+-]+\.json")


def published_run(root: Path, found: Findings) -> Path | None:
    """The run that readers take, after checking what was published before it too; None where latest.json is broken."""
    latest = None
    with found.caught(root / LATEST):
        latest = read_latest(root)
    if latest is None:
        return None
    _check_history(root, found)
    with found.caught(root / LATEST):
        kept = history_path(root, latest["number"])
        same = kept.is_file() and kept.read_bytes() == (root / LATEST).read_bytes()
        found.require(same, kept, f"be a copy of {LATEST}", "another, or nothing")
        if latest["previous"] is not None:
            vectors_of(root, read_number(root, latest["previous"]["number"]))
    run = place_of(root, latest["path"])
    if not run.is_dir():
        found.add(root / LATEST, f"{LATEST} must name a run that is there; got {latest['path']}.")
        return None
    with found.caught(root / LATEST):
        vectors_of(root, latest)
    return run


def _check_history(root: Path, found: Findings) -> None:
    folder = root / HISTORY
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if NUMBERED.fullmatch(path.name):
            try:
                read_number(root, int(path.stem))
            except InputError as error:
                found.add(path, str(error))
        elif not REFUSED.fullmatch(path.name):
            found.add(path, f"{path.name} must not be there; got what publish did not write. Remove it.")
