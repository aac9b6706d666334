"""Pair counts from other tools and back: the same tables in any order, batch and format; and what is no pair count."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import refused, simglove
from test_counting import all_files, rows_of

from simglove_spark import foreign_files, importing, spool
from simglove_spark.config import BuildConfig, ImportConfig, TrainConfig
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.foreign_files import GLOVE_RECORD
from simglove_spark.manifest import Manifest
from simglove_spark.pair_export import NAMES, export_pairs
from simglove_spark.progress import Progress
from simglove_spark.training_inputs import check_pairs
from simglove_spark.units import MOST_AS_DOUBLE, Units, as_numbers

Row = tuple[str, str, float]
FORMATS = list(NAMES)
TRICKY = ["a", "b", "c,d", '"', "e\nf", "g\r\n", " ", "NA", "null", "飞机", "𐍈", "1", "+", "\\", "a b", "x" * 70]


class Told(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def write(path: Path, rows: list[Row]) -> Path:
    """Rows as Parquet or CSV, by the path's ending; whole counts as whole numbers."""
    if path.suffix == ".parquet":
        columns = list(zip(*rows, strict=True)) if rows else [[], [], []]
        pq.write_table(pa.table(dict(zip(("word", "context", "count"), map(list, columns), strict=True))), path)
    else:
        lines = [",".join(f'"{str(value).replace(chr(34), chr(34) * 2)}"' for value in row) for row in rows]
        path.write_text("\n".join(["word,context,count", *lines]) + "\n", newline="")
    return path


def glove(path: Path, rows: list[tuple[int, int, float]]) -> Path:
    np.array(rows, GLOVE_RECORD).tofile(path)
    return path


def imported(
    output: Path, *files: Path, words: Path | None = None, memory: str = "1g", overwrite: bool = False, **how: Any
) -> Manifest:
    kind = {".parquet": "parquet", ".csv": "csv"}.get(files[0].suffix, "glove-binary")
    resources = BuildConfig(memory=memory, overwrite=overwrite)
    config = ImportConfig(**{"format": kind, **how})
    counts = None if words is None else str(words)
    return importing.import_pairs(tuple(map(str, files)), counts, output, config, resources, Progress())


def exported(folder: Path, output: Path, file_format: Any, overwrite: bool = False) -> Path:
    export_pairs(folder / "pairs", folder / "vocabulary", file_format, output, overwrite, Progress())
    return output / NAMES[file_format]


def checksums(folder: Path) -> dict[str, str]:
    return {name: checksum for name, checksum in all_files(folder).items() if name.endswith(".parquet")}


def symmetric(cells: dict[tuple[str, str], int]) -> list[Row]:
    return [row for (one, other), count in cells.items() for row in ((one, other, count), (other, one, count))]


# --- what is imported ---

