"""A table built in a store, which has neither renames nor locks: data first, each file under a name that carries its content, then the manifest.

The manifest is the truth: a file that it does not name does not count. What is written again has the same bytes, and a writer
deletes only what it replaced, so two writers cannot mix their tables.
"""

import json
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simglove_spark.errors import ConfigError, ResourceError
from simglove_spark.storage.paths import StorePath

BUILDING = ".building-"
_CARRIES_CONTENT = re.compile(r".+-[0-9a-f]{16}\.(parquet|npy)")


def named_by_content(name: str, sha256: str) -> str:
    """The name under which a table's file lies in a store: with its checksum, if it has none yet."""
    mark = sha256[:16]
    path = Path(name)
    return name if path.stem.endswith(f"-{mark}") else f"{path.stem}-{mark}{path.suffix}"


def scratch_of(folder: Path) -> Path:
    """Where a file is written before it is whole: the folder, or for one in a store this machine's temporary folder."""
    return Path(tempfile.gettempdir()) if isinstance(folder, StorePath) else folder


def move_into(written: Path, target: Path) -> None:
    """Give a file that was written in `scratch_of` a folder its place in it."""
    if not isinstance(target, StorePath):
        written.replace(target)
        return
    target.put(written)
    written.unlink()


def reached_by_workers(staging: Path, folder: Path) -> Path:
    """Where workers write the files of a table that is built in ``staging`` for ``folder``: into a store at once."""
    return folder if isinstance(folder, StorePath) else staging


def file_sizes(folder: Path) -> dict[str, int]:
    """Names and bytes of a folder's files."""
    if isinstance(folder, StorePath):
        return folder.sizes()
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}


def leftovers(folder: StorePath) -> bool:
    """Whether a folder without a manifest holds nothing but files of builds that did not end."""
    return all(is_leftover(path.name) for path in folder.iterdir())


def is_leftover(name: str) -> bool:
    """Whether a file that no manifest names may be of a build that did not end, or goes on."""
    return name.startswith(".") or bool(_CARRIES_CONTENT.fullmatch(name))


@contextmanager
def building(folder: StorePath, manifest_name: str, overwrite: bool) -> Iterator[Path]:
    """Folder of this machine to build a table in; at the end its files are put into ``folder``, the manifest last.

    What workers wrote into ``folder`` already, under names that carry their content, is only looked for.

    Raises
    ------
    ConfigError
        When another writer finished the same output first.
    ResourceError
        When the store cannot be written, or a worker's file is not there.
    """
    check_writable(folder)
    manifest = folder / manifest_name
    before = _read(manifest)
    with tempfile.TemporaryDirectory(prefix="simglove-") as staging:
        yield Path(staging)
        _publish(Path(staging), folder, manifest, before, overwrite)


def check_writable(folder: StorePath) -> None:
    """Refuse a place that cannot be written now, not after the work.

    Raises
    ------
    ResourceError
    """
    sign = folder / f"{BUILDING}{uuid.uuid4().hex[:12]}"
    sign.write_text("simglove builds a table here\n")
    sign.unlink(missing_ok=True)


def _publish(staging: Path, folder: StorePath, manifest: StorePath, before: str | None, overwrite: bool) -> None:
    written = staging / manifest.name
    if not written.is_file():  # files of other tools
        for local in sorted(path for path in staging.rglob("*") if path.is_file()):
            (folder / local.relative_to(staging)).put(local)
        return
    told = json.loads(written.read_text(encoding="utf-8"))
    for entry in told["files"]:
        _put_entry(staging, folder, entry)
    _refuse_missing(folder, told["files"])
    found = _read(manifest)
    if found != before and not overwrite:
        raise ConfigError(
            f"output must not be written by two at once; got a table that another run just finished ({folder}). "
            "Use that one, or give another --output."
        )
    from simglove_spark.manifest import sealed  # which imports us

    text = json.dumps(sealed(told), indent=1, ensure_ascii=False) + "\n"
    manifest.write_text(text)
    if found is not None:
        _delete_replaced(folder, manifest, json.loads(found), text)
        _refuse_missing(folder, told["files"])  # another that replaced the same table may have deleted what both name


def _put_entry(staging: Path, folder: StorePath, entry: dict[str, Any]) -> None:
    """Put one file of a table, and note in its entry the name that it has in the store."""
    stored = named_by_content(entry["path"], entry["sha256"])
    if stored != entry["path"]:
        entry["stored"] = stored
    local = staging / entry["path"]
    if local.is_file():
        (folder / stored).put(local)


def _refuse_missing(folder: StorePath, entries: list[dict[str, Any]]) -> None:
    sizes = folder.sizes()
    for entry in entries:
        name = entry.get("stored", entry["path"])
        if sizes.get(name) != entry["bytes"]:
            raise ResourceError(
                f"output must keep what is written into it; got no {name} of {entry['bytes']:,} bytes ({folder}). "
                "Somebody deleted it: start again, or give another --output."
            )


def _delete_replaced(folder: StorePath, manifest: StorePath, old: dict[str, Any], text: str) -> None:
    """Delete the files of the table that was replaced, unless yet another table stands there by now."""
    if _read(manifest) != text:
        return
    kept = {entry.get("stored", entry["path"]) for entry in json.loads(text)["files"]}
    for entry in old["files"]:
        name = entry.get("stored", entry["path"])
        if name not in kept and "/" not in name:
            (folder / name).unlink(missing_ok=True)


def _read(manifest: StorePath) -> str | None:
    try:
        return manifest.read_text()
    except FileNotFoundError:
        return None
