"""Forecasts: near the truth on text that grows like text, and refusals with the numbers."""

import bz2
import gzip
import math
import re
from itertools import pairwise
from pathlib import Path

import naive
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pyarrow import orc

from simglove_spark import forecast, sampling
from simglove_spark.cleaning import AS_IT_IS, Cleaning, clean
from simglove_spark.config import PairsConfig, TrainConfig
from simglove_spark.cooccurrence import count_piece
from simglove_spark.errors import InputError, ResourceError
from simglove_spark.forecast import (
    Forecast,
    forecast_counting,
    forecast_training,
    refuse_what_cannot_fit,
)
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.sampling import first_value, sample_corpus
from simglove_spark.text_rows import Piece
from simglove_spark.word_ids import WordIds
from simglove_spark.word_table import WordTable, build_word_table

ROWS = [b"a b c", b"", b"d"]


@pytest.fixture(scope="module")
def zipf() -> list[bytes]:
    """4,000 rows of 50 words each, drawn by Zipf's law from 3,000."""
    weights = 1 / np.arange(1, 3001)
    drawn = np.random.default_rng(2).choice(3000, (4000, 50), p=weights / weights.sum())
    return [" ".join(f"w{word}" for word in row).encode() for row in drawn.tolist()]


def table_of(rows: list[bytes]) -> WordTable:
    ids = naive.vocabulary(naive.count_words(rows))
    return build_word_table(pa.array([word.decode() for word in ids]))


def true_cells(rows: list[bytes], table: WordTable, window: int) -> int:
    counter = PairCounter(table, distance_weights(window, "flat"), 1, 1 << 28)
    assert list(count_piece(WordIds(table), counter, Piece(clean(pa.array(rows))[0], len(rows), 0))) == []
    return counter.directed_cells()


def number_in(sentence: str, after: str) -> int:
    return int(re.search(after + r" ([\d,]+)", sentence)[1].replace(",", ""))


def test_directed_cells_are_those_of_a_plain_count(zipf: list[bytes]) -> None:
    rows = zipf[:100]
    table = table_of(rows)
    ids = {bytes(word): number for number, word in enumerate(_words(table))}
    assert true_cells(rows, table, 3) == len(naive.count_pairs(rows, ids, 3, "flat"))


def _words(table: WordTable) -> list[bytes]:
    bounds = table.word_offsets.tolist()
    return [table.word_bytes[start:end].tobytes() for start, end in pairwise(bounds)]


