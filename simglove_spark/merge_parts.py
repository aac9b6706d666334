"""The parts that are merged: whether they go together, how often each counts, and which inputs that makes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest, checked_source
from simglove_spark.schemas import check
from simglove_spark.table_files import readable
from simglove_spark.units import MOST

TOTALS = {"word_counts": "total_words", "pairs": "total_pairs"}


@dataclass(frozen=True)
class Part:
    """A table that is counted ``weight`` times."""

    folder: Path
    manifest: Manifest
    weight: int


def open_parts(folders: list[Path], table: str, weights: tuple[int, ...]) -> list[Part]:
    """The parts by their manifests, all made with the same options; () counts each once.

    Raises
    ------
    ConfigError
        When there are fewer than two, their options differ, words were joined, or the weights are not one for each, and none
        of them 0.
    InputError
        When a part is no complete table, or the counts could pass 2^63 times their weights.
    """
    if len(folders) < 2:
        raise ConfigError(f"--parts must be at least 2 tables; got {len(folders)}. Name them all.")
    if weights and (len(weights) != len(folders) or 0 in weights):
        told = " ".join(map(str, weights))
        raise ConfigError(
            f"--weights must be one whole number, not 0, for each of the {len(folders)} parts; got {told}. Leave out a part of 0."
        )
    manifests = [Manifest.load(folder, table) for folder in folders]
    opened = [Part(*part) for part in zip(folders, manifests, weights or [1] * len(folders), strict=True)]
    first = manifests[0].config
    for part in opened:
        config = part.manifest.config
        for key in sorted({*first, *config}):
            if config.get(key) != first.get(key):
                raise ConfigError(
                    f"parts must be counted with the same options; got {key} {config.get(key)} ({part.folder}) and "
                    f"{first.get(key)} ({folders[0]}). Count one of them again."
                )
        if part.manifest.parent_sha256("phrases"):
            raise ConfigError(
                f"parts must be counted without phrases, which are found in the whole; got joined words ({part.folder}). "
                "Merge what count-words wrote, then join: simglove phrases."
            )
    total = sum(abs(part.weight) * part.manifest.details[TOTALS[table]] for part in opened)
    if total > MOST:
        raise InputError(
            f"counts times weights must be at most {MOST:,} together; got {total:,} ({folders[0]}). Lower --weights."
        )
    return opened


def check_files(opened: list[Part], schema: pa.Schema) -> None:
    """Check all files to the last byte.

    Raises
    ------
    InputError
        When one is missing, damaged or foreign.
    """
    for part in opened:
        for entry in part.manifest.own_files:
            with readable(part.folder / entry.name):
                check(pq.read_schema(checked_source(part.folder, entry)), schema, part.folder)


def inputs_of(opened: list[Part]) -> list[dict[str, Any]]:
    """Inputs of the whole, in order of their paths: with how often each counts, where that is not once, without those at 0.

    Raises
    ------
    InputError
        When an input stands in two parts that both count once, or was changed between two parts.
    """
    found: dict[str, dict[str, Any]] = {}
    net: dict[str, int] = {}
    for part in opened:
        for told in part.manifest.inputs:
            entry, path = without_weight(told), told["path"]
            if path in found and all(other.weight == 1 for other in opened):
                raise InputError(
                    f"parts must be of different inputs; got {path} twice ({part.folder}). Leave one part out."
                )
            if found.setdefault(path, entry) != entry:
                raise InputError(
                    f"an input must be the same in all parts; got {path}, which changed between them ({part.folder}). "
                    "Count it again."
                )
            net[path] = net.get(path, 0) + told.get("weight", 1) * part.weight
    return [found[path] | ({} if net[path] == 1 else {"weight": net[path]}) for path in sorted(found) if net[path]]


def read_by(opened: list[Part]) -> dict[str, list[dict[str, Any]]]:
    """The whole's `inputs`, and the parts' `bad_files` together."""
    inputs = inputs_of(opened)
    counted = {entry["path"] for entry in inputs}  # what was bad in one part may be mended in another
    bad = {entry["path"]: entry for part in opened if part.weight > 0 for entry in part.manifest.bad_files}
    return {"inputs": inputs, "bad_files": [bad[path] for path in sorted(set(bad) - counted)]}


def without_weight(entry: dict[str, Any]) -> dict[str, Any]:
    """An input as it is listed, however often it counts."""
    return {key: value for key, value in entry.items() if key != "weight"}


def counters_of(opened: list[Part]) -> dict[str, int]:
    """Counters of the whole."""
    names = sorted({name for part in opened for name in part.manifest.details["counters"]})
    return {
        name: sum(part.weight * part.manifest.details["counters"].get(name, 0) for part in opened) for name in names
    }


def refuse_below_zero(what: str, count: int, where: Path) -> NoReturn:
    """Refuse a difference that is no count.

    Raises
    ------
    InputError
    """
    raise InputError(
        f"what is left of a {what} must be 0 or more; got {count:,} ({where}). Take away only what was counted in the other parts."
    )
