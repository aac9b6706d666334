"""Fewer occurrences of frequent words: the same ones however the text is cut, against a plain loop over the text."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import naive
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import tables
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simglove_spark import cooccurrence, effective_counts, text_ranges, text_rows, word_ids
from simglove_spark.config import PairsConfig, RunConfig, TrainConfig
from simglove_spark.errors import InputError
from simglove_spark.forecast import forecast_counting
from simglove_spark.kernels import subsample
from simglove_spark.manifest import FileEntry, Manifest
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.pmi import Weighing
from simglove_spark.progress import Progress
from simglove_spark.subsampling import ALWAYS, Subsampling, chances, hash_of_file, places_of_rows
from simglove_spark.text_ranges import Range, pieces_of
from simglove_spark.text_rows import Cleaning, Piece, clean, pieces
from simglove_spark.trainer import train
from simglove_spark.training import train_vectors
from simglove_spark.vectors import Vectors
from simglove_spark.word_ids import WordIds
from simglove_spark.word_table import build_word_table

# two words that are thinned out, one on the edge, one that never is; what cleaning makes longer, shorter, or several words
COUNTS = {"a": 5000, "bb": 3000, "k": 900, "ⱥ": 800, "i": 700, "x": 600, "\ufffd": 500, "é": 200, "dd": 10}
THRESHOLD = 0.02
WORDS = [
    b"a",
    b"bb",
    "é".encode(),
    b"dd",
    b"unknown",
    "e\u0301".encode(),
    "\u212a".encode(),
    "Ⱥ".encode(),
    "İ".encode(),
]
WORDS += ["x\u3000a".encode(), "\u3000bb".encode(), "½".encode(), b"\xff", b"a\xe9\xa3", "ﷺ".encode(), b"A"]
WHITE = [b" ", b" ", b" ", b"\t", b"\n", b"\r", b"\r\n", b"\x0b", b"  "]
PAIR = st.tuples(st.sampled_from([*WORDS[:3] * 6, *WORDS]), st.sampled_from([*WHITE, b""])).map(b"".join)
TEXT = st.tuples(
    st.sampled_from(["", " ", "\n\t"]).map(str.encode), st.lists(PAIR, min_size=1, max_size=40).map(b"".join)
).map(b"".join)
CLEANINGS = st.builds(Cleaning, lowercase=st.booleans(), nfkc=st.booleans(), tokenizer=st.just("whitespace"))
NOT_WHITE = re.compile(rb"[^ \t-\r]+")
TABLE = build_word_table(pa.array(list(COUNTS)), counts=list(COUNTS.values()))
IDS = {word.encode(): number for number, word in enumerate(COUNTS)}

Found = tuple[Counter[tuple[int, int]], list[int]]


def chances_of(counts: dict[bytes, int], threshold: float) -> dict[bytes, float]:
    """Chance of an occurrence of each word to be kept, one word at a time."""
    shares = {word: count / sum(counts.values()) for word, count in counts.items()}
    return {word: math.sqrt(threshold / share) + threshold / share for word, share in shares.items()}


KEEP = chances_of({word.encode(): count for word, count in COUNTS.items()}, THRESHOLD)
Chances = dict[bytes, float]


def if_kept(word: bytes, place: int, keep: Chances) -> bytes:
    """The word, or b"-" where it is dropped or not known."""
    return word if naive.splitmix64(place % 2**64) <= keep.get(word, -1) * 2**64 else b"-"


def fnv(data: bytes) -> int:
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 & naive.MASK
    value ^= value >> 32
    value = value * 0x9E3779B97F4A7C15 & naive.MASK
    return value ^ (value >> 29)


def cleaned(text: bytes, how: Cleaning) -> bytes:
    out = text.decode("utf-8", errors="replace")
    out = unicodedata.normalize("NFKC", out) if how.nfkc else out
    return (naive.lower(out) if how.lowercase else out).encode()


def left_of_file(text: bytes, path: Path, how: Cleaning, keep: Chances) -> Iterator[list[bytes]]:
    """What is left of each line, by the bytes where words stand in the file."""
    file = hash_of_file(str(path), len(text))
    for line in re.finditer(rb"[^\r\n]*(\r\n|\r|\n|$)", text):
        row = []
        for chunk in NOT_WHITE.finditer(line[0]):
            for word in NOT_WHITE.finditer(cleaned(chunk[0], how)):
                row.append(if_kept(word[0], file + line.start() + chunk.start() + word.start(), keep))
        yield row


def left_of_row(row: bytes, how: Cleaning, keep: Chances) -> list[bytes]:
    row = cleaned(row, how)
    own, words = fnv(row), NOT_WHITE.finditer(row)
    return [if_kept(word[0], own + word.start(), keep) for word in words]


def expected(rows: list[list[bytes]], window: int, keep_places: bool, ids: dict[bytes, int] = IDS) -> Found:
    counts = Counter(word for row in rows for word in row)
    return naive.count_pairs(rows, ids, window, "harmonic", keep_places), [counts[word] for word in ids]


def counted(tasks: list[Iterator[Piece]], window: int, keep_places: bool) -> Found:
    """Pairs and effective counts of tasks, as Spark's workers make and sum them."""
    found: Counter[tuple[int, int]] = Counter()
    strings = []
    for task in tasks:
        subsampling = Subsampling(TABLE.counts, THRESHOLD)
        counter = PairCounter(TABLE, distance_weights(window, "harmonic"), 1, 1 << 20)
        words = WordIds(TABLE, keep_places, subsampling)
        runs = [run for piece in task for run in cooccurrence.count_piece(words, counter, piece)]
        runs += counter.drain()
        strings.append(effective_counts.to_bytes(subsampling.left))
        for table in cooccurrence.merged_tables([run for _, run in runs], TABLE.size) if runs else []:
            for word, other, count in zip(*(column.to_pylist() for column in table.columns), strict=True):
                found[word, other] += count
    return found, effective_counts.summed(strings, TABLE.size).tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("places")


