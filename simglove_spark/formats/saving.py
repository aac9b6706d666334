"""Writing an export: refused before anything is written, and put in its place when all of it is whole."""

import os
import uuid
from contextlib import suppress
from pathlib import Path

from simglove_spark import output
from simglove_spark.errors import ConfigError, ResourceError
from simglove_spark.formats.card import card
from simglove_spark.formats.lineage import Lineage
from simglove_spark.formats.numbers import Dtype
from simglove_spark.formats.registry import FORMATS, Format
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import refuse_words
from simglove_spark.storage.paths import path_of
from simglove_spark.storage.tables import move_into, scratch_of
from simglove_spark.unknown import UNKNOWN, unknown_vector
from simglove_spark.vectors import Vectors
from simglove_spark.vectors_table import refuse_non_finite

README, CARD = "README.md", ".card.md"


def save_vectors(
    vectors: Vectors,
    path: str | Path,
    name: str,
    dtype: Dtype = "float32",
    unknown: bool = False,
    overwrite: bool = False,
    lineage: Lineage | None = None,
) -> Path:
    """Write vectors in the format of another tool, with a model card; the same vectors give the same bytes.

    Parameters
    ----------
    vectors
        What to write.
    path
        File, or folder for formats of several files.
    name
        Format, a key of `FORMATS`.
    dtype
        Numbers to write; see `numbers` for what the smaller ones cost.
    unknown
        Whether to add `<unk>`, the mean of the 100 rarest words.
    overwrite
        Whether an earlier export may be replaced.
    lineage
        What the card tells beside the vectors' own manifest; see `lineage.find`.

    Returns
    -------
    Path of the card: README.md in a folder, NAME.card.md beside a file.

    Raises
    ------
    ConfigError
        When the path holds something and ``overwrite`` is False, or when the format cannot carry the numbers.
    InputError
        When the format cannot hold a word, or a component is too large for the numbers.
    ResourceError
        When the path cannot be written.
    """
    path, how = path_of(path), FORMATS[name]
    if dtype not in how.dtypes:
        able = ", ".join(other for other, form in FORMATS.items() if dtype in form.dtypes)
        raise ConfigError(f"--dtype must be float32 for {name}; got {dtype}. The formats {able} can carry it.")
    told = path / README if how.files else path.with_name(path.name + CARD)
    _check_output(path, told, how, overwrite)
    lineage = lineage or Lineage.of(vectors)
    rows = Rows(vectors, (UNKNOWN, unknown_vector(vectors)) if unknown else None, lineage.reading)
    refuse_words(rows, how.forbidden, name)
    refuse_non_finite(vectors.matrix, vectors.words)
    text = card(rows, name, dtype, lineage)
    try:
        if how.files:
            with output.building(path, overwrite) as staging:
                how.write(rows, staging, dtype)
                (staging / README).write_text(text, encoding="utf-8")
        else:
            _write_file(rows, path, told, text, how, dtype)
    except OSError as error:
        raise ResourceError(f"output must be writable; got {error.strerror} ({path}). Give another path.") from error
    return told


def _check_output(path: Path, told: Path, how: Format, overwrite: bool) -> None:
    if not how.files:
        taken = next((found for found in (path, told) if found.exists()), None)
        if taken and not (overwrite and taken.is_file()):
            raise ConfigError(f"output must be a new file; got one that exists ({taken}). Give another, or overwrite.")
        return
    found = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    foreign = [name for name in found if name not in {*how.files, README}]
    if foreign or (path.exists() and not path.is_dir()):
        what = foreign[0] if foreign else "a file"
        raise ConfigError(f"output must be a new folder or an earlier export; got {what} ({path}). Give another.")
    if found and not overwrite:
        raise ConfigError(f"output must be a new folder; got an earlier export ({path}). Give another, or overwrite.")


def _write_file(rows: Rows, path: Path, told: Path, text: str, how: Format, dtype: Dtype) -> None:
    """Write beside the path and rename, so that a file under that name is always whole."""
    mark = uuid.uuid4().hex[:12]
    temporary, beside = (scratch_of(target.parent) / f".{target.name}.{mark}" for target in (path, told))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        how.write(rows, temporary, dtype)
        beside.write_text(text, encoding="utf-8")
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        move_into(temporary, path)
        move_into(beside, told)
    finally:
        for left in (temporary, beside):
            with suppress(OSError):  # which would hide the one that is told
                left.unlink()
