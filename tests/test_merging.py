"""Tables of parts, merged: the very tables of counting all at once; and what cannot be merged."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_counting import KEEP_ALL, WINDOW, all_files, context, corpus_of

from simglove_spark import counting, merging, occurrence, text_ranges
from simglove_spark.cli import main
from simglove_spark.config import CorpusConfig, RunConfig, TrainConfig, VocabularyConfig
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.manifest import Manifest
from simglove_spark.progress import Progress
from simglove_spark.trainer import train
from simglove_spark.training_inputs import check_pairs

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]
KEEP = VocabularyConfig(min_count=3)


def data_files(folder: Path) -> dict[str, str]:
    return {name: checksum for name, checksum in all_files(folder).items() if name.endswith(".parquet")}


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory, small_text: bytes) -> Path:
    """Three days of text; counted at once in `whole`, and each day's words in 0, 1 and 2, merged into `merged`."""
    folder = tmp_path_factory.mktemp("days")
    lines = small_text.split(b"\n")
    for day in range(3):
        (folder / f"day{day}.txt").write_bytes(b"\n".join(lines[day * 100 : day * 100 + 100]))
        counting.count_words(corpus_of(folder / f"day{day}.txt"), KEEP_ALL, folder / str(day), context())
    everything = corpus_of(*(folder / f"day{day}.txt" for day in range(3)))
    counting.count_words(everything, KEEP, folder / "whole", context())
    counting.count_pairs(everything, WINDOW, folder / "whole" / "vocabulary", folder / "whole" / "pairs", context())
    parts = [folder / str(day) / "word_counts" for day in (2, 0, 1)]
    merging.merge_words(parts, KEEP, folder / "merged", RunConfig(), Progress())
    for day in range(3):
        corpus, words = corpus_of(folder / f"day{day}.txt"), folder / "merged" / "vocabulary"
        counting.count_pairs(corpus, WINDOW, words, folder / str(day) / "pairs", context())
    return folder


def merge_pairs(days: Path, output: Path, *numbers: int, overwrite: bool = False) -> Manifest:
    parts = [days / str(day) / "pairs" for day in numbers]
    return merging.merge_pairs(
        parts, days / "merged" / "vocabulary", output, RunConfig(overwrite=overwrite), Progress()
    )


def test_parts_merged_are_the_bytes_of_counting_at_once(days: Path, tmp_path: Path) -> None:
    merge_pairs(days, tmp_path / "pairs", 1, 2, 0)
    made = {"word_counts": days / "merged" / "word_counts", "vocabulary": days / "merged" / "vocabulary"}
    for table, folder in {**made, "pairs": tmp_path / "pairs"}.items():
        assert data_files(folder) == data_files(days / "whole" / table) != {}
        ours, theirs = Manifest.load(folder, table), Manifest.load(days / "whole" / table, table)
        assert ours == theirs
        assert ours.content_sha256 == theirs.content_sha256


def test_the_whole_without_a_day_is_the_rest_counted_alone(days: Path, tmp_path: Path) -> None:
    parts = [days / "whole" / "word_counts", days / "1" / "word_counts"]
    merging.merge_words(parts, KEEP, tmp_path, RunConfig(), Progress(), (1, -1))
    rest, words = corpus_of(days / "day0.txt", days / "day2.txt"), days / "merged" / "vocabulary"
    counting.count_words(rest, KEEP, tmp_path / "rest", context())
    counting.count_pairs(rest, WINDOW, words, tmp_path / "rest" / "pairs", context())
    parts = [days / "whole" / "pairs", days / "1" / "pairs"]
    merging.merge_pairs(parts, words, tmp_path / "pairs", RunConfig(), Progress(), (1, -1))
    for table in ("word_counts", "vocabulary", "pairs"):
        assert data_files(tmp_path / table) == data_files(tmp_path / "rest" / table) != {}
        assert Manifest.load(tmp_path / table, table) == Manifest.load(tmp_path / "rest" / table, table)