BLOCKS = st.sampled_from([1, 7, 1 << 20])


@settings(max_examples=400, deadline=None)
@given(
    text=TEXT,
    how=CLEANINGS,
    cuts=st.lists(st.integers(0, 300), max_size=6),
    window=st.sampled_from([1, 2, 5, 40]),
    keep_places=st.booleans(),
    block=BLOCKS,
    spans_per_block=st.sampled_from([2, 1 << 16]),
    together=st.booleans(),
)
@example("Ⱥ a ﷺ a bb \u3000bb ½ K\na".encode(), Cleaning(True, True), [9, 20], 2, False, 7, 2, False)
def test_a_file_cut_anywhere_is_thinned_out_alike(
    folder: Path,
    text: bytes,
    how: Cleaning,
    cuts: list[int],
    window: int,
    keep_places: bool,
    block: int,
    spans_per_block: int,
    together: bool,
) -> None:
    path = folder / "text.txt"
    path.write_bytes(text)
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in cuts)})
    ranges = [Range(str(path), begin, end, len(text)) for begin, end in pairwise(bounds)]
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (text_ranges, "BLOCK_BYTES", block),
            (text_ranges, "AHEAD_BYTES", block),
            (text_rows, "SPANS_PER_BLOCK", spans_per_block),
        ):
            patch.setattr(module, name, value)
        tasks = [pieces_of(own, how) for own in ranges]
        if together:
            tasks = [chain.from_iterable(tasks)]
        found = counted(tasks, window, keep_places)
    assert found == expected(list(left_of_file(text, path, how, KEEP)), window, keep_places)


@settings(max_examples=100, deadline=None)
@given(
    text=TEXT,
    how=CLEANINGS,
    cuts=st.lists(st.integers(0, 300), max_size=6),
    tokenizer=st.sampled_from(["words", "jieba"]),
)
def test_tokenized_text_cut_anywhere_is_thinned_out_as_in_one_piece(
    folder: Path, text: bytes, how: Cleaning, cuts: list[int], tokenizer: str
) -> None:
    how = how._replace(tokenizer=tokenizer)
    path = folder / "tokens.txt"
    path.write_bytes(text)
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in cuts)})
    ranges = [Range(str(path), begin, end, len(text)) for begin, end in pairwise(bounds)]
    whole = counted([pieces_of(Range(str(path), 0, len(text), len(text)), how)], 3, False)
    assert counted([pieces_of(own, how) for own in ranges], 3, False) == whole


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.none() | TEXT, max_size=6),
    how=CLEANINGS,
    batch=st.integers(1, 4),
    window=st.sampled_from([1, 3]),
    keep_places=st.booleans(),
    start=st.integers(0, 2),
)
def test_rows_in_any_batches_and_tasks_are_thinned_out_alike(
    rows: list[bytes | None], how: Cleaning, batch: int, window: int, keep_places: bool, start: int
) -> None:
    column = pa.array([b"of no part"] * start + rows, pa.binary())[start:]
    batches = [pa.RecordBatch.from_arrays([column[at : at + batch]], ["text"]) for at in range(0, len(rows), batch)]
    left = [left_of_row(row, how, KEEP) for row in rows if row is not None]
    for tasks in ([batches], [[part] for part in batches]):
        found = counted([pieces(iter(task), how) for task in tasks], window, keep_places)
        assert found == expected(left, window, keep_places)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.none() | st.lists(st.sampled_from([None, "", "a", "bb", "é", "dd", "b c"])), max_size=5))
