"""The pair table as the trainer reads it: rows, held-out pairs, re-reading, and tables that are not what they say."""

import json
import math
import time
from pathlib import Path

import naive_training as naive
import numpy as np
import pytest
import tables

from simglove_spark.config import TrainConfig
from simglove_spark.errors import InputError
from simglove_spark.kernels import cells as cell_kernels
from simglove_spark.kernels import hashes
from simglove_spark.manifest import FILE_NAME, FileEntry, Manifest, hash_file, sealed
from simglove_spark.pmi import Weighing
from simglove_spark.shards import PairShards, Rows, RowsBuilder, Shard

SIZE = 40
COUNTS = tables.word_counts(SIZE)
PAIRS = tables.random_pairs(SIZE - 4, 400)  # the last four words have no pair
AGAIN = "Count the pairs again."


def write(folder: Path, num_shards: int = 3) -> Path:
    vocabulary = tables.write_vocabulary(folder / "vocabulary", COUNTS)
    tables.write_pairs(folder / "pairs", PAIRS, vocabulary, num_shards, unit=2)
    return folder / "pairs"


def opened(folder: Path, held_out: float = 0.0, seed: int = 1, room: float = math.inf, size: int = SIZE) -> PairShards:
    counts = np.array(list(COUNTS.values())[:size])
    weighing = Weighing.of(Manifest.load(folder, "pairs"), counts, TrainConfig(count_power=1, x_max=100, alpha=0.75))
    return PairShards(folder, weighing, size, held_out, seed, room)


def cells_of(rows: Rows) -> dict[tuple[int, int], tuple[float, float]]:
    """Each cell's weight and pmi, found through the bounds alone."""
    cells = {}
    for word, (begin, end) in zip(rows.words.tolist(), rows.bounds.tolist(), strict=True):
        for cell in range(begin, end):
            key = (word, int(rows.contexts[cell]))
            assert key not in cells
            cells[key] = (float(rows.weights[cell]), float(rows.pmis[cell]))
    assert len(cells) == rows.size
    return cells


def all_cells(shards: PairShards) -> tuple[dict, dict]:
    train: dict = {}
    held_out: dict = {}
    for shard in range(len(shards)):
        decoded = shards.load(shard)
        train |= cells_of(decoded.rows)
        held_out |= cells_of(decoded.held_out)
    return train, held_out


def assert_same(first: Shard, second: Shard) -> None:
    for mine, theirs in ((first.rows, second.rows), (first.held_out, second.held_out)):
        for name in ("words", "bounds", "contexts", "weights", "pmis"):
            assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes()
            assert getattr(mine, name).dtype == getattr(theirs, name).dtype