CELLS = st.dictionaries(
    st.tuples(st.sampled_from(TRICKY), st.sampled_from(TRICKY)).filter(lambda pair: pair[0] < pair[1]),
    st.integers(1, 10**12),
    min_size=1,
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(CELLS, st.randoms(use_true_random=False), st.sampled_from([".csv", ".parquet"]))
def test_rows_in_any_order_and_in_pieces_are_one_table(
    tmp_path_factory: pytest.TempPathFactory, cells: dict[tuple[str, str], int], random: Any, ending: str
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    rows = symmetric(cells)
    whole = imported(folder / "whole", write(folder / f"whole{ending}", rows))
    sums: Counter[str] = Counter()
    for word, _, count in rows:
        sums[word] += int(count)
    ordered = sorted(sums, key=lambda word: (-sums[word], word.encode()))
    assert rows_of(folder / "whole", "vocabulary") == [(word, n, sums[word]) for n, word in enumerate(ordered)]
    found = {(ordered[i], ordered[j]): count for i, j, count in rows_of(folder / "whole", "pairs")}
    assert found == {(word, context): count for word, context, count in rows}
    assert (whole.details["total_pairs"], whole.details["total_words"]) == (sum(sums.values()),) * 2
    pieces = [(w, c, part) for w, c, n in rows for part in (n // 3, n - n // 3) if part] + [
        ("a", "a", 5),
        ("z", "z", 1),
    ]
    random.shuffle(pieces)
    cut = random.randrange(1, len(pieces))
    files = [write(folder / f"{n}{ending}", part) for n, part in enumerate((pieces[:cut], pieces[cut:]))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "LEAST_CELLS", 3)
        patch.setattr(foreign_files, "ROWS", 5)
        parts = imported(folder / "parts", *files, memory="100k")
    assert checksums(folder / "parts") == checksums(folder / "whole")
    assert parts.details == {**whole.details, "counters": {"self_pairs": 2}}


@pytest.mark.parametrize("unit", [1, 2520])
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_round_trip_gives_the_same_bytes(tmp_path: Path, file_format: str, unit: int) -> None:
    vocabulary = tables.write_vocabulary(tmp_path / "vocabulary", tables.word_counts(300))
    pairs = tables.random_pairs(300, 4000, most=10**9)
    tables.write_pairs(tmp_path / "pairs", pairs, vocabulary, num_shards=4, unit=unit)
    path = exported(tmp_path, tmp_path / "out", file_format)
    back = imported(tmp_path / "back", path, words=tmp_path / "vocabulary", unit=unit)
    assert checksums(tmp_path / "back" / "pairs") == checksums(tmp_path / "pairs")
    assert checksums(tmp_path / "back" / "vocabulary") == checksums(tmp_path / "vocabulary")
    assert back.parents == [vocabulary.as_parent()]
    again = exported(tmp_path / "back", tmp_path / "again", file_format)
    assert all_files(again.parent) == all_files(path.parent)


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_words_of_any_kind_make_the_round_trip(tmp_path: Path, file_format: str) -> None:
    cells = {(one, other): 7 for one in TRICKY for other in TRICKY if one < other}
    imported(tmp_path / "first", write(tmp_path / "in.parquet", symmetric(cells)))
    path = exported(tmp_path / "first", tmp_path / "out", file_format)
    imported(tmp_path / "second", path)
    assert checksums(tmp_path / "second") == checksums(tmp_path / "first")


def test_glove_files_with_their_words(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("the 9\nb 3\na 3\nzero 1\n")
    path = glove(
        tmp_path / "cooc.bin", [(3, 1, 0.5), (1, 3, 0.5), (1, 2, 1 / 3), (2, 1, 1 / 3), (1, 1, 4), (1, 3, 1), (3, 1, 1)]
    )
    manifest = imported(tmp_path / "out", path, words=tmp_path / "vocab.txt", unit=2520)
    assert rows_of(tmp_path / "out", "vocabulary") == [("the", 0, 9), ("b", 1, 3), ("a", 2, 3), ("zero", 3, 1)]
    assert sorted(rows_of(tmp_path / "out", "pairs")) == [(0, 1, 840), (0, 2, 3780), (1, 0, 840), (2, 0, 3780)]
    assert manifest.details == {
        "window_size": None,
        "weighting": "imported",
        "unit": 2520,
        "num_shards": 4,
        "total_pairs": 9240,
        "total_words": 16,
        "counters": {"self_pairs": 1},
    }
    assert [Path(entry["path"]).name for entry in manifest.inputs] == ["cooc.bin", "vocab.txt"]
    assert manifest.config == {"format": "glove-binary", "unit": 2520, "one_direction": False}


def test_words_with_counts_from_files(tmp_path: Path) -> None:
    rows = [("a", "b", 2), ("b", "a", 2)]
    pq.write_table(pa.table({"count": [3, 4, 4], "word": ["x", "b", "a"]}), tmp_path / "words.parquet")
    (tmp_path / "words.csv").write_text("word,count\nx,3\nb,4\na,4\n")
    for ending in ("parquet", "csv"):
        imported(tmp_path / ending, write(tmp_path / "in.csv", rows), words=tmp_path / f"words.{ending}")
        assert rows_of(tmp_path / ending, "vocabulary") == [("a", 0, 4), ("b", 1, 4), ("x", 2, 3)]
        assert sorted(rows_of(tmp_path / ending, "pairs")) == [(0, 1, 2), (1, 0, 2)]


def test_one_direction_counts_for_both(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", [("a", "b", 2), ("b", "c", 5), ("c", "b", 1), ("c", "c", 9)])
    both = write(tmp_path / "both.csv", [("a", "b", 2), ("b", "a", 2), ("b", "c", 6), ("c", "b", 6)])
    imported(tmp_path / "mirrored", one, one_direction=True)
    imported(tmp_path / "given", both)
    assert checksums(tmp_path / "mirrored") == checksums(tmp_path / "given")


def test_dictionaries_and_large_columns_are_read(tmp_path: Path) -> None:
    rows = symmetric({("a", "b"): 3, ("b", "c"): 1})
    words, contexts, counts = (list(column) for column in zip(*rows, strict=True))
    kinds = [
        (pa.dictionary(pa.int32(), pa.string()), pa.uint64()),
        (pa.large_string(), pa.int8()),
        (pa.binary(), pa.float32()),
    ]
    for number, (text, whole) in enumerate(kinds):
        columns = {"n": counts, "context": pa.array(contexts, pa.string()).cast(text), "count": pa.array(counts, whole)}
        pq.write_table(
            pa.table({**columns, "word": pa.array(words, pa.string()).cast(text)}), tmp_path / f"{number}.parquet"
        )
        imported(tmp_path / str(number), tmp_path / f"{number}.parquet")
        assert checksums(tmp_path / str(number)) == checksums(tmp_path / "0")


# --- units ---


@given(st.lists(st.integers(1, MOST_AS_DOUBLE - 1), min_size=1), st.integers(1, 2**32))
def test_a_count_survives_as_a_double(counts: list[int], unit: int) -> None:
    kept = np.array(counts)
    numbers = pa.array(as_numbers(kept, unit))
    if unit > 1:
        assert Units(unit).of(numbers, str).tolist() == counts
        assert Units(unit).of(numbers.cast(pa.string()), str).tolist() == counts


def test_beyond_the_limit_counts_are_refused_for_a_reason() -> None:
    """Near 2^53 a count does not always come back: the limit is not there for nothing."""
    counts = np.arange(2**53 - 50_000, 2**53)
    assert not np.array_equal(np.rint(counts / 2519 * 2519), counts)
    with pytest.raises(
        InputError, match=r"counts must be below 2,251,799,813,685,248 units .* got 2,251,799,813,685,248\."
    ):
        as_numbers(np.array([5, MOST_AS_DOUBLE]), 3)


def test_whole_numbers_are_exact_beyond_doubles(tmp_path: Path) -> None:
    rows = [("a", "b", 2**60 + 1), ("b", "a", 2**60 + 1), ("a", "c", 1), ("c", "a", 1)]
    for ending in ("csv", "parquet"):
        imported(tmp_path / ending, write(tmp_path / f"in.{ending}", rows))
        assert sorted(count for _, _, count in rows_of(tmp_path / ending, "pairs")) == [1, 1, 2**60 + 1, 2**60 + 1]


def test_rounding_is_told(tmp_path: Path) -> None:
    path, told = write(tmp_path / "in.csv", [("a", "b", 0.3), ("b", "a", 0.3), ("a", "a", 1)]), Told()
    config = ImportConfig(format="csv", unit=4)
    importing.import_pairs((str(path),), None, tmp_path / "out", config, BuildConfig(), told)
    assert told.notes == [
        "1 rows of a word with itself were left out: pair tables hold none.",
        "Counts were rounded to 1/4: by 0.05 at most, 0.1 in all.",
    ]


# --- what is refused ---

BAD_CSV = [
    (b"", "input must be CSV with a header line, whole; got Empty CSV file (FILE). Mend or replace the file."),
    (
        b"word,context\na,b\n",
        "columns must be word, context, count; got word, context (FILE). Rename them, or write a header line.",
    ),
    (b"word,context,count\n", "input must hold pairs of two words; got none (FILE). Check --input."),
    (b"word,context,count\na,a,3\n", "input must hold pairs of two words; got none (FILE). Check --input."),
    (
        b"word,context,count\na,b,1\nb,,1\n",
        "words must be UTF-8 and not empty; got nothing as context (FILE, record 2). Mend the file.",
    ),
    (
        b"word,context,count\na,\xff\xfe,1\n",
        "words must be UTF-8 and not empty; got '\\xff\\xfe' as context (FILE, record 1). Mend the file.",
    ),
    (b"word,context,count\na,b,1\na,b,x1\n", "counts must be numbers; got x1 (FILE, record 2). Mend the file."),
    (b"word,context,count\na,b,\n", "counts must be numbers; got  (FILE, record 1). Mend the file."),
    (
        b"word,context,count\na,b,0\n",
        "counts must lie between 1 and 9,223,372,036,854,775,807; got 0 (FILE, record 1). Mend the file.",
    ),
    (
        b"word,context,count\na,b,1\na,b,-3\n",
        "counts must be positive and below 2,251,799,813,685,248 where they are not whole numbers; got -3.0 (FILE, record 2). Mend the file.",
    ),
    (
        b"word,context,count\na,b,nan\n",
        "counts must be positive and below 2,251,799,813,685,248 where they are not whole numbers; got nan (FILE, record 1). Mend the file.",
    ),
    (
        b"word,context,count\na,b,inf\n",
        "counts must be positive and below 2,251,799,813,685,248 where they are not whole numbers; got inf (FILE, record 1). Mend the file.",
    ),
    (
        b"word,context,count\na,b,9223372036854775808\n",
        "counts must lie between 1 and 9,223,372,036,854,775,807; got 9223372036854775808 (FILE, record 1). Mend the file.",
    ),
    (
        b"word,context,count\na,b,2\na,b,2.5\n",
        "counts must be whole where --unit is 1; got 2.5 (FILE, record 2). Give --unit 2520 for harmonic windows of up to 10, lcm(1, ..., window) for others, or 1048576.",
    ),
    (
        b"word,context,count\na,b,3\nb,a,2\n",
        "pairs must stand in both directions with one count; got 'a' 'b' 3 and 'b' 'a' 2 (FILE). Give --one-direction where each pair stands in one of them only.",
    ),
    (
        b"word,context,count\na,b,3\n",
        "pairs must stand in both directions with one count; got 'a' 'b' 3 and 'b' 'a' 0 (FILE). Give --one-direction where each pair stands in one of them only.",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD_CSV, ids=[str(n) for n in range(len(BAD_CSV))])
def test_a_bad_csv_is_refused_and_nothing_is_written(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "in.csv").write_bytes(text)
    with pytest.raises(InputError) as error:
        imported(tmp_path / "out", tmp_path / "in.csv")
    assert str(error.value) == message.replace("FILE", str(tmp_path / "in.csv"))
    assert not list((tmp_path / "out").glob("[!.]*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize("text", [b"a,b,1\na,b\n", b'a,b,1\n"a,b,1\n', b"a,b,1\na,b,1,2\n"])
def test_a_broken_row_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "in.csv").write_bytes(b"word,context,count\n" + text)
    with pytest.raises(InputError, match=r"input must be CSV with a header line, whole; got .*in\.csv"):
        imported(tmp_path / "out", tmp_path / "in.csv")


def test_bad_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"

    def refusal(message: str) -> None:
        with pytest.raises(InputError, match=message):
            imported(tmp_path / "out", path)

    path.write_bytes(b"PAR1 and no more")
    refusal("input must be Parquet, whole; got")
    good = {"word": ["a"], "context": ["b"], "count": [1]}
    for change, message in [
        ({"count": ["1x"]}, "counts must be numbers; got 1x"),
        ({"count": [True]}, r"counts must be numbers; got bool .*record 1\). Cast them"),
        ({"count": pa.array([None], pa.int64())}, r"counts must be numbers; got nothing .*record 1"),
        (
            {"count": pa.array([2**63], pa.uint64())},
            "counts must lie between 1 and 9,223,372,036,854,775,807; got 9223372036854775808",
        ),
        ({"word": [3]}, "column 'word' must hold text; got int64"),
        ({"context": [None]}, "column 'context' must hold text; got null"),
        ({"context": pa.array([None], pa.string())}, "got nothing as context"),
    ]:
        pq.write_table(pa.table({**good, **change}), path)
        refusal(message)


def test_bad_glove_files_are_refused(tmp_path: Path) -> None:
    vocab, path = tmp_path / "vocab.txt", tmp_path / "cooc.bin"
    vocab.write_text("a 2\nb 1\n")
    for rows, message in [
        ([(1, 2, 1), (1, 3, 1)], r"ids must lie between 1 and 2; got 3 \(.*cooc\.bin, record 2\)"),
        ([(0, 2, 1)], r"ids must lie between 1 and 2; got 0"),
        ([(-(2**31), 2, 1)], r"ids must lie between 1 and 2; got -2147483648"),
        ([(1, 2, np.nan)], r"counts must be positive .*; got nan \(.*record 1\)"),
        ([(1, 2, 1), (1, 1, 2), (1, 2, -1)], r"counts must be positive .*; got -1.0 \(.*record 3\)"),
        ([(1, 2, 1e-9)], r"counts must be at least half a unit, 0.05; got 1e-09 .* Raise --unit"),
    ]:
        glove(path, rows)
        with pytest.raises(InputError, match=message):
            imported(tmp_path / "out", path, words=vocab, unit=10)
    path.write_bytes(path.read_bytes() + b"1234567")
    with pytest.raises(InputError, match=r"records of 16 bytes; got 7 bytes more after 1 \("):
        imported(tmp_path / "out", path, words=vocab)
    with pytest.raises(ConfigError, match="--word-counts must be given for glove-binary"):
        imported(tmp_path / "out", path)
    (tmp_path / "words.csv").write_text("word,count\na,1\nb,2\n")
    with pytest.raises(ConfigError, match="--word-counts must give the words' order for glove-binary; got csv"):
        imported(tmp_path / "out", path, words=tmp_path / "words.csv")


def test_bad_words_are_refused(tmp_path: Path) -> None:
    pairs = write(tmp_path / "in.csv", [("a", "b", 1), ("b", "a", 1)])
    for text, message in [
        (b"a 2\nb\n", r"lines must be a word, a blank and a count below 2\^63; got 'b' \(.*vocab\.txt, line 2\)"),
        (b"a 2\nb 0\n", "words of pairs must have a count above 0 in --word-counts; got 'b'"),
        (b"a 2\nb 2.5\n", "got 'b 2.5'"),
        (b"a 2\nb 9223372036854775808\n", "got 'b 9223372036854775808'"),
        (b"a 2\n\xff 3\n", r"words must be UTF-8; got '\\xff' \(.*line 2\)"),
        (b"a 2\nb 2\na 1\n", "words must stand in --word-counts once; got 'a' 2 times"),
        (b"a 2\nc 2\n", r"words must be in --word-counts; got 'b' \(.*in\.csv, record 2\)"),
    ]:
        (tmp_path / "vocab.txt").write_bytes(text)
        with pytest.raises(InputError, match=message):
            imported(tmp_path / "out", pairs, words=tmp_path / "vocab.txt")
    for missing in ("nothing.txt", "."):
        with pytest.raises(InputError, match="--word-counts must be a vocabulary table or a file; got "):
            imported(tmp_path / "out", pairs, words=tmp_path / missing)


def test_sums_beyond_int64_and_words_beyond_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("a", "b", 2**62), ("b", "a", 2**62)]
    with pytest.raises(
        InputError, match="all counts together must be at most 9,223,372,036,854,775,807 units; got more"
    ):
        imported(tmp_path / "out", write(tmp_path / "in.csv", rows))
    many = write(tmp_path / "many.csv", symmetric({(f"w{n}", f"x{n}"): 1 for n in range(200)}))
    monkeypatch.setattr("simglove_spark.foreign_rows.LEAST_WORDS", 10)
    with pytest.raises(ResourceError, match="words must fit into --memory, 1 KiB; got more than"):
        imported(tmp_path / "out", many, memory="1k")
    imported(tmp_path / "out", many)


# --- outputs ---


def test_an_import_is_left_alone_or_built_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", [("a", "b", 1), ("b", "a", 1)])
    imported(tmp_path / "out", path)
    before = all_files(tmp_path / "out")
    imported(tmp_path / "out", path)
    assert all_files(tmp_path / "out") == before
    with pytest.raises(ConfigError, match="one_direction is False there and True here"):
        imported(tmp_path / "out", path, one_direction=True)
    for pairs in (tmp_path / "out" / "pairs").iterdir():
        pairs.unlink()
    (tmp_path / "out" / "pairs").rmdir()  # killed between the two renames
    imported(tmp_path / "out", path)
    assert all_files(tmp_path / "out") == before
    imported(tmp_path / "out", path, one_direction=True, overwrite=True)
    assert rows_of(tmp_path / "out", "pairs")[0][2] == 2
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {"pairs", "vocabulary"}


def test_imported_pairs_go_with_every_preset(tmp_path: Path) -> None:
    imported(tmp_path, write(tmp_path / "in.csv", [("a", "b", 1), ("b", "a", 1)]))
    published = TrainConfig(preset="simpler-glove", solver="adagrad", all_pairs_weight=0)
    assert check_pairs(tmp_path / "pairs", tmp_path / "vocabulary", published).details["weighting"] == "imported"


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    first = imported(tmp_path, write(tmp_path / "in.csv", [("a b", "c", 3), ("c", "a b", 3)]))
    with pytest.raises(InputError, match=r"words must be free of spaces.* in vocab\.txt; got 'a b'"):
        exported(tmp_path, tmp_path / "glove", "glove-binary")
    assert not (tmp_path / "glove").exists()
    path = exported(tmp_path, tmp_path / "out", "csv")
    assert path.read_text() == '"word","context","count"\n"c","a b",3\n"a b","c",3\n'
    with pytest.raises(ConfigError, match="output must be new; got an earlier export"):
        exported(tmp_path, tmp_path / "out", "csv")
    exported(tmp_path, tmp_path / "out", "parquet", overwrite=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pairs.parquet"]
    (tmp_path / "out" / "mine.txt").write_text("kept")
    with pytest.raises(ConfigError, match=r"output must be new or an earlier export; got mine\.txt"):
        exported(tmp_path, tmp_path / "out", "parquet", overwrite=True)
    tables.write_vocabulary(tmp_path / "other" / "vocabulary", {"x": 1, "y": 1})
    with pytest.raises(InputError, match="vocabulary must be the one the pairs were counted under"):
        export_pairs(tmp_path / "pairs", tmp_path / "other" / "vocabulary", "csv", tmp_path / "x", False, Progress())
    shard = tmp_path / "pairs" / first.files[0].path
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="changed or damaged"):
        exported(tmp_path, tmp_path / "damaged", "csv")
    assert not (tmp_path / "damaged").exists()


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "vocab.txt").write_text("a 4\nb 3\nc 2\n")
    path = glove(tmp_path / "cooc.bin", [(1, 2, 0.5), (2, 1, 0.5), (1, 3, 2), (3, 1, 2), (2, 3, 1.5), (3, 2, 1.5)])
    given = ["import-pairs", "--input", path, "--format", "glove-binary", "--output", tmp_path / "out"]
    assert "--word-counts must be given" in refused(capsys, 2, *given)
    given += ["--word-counts", tmp_path / "vocab.txt"]
    code, out, err = simglove(capsys, *given)
    assert (code, out) == (3, "") and "counts must be whole where --unit is 1; got 0.5" in err
    code, out, _ = simglove(capsys, *given, "--unit", 2)
    assert (code, out) == (
        0,
        f"6 cells are in {tmp_path / 'out' / 'pairs'}, their words in {tmp_path / 'out' / 'vocabulary'}.\n",
    )
    made = ["--vocabulary", tmp_path / "out" / "vocabulary", "--pairs", tmp_path / "out" / "pairs"]
    assert simglove(capsys, "train", *made, "--output", tmp_path / "vectors", "--dim", 2)[0] == 0
    code, out, _ = simglove(capsys, "export-pairs", *made, "--format", "glove-binary", "--output", tmp_path / "back")
    assert code == 0
    assert out.splitlines() == [
        f"6 cells are in {tmp_path / 'back' / 'cooccurrence.bin'}.",
        "Their counts are multiples of 1/2: import-pairs --unit 2 makes the same table of them.",
        "They are in order of their words: GloVe's trainer needs them mixed by its shuffle.",
    ]
    back = np.fromfile(tmp_path / "back" / "cooccurrence.bin", GLOVE_RECORD)
    assert sorted(back.tolist()) == sorted(np.fromfile(path, GLOVE_RECORD).tolist())
    assert (tmp_path / "back" / "vocab.txt").read_text() == "a 4\nb 3\nc 2\n"
    simglove(capsys, *given[:-4], "--config", tmp_path / "out" / "import-pairs.yaml", "--output", tmp_path / "again")
    assert checksums(tmp_path / "again") == checksums(tmp_path / "out")