def test_lists_of_words_are_thinned_out_by_their_bytes(rows: list[list[str | None] | None]) -> None:
    left = []
    for row in rows:
        words = [(word or "").encode() for word in row or []]
        starts = np.cumsum([0, *map(len, words)]).tolist()
        own = fnv(b"".join(words))
        known = [(word, own + at) for word, at in zip(words, starts, strict=False) if word]
        left.append([if_kept(word, place, KEEP) for word, place in known])
    batch = pa.RecordBatch.from_arrays([pa.array(rows, pa.list_(pa.string()))], ["words"])
    assert counted([pieces(iter([batch]), Cleaning())], 3, True) == expected(left, 3, True)


def test_the_place_of_a_file_is_its_name_and_size_wherever_it_lies() -> None:
    assert hash_of_file("/here/a.txt", 10) == hash_of_file("/there/below/a.txt", 10) == 8107195340798502034
    others = {hash_of_file("/here/a.txt", 11), hash_of_file("/here/b.txt", 10), hash_of_file("/here/\udcff.txt", 10)}
    assert len(others | {8107195340798502034}) == 4


def test_chances_are_those_of_word2vec() -> None:
    counts = np.array([60_000, 30_000, 9_900, 99, 1])
    sample, train_words = 1e-3, counts.sum()
    published = [(math.sqrt(cn / (sample * train_words)) + 1) * (sample * train_words) / cn for cn in counts.tolist()]
    np.testing.assert_allclose(chances(counts, sample), np.minimum(1, published), rtol=1e-12)
    assert chances(counts, sample)[-2:].tolist() == [1, 1]
    assert Subsampling(counts, sample).keep[-2:].tolist() == [int(ALWAYS)] * 2
    assert (np.diff(chances(counts, sample)) >= 0).all()


def test_as_many_are_kept_as_the_chance_says() -> None:
    many = 40_000
    rows = [f"{number} a bb é dd".encode() for number in range(many)]
    _, left = counted([pieces(iter([pa.RecordBatch.from_arrays([pa.array(rows)], ["text"])]), Cleaning())], 1, False)
    for word in ("a", "bb", "é", "dd"):
        found = left[IDS[word.encode()]]
        chance = min(1.0, KEEP[word.encode()])
        assert abs(found - many * chance) <= 5 * math.sqrt(many * chance * (1 - chance))
    assert 0 < KEEP[b"a"] < KEEP[b"bb"] < 1 < KEEP[b"dd"]


def test_the_twins_of_the_kernels_agree() -> None:
    choice = np.random.default_rng(4)
    starts = np.sort(choice.choice(900, 200, replace=False))
    starts[::17] = -1
    ids = np.where(starts < 0, -1, choice.integers(-2, 5, 200)).astype(np.int32)
    ids[(ids == -1) & (starts >= 0)] = 0
    keeps = choice.integers(0, 2**64, 5, np.uint64)
    positions, places = np.arange(0, 900, 90), choice.integers(0, 2**64, 10, np.uint64)
    data, rows = choice.integers(0, 256, 90).astype(np.uint8), np.array([0, 0, 40, 90])
    found = []
    with np.errstate(over="ignore"):
        for twin in (lambda kernel: kernel, lambda kernel: kernel.py_func):
            hashes, left, out = np.empty(3, np.uint64), np.zeros(5, np.int64), np.empty(200, np.uint8)
            twin(subsample.hash_rows)(data, rows, hashes)
            results = []
            for keep_places in (True, False):
                changed = ids.copy()
                asked = (changed, 0, starts, 200, positions, places, keeps, keep_places)
                used = twin(subsample.drop_frequent)(*asked)
                twin(subsample.tally)(changed, 0, used, left)
                results.append(changed[:used].tolist())
            size = twin(subsample.write_counts)(left, out)
            again = left.copy()
            twin(subsample.add_counts)(out[:size], again)
            assert again.tolist() == (2 * left).tolist()
            found.append((results, hashes.tolist(), left.tolist(), out[:size].tolist()))
    assert found[0] == found[1]
    assert found[0][1] == [fnv(data[start:end].tobytes()) for start, end in pairwise(rows.tolist())]
    assert sum(found[0][2]) > 50


