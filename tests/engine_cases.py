"""One small corpus in every form that is read, and what all engines must make of it: the same bytes."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from simglove_spark import counting
from simglove_spark.config import CorpusConfig, PairsConfig, PhrasesConfig, RunConfig, SparkConfig, VocabularyConfig
from simglove_spark.counting import Context
from simglove_spark.manifest import Manifest
from simglove_spark.progress import Progress

PAIRS = PairsConfig(window_size=3, num_shards=3)
WORDS = VocabularyConfig(min_count=1)
Tables = dict[str, str]  # name of a table: the checksum of its content


def corpora(folder: Path, text: bytes) -> dict[str, CorpusConfig]:
    """The corpus as plain text, compressed (two members, Windows' and old Macs' line ends, a mark), and in columns."""
    rows = text.split(b"\n")
    words = [[word.decode() for word in row.split()] for row in rows]
    words[3] = [*words[3], None]
    (folder / "a.txt").write_bytes(text)
    (folder / "long.txt").write_bytes(text.replace(b"\n", b" "))
    half = len(rows) // 2
    packed = b"\xef\xbb\xbf" + b"\r\n".join(rows[:half]) + b"\r\n", b"\r".join(rows[half:])
    (folder / "a.txt.gz").write_bytes(b"".join(map(gzip.compress, packed)))
    # two pages of rows in each of many groups; some rows are null
    columns = pa.table({"n": range(len(rows)), "body": [row.decode() or None for row in rows], "words": words})
    pq.write_table(columns, folder / "a.parquet", row_group_size=70, write_page_checksum=True)
    orc.write_table(columns, folder / "a.orc")
    lines = [json.dumps({"body": row["body"], "words": row["words"]}) for row in columns.to_pylist()]
    (folder / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    bad = replace(CorpusConfig(input=(str(folder / "bad.txt.gz"),)), on_bad_bytes="replace")
    (folder / "bad.txt.gz").write_bytes(gzip.compress(text.replace(b" ", b" \xff\xc3 ", 40)))
    named = [
        ("a.parquet", "body"),
        ("a.parquet", "words"),
        ("a.orc", "words"),
        ("a.jsonl.gz", "body"),
        ("a.jsonl.gz", "words"),
    ]
    found = {name: CorpusConfig(input=(str(folder / name),)) for name in ("a.txt", "long.txt", "a.txt.gz")}
    found |= {f"{name} {column}": CorpusConfig(input=(str(folder / name),), column=column) for name, column in named}
    both = CorpusConfig(input=(str(folder / "a.txt"), str(folder / "a.txt.gz")), lowercase=True)
    return {**found, "bad.txt.gz": bad, "plain and packed": both}


def context_of(spark: SparkConfig) -> Context:
    return Context(Progress(), RunConfig(), spark)


def counted(corpus: CorpusConfig, output: Path, context: Context, **words: Any) -> Tables:
    """Words and pairs of a corpus."""
    counting.count_words(corpus, replace(WORDS, **words), output, context)
    counting.count_pairs(corpus, PAIRS, output / "vocabulary", output / "pairs", context)
    return checksums(output, "word_counts", "vocabulary", "pairs")


def joined(corpus: CorpusConfig, words: Path, output: Path, context: Context) -> Tables:
    """Phrases, and words with these joined."""
    counting.find_phrases(corpus, PhrasesConfig(min_count=3, threshold=0.05), words, output, context)
    return checksums(output, "phrases", "word_counts", "vocabulary")


def checksums(output: Path, *tables: str) -> Tables:
    return {table: Manifest.load(output / table, table).content_sha256 for table in tables}
