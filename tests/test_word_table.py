"""The copy of a vocabulary that the workers of a machine share."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tables

from simglove_spark import word_table
from simglove_spark.errors import InputError, ResourceError
from simglove_spark.word_table import ARRAYS, WordTable, shared_word_table


@pytest.fixture
def vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    shared_word_table.cache_clear()
    manifest = tables.write_vocabulary(tmp_path / "vocabulary", {"the": 9, "é": 5, "word": 3})
    return str(tmp_path / "vocabulary"), manifest.content_sha256


def loaded(vocabulary: tuple[str, str]) -> WordTable:
    shared_word_table.cache_clear()
    return shared_word_table(*vocabulary)


def words_of(table: WordTable) -> list[str]:
    data, offsets = table.word_bytes.tobytes(), table.word_offsets
    return [data[offsets[i] : offsets[i + 1]].decode() for i in range(table.size)]


def copies(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "tmp").glob("simglove-*/vocabulary-*"))


def test_the_copy_is_built_once_and_read_again(
    vocabulary: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert words_of(loaded(vocabulary)) == ["the", "é", "word"]
    assert len(copies(tmp_path)) == 1
    monkeypatch.setattr(word_table, "_build_copy", None)
    again = loaded(vocabulary)
    assert words_of(again) == ["the", "é", "word"]
    assert not again.slots.flags.writeable


def test_words_lie_by_rank_and_keep_their_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    counts = {"never": 0, "é": 5, "the": 9, "a": 0, "word": 5}
    manifest = tables.write_vocabulary(tmp_path / "own", counts)
    table = loaded((str(tmp_path / "own"), manifest.content_sha256))
    assert words_of(table) == ["the", "é", "word", "never", "a"]
    assert table.ids.tolist() == [2, 1, 4, 0, 3]


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("content", [None, b"", b"no array"])
def test_a_copy_that_lost_something_is_built_anew(
    vocabulary: tuple[str, str], tmp_path: Path, name: str, content: bytes | None
) -> None:
    expected = loaded(vocabulary)
    array = copies(tmp_path)[0] / f"{name}.npy"
    array.unlink()
    if content is not None:
        array.write_bytes(content)
    found = loaded(vocabulary)
    assert all(np.array_equal(getattr(found, field), getattr(expected, field)) for field in ARRAYS)


def test_a_folder_that_others_can_write_is_not_trusted(vocabulary: tuple[str, str], tmp_path: Path) -> None:
    loaded(vocabulary)
    copies(tmp_path)[0].parent.chmod(0o777)
    with pytest.raises(ResourceError, match="cache must be a folder that this user alone can write"):
        loaded(vocabulary)


def test_a_changed_vocabulary_is_not_copied(vocabulary: tuple[str, str]) -> None:
    file = next(Path(vocabulary[0]).glob("*.parquet"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(InputError, match="The file was changed or damaged"):
        loaded(vocabulary)


def test_threads_of_one_process_build_it_once(vocabulary: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    build, built = word_table._build_copy, []
    monkeypatch.setattr(word_table, "_build_copy", lambda *given: (built.append(given), build(*given)))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: shared_word_table.__wrapped__(*vocabulary), range(16)))
    assert [words_of(table) for table in found] == [["the", "é", "word"]] * 16
    assert len(built) == 1