@pytest.mark.parametrize("num_shards", [1, 3, 50])
def test_the_cells_are_those_of_the_table_with_pmi_and_weight(tmp_path: Path, num_shards: int) -> None:
    train, held_out = all_cells(opened(write(tmp_path, num_shards)))
    assert held_out == {}
    assert set(train) == set(PAIRS) | {(j, i) for i, j in PAIRS}
    total, counts = 2 * sum(PAIRS.values()), list(COUNTS.values())
    for (i, j), count in PAIRS.items():
        pmi = naive.pmi(count, total, counts[i], counts[j], sum(counts))
        assert train[i, j] == train[j, i]
        assert train[i, j] == pytest.approx((naive.weight(count, 2, 100.0, 0.75), pmi), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("held_out", [0.0, 0.3])
def test_every_word_of_a_shard_has_a_row_also_without_cells(tmp_path: Path, held_out: float) -> None:
    shards = opened(write(tmp_path, 5), held_out)
    for shard in range(5):
        decoded = shards.load(shard)
        expected = [word for word in range(SIZE) if naive.shard_of_word(word, 5) == shard]
        assert decoded.rows.words.tolist() == expected
        widths = np.diff(decoded.rows.bounds, axis=1)[:, 0]
        assert all(widths[expected.index(word)] == 0 for word in expected if word >= SIZE - 4)
        assert decoded.rows.word_of_cells().tolist() == [word for word, _ in cells_of(decoded.rows)]


def test_a_shard_without_a_file_has_rows_without_cells(tmp_path: Path) -> None:
    vocabulary = tables.write_vocabulary(tmp_path / "vocabulary", COUNTS)
    one = naive.shard_of_word(0, 7)
    tables.write_shards(tmp_path / "pairs", {one: [(0, 1, 5)]}, vocabulary, 7)
    shards = opened(tmp_path / "pairs", 0.5)
    sizes = [shards.load(shard).rows.words.size for shard in range(7)]
    assert sum(sizes) == SIZE
    assert all(shards.load(shard).rows.size == 0 for shard in range(7) if shard != one)


def test_held_out_pairs_are_decided_by_the_formula_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = write(tmp_path)
    everything, _ = all_cells(opened(folder))
    train, held_out = all_cells(opened(folder, 0.25, seed=9))
    chosen = {pair for pair in PAIRS if naive.is_held_out(*pair, 9, 0.25)}
    assert set(held_out) == chosen  # once each, as i < j
    assert set(train) == {pair for pair in everything if tuple(sorted(pair)) not in chosen}
    assert {**train, **held_out} == {pair: everything[pair] for pair in [*train, *held_out]}
    assert 0.15 < len(chosen) / len(PAIRS) < 0.35
    assert len(train) + 2 * len(held_out) == len(everything)


def test_the_seed_changes_which_pairs_are_held_out(tmp_path: Path) -> None:
    folder = write(tmp_path)
    first, second = (set(all_cells(opened(folder, 0.25, seed))[1]) for seed in (1, 2))
    assert first != second
    assert set(all_cells(opened(folder, 0.25, 1))[1]) == first


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.1, 0.5, 1 - 2**-53])
def test_the_held_out_share_is_near_the_fraction_for_both_directions(fraction: float) -> None:
    words = np.repeat(np.arange(300, dtype=np.int32), 300)
    contexts = np.tile(np.arange(300, dtype=np.int32), 300)
    held_out, turned = np.empty((2, words.size), np.bool_)
    threshold = np.uint64(int(fraction * 2**64))
    found = cell_kernels.split_held_out(words, contexts, np.uint64(7), threshold, held_out)
    cell_kernels.split_held_out(contexts, words, np.uint64(7), threshold, turned)
    assert found == held_out.sum()
    assert (held_out == turned).all()
    # 44,850 independent pairs: five standard deviations
    spread = 5 * (fraction * (1 - fraction) / 44_850) ** 0.5
    assert held_out.mean() == pytest.approx(fraction, abs=spread + 1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_hash_kernels_are_their_py_func_and_the_naive_hash(seed: int) -> None:
    values = [0, 1, 2**31 - 1, 2**32, 2**63, 2**64 - 1]
    with np.errstate(over="ignore"):
        for value in values:
            expected = naive.splitmix64(value)
            assert int(hashes.splitmix64(np.uint64(value))) == expected
            assert int(hashes.splitmix64.py_func(np.uint64(value))) == expected
        threshold = np.uint64(2**62)
        for pair in [(0, 1), (2**31 - 2, 5), (3, 2**31 - 2)]:
            low, high = np.int32(pair[0]), np.int32(pair[1])
            expected = naive.is_held_out(*pair, seed, 0.25)
            for function in (hashes.is_held_out, hashes.is_held_out.py_func):
                assert bool(function(low, high, np.uint64(seed), threshold)) == expected
    # from the reference implementation: the first output of the generator seeded with 0
    assert naive.splitmix64(0) == 0xE220A8397B1DCDAF


def test_cells_are_counted_by_word_part_after_part() -> None:
    own = np.array([2, 3, 5, 9], np.int32)
    parts = [np.array(part, np.int32) for part in ([2, 2, 5], [], [5, 9], [9])]
    for function in (cell_kernels.count_cells, cell_kernels.count_cells.py_func):
        sizes, row = np.zeros(4, np.int64), 0
        for part in parts:
            row = function(part, own, row, sizes)
        assert (sizes.tolist(), row) == ([2, 0, 2, 2], 3)
        for strange in ([1], [4], [10], [2, 4], [3, 10]):
            assert function(np.array(strange, np.int32), own, 0, np.zeros(4, np.int64)) == -1


def test_cells_of_other_words_than_at_first_are_refused(tmp_path: Path) -> None:
    shards = opened(write(tmp_path), room=0)
    builder = RowsBuilder(shards.load(0).rows.words[1:], shards.weighing, 4)
    columns = np.zeros(1, np.int32), np.ones(1, np.int32), np.ones(1, np.int64)
    with pytest.raises(InputError) as error:
        builder.add(*columns)
    assert str(error.value) == (
        "shard must stay as it is while it is trained on; got words from 0 to 0 that are not all "
        f"of its {builder.own.size}. Count the pairs again."
    )


@pytest.mark.parametrize("threads", [1, 2, 9])
@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_the_stream_keeps_the_order_and_the_bytes(tmp_path: Path, share: float, threads: int) -> None:
    folder = write(tmp_path, 6)
    expected = [opened(folder, 0.2).load(shard) for shard in range(6)]
    sizes = [12 * entry.rows for entry in Manifest.load(folder, "pairs").files]
    room = share * sum(sizes)
    shards = opened(folder, 0.2, room=room)
    for order in ([4, 0, 5, 1, 3, 2], [0, 1, 2, 3, 4, 5]):
        streamed = list(shards.stream(order, threads))
        assert [shard for shard, _ in streamed] == order
        for shard, decoded in streamed:
            assert_same(decoded, expected[shard])
    kept = [shard for shard in range(6) if shards.load(shard) is shards.load(shard)]
    size = sum(sizes[shard] for shard in kept)
    assert size <= room
    assert all(size + sizes[shard] > room for shard in range(6) if shard not in kept)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("share", [0, 0.5])
def test_arrays_are_used_again_once_the_next_shard_is_asked_for(tmp_path: Path, share: float, threads: int) -> None:
    folder = write(tmp_path, 6)
    expected = [opened(folder, 0.2).load(shard) for shard in range(6)]
    shards, addresses = opened(folder, 0.2, room=share * 12 * len(PAIRS)), set()
    for number in range(5):
        for shard, decoded in shards.stream(range(6), threads, reuse=True):
            time.sleep(0.02 if number == 1 else 0)  # let the readers write what they can
            assert_same(decoded, expected[shard])
            addresses.add(decoded.rows.pmis.ctypes.data)
    assert len(addresses) < 6 + threads + 1


def replaced(folder: Path, shard: int, cells: list[tables.Cell]) -> Path:
    """The pair table with another, well-formed file in place of a shard's."""
    manifest = Manifest.load(folder, "pairs")
    vocabulary = Manifest.load(folder.parent / "vocabulary", "vocabulary")
    old = next(e for e in manifest.files if e.path.startswith(f"shard-{shard:05d}"))
    kept = [e for e in manifest.files if e is not old]
    other = tables.write_shards(folder.parent / "other", {shard: cells}, vocabulary, 3)
    (folder.parent / "other" / other.files[0].path).rename(folder / other.files[0].path)
    Manifest(**{**vars(manifest), "files": [*kept, *other.files]}).save(folder)
    return folder / other.files[0].path


def refused(folder: Path, shard: int, size: int = SIZE) -> str:
    with pytest.raises(InputError) as error:
        opened(folder, size=size).load(shard)
    return str(error.value)


def test_a_missing_shard_file_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    path = next(folder.glob("shard-00001-*"))
    path.unlink()
    expected = f"{path.name} must exist; got nothing ({folder}). Run the stage that made the folder again."
    assert refused(folder, 1) == expected


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_shard_file_is_refused_with_both_sizes(tmp_path: Path, damage: str) -> None:
    folder = write(tmp_path)
    path = next(folder.glob("shard-00001-*"))
    content = bytearray(path.read_bytes())
    size, checksum = len(content), hash_file(path)[:12]
    content[size // 2] ^= 1
    path.write_bytes({"truncated": content[:-10], "flipped": content, "empty": b""}[damage])
    assert refused(folder, 1) == (
        f"{path.name} must have {size:,} bytes with checksum {checksum}; got {path.stat().st_size:,} bytes with another "
        f"content ({folder}). The file was changed or damaged: run the stage that made it again."
    )


def test_a_file_that_is_no_parquet_is_refused_even_when_the_manifest_names_it(tmp_path: Path) -> None:
    folder = write(tmp_path)
    path = replaced(folder, 1, [])
    path.write_bytes(b"PAR1 this is no table PAR1")
    manifest = Manifest.load(folder, "pairs")
    files = [e if e.path != path.name else FileEntry(e.path, 0, 26, hash_file(path)) for e in manifest.files]
    Manifest(**{**vars(manifest), "files": files}).save(folder)
    message = refused(folder, 1)
    assert message.startswith("shard must be whole Parquet; got ")
    assert message.endswith(f"({path}). {AGAIN}")


def test_a_file_of_another_table_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    foreign = next((tmp_path / "vocabulary").glob("*.parquet"))
    manifest = Manifest.load(folder, "pairs")
    target = folder / "shard-00001-x.parquet"
    target.write_bytes(foreign.read_bytes())
    kept = [e for e in manifest.files if not e.path.startswith("shard-00001")]
    added = FileEntry(target.name, SIZE, target.stat().st_size, hash_file(target))
    Manifest(**{**vars(manifest), "files": [*kept, added]}).save(folder)
    message = refused(folder, 1)
    assert message.startswith("columns must be {'word_id': 'int32', 'context_id': 'int32', 'count': 'int64'}; got ")
    assert message.endswith(f"({target}). Give a table that this tool wrote, of the right kind.")


def own_word(shard: int, at_least: int = 0) -> int:
    return next(word for word in range(at_least, SIZE) if naive.shard_of_word(word, 3) == shard)


@pytest.mark.parametrize("bad", [-1, SIZE, 2**31 - 1])
@pytest.mark.parametrize("column", [0, 1])
def test_ids_outside_the_vocabulary_are_refused(tmp_path: Path, bad: int, column: int) -> None:
    folder, word = write(tmp_path), own_word(1)
    cell = (bad, word, 1) if column == 0 else (word, bad, 1)
    path = replaced(folder, 1, [cell])
    expected = f"word ids must lie in [0, 40); got {min(bad, word)} to {max(bad, word)} ({path}). Give the vocabulary they belong to."
    assert refused(folder, 1) == expected


@pytest.mark.parametrize("count", [0, -3])
def test_counts_below_one_are_refused(tmp_path: Path, count: int) -> None:
    folder, word = write(tmp_path), own_word(1)
    path = replaced(folder, 1, [(word, 0 if word else 1, 4), (word, 39, count)])
    assert refused(folder, 1) == f"counts must be at least 1; got {count} ({path}). {AGAIN}"


OTHER_CELLS = "cells must be those of shard 1, sorted, each once and none of a word with itself; got others ("


def test_cells_that_no_pair_table_has_are_refused(tmp_path: Path) -> None:
    first, second = own_word(1), own_word(1, own_word(1) + 1)
    bad_cells = {
        "of another shard": [(own_word(2), 0, 4)],
        "words fall": [(second, 0, 4), (first, 0, 4)],
        "contexts fall": [(second, 3, 4), (second, 0, 4)],
        "twice": [(second, 0, 4), (second, 0, 4)],
        "with itself": [(second, second, 4)],
    }
    for name, cells in bad_cells.items():
        folder = write(tmp_path / name)
        path = replaced(folder, 1, cells)
        assert refused(folder, 1) == f"{OTHER_CELLS}{path}). {AGAIN}", name


def test_a_shard_under_another_shards_name_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    manifest = Manifest.load(folder, "pairs")
    names = {e.path.split("-")[1]: e.path for e in manifest.files}
    turned = names["00002"].replace("shard-00002", "shard-00001")
    (folder / names["00001"]).unlink()
    (folder / names["00002"]).rename(folder / turned)
    files = [e for e in manifest.files if e.path == names["00000"]]
    files += [FileEntry(turned, e.rows, e.bytes, e.sha256) for e in manifest.files if e.path == names["00002"]]
    Manifest(**{**vars(manifest), "files": files}).save(folder)
    assert refused(folder, 1).startswith(OTHER_CELLS)


@pytest.mark.parametrize("name", ["part-0.parquet", "shard-x-y.parquet", "shard.parquet"])
def test_file_names_without_a_shard_number_are_refused(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path)
    text = (folder / FILE_NAME).read_text()
    old = Manifest.load(folder, "pairs").files[0].path
    (folder / FILE_NAME).write_text(json.dumps(sealed(json.loads(text.replace(old, name)))))
    with pytest.raises(InputError) as error:
        opened(folder)
    assert str(error.value) == f"shard files must be named shard-NUMBER-…; got {name!r}. {AGAIN}"


def test_no_file_of_the_manifest_goes_unread(tmp_path: Path) -> None:
    """A shard beyond num_shards, or two files of one shard, would drop cells without a word."""
    folder = write(tmp_path)
    manifest = Manifest.load(folder, "pairs")
    old = manifest.files[1]
    for name in ("shard-00009-x.parquet", "shard-00000-x.parquet"):
        (folder / name).write_bytes((folder / old.path).read_bytes())
        files = [manifest.files[0], FileEntry(name, old.rows, old.bytes, old.sha256), manifest.files[2]]
        Manifest(**{**vars(manifest), "files": files}).save(folder)
        with pytest.raises(InputError, match=r"shard"):
            all_cells(opened(folder))
