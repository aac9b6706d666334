"""The counting stages on real Spark and real files, against a plain count."""

import bz2
import gzip
import hashlib
import json
import re
import shutil
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import naive
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tables
import zstandard
from conftest import SPARK
from pyarrow import orc

from simglove_spark import cooccurrence, counting, table_files, text_ranges, vocabulary, word_table
from simglove_spark.config import CorpusConfig, PairsConfig, PhrasesConfig, RunConfig, TrainConfig, VocabularyConfig
from simglove_spark.corpus import list_inputs
from simglove_spark.engines.order import by_number
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest, checked_path
from simglove_spark.progress import Progress
from simglove_spark.schemas import PAIRS, VOCABULARY, WORD_COUNTS
from simglove_spark.sources import read_corpus, source_of
from simglove_spark.table_files import REPORT_DDL
from simglove_spark.text_rows import Cleaning
from simglove_spark.training import train_vectors
from simglove_spark.verifying import verify
from simglove_spark.word_lists import WordLists

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]

WINDOW = PairsConfig(window_size=3, num_shards=3)
KEEP_ALL = VocabularyConfig(min_count=1)


def context(overwrite: bool = False, worker_memory: str = "64m") -> counting.Context:
    return counting.Context(Progress(), RunConfig(overwrite=overwrite), replace(SPARK, worker_memory=worker_memory))


def corpus_of(*paths: Path | str, **options: Any) -> CorpusConfig:
    return CorpusConfig(input=tuple(map(str, paths)), **options)


def run_stages(
    corpus: CorpusConfig,
    output: Path,
    words: VocabularyConfig = KEEP_ALL,
    pairs: PairsConfig = WINDOW,
    worker_memory: str = "64m",
) -> Path:
    """Both stages; returns the run folder."""
    here = context(worker_memory=worker_memory)
    counting.count_words(corpus, words, output, here)
    counting.count_pairs(corpus, pairs, output / "vocabulary", output / "pairs", here)
    return output


def rows_of(folder: Path, table: str) -> list[tuple]:
    """Rows of a complete table, in order of its manifest; the files must be as it says."""
    manifest = Manifest.load(folder / table, table)
    files = [pq.read_table(checked_path(folder / table, entry)) for entry in manifest.files]
    assert [file.num_rows for file in files] == [entry.rows for entry in manifest.files]
    return [tuple(row.values()) for file in files for row in file.to_pylist()]


@dataclass
class Tables:
    """What naive counting says of a corpus."""

    words: Counter[bytes]
    ids: dict[bytes, int]
    pairs: Counter[tuple[int, int]]


def expected_of(
    rows: list[naive.Row], words: VocabularyConfig = KEEP_ALL, pairs: PairsConfig = WINDOW, lowercase: bool = False
) -> Tables:
    if lowercase:
        rows = [naive.lower(row.decode()).encode() for row in rows if isinstance(row, bytes)]
    counts = naive.count_words(rows)
    ids = naive.vocabulary(counts, words.min_count, words.max_vocab)
    return Tables(counts, ids, naive.count_pairs(rows, ids, pairs.window_size, pairs.distance_weighting))


def check(folder: Path, expected: Tables) -> None:
    """All three tables on disk are what naive counting says."""
    counts = rows_of(folder, "word_counts")
    assert {word.encode(): count for word, count in counts} == expected.words
    assert len(counts) == len(expected.words)
    ordered = [(word.decode(), number, expected.words[word]) for word, number in expected.ids.items()]
    assert rows_of(folder, "vocabulary") == ordered
    cells = rows_of(folder, "pairs")
    assert {(word, other): count for word, other, count in cells} == expected.pairs
    assert len(cells) == len(expected.pairs)
    details = [Manifest.load(folder / table, table).details for table in ("word_counts", "vocabulary", "pairs")]
    assert details[0]["total_words"] == sum(expected.words.values())
    kept = sum(expected.words[word] for word in expected.ids)
    assert details[1]["total_words"] == details[2]["total_words"] == kept
    assert details[1]["vocabulary_size"] == len(expected.ids)
    assert details[2]["total_pairs"] == sum(expected.pairs.values())


def checksums(folder: Path, table: str) -> list[tuple[str, str]]:
    return [(entry.path, entry.sha256) for entry in Manifest.load(folder / table, table).files]