@pytest.mark.parametrize("window", [2, 10])
@pytest.mark.parametrize("share", [10, 3])
def test_cells_are_forecast_within_a_quarter(zipf: list[bytes], window: int, share: int, monkeypatch) -> None:
    monkeypatch.setattr("simglove_spark.text_rows.SPANS_PER_BLOCK", 2000)
    monkeypatch.setattr("simglove_spark.word_ids.SPANS_PER_BLOCK", 2000)
    table = table_of(zipf)
    sample = clean(pa.array(zipf[: len(zipf) // share]))[0]
    told = forecast_counting(sample, table, 200_000, PairsConfig(window_size=window), 2, 5 << 20)
    truth = true_cells(zipf, table, window)
    assert truth / 1.25 < number_in(told.sentence, "give about") < truth * 1.25  # in proportion: 1.28 to 1.81
    assert told.memory == 5 << 20
    per_cell = forecast.BYTES_PER_CELL_ON_DISK + forecast.BYTES_PER_CELL_SHUFFLED
    assert told.disk + told.shuffle == pytest.approx(per_cell * number_in(told.sentence, "give about"), rel=1e-6, abs=9)
    assert told.seconds > 0
    assert told.sentence.startswith("Counting pairs of 200,000 words will give about ")


def test_a_sample_that_is_all_of_the_corpus_gives_the_very_number(zipf: list[bytes]) -> None:
    table = table_of(zipf[:400])
    told = forecast_counting(clean(pa.array(zipf[:400]))[0], table, 20_000, PairsConfig(window_size=5), 1, 1)
    assert number_in(told.sentence, "give about") == true_cells(zipf[:400], table, 5)


def test_no_more_cells_are_forecast_than_there_are_pairs_of_words() -> None:
    rows = [b"a b c d e f g h"] * 2
    told = forecast_counting(clean(pa.array(rows))[0], table_of(rows), 10**9, PairsConfig(), 1, 1)
    assert number_in(told.sentence, "give about") == 56


def test_words_are_forecast_from_the_size_of_the_files() -> None:
    told = forecast.forecast_words(100 << 20, 1200, 2, 3 << 30)
    assert told.sentence.startswith(
        "Counting words of 100 MiB in 1,200 files will take about 3.0 GiB of memory, 20 MiB "
    )
    assert (told.memory, told.disk, told.shuffle) == (3 << 30, 10 << 20, 10 << 20)
    assert told.seconds < forecast.forecast_words(100 << 20, 1200, 1, 3 << 30).seconds


def test_without_a_sample_only_memory_is_told() -> None:
    table = table_of(ROWS)
    for rows in (None, pa.array([], pa.large_string())):
        told = forecast_counting(rows, table, 100, PairsConfig(), 2, 3 << 30)
        assert told == Forecast("Counting takes about 3.0 GiB of memory.", 3 << 30, 0, 0.0)
    told = forecast_counting(clean(pa.array([b"x y"]))[0], table, 100, PairsConfig(), 2, 1)
    assert told.sentence == "The sample holds no word of the vocabulary: nothing can be forecast."


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.txt", bytes),
        ("a.gz", gzip.compress),
        ("a.bz2", bz2.compress),
        ("a.zst", zstandard.compress),
        ("a.zstd", zstandard.compress),
    ],
)
def test_samples_of_text(tmp_path: Path, name: str, pack, monkeypatch) -> None:
    (tmp_path / name).write_bytes(pack("A é\r\n\nb\n".encode() + b"x" * 1000))
    monkeypatch.setattr(sampling, "SAMPLE_BYTES", 50)
    inputs = [{"path": "/empty", "bytes": 0}, {"path": str(tmp_path / name), "bytes": 1}]
    rows = sample_corpus(inputs, None, Cleaning(lowercase=True)).to_pylist()
    assert rows[:3] == ["a é\r\n", "\n", "b\n"]
    assert set(rows[3]) == {"x"}
    assert sum(map(len, rows)) < 50


def test_samples_of_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1, 2], "text": ["A", None], "words": [["b"], []]}), tmp_path / "a")
    inputs = [{"path": str(tmp_path / "a"), "bytes": 1}]
    assert sample_corpus(inputs, "text", Cleaning(lowercase=True)).to_pylist() == ["a"]
    assert sample_corpus(inputs, "words", AS_IT_IS).to_pylist() == [["b"], []]


def test_samples_of_orc_and_json_lines(tmp_path: Path, monkeypatch) -> None:
    orc.write_table(pa.table({"n": [1, 2], "text": ["A", None]}), tmp_path / "a.orc")
    assert sample_corpus([{"path": str(tmp_path / "a.orc"), "bytes": 1}], "text", AS_IT_IS).to_pylist() == ["A"]
    path = tmp_path / "b.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"n": 1}\n\n{"text": "A b", "words": ["c"]}\n{"text": "cut he'))
    inputs = [{"path": str(path), "bytes": 1}]
    monkeypatch.setattr(sampling, "SAMPLE_BYTES", 50)
    assert sample_corpus(inputs, "text", AS_IT_IS).to_pylist() == ["A b"]
    assert sample_corpus(inputs, "words", AS_IT_IS).to_pylist() == [["c"]]
    assert [first_value(str(path), name) for name in ("text", "words", "none")] == ["A b", ["c"], None]


@pytest.mark.parametrize("text", [b"not json\n", b"[1]\n", b'"text"\n'])
def test_a_file_that_is_no_json_lines_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(InputError, match=r"input must be JSON, an object a line; got .*a\.json"):
        first_value(str(tmp_path / "a.json"), "text")


