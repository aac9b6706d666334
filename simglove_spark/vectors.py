"""Word vectors: load, save, and ask which words go with a word, mean the same, or complete an analogy.

The three metrics follow the published helper (bojone/simpler_glove, simpler_glove.py). The table needs no parsing
to be opened: matrix, counts and words are memory-mapped from the files beside the Parquet.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simglove_spark import output, schemas, vectors_table
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest, new_manifest
from simglove_spark.vectors_table import BLOCK_ROWS, COUNTS, MATRIX, TABLE, refuse_non_finite, row_blocks
from simglove_spark.word_index import WordIndex, open_array


class Vectors:
    """Words, their counts and their vectors, all in order of word_id.

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
    """

    words: WordIndex
    counts: NDArray[np.int64]
    matrix: NDArray[np.float32]
    manifest: Manifest | None

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

    def _set(self, matrix: NDArray[np.float32], counts: NDArray[np.int64], manifest: Manifest | None) -> None:
        self.matrix, self.counts, self.manifest = matrix.view(), counts.view(), manifest
        self.matrix.flags.writeable = self.counts.flags.writeable = False
        self._context: tuple[int, NDArray[np.float64], NDArray[np.float32]] | None = None

    @classmethod
    def load(cls, folder: str | Path, verify: bool = False) -> "Vectors":
        """Open a vectors table by memory map.

        Parameters
        ----------
        folder
            Folder of the table.
        verify
            Read every byte and compare checksums and ids; without it only the files' sizes and shapes are checked.

        Raises
        ------
        InputError
            When it is not a complete vectors table, or when it was changed.
        """
        folder = output.local_path(folder)
        manifest = Manifest.load(folder, TABLE)
        dim, size = vectors_table.check_files(folder, manifest, verify)
        vectors = cls.__new__(cls)
        vectors.words = WordIndex.open(folder, size)
        matrix = open_array(folder / MATRIX, np.float32, (size, dim))
        vectors._set(matrix, open_array(folder / COUNTS, np.int64, (size,)), manifest)
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
        folder = output.local_path(folder)
        if not overwrite and folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
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

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.words

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """Vector of a word: float32[dim]."""
        return self.matrix[self.word_id(word)]

    def word_id(self, word: str) -> int:
        """Id of a word.

        Raises
        ------
        InputError
            When the word is not in the vocabulary; the message names one spelled like it.
        """
        found = self.words.find(word)
        if found is None:
            near = self.words.nearest(word)
            hint = f"Did you mean {near!r}?" if near else "Upper and lower case are different words."
            raise InputError(f"word must be one of the vocabulary's {len(self):,}; got {word!r}. {hint}")
        return found

    def norm(self, word: str) -> float:
        """Euclidean length of a word's vector."""
        return float(self.norms[self.word_id(word)])

    @cached_property
    def norms(self) -> NDArray[np.float32]:
        """Euclidean length of each vector: float32[V]."""
        return np.sqrt(np.einsum("ij,ij->i", self.matrix, self.matrix, dtype=np.float64)).astype(np.float32)

    def most_frequent(self, number: int) -> NDArray[np.intp]:
        """Ids of the ``number`` most frequent words (all, if fewer); without counts, and in a tie, the lower id first.

        Words of count 0 are left out when there are others: the corpus lacks them, and nothing was learned of them.
        """
        if number < 1:
            raise ConfigError(f"number of most frequent words must be at least 1; got {number}. Use 30000.")
        seen = np.count_nonzero(self.counts) or len(self)
        return np.argsort(-self.counts, kind="stable")[: min(number, seen)]

    def most_correlative(
        self, word: str | ArrayLike, topn: int = 20, normalize: bool = False
    ) -> list[tuple[str, float]]:
        """Words with the largest inner product: the predicted pmi in nats, evened as `--count-power` had it.

        Parameters
        ----------
        word
            A word, which is left out of the answer (the published helper keeps it), or a vector of shape (dim,).
        topn
            Number of words wanted.
        normalize
            Cosine instead of the inner product.

        Returns
        -------
        Words and scores, highest first, the lower word_id first in a tie.
        """
        query, asked = self._query(word)
        if normalize:
            return self._nearest(query, topn, asked)
        return self._top(self.matrix @ query.astype(np.float32), topn, asked)

    def most_similar(
        self, word: str | ArrayLike, topn: int = 20, context_words: int = 100_000
    ) -> list[tuple[str, float]]:
        """Words used like the given one: cosine of vectors times L, where L L^T is the context words' covariance.

        The ``context_words`` most frequent words stand for all contexts: two words are alike when their inner products
        with those contexts are alike. When there are too few of them for a positive definite covariance, a millionth of
        its mean diagonal is added to the diagonal.

        Parameters and result are those of `most_correlative`.
        """
        query, asked = self._query(word)
        factor, units = self._context_units(min(context_words, len(self)))
        return self._top(units @ unit_rows((query @ factor)[None, :])[0], topn, asked)

    def analogy(self, positive: Sequence[str], negative: Sequence[str] = (), topn: int = 20) -> list[tuple[str, float]]:
        """Words nearest by cosine to the sum of the positive words' vectors less the negative ones'.

        As published the raw vectors are summed; `evaluate.analogies` sums unit vectors. The words asked are left out.
        """
        if isinstance(positive, str) or isinstance(negative, str) or not positive:
            raise ConfigError(
                f"positive and negative must be lists of words; got {positive!r}, {negative!r}. Use [...]."
            )
        plus = [self.word_id(word) for word in positive]
        minus = [self.word_id(word) for word in negative]
        query = self.matrix[plus].sum(axis=0, dtype=np.float64) - self.matrix[minus].sum(axis=0, dtype=np.float64)
        return self._nearest(query, topn, [*plus, *minus])

    def _query(self, word: str | ArrayLike) -> tuple[NDArray[np.float64], list[int]]:
        """Vector asked for, and the ids that are no answer."""
        if isinstance(word, str):
            position = self.word_id(word)
            return self.matrix[position].astype(np.float64), [position]
        query = np.asarray(word, dtype=np.float64)
        if query.shape != self.matrix.shape[1:] or not np.isfinite(query).all():
            shape = self.matrix.shape[1:]
            raise InputError(
                f"vector must be finite and of shape {shape}; got shape {query.shape}. Give a word or such."
            )
        return query, []

    def _nearest(self, query: NDArray[np.float64], topn: int, asked: list[int]) -> list[tuple[str, float]]:
        norms = np.where(self.norms > 0, self.norms, 1)  # a zero vector has cosine 0 to all
        return self._top(self.matrix @ unit_rows(query[None, :])[0] / norms, topn, asked)

    def _top(self, scores: NDArray[np.float32], topn: int, asked: list[int]) -> list[tuple[str, float]]:
        """The ``topn`` best words without sorting the others."""
        if topn < 1:
            raise ConfigError(f"topn must be at least 1; got {topn}. Use 20.")
        scores[asked] = -np.inf
        topn = min(topn, len(self) - len(set(asked)))
        if topn == 0:
            return []
        candidates = np.flatnonzero(scores >= np.partition(scores, -topn)[-topn])
        best = candidates[np.argsort(-scores[candidates], kind="stable")][:topn]
        return [(self.words[int(position)], float(scores[position])) for position in best]

    def _context_units(self, context_words: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Cholesky factor of the context words' covariance, and all vectors times it, at length 1."""
        if self._context is None or self._context[0] != context_words:
            factor = _context_factor(self.matrix, self.most_frequent(context_words))
            units = np.empty(self.matrix.shape, np.float32)
            for start, block in row_blocks(self.matrix):
                units[start : start + len(block)] = unit_rows(block.astype(np.float64) @ factor)
            self._context = (context_words, factor, units)
        return self._context[1:]


def _context_factor(matrix: NDArray[np.float32], ids: NDArray[np.intp]) -> NDArray[np.float64]:
    """Lower Cholesky factor of the covariance (times their number) of some rows."""
    mean = matrix[ids].mean(axis=0, dtype=np.float64)
    covariance = np.zeros((matrix.shape[1], matrix.shape[1]))
    for start in range(0, len(ids), BLOCK_ROWS):
        centred = matrix[ids[start : start + BLOCK_ROWS]] - mean
        covariance += centred.T @ centred
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        ridge = 1e-6 * float(np.trace(covariance)) / len(covariance) or 1.0
        factor = np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
    return factor.astype(np.float64, copy=False)


def unit_rows(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows at length 1; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)
