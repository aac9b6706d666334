"""Text of extreme shape: words of a megabyte, a line of a gigabyte, partitions with nothing in them.

What cannot be read is in test_bad_files.py, bytes that are not UTF-8 and columns that are not there in test_counting.py, full
disks in test_disk.py.
"""

import gzip
import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import naive
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_counting import KEEP_ALL, WINDOW, check, checksums, corpus_of, expected_of, rows_of, run_stages

from simglove_spark import cooccurrence, occurrence, table_files, text_ranges
from simglove_spark.config import PairsConfig
from simglove_spark.manifest import Manifest
from simglove_spark.sources import source_of
from simglove_spark.text_rows import Cleaning

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]


@pytest.mark.parametrize("way", ["ranges", "packed", "column"])
def test_words_of_a_megabyte(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_ranges, "MOST_BYTES", 300_000)  # many ranges have no word of their own
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 300_000)
    long = ["x" * 1_000_000, "x" * 1_000_000 + "y", "飞" * 350_000]
    row = f"a {long[0]} b {long[1]} a {long[2]} {long[0]} b".encode()
    if way == "column":
        pq.write_table(pa.table({"text": [row, b"a b"]}), tmp_path / "a.parquet")
    else:
        text = row + b"\na b\n"
        (tmp_path / ("a.txt" if way == "ranges" else "a.gz")).write_bytes(
            text if way == "ranges" else gzip.compress(text)
        )
    corpus = corpus_of(tmp_path / "a.*", column="text" if way == "column" else None)
    check(run_stages(corpus, tmp_path / "run"), expected_of([row, b"a b"]))


def test_partitions_with_nothing_in_them(tmp_path: Path, spark: "SparkSession") -> None:
    text = b"a b a c b"
    (tmp_path / "a.txt").write_bytes(text)
    output = run_stages(corpus_of(tmp_path / "a.txt"), tmp_path / "run")
    frame = spark.createDataFrame([(text,)], "text binary").repartition(6)
    words, pairs = tmp_path / "words", tmp_path / "pairs"
    for folder in (words, pairs):
        folder.mkdir()
    counts = occurrence.count_words([source_of(frame, Cleaning())], 2, 1 << 20)
    files, total, counters = table_files.commit(words, occurrence.write_word_counts(counts, str(words), 2).collect())
    assert (total, counters["rows"]) == (5, 1)
    assert sorted((entry.path, entry.sha256) for entry in files) == checksums(output, "word_counts")
    known = Manifest.load(output / "vocabulary", "vocabulary")
    source = (str(output / "vocabulary"), known.content_sha256)
    counted = cooccurrence.count_pairs([source_of(frame, Cleaning())], source, WINDOW, 3, 1 << 20)
    files, _, _ = table_files.commit(pairs, cooccurrence.write_pairs(counted, str(pairs), 3, known.rows).collect())
    assert sorted((entry.path, entry.sha256) for entry in files) == checksums(output, "pairs")


@pytest.mark.slow
def test_a_line_of_a_gigabyte(tmp_path: Path) -> None:
    draw = random.Random(5)
    block = b" ".join(b"w%d" % int(draw.paretovariate(0.8)) for _ in range(200_000)) + b" "
    times = -(-(1 << 30) // len(block))
    with (tmp_path / "a.txt").open("wb") as out:
        for _ in range(times):
            out.write(block)
    pairs = PairsConfig(window_size=2, num_shards=3)
    output = run_stages(corpus_of(tmp_path / "a.txt"), tmp_path / "run", KEEP_ALL, pairs, worker_memory="1g")
    once = naive.count_words([block])
    assert {word.encode(): count for word, count in rows_of(output, "word_counts")} == {
        word: count * times for word, count in once.items()
    }
    ids = naive.vocabulary({word: count * times for word, count in once.items()})
    one, two = (naive.count_pairs([block * number], ids, 2, "harmonic") for number in (1, 2))
    expected = Counter({pair: one[pair] + (two[pair] - one[pair]) * (times - 1) for pair in two})
    assert {(word, other): count for word, other, count in rows_of(output, "pairs")} == expected