def all_files(folder: Path) -> dict[str, str]:
    """Every file below a folder with its checksum, hidden ones too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, small_text: bytes) -> Path:
    """The small text counted once, for tests that only look; beside the run folder lies corpus.txt."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "corpus.txt").write_bytes(small_text)
    return run_stages(corpus_of(folder / "corpus.txt"), folder / "run")


# --- what is counted ---


def test_a_text_file_is_counted_as_a_plain_loop_does(built: Path, small_text: bytes) -> None:
    check(built, expected_of(naive.lines(small_text)))


def test_files_of_every_kind_count_together(tmp_path: Path, small_text: bytes) -> None:
    rows = small_text.split(b"\n")
    parts = [b"\n".join(rows[start::6]) for start in range(6)]
    folder = tmp_path / "cor pus [1] {x} 飞机"
    (folder / "below").mkdir(parents=True)
    (folder / "plain *?.txt").write_bytes(parts[0])
    (folder / "a.gz").write_bytes(gzip.compress(parts[1]) + gzip.compress(b"\n"))
    (folder / "below" / "b.bz2").write_bytes(bz2.compress(parts[2]))
    if version("pyspark") >= "4.1":
        (folder / "c.zst").write_bytes(zstandard.compress(parts[3]))
        (folder / "d.zstd").write_bytes(zstandard.compress(parts[5]))
    else:
        (folder / "c.txt").write_bytes(parts[3] + b"\n" + parts[5])
    (folder / "empty").write_bytes(b"")
    (folder / "_SUCCESS").write_bytes(b"hidden words")
    (tmp_path / "single.txt").write_bytes(parts[4])
    words, pairs = VocabularyConfig(min_count=9, max_vocab=40), PairsConfig(distance_weighting="flat", window_size=2)
    output = run_stages(corpus_of(folder, f"file://{tmp_path}/sing*.txt"), tmp_path / "run", words, pairs)
    expected = expected_of(rows, words, pairs)
    assert 2 < len(expected.ids) < len(expected.words)
    check(output, expected)