def test_no_sample_of_what_is_not_here() -> None:
    assert sample_corpus([{"path": "s3a://bucket/x", "bytes": None}], None, AS_IT_IS) is None


def test_memory_that_is_not_there_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(forecast, "total_memory", lambda: 4 << 30)
    too_much = Forecast("", (4 << 30) + 1, 0, 0)
    with pytest.raises(ResourceError) as caught:
        refuse_what_cannot_fit(too_much, tmp_path, local=True)
    assert str(caught.value) == (
        "workers and Spark must fit into 4.0 GiB of memory; got 4.0 GiB. "
        "Lower --worker-memory or --driver-memory, or set --master local[N,4] with fewer workers."
    )
    assert caught.value.exit_code == 4
    refuse_what_cannot_fit(too_much, tmp_path, local=False)  # a cluster has memory of its own
    refuse_what_cannot_fit(Forecast("", 4 << 30, 0, 0), tmp_path, local=True)


def test_training_that_cannot_fit_is_refused_as_the_style_guide_has_it() -> None:
    with pytest.raises(ResourceError) as caught:
        forecast_training(10**6, 50_000, TrainConfig(dim=300, solver="adagrad", all_pairs_weight=0), 2, 64 << 20)
    assert str(caught.value) == (
        "50,000 words x 300 dims need 116 MiB for vectors; --memory allows 64 MiB. Lower --dim to 160 or raise --min-count."
    )


@pytest.mark.parametrize("solver", ["rows", "adagrad"])
def test_the_dim_that_the_refusal_names_does_fit_and_eight_more_do_not(solver: str) -> None:
    def told(dim: int) -> Forecast:
        return forecast_training(10, 50_000, TrainConfig(dim=dim, solver=solver, all_pairs_weight=0), 1, 64 << 20)

    with pytest.raises(ResourceError) as caught:
        told(1000)
    dim = int(re.search(r"Lower --dim to (\d+)", str(caught.value))[1])
    told(dim)
    with pytest.raises(ResourceError):
        told(dim + 8)


def test_training_is_forecast_from_the_manifests() -> None:
    config = TrainConfig(dim=100, sweeps=8)
    told = forecast_training(1_000_000, 1000, config, 2, 1 << 30)
    assert told.fits
    assert told.memory == 1000 * 104 * 6 + 12_000_000
    tight = forecast_training(1_000_000, 1000, config, 2, 5 << 20, 50_000)
    assert not tight.fits
    assert (tight.readers, tight.memory) == (2, 5 << 20)
    assert forecast_training(1_000_000, 1000, config, 2, 3 << 20, 50_000).readers == 1
    with pytest.raises(ResourceError) as caught:
        forecast_training(1_000_000, 1000, config, 2, 2 << 20, 50_000)
    assert str(caught.value) == (
        "shards of 50,000 cells need 2 MiB beside the vectors; --memory leaves 1 MiB. "
        "Raise --memory, or count the pairs with more --num-shards."
    )
    room = (5 << 20) - 1000 * 104 * 6 - 50_000 * (12 + 2 * 32)  # what two readers and the solver leave
    assert (told.room, tight.room) == (math.inf, room)
    assert f"{1 - room / 12e6:.0%} of the shards are read again in each pass" in tight.sentence
    other = TrainConfig(dim=100, solver="adagrad", all_pairs_weight=0)
    assert forecast_training(1_000_000, 1000, other, 1, 6 << 20, 50_000).room == 0
    assert forecast_training(1_000_000, 1000, config, 4, 1 << 30).seconds == pytest.approx(told.seconds / 2)
    assert forecast_training(2_000_000, 1000, config, 2, 1 << 30).seconds == pytest.approx(told.seconds * 2)


@pytest.mark.parametrize(("seconds", "text"), [(1.4, "1 s"), (119.4, "119 s"), (120, "2 min"), (7200, "120 min")])
def test_seconds_are_shown_in_round_numbers(seconds: float, text: str) -> None:
    assert forecast._show_seconds(seconds) == text