@given(parts=st.lists(st.lists(st.integers(0, 2**40), min_size=300, max_size=300), max_size=4))
@settings(max_examples=30, deadline=None)
def test_counts_travel_as_bytes_and_are_summed_exactly(parts: list[list[int]]) -> None:
    strings = [effective_counts.to_bytes(np.array(part)) for part in parts]
    assert effective_counts.summed(strings, 300).tolist() == [sum(part[word] for part in parts) for word in range(300)]
    assert effective_counts.to_bytes(np.zeros(9, np.int64)) == b""


def test_without_the_option_nothing_is_asked_of_places(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Piece] = []
    monkeypatch.setattr(word_ids, "places_of", lambda piece: asked.append(piece) or places_of_rows(piece.column))
    piece = Piece(clean(pa.array([b"a bb a"]))[0], 1, 0)
    list(WordIds(TABLE).own(piece))
    assert asked == []
    list(WordIds(TABLE, subsampling=Subsampling(TABLE.counts, THRESHOLD)).own(piece))
    assert asked == [piece]


def test_a_forecast_knows_of_it() -> None:
    weights = 1 / np.arange(1, 1001)
    drawn = np.random.default_rng(2).choice(1000, (2000, 50), p=weights / weights.sum())
    rows = clean(pa.array([" ".join(f"w{word}" for word in row).encode() for row in drawn.tolist()]))[0]
    words, counts = np.unique(drawn, return_counts=True)
    table = build_word_table(pa.array([f"w{word}" for word in words.tolist()]), counts=counts)
    cells = {}
    for threshold in (None, 1e-3):
        config = PairsConfig(window_size=3, subsample=threshold)
        sentence = forecast_counting(rows, table, drawn.size, config, 1, 1).sentence
        cells[threshold] = int(re.search(r"about ([\d,]+) cells", sentence)[1].replace(",", ""))
    counter = PairCounter(table, distance_weights(3, "flat"), 1, 1 << 28)
    for ids in WordIds(table, subsampling=Subsampling(table.counts, 1e-3)).own(Piece(rows, len(rows), 0)):
        assert not list(counter.add(ids))
    assert cells[1e-3] == counter.directed_cells() > cells[None] * 1.2  # rare words come nearer to each other


# --- beside the pair table, and in training ---


def write_thinned(folder: Path, left: list[int]) -> Manifest:
    """A pair table of which subsampling left this of its four words."""
    words = tables.write_vocabulary(folder / "vocabulary", {"a": 90, "b": 60, "c": 30, "d": 20})
    plain = tables.write_pairs(folder / "pairs", {(0, 1): 5, (0, 2): 3, (1, 2): 2}, words)
    report, counter = effective_counts.write(folder / "pairs", np.array(left))
    assert counter == {"name": "kept_words", "rows": 0, "bytes": 0, "sha256": None, "total": 24}
    details = {**plain.details, "total_words": 24}
    files = [tables.entry(report), *plain.files]
    manifest = Manifest(**{**vars(plain), "files": files, "details": details, "config": {"subsample": 0.1}})
    manifest.save(folder / "pairs")
    return manifest


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Manifest]:
    """A pair table whose last word has nothing left."""
    return tmp_path, write_thinned(tmp_path, [9, 8, 7, 0])