LISTS = [["a", "b c", "", "飞机"], [], None, ["a", "飞机", "a\nb"], ["a", "b c"]]
COLUMNS = {
    "string": (pa.string(), ["a b\nc", None, "", "a\tc b c"]),
    "large_string": (pa.large_string(), ["a b", "c a b"]),
    "binary": (pa.binary(), [b"a b", b"c a \xe9\xa3\x9e b"]),
    "list": (pa.list_(pa.string()), LISTS),
    "large_list": (pa.large_list(pa.large_string()), LISTS),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_parquet_columns_of_text_and_of_lists(tmp_path: Path, name: str) -> None:
    kind, values = COLUMNS[name]
    table = pa.table({"my text": pa.array(values, kind), "n": range(len(values))})
    pq.write_table(table.slice(0, 2), tmp_path / "a.parquet")
    pq.write_table(table.slice(2), tmp_path / "b.parquet")
    rows: list[naive.Row] = []
    for value in values:
        if isinstance(value, list):
            rows.append([word.encode() for word in value])
        elif value is not None:
            rows.append(value if isinstance(value, bytes) else value.encode())
    output = run_stages(corpus_of(tmp_path / "*.parquet", column="my text"), tmp_path / "run")
    check(output, expected_of(rows))


def test_all_white_space_and_line_ends_and_lower_case(tmp_path: Path) -> None:
    text = "A b\r\nB\x0bC\x0cc\rÉTÉ été\x1cx  \t ΑΣ ασ İ i\n\n\nDOM дом ДОМ b\xa0c \x85 last C".encode()
    (tmp_path / "corpus").write_bytes(text)
    output = run_stages(corpus_of(tmp_path / "corpus", lowercase=True), tmp_path / "run")
    check(output, expected_of(naive.lines(text), lowercase=True))


def test_one_long_line_longer_than_any_block(tmp_path: Path) -> None:
    words = [b"w%d" % (number * number % 997) for number in range(200_000)]
    (tmp_path / "corpus.txt").write_bytes(b" ".join(words))
    output = run_stages(corpus_of(tmp_path / "corpus.txt"), tmp_path / "run")
    check(output, expected_of([b" ".join(words)]))


# --- the tables on disk ---


def test_files_have_the_declared_columns_and_nothing_else_lies_there(built: Path) -> None:
    for table, schema in (("word_counts", WORD_COUNTS), ("vocabulary", VOCABULARY), ("pairs", PAIRS)):
        manifest = Manifest.load(built / table, table)
        assert manifest.schema == {field.name: str(field.type) for field in schema}
        assert {path.name for path in (built / table).iterdir()} == {
            "_manifest.json",
            *(entry.path for entry in manifest.files),
        }
        for entry in manifest.files:
            assert pq.read_schema(built / table / entry.path).equals(schema)
            assert entry.sha256[:16] in entry.path
            assert entry.bytes == (built / table / entry.path).stat().st_size
    assert {path.name for path in built.iterdir()} == {"word_counts", "vocabulary", "pairs"}


def test_shards_hold_whole_rows_in_order_both_directions_and_no_self_pairs(built: Path) -> None:
    manifest = Manifest.load(built / "pairs", "pairs")
    assert manifest.details["num_shards"] == 3
    for entry in manifest.files:
        rows = pq.read_table(built / "pairs" / entry.path).to_pylist()
        shard = int(entry.path.split("-")[1])
        assert {naive.splitmix64(row["word_id"]) % 3 for row in rows} == {shard}
        keys = [(row["word_id"], row["context_id"]) for row in rows]
        assert keys == sorted(set(keys))
    cells = {(word, other): count for word, other, count in rows_of(built, "pairs")}
    assert all(cells[other, word] == count and word != other for (word, other), count in cells.items())


def test_each_shard_has_a_task_of_its_own(spark: "SparkSession") -> None:
    if spark.version.startswith(("3.", "4.0")):
        pytest.skip("Spark 4.1 has it")
    frame = by_number(spark.range(-2, 9).selectExpr("CAST(id AS INT) AS shard").repartition(3), 9)
    places = {row.shard: row.task for row in frame.selectExpr("shard", "spark_partition_id() AS task").collect()}
    assert sorted(places) == list(range(-2, 9))
    assert {places[shard] for shard in range(9)} == set(range(9))


def test_a_vocabulary_that_is_replaced_under_a_running_job_is_refused(
    tmp_path: Path, small_text: bytes, spark: "SparkSession", monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the driver has read it, and before a worker of another host has a copy of its own."""
    (tmp_path / "a.txt").write_bytes(small_text)
    corpus = corpus_of(tmp_path / "a.txt")
    counting.count_words(corpus, VocabularyConfig(min_count=1), tmp_path, context())
    vocabulary = tmp_path / "vocabulary"
    before = Manifest.load(vocabulary, "vocabulary").content_sha256

    def replaced(_: "SparkSession", inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        shutil.rmtree(vocabulary)
        tables.write_vocabulary(vocabulary, {"b": 2, "a": 1})
        shutil.rmtree(word_table.temporary_home() / f"vocabulary-{word_table.LAYOUT}-{before[:32]}")
        return inputs

    monkeypatch.setattr("simglove_spark.counting.pairs.with_snapshots", replaced)
    with pytest.raises(InputError, match=rf"^vocabulary must stay as it is .* in place of {before[:12]} "):
        counting.count_pairs(corpus, WINDOW, vocabulary, tmp_path / "pairs", context())
    assert not (tmp_path / "pairs").exists()
    assert Manifest.load(vocabulary, "vocabulary").rows == 2


def test_word_counts_ascend_in_each_file(built: Path) -> None:
    for entry in Manifest.load(built / "word_counts", "word_counts").files:
        words = [word.encode() for word in pq.read_table(built / "word_counts" / entry.path)["word"].to_pylist()]
        assert words == sorted(set(words))


def test_the_manifests_tell_of_what_was_read_and_how(built: Path) -> None:
    corpus = built.parent / "corpus.txt"
    counts, words, pairs = (Manifest.load(built / table, table) for table in ("word_counts", "vocabulary", "pairs"))
    stat = corpus.stat()
    inputs = [{"path": str(corpus), "bytes": stat.st_size, "modified": stat.st_mtime_ns}]
    assert counts.inputs == words.inputs == pairs.inputs == inputs
    assert words.parents == [counts.as_parent()]
    assert pairs.parents == [words.as_parent()]
    as_read = {"column": None, "where": None, "normalize": "none", "tokenizer": "whitespace", "lowercase": False}
    as_read |= {"document_break": "line", "on_bad_bytes": "error", "on_bad_file": "error"}
    assert counts.config == as_read
    chosen = {
        "min_count": 1,
        "max_vocab": None,
        "min_documents": 1,
        "deny_list": None,
        "vocabulary": None,
        "grow": False,
    }
    assert words.config == {**counts.config, **chosen}
    options = {"window_size": 3, "distance_weighting": "harmonic", "unknown_words": "drop", "num_shards": 3}
    options["subsample"] = None
    assert pairs.config == {**counts.config, **options}
    assert {key: pairs.details[key] for key in ("window_size", "weighting", "unit")} == {
        "window_size": 3,
        "weighting": "harmonic",
        "unit": 6,
    }
    assert counts.details["counters"] == {"rows": 300, "bad_words": 0}


# --- the same bytes however the work is cut ---


def test_many_tasks_and_little_memory_give_the_same_bytes(
    built: Path, tmp_path: Path, spark: "SparkSession", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_ranges, "MOST_BYTES", 2000)
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 1000)
    corpus = corpus_of(built.parent / "corpus.txt")
    (source,) = read_corpus(spark, list_inputs(corpus), corpus, 2)
    assert source.frame.rdd.getNumPartitions() > 5
    output = run_stages(corpus, tmp_path / "run", worker_memory="1k")
    for table in ("word_counts", "vocabulary", "pairs"):
        assert checksums(output, table) == checksums(built, table)


def test_one_line_shared_by_many_tasks_gives_the_bytes_that_spark_reading_it_whole_gives(
    tmp_path: Path, small_text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + small_text.replace(b"\n", b" ").strip())
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress((tmp_path / "a.txt").read_bytes()))
    whole = run_stages(corpus_of(tmp_path / "b.txt.gz"), tmp_path / "whole")
    monkeypatch.setattr(text_ranges, "MOST_BYTES", 1999)
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 100)
    shared = run_stages(corpus_of(tmp_path / "a.txt"), tmp_path / "shared")
    for table in ("word_counts", "vocabulary", "pairs"):
        assert checksums(shared, table) == checksums(whole, table)
        assert Manifest.load(shared / table, table).details == Manifest.load(whole / table, table).details


JSON_ROWS: list[dict[str, Any]] = [
    {"text": "a b a c", "words": ["a", "b b"], "lang": "en", "n": 1},
    {"lang": "en", "n": 2},
    {"text": "飞机 b c", "words": ["飞机", "a", "c"], "lang": "zh", "n": 3},
    {"text": "c b d", "words": [], "lang": "en", "n": 4},
]


def write_columns(folder: Path, kind: str, spark: "SparkSession") -> str:
    """The rows in a file or table of a kind; returns what --input is given."""
    if kind.startswith(".json"):
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in JSON_ROWS).encode()
        (folder / f"a{kind}").write_bytes(gzip.compress(text) if kind.endswith(".gz") else text)
        return str(folder / f"a{kind}")
    table = pa.Table.from_pylist(JSON_ROWS)
    if kind == ".orc":
        orc.write_table(table, folder / "a.orc")
        return str(folder / "a.orc")
    pq.write_table(table, folder / "a.parquet")
    if kind == ".parquet":
        return str(folder / "a.parquet")
    spark.read.parquet(str(folder / "a.parquet")).createOrReplaceTempView("texts")
    return "table:texts"


@pytest.mark.parametrize("kind", [".jsonl", ".json.gz", ".orc", ".parquet", "table"])
@pytest.mark.parametrize("where", [None, "lang = 'en' AND n < 4"])
def test_columns_of_every_kind_with_a_condition(
    tmp_path: Path, spark: "SparkSession", kind: str, where: str | None
) -> None:
    given = write_columns(tmp_path, kind, spark)
    chosen = [row for row in JSON_ROWS if where is None or (row["lang"] == "en" and row["n"] < 4)]
    rows: dict[str, list[naive.Row]] = {
        "text": [row["text"].encode() for row in chosen if "text" in row],
        "words": [[word.encode() for word in row["words"]] for row in chosen if "words" in row],
    }
    for column, expected in rows.items():
        output = run_stages(corpus_of(given, column=column, where=where), tmp_path / column)
        check(output, expected_of(expected))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"column": "n"}, InputError, "column 'n' must hold text or lists of words; got bigint"),
        ({"column": "body"}, InputError, "--column must name a column; got 'body'"),
        ({"column": "text", "where": "lang == "}, ConfigError, "--where must be an SQL condition; got "),
        ({"column": "text", "where": "nothing > 1"}, ConfigError, "--where must be an SQL condition; got "),
        (
            {"column": "text", "where": "CAST(lang AS INT) > 1"},
            ConfigError,
            "--where must hold for each row; got [CAST_",
        ),
        ({"column": "text", "where": "n > 99"}, InputError, "corpus must hold words; got none"),
    ],
)
def test_columns_and_conditions_that_cannot_be(
    tmp_path: Path, spark: "SparkSession", options: dict[str, Any], error: type, message: str
) -> None:
    write_columns(tmp_path, "table", spark)
    with pytest.raises(error, match=re.escape(message)):
        counting.count_words(corpus_of("table:texts", **options), KEEP_ALL, tmp_path / "run", context())
    assert nothing_left(tmp_path / "run")


@pytest.mark.parametrize("name", ["nope", "a-b c", "", "x.y.z.w"])
def test_a_table_that_spark_does_not_know_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="table:NAME must be a table that Spark knows; got "):
        counting.count_words(corpus_of(f"table:{name}", column="text"), KEEP_ALL, tmp_path / "run", context())


@pytest.mark.parametrize("value", [5, {"x": "a b"}, [1, 2], ["a", 1]])
def test_json_that_is_neither_text_nor_words_is_refused(tmp_path: Path, value: Any) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": value}))
    with pytest.raises(InputError, match=r"column 'text' must hold text or lists of words; got (int|dict|list)"):
        counting.count_words(corpus_of(tmp_path / "a.jsonl", column="text"), KEEP_ALL, tmp_path / "run", context())


def test_json_that_only_python_minds_and_empty_files_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a \\ud800 b"}\n{"text": "b"}\n')
    (tmp_path / "empty.orc").write_bytes(b"")
    output = run_stages(corpus_of(tmp_path / "a.jsonl", tmp_path / "empty.orc", column="text"), tmp_path / "run")
    counts = dict(rows_of(output, "word_counts"))
    assert (counts["a"], counts["b"]) == (1, 2)


def test_a_broken_json_line_is_refused_and_named(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a b"})] * 200 + ['{"text": "a']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match="input must be JSON, an object a line"):
        counting.count_words(corpus_of(tmp_path / "a.jsonl", column="text"), KEEP_ALL, tmp_path / "run", context())
    assert nothing_left(tmp_path / "run")


def test_text_is_brought_into_form_nfkc_before_it_is_split(tmp_path: Path) -> None:
    text = "Ｓｐａｒｋ ﬁne e\u0301té\u3000x\u00a0y ½\nspark FINE\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    corpus = corpus_of(tmp_path / "a.txt", normalize="nfkc", lowercase=True)
    output = run_stages(corpus, tmp_path / "run")
    rows = [unicodedata.normalize("NFKC", line).lower().encode() for line in text.splitlines()]
    check(output, expected_of(list(rows)))
    assert {"spark", "fine", "été", "x", "y"} <= {word for word, _ in rows_of(output, "word_counts")}
    with pytest.raises(ConfigError, match="--normalize must be as the vocabulary was counted; got none"):
        other = corpus_of(tmp_path / "a.txt", lowercase=True)
        counting.count_pairs(other, WINDOW, output / "vocabulary", tmp_path / "pairs", context())


def test_unknown_words_can_keep_their_place(tmp_path: Path) -> None:
    rows: list[naive.Row] = [b"a rare b often c a", b"b one c two three a b"]
    (tmp_path / "corpus.txt").write_bytes(b"\n".join(row for row in rows if isinstance(row, bytes)))
    pairs = replace(WINDOW, window_size=2, unknown_words="keep-place")
    output = run_stages(corpus_of(tmp_path / "corpus.txt"), tmp_path / "run", VocabularyConfig(min_count=2), pairs)
    ids = naive.vocabulary(naive.count_words(rows), 2)
    expected = naive.count_pairs(rows, ids, 2, "harmonic", keep_places=True)
    assert {(word, other): count for word, other, count in rows_of(output, "pairs")} == expected
    assert expected != naive.count_pairs(rows, ids, 2, "harmonic")


@pytest.mark.parametrize("partitions", [1, 7])
def test_a_shuffled_data_frame_gives_the_same_bytes(
    built: Path, tmp_path: Path, spark: "SparkSession", small_text: bytes, partitions: int
) -> None:
    words = Manifest.load(built / "vocabulary", "vocabulary")
    rows = [(row,) for row in reversed(naive.lines(small_text))]
    frame = spark.createDataFrame(rows, "text binary").repartition(partitions)
    source = (str(built / "vocabulary"), words.content_sha256)
    counted = cooccurrence.count_pairs([source_of(frame, Cleaning())], source, WINDOW, 3, 1 << 20)
    report = cooccurrence.write_pairs(counted, str(tmp_path), 3, words.rows).collect()
    files, _, _ = table_files.commit(tmp_path, report)
    assert sorted((entry.path, entry.sha256) for entry in files) == checksums(built, "pairs")


def test_a_task_that_died_after_writing_adds_nothing(
    built: Path, tmp_path: Path, spark: "SparkSession", small_text: bytes
) -> None:
    words = Manifest.load(built / "vocabulary", "vocabulary")
    frame = spark.createDataFrame([(row,) for row in naive.lines(small_text)], "text binary")
    source = (str(built / "vocabulary"), words.content_sha256)
    counted = cooccurrence.count_pairs([source_of(frame, Cleaning())], source, WINDOW, 3, 1 << 20)
    write_shard = partial(cooccurrence._write_shard, folder=str(tmp_path), vocabulary_size=words.rows)
    write = partial(cooccurrence._write_partition, write_shard=write_shard)

    def dies_once(batches):  # its first attempt writes every cell twice, then dies
        from pyspark import TaskContext

        batches = list(batches)
        if TaskContext.get().attemptNumber() == 0:
            list(write(iter([batch for batch in batches for _ in range(2)])))
            raise RuntimeError("died")
        yield from write(iter(batches))

    shuffled = counted.repartition(3, "shard").sortWithinPartitions("shard")
    report = shuffled.mapInArrow(dies_once, REPORT_DDL).collect()
    assert len(list(tmp_path.iterdir())) > 3
    files, total, _ = table_files.commit(tmp_path, report)
    assert sorted((entry.path, entry.sha256) for entry in files) == checksums(built, "pairs")
    assert {path.name for path in tmp_path.iterdir()} == {entry.path for entry in files}
    assert total == Manifest.load(built / "pairs", "pairs").details["total_pairs"]


# --- output that exists ---


@pytest.fixture
def done(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[CorpusConfig, Path]:
    """A finished run with its corpus, and no Spark to be had."""

    def refuse(*_: Any) -> None:
        raise AssertionError("Spark was started")

    monkeypatch.setattr(counting.context, "start_session", refuse)
    return corpus_of(built.parent / "corpus.txt"), built


def test_a_finished_run_is_left_alone_and_starts_no_spark(done: tuple[CorpusConfig, Path]) -> None:
    corpus, folder = done
    before = all_files(folder)
    run_stages(corpus, folder)
    assert all_files(folder) == before


@pytest.mark.parametrize(
    ("options", "difference"),
    [({"window_size": 4}, "window_size is 3 there and 4 here"), ({"num_shards": None}, "num_shards is 3 there")],
)
def test_pairs_with_other_options_are_refused(
    done: tuple[CorpusConfig, Path], options: dict[str, Any], difference: str
) -> None:
    corpus, folder = done
    before = all_files(folder)
    with pytest.raises(ConfigError, match=difference) as caught:
        run_stages(corpus, folder, pairs=replace(WINDOW, **options))
    assert caught.value.exit_code == 2
    assert all_files(folder) == before


def test_words_with_other_options_are_refused(done: tuple[CorpusConfig, Path]) -> None:
    corpus, folder = done
    before = all_files(folder)
    for change in (
        lambda: (replace(corpus, lowercase=True), KEEP_ALL),
        lambda: (corpus, VocabularyConfig(min_count=2)),
    ):
        with pytest.raises(ConfigError, match=r"there and .* here") as caught:
            counting.count_words(*change(), folder, context())
        assert caught.value.exit_code == 2
    assert all_files(folder) == before


def test_another_input_is_refused(done: tuple[CorpusConfig, Path], tmp_path: Path, small_text: bytes) -> None:
    corpus, folder = done
    other = tmp_path / "corpus.txt"
    other.write_bytes(small_text)
    before = all_files(folder)
    with pytest.raises(ConfigError) as caught:
        counting.count_words(corpus_of(*corpus.input, other), KEEP_ALL, folder, context())
    assert str(caught.value) == (
        f"output must be new or hold the same table; got one that differs ({folder / 'word_counts'}): the input {other} "
        "is new or changed. Give another --output, or --overwrite to build it anew beside it and switch at the end."
    )
    assert all_files(folder) == before


def test_a_changed_input_is_refused_and_overwrite_switches(tmp_path: Path) -> None:
    path, output = tmp_path / "corpus.txt", tmp_path / "run"
    path.write_bytes(b"a b a\n")
    run_stages(corpus_of(path), output)
    path.write_bytes(b"a b c\nc\n")
    with pytest.raises(ConfigError, match="is new or changed"):
        counting.count_words(corpus_of(path), KEEP_ALL, output, context())
    check(output, expected_of([b"a b a"]))
    counting.count_words(corpus_of(path), KEEP_ALL, output, context(overwrite=True))
    with pytest.raises(ConfigError, match=r"is new or changed|another vocabulary"):  # the pairs are still the old ones
        counting.count_pairs(corpus_of(path), WINDOW, output / "vocabulary", output / "pairs", context())
    counting.count_pairs(corpus_of(path), WINDOW, output / "vocabulary", output / "pairs", context(overwrite=True))
    check(output, expected_of([b"a b c", b"c"]))
    assert {item.name for item in output.iterdir()} == {"word_counts", "vocabulary", "pairs"}


# --- bad input ---


def nothing_left(output: Path) -> bool:
    return not output.exists() or not any(output.iterdir())


def test_words_that_are_not_utf8_are_counted_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"a \xff b\xfe\ngood\n\xe9\xa3\n")
    with pytest.raises(InputError) as caught:
        counting.count_words(corpus_of(path), KEEP_ALL, tmp_path / "run", context())
    assert str(caught.value) == (
        f"words must be UTF-8; got 3 that are not ({path}). "
        "Give --on-bad-bytes replace to put U+FFFD in place of the bad bytes."
    )
    assert caught.value.exit_code == 3
    assert nothing_left(tmp_path / "run")


def test_words_that_are_not_utf8_are_replaced_as_python_does(tmp_path: Path) -> None:
    rows = [b"a \xff b\xfe \xe9\xa3", b"good a", "�".encode(), b"x\xed\xa0\x80y \xf0\x9f\x98"]
    (tmp_path / "corpus.txt").write_bytes(b"\n".join(rows))
    output = run_stages(corpus_of(tmp_path / "corpus.txt", on_bad_bytes="replace"), tmp_path / "run")
    check(output, expected_of([row.decode("utf-8", errors="replace").encode() for row in rows]))
    for table in ("word_counts", "pairs"):
        assert Manifest.load(output / table, table).details["counters"]["bad_words"] == 5


def test_bad_bytes_stop_the_pairs_too_and_leave_the_words(tmp_path: Path) -> None:
    path, output = tmp_path / "bad.txt", tmp_path / "run"
    path.write_bytes(b"a1 b2 \xff")
    vocabulary = counting.count_words(corpus_of(path, on_bad_bytes="replace"), KEEP_ALL, output, context())
    with pytest.raises(InputError, match="got 1 that are not"):
        counting.count_pairs(corpus_of(path), WINDOW, output / "vocabulary", output / "pairs", context())
    assert Manifest.load(output / "vocabulary", "vocabulary") == vocabulary
    assert sorted(entry.name for entry in output.iterdir()) == ["vocabulary", "word_counts"]


def test_nothing_left_after_min_count(done: tuple[CorpusConfig, Path], tmp_path: Path) -> None:
    counts = done[1] / "word_counts"
    most = max(count for _, count in rows_of(done[1], "word_counts"))
    with pytest.raises(InputError) as caught:
        vocabulary.choose_vocabulary(counts, VocabularyConfig(min_count=most), WordLists(None, None, {}))
    assert str(caught.value) == (
        f"vocabulary must have at least 2 words; got 1 with --min-count {most} ({counts}). "
        f"The most frequent word occurs {most:,} times: lower --min-count, or give more text."
    )


@pytest.mark.parametrize("text", [b" \n\t\n", b"\n"])
def test_a_corpus_without_words_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(text)
    with pytest.raises(InputError, match=r"corpus must hold words; got none in \d rows"):
        counting.count_words(corpus_of(path), KEEP_ALL, tmp_path / "run", context())
    assert nothing_left(tmp_path / "run")


def test_parquet_without_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="corpus must hold words; got none in 0 rows"):
        counting.count_words(corpus_of(tmp_path / "a.parquet", column="text"), KEEP_ALL, tmp_path / "run", context())
    assert nothing_left(tmp_path / "run")


def test_a_corpus_without_pairs_is_refused(tmp_path: Path) -> None:
    path, output = tmp_path / "corpus.txt", tmp_path / "run"
    path.write_bytes(b"a\nb\na\n")
    with pytest.raises(InputError, match="corpus must hold pairs of vocabulary words; got none"):
        run_stages(corpus_of(path), output)
    assert {item.name for item in output.iterdir()} == {"word_counts", "vocabulary"}


def test_a_vocabulary_counted_in_other_case_is_refused(done: tuple[CorpusConfig, Path], tmp_path: Path) -> None:
    corpus, folder = done
    with pytest.raises(ConfigError) as caught:
        counting.count_pairs(
            replace(corpus, lowercase=True), WINDOW, folder / "vocabulary", tmp_path / "pairs", context()
        )
    assert str(caught.value) == (
        f"--lowercase must be as the vocabulary was counted; got True ({folder / 'vocabulary'}). "
        "Give the same option to both stages."
    )
    assert nothing_left(tmp_path / "pairs")


def test_a_table_of_another_kind_or_a_damaged_one_is_no_vocabulary(
    done: tuple[CorpusConfig, Path], tmp_path: Path
) -> None:
    corpus, folder = done
    with pytest.raises(InputError, match="table must be 'vocabulary' in format 1; got 'word_counts'"):
        counting.count_pairs(corpus, WINDOW, folder / "word_counts", tmp_path / "pairs", context())
    damaged = tmp_path / "vocabulary"
    damaged.mkdir()
    for path in (folder / "vocabulary").iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    file = next(damaged.glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match="The file was changed or damaged"):
        counting.count_pairs(corpus, WINDOW, damaged, tmp_path / "pairs", context())
    assert nothing_left(tmp_path / "pairs")


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("a.bz2", bz2.compress)])
def test_a_compressed_file_that_is_cut_short_is_refused(
    tmp_path: Path, name: str, pack: Any, small_text: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(small_text * 20)[:-300])
    with pytest.raises(InputError, match="must be readable to the end") as caught:
        counting.count_words(corpus_of(path), KEEP_ALL, tmp_path / "run", context())
    assert "Traceback" not in str(caught.value)
    assert nothing_left(tmp_path / "run")


def test_a_cut_file_is_refused_by_the_pair_stage_too(built: Path, tmp_path: Path, small_text: bytes) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(small_text)[:-300])
    with pytest.raises(InputError):
        counting.count_pairs(corpus_of(path), WINDOW, built / "vocabulary", tmp_path / "run" / "pairs", context())
    assert nothing_left(tmp_path / "run")


def test_a_failed_stage_leaves_an_older_table_whole(built: Path, tmp_path: Path) -> None:
    path, output = tmp_path / "corpus.txt", tmp_path / "run"
    path.write_bytes(b"a b a\n")
    counting.count_words(corpus_of(path), KEEP_ALL, output, context())
    before = all_files(output)
    path.write_bytes(b"a \xff\n")
    with pytest.raises(InputError):
        counting.count_words(corpus_of(path), KEEP_ALL, output, context(overwrite=True))
    assert all_files(output) == before


def test_a_vocabulary_of_another_corpus_is_refused(built: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_bytes(b"a b a b\n")
    with pytest.raises(InputError, match="vocabulary must be counted from the same input, unchanged since; got one of"):
        counting.count_pairs(
            corpus_of(tmp_path / "other.txt"), WINDOW, built / "vocabulary", tmp_path / "pairs", context()
        )
    assert nothing_left(tmp_path / "pairs")


def test_what_is_counted_is_whole(corpus: Path, tmp_path: Path) -> None:
    """To `verify`: documents, own words that grow, subsampled pairs, phrases; no false alarm."""
    own = tmp_path / "own.txt"
    own.write_text("zzz\na0\n")
    words = VocabularyConfig(vocabulary=str(own), grow=True, min_count=2, min_documents=2)
    folder = run_stages(corpus_of(corpus), tmp_path / "grown", words, replace(WINDOW, subsample=0.05))
    training = TrainConfig(dim=4, sweeps=1)
    train_vectors(folder / "vocabulary", folder / "pairs", folder / "vectors", training, RunConfig(), Progress())
    found = verify(folder, 2, Progress())
    assert (found.found, found.notes, found.tables) == ([], [], 4)
    plain, joined = tmp_path / "plain", tmp_path / "joined"
    counting.count_words(corpus_of(corpus), KEEP_ALL, plain, context())
    counting.find_phrases(corpus_of(corpus), PhrasesConfig(min_count=2, threshold=-0.5), plain, joined, context())
    found = verify(joined, 2, Progress())
    assert (found.found, found.notes, found.tables) == ([], [], 3)
