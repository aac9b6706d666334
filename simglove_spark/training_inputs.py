"""The tables that training begins with, checked: whole, dense, and of one run."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from simglove_spark.config import TrainConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.merge_parts import without_weight
from simglove_spark.presets import PRESETS
from simglove_spark.schemas import VOCABULARY
from simglove_spark.storage.paths import path_of
from simglove_spark.table_files import read_whole

IMPORTED = "imported"  # the weighting of pairs counted elsewhere: nothing is known of their windows


def load_vocabulary(folder: Path) -> pa.Table:
    """The vocabulary table of a folder, checked against its manifest.

    Raises
    ------
    InputError
        When it is missing, damaged, or its ids are not dense.
    """
    manifest = Manifest.load(folder, "vocabulary")
    tables = []
    for entry in manifest.own_files:
        tables.append(read_whole(folder, entry, VOCABULARY))
    table = pa.concat_tables(tables or [VOCABULARY.empty_table()])
    if not np.array_equal(table["word_id"].to_numpy(), np.arange(table.num_rows)):
        raise InputError(f"word ids must be 0, 1, 2, ...; got others ({folder}). Count the words again.")
    return table


def of_one_vocabulary(pairs: Path, vocabulary: Path) -> tuple[Manifest, Manifest]:
    """Manifests of a pair table and of the vocabulary that it was counted under.

    Raises
    ------
    InputError
        When it was counted under another one.
    """
    manifest = Manifest.load(pairs, "pairs")
    words = Manifest.load(vocabulary, "vocabulary")
    if manifest.parent_sha256("vocabulary") != words.content_sha256:
        raise InputError(
            f"vocabulary must be the one the pairs were counted under, {str(manifest.parent_sha256('vocabulary'))[:12]}; "
            f"got {words.content_sha256[:12]} ({vocabulary}). Give the vocabulary of the same run as {pairs}."
        )
    return manifest, words


def check_pairs(pairs: Path, vocabulary: Path, config: TrainConfig) -> Manifest:
    """Manifest of the pair table after checking that it belongs to the vocabulary and to the preset."""
    manifest, words = of_one_vocabulary(pairs, vocabulary)
    if manifest.inputs != words.inputs:
        if [without_weight(entry) for entry in manifest.inputs] == [without_weight(entry) for entry in words.inputs]:
            raise InputError(
                f"pairs must count each input as often as the vocabulary does; got other weights ({pairs}). "
                "Merge both with the same --weights."
            )
        raise InputError(
            f"pairs must be of all the vocabulary's input; got {len(manifest.inputs)} of {len(words.inputs)} files "
            f"({pairs}). Count the other parts and merge them: simglove merge-pairs."
        )
    weighting = manifest.details["weighting"]
    expected = PRESETS[config.preset].get("distance_weighting", weighting)
    if weighting not in (expected, IMPORTED):
        raise ConfigError(
            f"--preset {config.preset} must be given {expected} pairs; got {weighting} ones ({pairs}). "
            f"Count the pairs with --distance-weighting {expected}, or use another preset."
        )
    return manifest


def parents_of(vocabulary: Path, pairs: Path, config: TrainConfig) -> list[dict[str, str]]:
    """What a vectors table is made from, as its manifest tells."""
    parents = [Manifest.load(vocabulary, "vocabulary").as_parent(), Manifest.load(pairs, "pairs").as_parent()]
    if config.start_from is not None:
        parents.append(Manifest.load(path_of(config.start_from), "vectors").as_parent())
    return parents
