"""Rows of pair counts from files of other tools: checked, in whole units, and their words as ids."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simglove_spark.config import ImportConfig
from simglove_spark.errors import InputError, ResourceError
from simglove_spark.foreign_files import Records, read_records, texts
from simglove_spark.memory import show_size
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.table_files import exact_sum
from simglove_spark.units import MOST, Units
from simglove_spark.vocabulary import by_count, with_ids
from simglove_spark.word_table import ABSENT, build_word_table

BYTES_PER_WORD = 100  # of a word with its sum, held twice while sums are made
LEAST_WORDS = 1 << 20  # rows of words to hold before they are summed


class ForeignRows:
    """All rows of two words that are not the same, of some files; to be gone through more than once.

    In turn comes a tuple: records with the columns word and context, as text or as GloVe's ids from 1, and their counts in
    units (int64).

    ``units`` tells of rounding, ``self_pairs`` how many rows of a word with itself were dropped: both of the last time.
    """

    def __init__(self, inputs: list[dict[str, Any]], config: ImportConfig) -> None:
        self.inputs, self.config = inputs, config
        self._begin()

    def _begin(self) -> None:
        self.units, self.self_pairs, self.total = Units(self.config.unit), 0, 0

    def __iter__(self) -> Iterator[tuple[Records, NDArray[np.int64]]]:
        self._begin()
        for entry in self.inputs:
            for records in read_records(entry["path"], self.config.format, ["word", "context", "count"]):
                yield self._checked(records)

    def _checked(self, records: Records) -> tuple[Records, NDArray[np.int64]]:
        if self.config.format != "glove-binary":
            words = [texts(records, column, name) for column, name in enumerate(("word", "context"))]
            records = replace(records, columns=[*words, records.columns[2]])
        counts = self.units.of(records.columns[2], records.place)
        kept = pc.not_equal(*records.columns[:2]).to_numpy(zero_copy_only=False)
        if not kept.all():
            self.self_pairs += int(np.count_nonzero(~kept))
            records, counts = records.filter(kept), counts[kept]
        self._add(counts, records)
        return records, counts

    def _add(self, counts: NDArray[np.int64], records: Records) -> None:
        """Keep every sum that will be made below 2^63: none is greater than that of all counts."""
        self.total += exact_sum(counts) * (2 if self.config.one_direction else 1)
        if self.total > MOST:
            raise InputError(
                f"all counts together must be at most {MOST:,} units; got more ({records.path}). Lower --unit, or "
                "import fewer files."
            )


def sums_of_rows(rows: ForeignRows, memory: int) -> pa.Table:
    """Words with the sums of their pair counts, in units, as a vocabulary.

    Raises
    ------
    InputError
        When there is no pair of two words.
    ResourceError
        When the words do not fit into ``memory`` bytes.
    """
    held, waiting, size = [WORD_COUNTS.empty_table()], 0, 0
    for records, counts in rows:
        others = counts if rows.config.one_direction else np.zeros_like(counts)
        for words, own in zip(records.columns, (counts, others), strict=False):
            held.append(_summed([pa.table([words, own], schema=WORD_COUNTS)]))
            waiting += held[-1].num_rows
        if waiting > max(LEAST_WORDS, size):
            held, waiting = [_summed(held)], 0
            size = held[0].num_rows
            if size * BYTES_PER_WORD > memory:
                raise ResourceError(
                    f"words must fit into --memory, {show_size(memory)}; got more than {size:,}. Raise it, or give --word-counts."
                )
    words = _summed(held)
    if words.num_rows == 0:
        raise InputError(f"input must hold pairs of two words; got none ({rows.inputs[0]['path']}). Check --input.")
    return with_ids(by_count(words))


def _summed(tables: list[pa.Table]) -> pa.Table:
    sums = pa.concat_tables(tables).group_by("word").aggregate([("count", "sum")])
    return sums.rename_columns(["word", "count"]).cast(WORD_COUNTS)


class KnownIds:
    """Ids of words, as the vocabulary ``table`` (`schemas.VOCABULARY`) has them; with ``seen`` words of count 0 are refused."""

    def __init__(self, table: pa.Table, seen: bool = False) -> None:
        self.size = table.num_rows
        self._table = build_word_table(table["word"].combine_chunks())
        self._is_absent = (table["count"].to_numpy() == 0) & seen

    def of(self, records: Records, column: int) -> NDArray[np.int32]:
        """Of a column of words as text, or of GloVe's ids from 1.

        Raises
        ------
        InputError
            When one is not in the vocabulary, or has a count of 0 there that is refused.
        """
        words = records.columns[column]
        if pa.types.is_integer(words.type):
            ids = words.to_numpy() - np.int32(1)
            bad, rule = (ids < 0) | (ids >= self.size), f"ids must lie between 1 and {self.size:,}"
        else:
            ids = self._table.find(words)
            bad, rule = ids == ABSENT, "words must be in --word-counts"
        if not bad.any() and self._is_absent[ids].any():
            bad, rule = self._is_absent[ids], "words of pairs must have a count above 0 in --word-counts"
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"{rule}; got {words[row].as_py()!r} ({records.place(row)}). Give the words that the pairs were counted under."
            )
        return ids