def test_parts_are_counted_under_a_vocabulary_with_weights(days: Path, tmp_path: Path) -> None:
    parts = [days / str(day) / "word_counts" for day in range(3)]
    merging.merge_words(parts, KEEP, tmp_path, RunConfig(), Progress(), (3, 1, 1))
    words, pairs = tmp_path / "vocabulary", []
    for day in range(3):
        corpus, pairs = corpus_of(days / f"day{day}.txt"), [*pairs, tmp_path / f"pairs{day}"]
        counting.count_pairs(corpus, WINDOW, words, pairs[-1], context())
    merging.merge_pairs(pairs, words, tmp_path / "pairs", RunConfig(), Progress(), (3, 1, 1))
    check_pairs(tmp_path / "pairs", words, TrainConfig())


def test_merging_in_two_steps_is_merging_at_once(days: Path, tmp_path: Path) -> None:
    words = days / "merged" / "vocabulary"
    merge_pairs(days, tmp_path / "two", 0, 1)
    parts = [tmp_path / "two", days / "2" / "pairs"]
    merging.merge_pairs(parts, words, tmp_path / "all", RunConfig(), Progress())
    assert data_files(tmp_path / "all") == data_files(days / "whole" / "pairs")


def test_many_files_of_words_are_those_of_counting_at_once(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occurrence, "BYTES_PER_SHARD", 2000)
    monkeypatch.setattr(occurrence, "ROWS_PER_GROUP", 10)
    monkeypatch.setattr(text_ranges, "LEAST_BYTES", 500)
    everything = corpus_of(*(days / f"day{day}.txt" for day in range(3)))
    counting.count_words(everything, KEEP, tmp_path / "whole", context())
    parts = [days / str(day) / "word_counts" for day in range(3)]
    merging.merge_words(parts, KEEP, tmp_path / "merged", RunConfig(), Progress())
    assert data_files(tmp_path / "merged") == data_files(tmp_path / "whole")
    assert len(data_files(tmp_path / "merged" / "word_counts")) > 3


def test_a_merged_table_is_left_alone_and_more_parts_are_another_table(days: Path, tmp_path: Path) -> None:
    merge_pairs(days, tmp_path / "pairs", 0, 1)
    before = all_files(tmp_path / "pairs")
    merge_pairs(days, tmp_path / "pairs", 0, 1)
    assert all_files(tmp_path / "pairs") == before
    with pytest.raises(ConfigError, match="output must be new or hold the same table"):
        merge_pairs(days, tmp_path / "pairs", 0, 1, 2)
    merge_pairs(days, tmp_path / "pairs", 0, 1, 2, overwrite=True)
    assert data_files(tmp_path / "pairs") == data_files(days / "whole" / "pairs")


def test_pairs_of_a_part_are_not_trained_on(days: Path, tmp_path: Path) -> None:
    merge_pairs(days, tmp_path / "pairs", 0, 2)
    for pairs, many in ((days / "0" / "pairs", 1), (tmp_path / "pairs", 2)):
        with pytest.raises(InputError, match=f"pairs must be of all the vocabulary's input; got {many} of 3 files"):
            train(days / "merged" / "vocabulary", pairs, TrainConfig(dim=4), RunConfig(), Progress())


def test_a_part_without_pairs_is_a_part_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a b a b c\n" * 5)
    (tmp_path / "b.txt").write_bytes(b"a\nb\nc\n")
    for name in "ab":
        counting.count_words(corpus_of(tmp_path / f"{name}.txt"), KEEP_ALL, tmp_path / name, context())
    parts = [tmp_path / name / "word_counts" for name in "ab"]
    merging.merge_words(parts, KEEP_ALL, tmp_path / "both", RunConfig(), Progress())
    words = tmp_path / "both" / "vocabulary"
    for name in "ab":
        counting.count_pairs(corpus_of(tmp_path / f"{name}.txt"), WINDOW, words, tmp_path / name / "pairs", context())
    parts = [tmp_path / name / "pairs" for name in "ab"]
    merged = merging.merge_pairs(parts, words, tmp_path / "both" / "pairs", RunConfig(), Progress())
    whole = corpus_of(tmp_path / "a.txt", tmp_path / "b.txt")
    assert counting.count_pairs(whole, WINDOW, words, tmp_path / "pairs", context()) == merged


