"""--document-break: windows over the lines of a document, through the stages, and what it refuses."""

import gzip
import re
from pathlib import Path

import naive
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from test_counting import WINDOW, check, context, corpus_of, expected_of, run_stages
from test_text_ranges import BREAKS, TEXT, documents

from simglove_spark import counting, text_ranges
from simglove_spark.corpus import list_inputs
from simglove_spark.errors import ConfigError
from simglove_spark.manifest import Manifest
from simglove_spark.row_breaks import RowBreaks, rows_between
from simglove_spark.sampling import sample_corpus
from simglove_spark.text_rows import Cleaning

PARAGRAPHS = b"a b\nc d\r\n \t\r\n\n\nb c\n\n" * 30 + b"d\na"


@given(text=TEXT, breaks=BREAKS)
def test_a_text_taken_at_once_is_cut_into_its_documents(text: bytes, breaks: str) -> None:
    found = rows_between(text, RowBreaks(breaks).ends(text, b"")).to_pylist()
    rows = [row.split() for row in found if breaks == "line" or row.split()]
    assert rows == [row.split() for row in documents(text, breaks)]


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("breaks", ["blank-line", "file"])
def test_windows_run_over_lines_and_end_with_documents(
    tmp_path: Path, breaks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(PARAGRAPHS)
    (tmp_path / "in" / "b.txt").write_bytes(b"\n \n")
    monkeypatch.setattr(text_ranges, "MOST_BYTES", 100)
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 50)
    corpus = corpus_of(tmp_path / "in", document_break=breaks)
    output = run_stages(corpus, tmp_path / "run")
    rows: list[naive.Row] = [*documents(PARAGRAPHS, breaks)]
    check(output, expected_of(rows))
    counters = Manifest.load(output / "word_counts", "word_counts").details["counters"]
    assert counters == {"rows": 61 if breaks == "blank-line" else 1, "bad_words": 0}
    assert expected_of(rows).pairs != expected_of(naive.lines(PARAGRAPHS)).pairs
    with pytest.raises(ConfigError, match="--document-break must be as the vocabulary was counted; got line"):
        counting.count_pairs(corpus_of(tmp_path / "in"), WINDOW, output / "vocabulary", tmp_path / "pairs", context())


def test_a_forecast_takes_documents_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(PARAGRAPHS)
    rows = sample_corpus(list_inputs(corpus_of(tmp_path / "a.txt")), None, Cleaning(), "blank-line")
    assert rows.to_pylist()[0] == "a b\nc d\r\n \t\r\n"


@pytest.mark.parametrize("breaks", ["blank-line", "file"])
@pytest.mark.parametrize("kind", ["gz", "parquet", "uri"])
def test_documents_need_plain_files(tmp_path: Path, breaks: str, kind: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"a b")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"a"))
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "c.parquet")
    corpus, what = {
        "gz": (corpus_of(tmp_path / "a.txt", tmp_path / "b.gz", document_break=breaks), str(tmp_path / "b.gz")),
        "parquet": (corpus_of(tmp_path / "c.parquet", column="text", document_break=breaks), "--column text"),
        "uri": (corpus_of("oss://there/d.txt", document_break=breaks), "oss://there/d.txt"),
    }[kind]
    message = (
        f"--document-break {breaks} must be given plain text files; got {what}. "
        "Unpack or copy them, or leave it out: then windows end with each line or row."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        list_inputs(corpus)
