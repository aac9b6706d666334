"""What a folder is, and how its parts fit each other."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from simglove_spark.errors import InputError
from simglove_spark.manifest import FILE_NAME, Manifest, hash_file, sealed
from simglove_spark.progress import Progress
from simglove_spark.publishing.latest import LATEST
from simglove_spark.runs.reading import LOCK, RUN_JSON, RUN_YAML, read_record
from simglove_spark.storage.paths import StorePath
from simglove_spark.verifying.files import Checked, Work, check_files, load_manifest
from simglove_spark.verifying.findings import Findings
from simglove_spark.verifying.pairs import check_pairs
from simglove_spark.verifying.published import published_run
from simglove_spark.verifying.vectors import check_vectors
from simglove_spark.verifying.words import check_phrases, check_vocabulary, check_word_counts

#: Tables that a folder may hold, each after those that it is made from there.
TABLES = ("word_counts", "phrases", "vocabulary", "pairs", "vectors")
MADE_FROM = {"vocabulary": ("word_counts", "phrases"), "word_counts": ("phrases",), "pairs": ("vocabulary",)}
MADE_FROM |= {"vectors": ("vocabulary", "pairs")}
SAVED = {RUN_JSON, RUN_YAML, *(f"{name}.yaml" for name in (*TABLES, "count-words", "merge-words", "import-pairs"))}


def verify(path: Path, threads: int, progress: Progress) -> Findings:
    """Check a table, a folder of tables such as a run, or what was published, to the last byte.

    Parameters
    ----------
    path : Path
    threads : int
        Files that are read at once.
    progress : Progress

    Returns
    -------
    Findings
        All that is broken, not the first thing alone.

    Raises
    ------
    InputError
        When there is nothing of these.
    """
    found = Findings()
    run = published_run(path, found) if (path / LATEST).is_file() else path
    if run is not None:
        _verify_tables(run, threads, progress, found)
    return found


def _verify_tables(path: Path, threads: int, progress: Progress, found: Findings) -> None:
    folders = {None: path} if (path / FILE_NAME).is_file() else _tables_below(path)
    if not folders and not (path / RUN_JSON).is_file():
        raise InputError(
            f"folder must hold a table, a run or {LATEST}; got {'others' if path.exists() else 'nothing'} ({path}). "
            "Check the path."
        )
    manifests = {
        folder: manifest
        for name, folder in folders.items()
        if (manifest := load_manifest(folder, name or _kind(folder), found)) is not None
    }
    total = sum(manifest.bytes * (2 if manifest.table == "pairs" else 1) for manifest in manifests.values())
    with ThreadPoolExecutor(threads) as pool, progress.task("verify", total, "bytes") as task:
        work = Work(found, pool, task)
        tables = {m.table: check_files(folder, m, work) for folder, m in manifests.items()}
        _check_contents(tables, work)
    if None not in folders:
        _check_run(path, tables, found)


def _tables_below(path: Path) -> dict[str | None, Path]:
    return {name: path / name for name in TABLES if (path / name).is_dir()}


def _kind(folder: Path) -> str:
    """Which table a folder says it holds; what it should be by its name, when that is none of ours or cannot be read."""
    try:
        told = str(json.loads((folder / FILE_NAME).read_bytes())["table"])
    except (OSError, ValueError, KeyError, TypeError):
        told = ""
    return next(name for name in (told, folder.name, "vectors") if name in TABLES)


def _check_contents(tables: dict[str, Checked], work: Work) -> None:
    vocabulary: list[pa.Table | None] = []

    def known(table: str) -> pa.Table | None:
        return vocabulary[0] if vocabulary and _is_of(tables, table, "vocabulary") else None

    checks: dict[str, Callable[[Checked], object]] = {
        "word_counts": lambda table: check_word_counts(table, work),
        "phrases": lambda table: check_phrases(table, work.found),
        "vocabulary": lambda table: vocabulary.append(check_vocabulary(table, work)),
        "pairs": lambda table: check_pairs(table, known("pairs"), work),
        "vectors": lambda table: check_vectors(table, known("vectors"), work),
    }
    for name, check in checks.items():
        if name in tables:
            with work.found.caught(tables[name].folder):
                check(tables[name])


def _is_of(tables: dict[str, Checked], table: str, parent: str) -> bool:
    """Whether a table was made from the one that lies beside it."""
    if parent not in tables:
        return False
    return tables[table].manifest.parent_sha256(parent) == tables[parent].manifest.content_sha256


def _check_run(path: Path, tables: dict[str, Checked], found: Findings) -> None:
    """How the tables of a folder fit each other, its run.json, and what else lies there."""
    is_run = (path / RUN_JSON).is_file()
    for table, parents in MADE_FROM.items():
        for parent in parents:
            manifest = tables[table].manifest if table in tables else None
            if manifest is None or parent not in tables or manifest.parent_sha256(parent) is None:
                continue
            if not _is_of(tables, table, parent):
                here, named = tables[parent].manifest.content_sha256[:12], str(manifest.parent_sha256(parent))[:12]
                tell = found.add if is_run else found.note  # parts are counted under the vocabulary of the whole
                tell(
                    path / table,
                    f"{table} must be made from the {parent} beside it, {here}; got one made from {named}.",
                )
    if is_run:
        _check_record(path, {name: table.manifest for name, table in tables.items()}, found)
    for entry in sorted(path.iterdir()):
        if entry.name in SAVED or entry.name in TABLES or entry.name == LOCK or _is_bare(entry):
            continue
        if entry.name.startswith("."):
            found.note(entry, f"{entry.name} is left by a run that goes on or was killed; got no table of it.")
        else:
            found.add(entry, f"{entry.name} must not be there; got what belongs to no run. Remove it.")


def _is_bare(folder: Path) -> bool:
    """Whether it is what pyarrow leaves in a store where all files of a folder were deleted."""
    if not isinstance(folder, StorePath) or folder.is_file():
        return False
    return not any(info.is_file for info in folder.infos(recursive=True))


def _check_record(path: Path, tables: dict[str, Manifest], found: Findings) -> None:
    with found.caught(path / RUN_JSON):
        record, where = read_record(path), path / RUN_JSON
        text = where.read_text(encoding="utf-8")
        if {"format_version", "sha256"} & record.keys():
            whole = text == json.dumps(sealed(record), indent=1) + "\n"
            found.require(whole, where, "be as it was written", "other text, or another checksum of its own")
        else:
            found.note(where, "run.json has no checksum of its own: it was written by an earlier version.")
        found.require(record.get("status") == "complete", where, "tell of a complete run", record.get("status"))
        yaml = record.get("run_yaml_sha256")
        if yaml is not None:
            same = (path / RUN_YAML).is_file() and hash_file(path / RUN_YAML) == yaml
            found.require(same, path / RUN_YAML, "be as the run saved it", "nothing, or another text")
        for stage in record.get("stages", {}).values():
            for table, told in stage.get("tables", {}).items():
                _check_told(path / table, tables.get(table), told, found)


def _check_told(folder: Path, there: Manifest | None, told: dict[str, str], found: Findings) -> None:
    """A table against what run.json says of it."""
    if folder.name == "word_counts" and not folder.exists():
        found.note(folder, "word_counts is not there, though run.json tells of it: training does without.")
        return
    same = there is not None and hash_file(folder / FILE_NAME) == told["manifest_sha256"]
    rule = f"be the one that run.json tells, {told['sha256'][:12]}"
    found.require(same, folder, rule, "another, or none that can be read")