def test_counts_beside_the_pairs_are_no_part_of_the_table(written: tuple[Path, Manifest]) -> None:
    folder, manifest = written
    assert manifest.rows == 6
    assert manifest.files[0].path.startswith("_effective_counts-")
    assert manifest.files[0] not in manifest.own_files
    assert len(manifest.own_files) == len(manifest.files) - 1
    assert ds.dataset(folder / "pairs", format="parquet").count_rows() == 6
    found = effective_counts.read(folder / "pairs", manifest, 4)
    assert found is not None
    assert found.tolist() == [9, 8, 7, 0]
    assert effective_counts.read(folder / "pairs", Manifest(**{**vars(manifest), "config": {}}), 4) is None


def test_pmi_is_that_of_the_text_that_is_left() -> None:
    details = {"unit": 1, "total_pairs": 20, "total_words": 24}
    manifest = Manifest("pairs", {}, [], {"subsample": 0.1}, details=details)
    weighing = Weighing.of(manifest, np.array([9, 8, 7, 0]), TrainConfig(count_power=1.0))
    one, two = np.array([0], np.int32), np.array([1], np.int32)
    _, pmis = tables.weighed(weighing, one, two, np.array([5]))
    assert pmis[0] == pytest.approx(math.log(5 / 20 * 24 * 24 / (9 * 8)), abs=1e-6)
    for power in (1.0, 0.75, 0.0):
        logs = Weighing.of(manifest, np.array([9, 8, 7, 0]), TrainConfig(count_power=power)).log_counts
        assert np.isfinite(logs).tolist() == [True, True, True, False]  # the last one has no pairs


def test_a_word_of_which_nothing_is_left_is_trained_and_keeps_its_count(written: tuple[Path, Manifest]) -> None:
    folder, _ = written
    adagrad = TrainConfig(dim=4, solver="adagrad", all_pairs_weight=0.0, epochs=2)
    for number, config in enumerate((TrainConfig(dim=4), TrainConfig(dim=4, all_pairs_power=-1.0), adagrad)):
        output = folder / f"vectors{number}"
        with np.errstate(all="raise", under="ignore"):
            trained = train_vectors(folder / "vocabulary", folder / "pairs", output, config, RunConfig(), Progress())
        assert all(math.isfinite(record["loss"]) for record in trained.details["passes"])
        vectors = Vectors.load(output)
        assert np.isfinite(vectors.matrix).all()
        assert np.asarray(vectors.counts).tolist() == [90, 60, 30, 20]


def test_training_takes_the_counts_of_what_is_left(tmp_path: Path) -> None:
    folder, manifest = tmp_path, write_thinned(tmp_path, [9, 8, 6, 1])
    words = tables.write_vocabulary(folder / "few" / "vocabulary", {"a": 9, "b": 8, "c": 6, "d": 1})
    plain = tables.write_pairs(folder / "few" / "pairs", {(0, 1): 5, (0, 2): 3, (1, 2): 2}, words)
    Manifest(**{**vars(plain), "details": manifest.details}).save(folder / "few" / "pairs")
    config = TrainConfig(dim=4, all_pairs_power=0.0)
    thinned, few = (
        train(run / "vocabulary", run / "pairs", config, RunConfig(), Progress()) for run in (folder, folder / "few")
    )
    assert thinned.vectors.tolist() == few.vectors.tolist()
    assert thinned.passes[-1]["loss"] == few.passes[-1]["loss"]


def test_counts_that_are_not_those_of_the_pairs_are_refused(written: tuple[Path, Manifest]) -> None:
    folder, manifest = written
    pairs, own = folder / "pairs", manifest.files[0]

    def read(size: int = 4, files: list[FileEntry] = manifest.files) -> None:
        effective_counts.read(pairs, Manifest(**{**vars(manifest), "files": files}), size)

    with pytest.raises(InputError) as caught:
        read(5)
    assert str(caught.value) == (
        "effective counts must be of words 0 to 4 and add up to 24; got 4 that add up to 24 "
        f"({pairs / own.path}). Count the pairs again."
    )
    with pytest.raises(InputError) as caught:
        read(files=manifest.own_files)
    assert str(caught.value) == (
        f"pairs counted with --subsample must have one file _effective_counts-…; got 0 ({pairs}). Count them again."
    )
    other = tables.entry(effective_counts.write(pairs, np.array([9, 8, 7, 1]))[0])
    with pytest.raises(InputError, match="add up to 24; got 4 that add up to 25"):
        read(files=[other, *manifest.own_files])
    (pairs / own.path).write_bytes(b"x" * own.bytes)
    with pytest.raises(InputError, match="changed or damaged"):
        read()
