"""Words with their counts from elsewhere: a vocabulary table of ours, GloVe's vocab.txt, or Parquet or CSV."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from simglove_spark.corpus import file_entries
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.foreign_files import read_records, texts
from simglove_spark.manifest import FILE_NAME, Manifest
from simglove_spark.schemas import WORD_COUNTS
from simglove_spark.storage.paths import path_of
from simglove_spark.training_inputs import load_vocabulary
from simglove_spark.units import Units
from simglove_spark.vocabulary import by_count, with_ids


@dataclass(frozen=True)
class GivenWords:
    """Where words with counts stand; ``inputs`` and ``parents`` are what a manifest says of it."""

    path: Path
    kind: str
    inputs: list[dict[str, Any]]
    parents: list[dict[str, str]]

    @classmethod
    def at(cls, text: str) -> "GivenWords":
        """What a path leads to, by what is there and by its ending."""
        path = path_of(text)
        if path.is_dir() and (path / FILE_NAME).is_file():
            return cls(path, "table", [], [Manifest.load(path, "vocabulary").as_parent()])
        kind = {".parquet": "parquet", ".csv": "csv"}.get(path.suffix.lower(), "text")
        if not path.is_file():
            found = "a folder that is no table" if path.is_dir() else "nothing"
            raise InputError(
                f"--word-counts must be a vocabulary table or a file; got {found} ({path}). Give words with their counts."
            )
        return cls(path, kind, file_entries(str(path)), [])

    def check_ids(self) -> None:
        """Refuse what gives no ids, where the pairs are written with ids.

        Raises
        ------
        ConfigError
        """
        if self.kind in ("parquet", "csv"):
            raise ConfigError(
                f"--word-counts must give the words' order for glove-binary; got {self.kind} ({self.path}). "
                "Give the vocab.txt that cooccur was given, or a vocabulary table."
            )

    def read(self) -> pa.Table:
        """Columns of `schemas.VOCABULARY`; the ids as they are given, else by falling count, then by the word's bytes.

        Raises
        ------
        InputError
            When the words are damaged, stand there twice, or a count is not a positive whole number.
        """
        if self.kind == "table":
            return load_vocabulary(self.path)
        words = _vocab_txt(self.path) if self.kind == "text" else _columns(self.path, self.kind)
        values = pc.value_counts(words["word"])
        if len(values) < len(words):
            twice = values.filter(pc.greater(values.field("counts"), 1))[0]
            raise InputError(
                f"words must stand in --word-counts once; got {twice['values'].as_py()!r} {twice['counts'].as_py()} times "
                f"({self.path}). Keep one of them."
            )
        return with_ids(words if self.kind == "text" else by_count(words))


def _columns(path: Path, kind: str) -> pa.Table:
    units = Units(1)
    parts = [WORD_COUNTS.empty_table()]
    for records in read_records(str(path), kind, ["word", "count"]):
        columns = [texts(records, 0, "word"), units.of(records.columns[1], records.place)]
        parts.append(pa.table(columns, schema=WORD_COUNTS))
    return pa.concat_tables(parts).combine_chunks()


def _vocab_txt(path: Path) -> pa.Table:
    """Lines of a word, a blank and its count, as `vocab_count` writes them."""
    words, counts = [], []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        word, _, count = line.rpartition(b" ")
        if not word or not count.isdigit() or int(count) >= 2**63:
            raise InputError(
                f"lines must be a word, a blank and a count below 2^63; got {ascii(line[:60])[1:]} ({path}, line {number:,}). "
                "Give the vocab.txt of vocab_count."
            )
        try:
            words.append(word.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(
                f"words must be UTF-8; got {ascii(word[:40])[1:]} ({path}, line {number:,}). Convert the file."
            ) from error
        counts.append(int(count))
    return pa.table([words, counts], schema=WORD_COUNTS)
