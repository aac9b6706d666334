"""Word vectors: load and save them, and ask what `simglove_spark.asking` can answer.

The table needs no parsing to be opened: matrix, counts and words are memory-mapped from the files beside the Parquet.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simglove_spark import output, schemas, vectors_table
from simglove_spark.asking.meaning import Meaning
from simglove_spark.asking.passes import unit_rows
from simglove_spark.asking.reading import Reading
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest, new_manifest
from simglove_spark.publishing.latest import resolved
from simglove_spark.storage.copies import fetched
from simglove_spark.storage.paths import path_of
from simglove_spark.vectors_table import COUNTS, MATRIX, TABLE, refuse_non_finite
from simglove_spark.word_index import WordIndex, open_array

__all__ = ["Reading", "Vectors", "unit_rows"]


class Vectors(Meaning):
    """Words, their counts and their vectors, all in order of word_id; any number of threads may ask.

    Attributes
    ----------
    words : WordIndex
        Sequence of str, by word_id.
    counts : int64[V]
        Occurrences of each word in the corpus; zeros when nobody knows.
    matrix : float32[V, dim]
        Finite and read-only; a memory map when loaded from a table.
    manifest : Manifest or None
        What the table was made from, when loaded from one.
    reading : Reading
        How text that is asked becomes words.
    """

    def __init__(self, words: Sequence[str], matrix: ArrayLike, counts: ArrayLike | None = None) -> None:
        self.words = words if isinstance(words, WordIndex) else WordIndex.build(words)
        size = len(self.words)
        try:
            with np.errstate(over="ignore"):
                values = np.asarray(matrix, dtype=np.float32)
            numbers = np.zeros(size, np.int64) if counts is None else np.asarray(counts, dtype=np.int64)
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(
                f"matrix and counts must be arrays of numbers; got {error}. Give one row a word."
            ) from error
        if values.ndim != 2 or values.shape[0] != size or values.shape[1] < 1:
            raise InputError(f"matrix must have shape ({size}, dim); got {values.shape}. Give one row a word.")
        if numbers.shape != (size,):
            raise InputError(f"counts must have shape ({size},); got {numbers.shape}. Give one count a word.")
        refuse_non_finite(values, self.words)
        self._set(values, numbers, None)

    @classmethod
    def load(cls, folder: str | Path, verify: bool = False, reading: Reading | None = None) -> Self:
        """Open a vectors table by memory map; one in a store is first fetched into this user's cache, once a machine.

        Parameters
        ----------
        folder
            Folder of the table, or one that `simglove publish` wrote latest.json into: then of the published vectors.
        verify
            Read every byte and compare checksums and ids; without it only the files' sizes and shapes are checked.
        reading
            How text that is asked becomes words; by default as the corpus was read, which the manifest tells.

        Raises
        ------
        InputError
            When it is not a complete vectors table, or when it was changed.
        """
        folder = fetched(resolved(folder))
        manifest = Manifest.load(folder, TABLE)
        dim, size = vectors_table.check_files(folder, manifest, verify)
        vectors = cls.__new__(cls)
        vectors.words = WordIndex.open(folder, size)
        matrix = open_array(folder / MATRIX, np.float32, (size, dim))
        vectors._set(matrix, open_array(folder / COUNTS, np.int64, (size,)), manifest)
        vectors.reading = reading or vectors.reading
        return vectors

    def save(
        self,
        folder: str | Path,
        config: dict[str, Any] | None = None,
        parents: Iterable[dict[str, str]] = (),
        seed: int = 0,
        details: dict[str, Any] | None = None,
        overwrite: bool = False,
        extra: dict[str, NDArray[np.float32]] | None = None,
    ) -> Manifest:
        """Write the vectors table, all of it or nothing; the same input gives the same bytes.

        Parameters
        ----------
        folder
            New or empty folder, or with ``overwrite`` a table to be replaced.
        config, parents, seed, details
            What the manifest says of the table's origin; `dim` and `vocabulary_size` are added to the details.
        extra
            Further arrays to lie beside the table, by name: ``_NAME.npy``.

        Returns
        -------
        The manifest of the table.

        Raises
        ------
        ConfigError
            When the folder is not empty and may not be overwritten.
        InputError
            When a component is NaN or infinite.
        """
        folder = path_of(folder)
        if not overwrite and not output.is_empty(folder):
            raise ConfigError(f"output must be new or empty; got other content ({folder}). Give another, or overwrite.")
        config, parents = config or {}, list(parents)
        output.is_complete(folder, TABLE, config, [], parents, overwrite)  # refuses what is no table of ours
        refuse_non_finite(self.matrix, self.words)
        size, dim = self.matrix.shape
        details = {**(details or {}), "dim": dim, "vocabulary_size": size}
        with output.building(folder, overwrite) as staging:
            entries = vectors_table.write(staging, self.words, self.matrix, self.counts, extra or {})
            origin = {"parents": parents, "seed": seed, "details": details}
            manifest = new_manifest(TABLE, schemas.vectors_schema(dim), entries, config, **origin)
            manifest.save(staging)
        return manifest