def test_what_cannot_be_merged(days: Path, tmp_path: Path) -> None:
    words = [days / str(day) / "word_counts" for day in range(3)]

    def merge(*parts: Path) -> None:
        merging.merge_words(list(parts), KEEP, tmp_path / "words", RunConfig(), Progress())

    with pytest.raises(ConfigError, match="--parts must be at least 2 tables; got 1"):
        merge(words[0])
    with pytest.raises(InputError, match=r"parts must be of different inputs; got .*day0\.txt twice"):
        merge(words[0], words[1], words[0])
    with pytest.raises(InputError, match="must be a complete table"):
        merge(words[0], tmp_path / "none")
    with pytest.raises(InputError, match="pairs must be counted under the vocabulary"):
        parts = [days / "0" / "pairs", days / "1" / "pairs"]
        merging.merge_pairs(parts, days / "2" / "vocabulary", tmp_path / "pairs", RunConfig(), Progress())
    lower = CorpusConfig(input=(str(days / "day1.txt"),), lowercase=True)
    counting.count_words(lower, KEEP_ALL, tmp_path / "lower", context())
    with pytest.raises(ConfigError, match="parts must be counted with the same options; got lowercase True"):
        merge(words[0], tmp_path / "lower" / "word_counts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lower"]


def test_a_damaged_or_foreign_part_is_refused(days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = days / "0" / "word_counts", tmp_path / "bad"
    counting.count_words(corpus_of(days / "day1.txt"), KEEP_ALL, tmp_path / "1", context())
    (tmp_path / "1" / "word_counts").rename(bad)
    path = sorted(bad.glob("*.parquet"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(InputError, match="changed or damaged"):
        merging.merge_words([good, bad], KEEP, tmp_path / "words", RunConfig(), Progress())
    path.write_bytes(whole)
    monkeypatch.setattr(merging, "memory_budget", lambda resources: 100)
    with pytest.raises(ResourceError, match="Merge fewer parts"):
        merging.merge_words([good, bad], KEEP, tmp_path / "words", RunConfig(), Progress())
    pq.write_table(pa.table({"word": ["a"], "count": [1.5]}), path)
    told = json.loads((bad / "_manifest.json").read_text())
    from simglove_spark.manifest import file_entry, sealed

    told["files"][0] = vars(file_entry(bad, path.name, 1))
    (bad / "_manifest.json").write_text(json.dumps(sealed(told)))
    with pytest.raises(InputError, match="columns must be"):
        merging.merge_words([good, bad], KEEP, tmp_path / "words", RunConfig(), Progress())
    assert not (tmp_path / "words").exists()


def test_the_commands(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [str(days / str(day) / "word_counts") for day in range(3)]
    assert main(["merge-words", "--parts", *parts, "--output", str(tmp_path / "w"), "--min-count", "3"]) == 0
    parts = [str(days / str(day) / "pairs") for day in range(3)]
    words = str(tmp_path / "w" / "vocabulary")
    assert main(["merge-pairs", "--parts", *parts, "--vocabulary", words, "--output", str(tmp_path / "p")]) == 0
    told = capsys.readouterr().out
    assert f"words are in {tmp_path / 'w' / 'vocabulary'}" in told
    assert f"cells are in {tmp_path / 'p'}." in told
    assert data_files(tmp_path / "p") == data_files(days / "whole" / "pairs")
    assert main(["merge-pairs", "--parts", *parts[:1], "--vocabulary", words, "--output", str(tmp_path / "q")]) == 2
