"""Corpora, tables and vectors in a store, against a real S3 server on loopback that can be made to fail."""

import contextlib
import gzip
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tables
from pyarrow import orc
from s3_server import BUCKET, KEY, SECRET, Faults, environment, make_bucket, serving

from simglove_spark import cli, output
from simglove_spark.asking.pair_table import PairTable
from simglove_spark.bad_files import reason_against
from simglove_spark.checkpoint import Checkpoints
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.manifest import FILE_NAME, Manifest, checked_path, checked_source, new_manifest
from simglove_spark.schemas import VOCABULARY
from simglove_spark.storage import answers
from simglove_spark.storage.copies import fetched
from simglove_spark.storage.corpora import files_of, reading
from simglove_spark.storage.paths import StorePath, path_of
from simglove_spark.storage.tables import reached_by_workers
from simglove_spark.table_files import commit, write_file
from simglove_spark.vectors import Vectors

pytest.importorskip("moto", reason="needs the extra test")

WORDS = ["alpha", "beta", "gamma", "delta"]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Faults]]:
    with serving() as (url, faults), pytest.MonkeyPatch.context() as patch:
        for name, value in environment(url).items():
            patch.setenv(name, value)
        make_bucket()
        yield url, faults


@pytest.fixture
def faults(server: tuple[str, Faults]) -> Faults:
    return server[1]


@pytest.fixture
def lake(
    server: tuple[str, Faults], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """A folder of the bucket for this test alone; what does not answer is asked again as often as ever, and soon."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(answers, "PAUSES", tuple(pause / 50 for pause in answers.PAUSES))
    return path_of(f"s3://{BUCKET}/{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())}")


def vectors_of(seed: int = 1, size: int = 4) -> Vectors:
    matrix = np.random.default_rng(seed).standard_normal((size, 3), np.float32)
    return Vectors([f"w{n}" for n in range(size)], matrix, np.arange(size, 0, -1))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".building")}


def build(folder: Path, counts: dict[str, int], overwrite: bool = False) -> Manifest:
    """A vocabulary as workers write it: into the store at once."""
    with output.building(folder, overwrite) as staging:
        reach = reached_by_workers(staging, folder)
        columns = [list(counts), np.arange(len(counts), dtype=np.int32), np.array(list(counts.values()), np.int64)]
        report = write_file(reach, "vocabulary", VOCABULARY, [pa.table(columns, schema=VOCABULARY)])
        files, total, _ = commit(reach, [report])
        details = {"total_words": total, "vocabulary_size": len(counts)}
        manifest = new_manifest("vocabulary", VOCABULARY, files, {"min_count": 1}, details=details)
        manifest.save(staging)
    return manifest


# paths


def test_a_path_in_a_store_behaves_as_a_path(lake: Path) -> None:
    file = lake / "a folder" / "fïle.txt"
    assert not file.exists() and not file.parent.is_dir() and list(lake.iterdir()) == []
    file.write_text("飞 text")
    assert (file.read_text(), file.stat().st_size, file.is_file(), file.is_dir()) == ("飞 text", 8, True, False)
    assert file.parent.is_dir() and file.parent.exists() and not file.parent.is_file()
    assert [path.name for path in file.parent.iterdir()] == ["fïle.txt"]
    assert str(file) == f"s3://{BUCKET}/{lake.name}/a folder/fïle.txt" == str(path_of(str(file)))
    assert str(path_of(f"s3a://{BUCKET}/x/")) == f"s3://{BUCKET}/x"
    assert isinstance(file.with_name("other"), StorePath) and file.parent == lake / "a folder"
    file.unlink()
    file.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        file.unlink()
    with pytest.raises(FileNotFoundError):
        file.read_bytes()


def test_what_a_store_has_not_is_never_done_on_this_machine(lake: Path) -> None:
    """Methods of pathlib that are not ours must fail, not work in a local folder `s3:`."""
    for wrong in (lambda: lake.rename("x"), lake.touch, lambda: (lake / "x").open("w"), lambda: open(lake)):  # noqa: PTH123, SIM115
        with pytest.raises(NotImplementedError, match="store"):
            wrong()
    with pytest.raises(NotImplementedError):
        np.save(lake / "x.npy", np.zeros(1))
    assert not Path("s3:").exists()


def test_large_files_come_back_whole(lake: Path, tmp_path: Path) -> None:
    data = np.random.default_rng(1).bytes((20 << 20) + 7)  # more than one part
    (tmp_path / "here").write_bytes(data)
    assert isinstance(lake, StorePath)
    (lake / "there").put(tmp_path / "here")
    (lake / "there").fetch(tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data == (lake / "there").read_bytes()


# tables


def test_a_table_in_a_store_is_the_table_on_disk(lake: Path, tmp_path: Path) -> None:
    here, there = build(tmp_path / "t", {"a": 3, "b": 2}), build(lake / "t", {"a": 3, "b": 2})
    assert here == there == Manifest.load(lake / "t", "vocabulary")
    assert names(lake / "t") == {FILE_NAME, here.files[0].path}
    assert (lake / "t" / FILE_NAME).read_text() == (tmp_path / "t" / FILE_NAME).read_text()
    assert pq.read_table(checked_source(lake / "t", here.files[0])) == pq.read_table(
        tmp_path / "t" / here.files[0].path
    )
    assert output.is_complete(lake / "t", "vocabulary", here.config, [], [], overwrite=False)


def test_vectors_get_names_by_content_and_load_from_the_cache(lake: Path, tmp_path: Path) -> None:
    vectors = vectors_of()
    manifest, local = vectors.save(lake / "v", extra={"more": vectors.matrix}), vectors.save(tmp_path / "v")
    del local
    stored = {entry.path: entry.name for entry in Manifest.load(lake / "v", "vectors").files}
    assert re.fullmatch(r"_matrix-[0-9a-f]{16}\.npy", stored["_matrix.npy"])
    assert names(lake / "v") == {FILE_NAME, *stored.values()}
    loaded = Vectors.load(str(lake / "v"), verify=True)
    assert np.array_equal(loaded.matrix, vectors.matrix) and list(loaded.words) == list(vectors.words)
    assert loaded.manifest is not None and loaded.manifest.content_sha256 == manifest.content_sha256
    checked_path(lake / "v", Manifest.load(lake / "v", "vectors").files[0])
    copy = fetched(lake / "v")
    assert copy.is_relative_to(tmp_path / "cache") and (copy / "_matrix.npy").is_file()
    assert fetched(lake / "v") == copy


def test_the_second_process_fetches_nothing(lake: Path, faults: Faults) -> None:
    vectors_of().save(lake / "v")
    Vectors.load(lake / "v")
    faults.seen.clear()
    Vectors.load(lake / "v")
    assert {path.rpartition("/")[2] for method, path in faults.seen if method == "GET"} <= {FILE_NAME, BUCKET}


def test_damage_in_the_store_is_found(lake: Path) -> None:
    manifest = vectors_of().save(lake / "v")
    matrix = next(entry for entry in Manifest.load(lake / "v", "vectors").files if entry.path == "_matrix.npy")
    data = bytearray((lake / "v" / matrix.name).read_bytes())
    data[-1] ^= 1
    (lake / "v" / matrix.name).unlink()
    (lake / "v" / matrix.name).write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"^_matrix.npy must have checksum .*The file was changed or damaged"):
        Vectors.load(lake / "v")
    with pytest.raises(InputError, match="another content"):
        checked_source(lake / "v", matrix)
    (lake / "v" / matrix.name).unlink()
    with pytest.raises(InputError, match=r"must exist; got nothing \(s3://lake/"):
        Vectors.load(lake / "v")
    assert manifest.rows == 4


def test_one_word_of_pairs_needs_only_parts_of_its_shard(lake: Path, tmp_path: Path, faults: Faults) -> None:
    words = tables.write_vocabulary(tmp_path / "w", tables.word_counts(50))
    tables.write_pairs(tmp_path / "p", tables.random_pairs(50, 300), words)
    for file in (tmp_path / "p").iterdir():
        (lake / "p" / file.name).write_bytes(file.read_bytes())
    here, there = PairTable(tmp_path / "p"), PairTable(str(lake / "p"))
    for word in range(50):
        assert all(np.array_equal(one, other) for one, other in zip(here.row(word), there.row(word), strict=True))


# two writers, and writers that end early


def test_overwrite_replaces_the_manifest_and_then_deletes_what_it_replaced(lake: Path, faults: Faults) -> None:
    old, (folder) = build(lake / "t", {"a": 3, "b": 2}), lake / "t"
    faults.seen.clear()
    new = build(folder, {"a": 3, "c": 2}, overwrite=True)
    written = [(method, path.rpartition("/")[2]) for method, path in faults.seen if method in ("POST", "DELETE")]
    order = [
        written.index(step)
        for step in (("POST", new.files[0].path), ("POST", FILE_NAME), ("DELETE", old.files[0].path))
    ]
    assert order == sorted(order)
    assert names(folder) == {FILE_NAME, new.files[0].path}


def test_building_the_same_again_mends_a_damaged_file(lake: Path) -> None:
    manifest = build(lake / "t", {"a": 3, "b": 2})
    damaged = lake / "t" / manifest.files[0].path
    damaged.write_bytes(bytes(manifest.files[0].bytes))
    assert build(lake / "t", {"a": 3, "b": 2}, overwrite=True) == manifest
    checked_path(lake / "t", manifest.files[0])


def test_of_two_writers_the_second_is_refused(lake: Path) -> None:
    refused = pytest.raises(
        ConfigError, match=r"output must not be written by two at once; got a table that another run"
    )
    with refused, output.building(lake / "t") as staging:
        build(lake / "t", {"a": 3, "b": 2})
        new_manifest("vocabulary", VOCABULARY, [], {}).save(staging)
    assert Manifest.load(lake / "t", "vocabulary").rows == 2


def test_a_writer_leaves_the_files_of_another_alone(lake: Path) -> None:
    """While one table is built, another is finished there; its files stay, since no one that is replaced named them."""
    build(lake / "t", {"a": 3, "b": 2})
    with output.building(lake / "t", overwrite=True) as staging:
        other = build(lake / "t", {"a": 3, "c": 2}, overwrite=True)
        report = write_file(lake / "t", "vocabulary", VOCABULARY, [VOCABULARY.empty_table()])
        assert {path.name for path in (lake / "t").iterdir()} >= {other.files[0].path, report["name"]}
        files, _, _ = commit(lake / "t", [report])
        assert (lake / "t" / other.files[0].path).is_file()
        new_manifest("vocabulary", VOCABULARY, files, {}).save(staging)
    assert Manifest.load(lake / "t", "vocabulary").files == files
    assert names(lake / "t") == {FILE_NAME, report["name"]}


def test_writers_at_once_leave_one_whole_table(lake: Path) -> None:
    build(lake / "t", {"a": 3, "b": 2})
    with ThreadPoolExecutor(4) as writers:
        counts = [{"a": 3, f"w{number}": 1 + number} for number in range(8)]
        made = list(writers.map(lambda one: build(lake / "t", one, overwrite=True), counts))
    found = Manifest.load(lake / "t", "vocabulary")
    assert found in made
    assert pq.read_table(checked_source(lake / "t", found.files[0])).num_rows == 2


def test_a_build_that_ends_early_leaves_the_old_table_and_can_be_taken_up(lake: Path) -> None:
    old = build(lake / "t", {"a": 3, "b": 2})
    for overwrite, folder in ((True, lake / "t"), (False, lake / "new")):
        with pytest.raises(KeyboardInterrupt), output.building(folder, overwrite):
            write_file(folder, "vocabulary", VOCABULARY, [VOCABULARY.empty_table()])
            raise KeyboardInterrupt
    assert Manifest.load(lake / "t", "vocabulary") == old
    assert output.is_complete(lake / "t", "vocabulary", old.config, [], [], overwrite=False)
    assert not output.is_complete(lake / "new", "vocabulary", old.config, [], [], overwrite=False)
    assert build(lake / "new", {"a": 3, "b": 2}).files == old.files


def test_a_folder_with_other_things_is_refused(lake: Path) -> None:
    (lake / "t" / "thesis.docx").write_text("years of work")
    with pytest.raises(
        ConfigError, match=r"^output must be new, empty or a complete table; got other content \(s3://lake"
    ):
        output.is_complete(lake / "t", "vocabulary", {}, [], [], overwrite=True)
    assert (lake / "t" / "thesis.docx").is_file()


def test_a_lost_file_is_noticed(lake: Path) -> None:
    manifest = build(lake / "t", {"a": 3, "b": 2})
    (lake / "t" / manifest.files[0].path).unlink()
    with pytest.raises(ConfigError, match=r"its file .* is missing or cut short"):
        output.is_complete(lake / "t", "vocabulary", manifest.config, [], [], overwrite=False)


# what a store does to us


@pytest.mark.parametrize("kind", ["slow", "dropped"])
def test_a_store_that_recovers_is_not_noticed(lake: Path, faults: Faults, kind: str) -> None:
    with faults.of(kind, 2):
        manifest = build(lake / "t", {"a": 3, "b": 2})
    with faults.of(kind, 2, lambda method, path: method == "GET"):
        assert Manifest.load(lake / "t", "vocabulary") == manifest
    with faults.of(kind, 2, lambda method, path: method == "GET" and path.endswith(".parquet")):
        checked_source(lake / "t", manifest.files[0])


def test_a_body_that_breaks_off_is_read_again(lake: Path, faults: Faults) -> None:
    (lake / "x").write_bytes(bytes(1 << 20))
    with faults.of("cut", 2, lambda method, path: method == "GET" and path.endswith("/x")):
        assert (lake / "x").read_bytes() == bytes(1 << 20)
        assert faults.times == 0


def test_a_refusal_longer_than_what_was_asked_for_is_tried_again(lake: Path, faults: Faults) -> None:
    """By us: the SDK gives up where the answer's body does not fit."""
    (lake / "x").write_bytes(b"abcdefgh")
    with faults.of("slow", 2, lambda method, path: method == "GET"), (lake / "x").open("rb") as stream:
        assert stream.read(4) == b"abcd"
        assert faults.times == 0


@pytest.mark.parametrize("kind", ["slow", "dropped"])
@pytest.mark.parametrize("what", ["vocabulary", FILE_NAME])
def test_a_store_that_stays_away_ends_with_4_and_nothing_half_done(
    lake: Path, faults: Faults, kind: str, what: str
) -> None:
    """While data are written, and while the manifest is."""
    stuck = faults.of(kind, 99, lambda method, path: method in ("PUT", "POST") and what in path.rpartition("/")[2])
    told = r"^store must answer; got .* \(s3://lake/.*after all tries"
    with stuck, pytest.raises(ResourceError, match=told) as caught:
        build(lake / "t", {"a": 3, "b": 2})
    assert caught.value.exit_code == 4
    assert not (lake / "t" / FILE_NAME).exists()
    assert output.is_empty(lake / "t")
    build(lake / "t", {"a": 3, "b": 2})


def test_reading_from_a_store_that_stays_away_ends_with_4(lake: Path, faults: Faults) -> None:
    manifest = build(lake / "t", {"a": 3, "b": 2})
    (lake / "text").write_bytes(b"a b c\n" * 1000)
    with faults.of("slow", 99), pytest.raises(ResourceError, match="store must answer"):
        checked_source(lake / "t", manifest.files[0])
    stuck, refused = (
        faults.of("dropped", 99, lambda m, p: m == "GET"),
        pytest.raises(ResourceError, match="store must answer"),
    )
    with stuck, refused, reading(str(lake / "text")) as stream:
        stream.read()


def test_a_store_that_denies_is_3_for_reading_and_4_for_writing(lake: Path, faults: Faults) -> None:
    (lake / "x").write_text("x")
    with faults.of("denied", 99):
        with pytest.raises(InputError, match=r"^store must be readable; got .*Check the bucket's name, and the env"):
            (lake / "x").read_text()
        with pytest.raises(ResourceError, match=r"^store must be writable"):
            build(lake / "t", {"a": 3, "b": 2})
    with pytest.raises(ResourceError, match=r"^store must be writable; got .*NO_SUCH_BUCKET"):
        build(path_of("s3://nowhere/t"), {"a": 3, "b": 2})


# training that was stopped


def test_another_machine_goes_on_from_the_checkpoint_in_the_store(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults
) -> None:
    def arrays(passes: int) -> dict[str, np.ndarray]:
        return {"vectors": np.full((3, 2), passes, np.float32), "sums": np.arange(passes)}

    states = Checkpoints(lake / "v", {"config": {"dim": 2}})
    with states.locked():
        for passes in (1, 2, 3):
            states.save({"passes": passes}, arrays(passes))
    assert isinstance(lake, StorePath)
    assert {info.path.split("/")[-2] for info in lake.infos(recursive=True) if info.is_file} == {"state-3"}
    stuck = faults.of("slow", 99, lambda method, path: method == "POST" and path.endswith("state.json"))
    with stuck, pytest.raises(ResourceError, match="store must answer"):
        states.save({"passes": 4}, arrays(4))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    other = Checkpoints(lake / "v", {"config": {"dim": 2}})
    with other.locked():
        found = other.load()  # the fourth is not whole there
        assert found is not None and found[0] == {"passes": 3}
        assert all(np.array_equal(found[1][name], array) for name, array in arrays(3).items())
        with pytest.raises(
            ConfigError, match=r"checkpoint must be of the same training; .*: dim is 2 there and 9 here"
        ):
            Checkpoints(lake / "v", {"config": {"dim": 9}}).load()
        other.remove_states()
    assert not [info for info in lake.infos(recursive=True) if info.is_file]
    assert Checkpoints(lake / "v", {"config": {"dim": 2}}).load() is None


# corpora


@pytest.mark.parametrize("name", ["text.txt.gz", "table.parquet", "table.orc"])
def test_a_store_that_stays_away_makes_no_file_a_bad_one(lake: Path, faults: Faults, name: str) -> None:
    """With --on-bad-file skip it would be left out, and the table be another one."""
    sink = pa.BufferOutputStream()
    table = pa.table({"text": ["a b c"] * 1000})
    write = {"table.parquet": pq.write_table, "table.orc": orc.write_table}.get(name)
    if write is None:
        sink.write(gzip.compress(b"a b c\n" * 1000))
    else:
        write(table, sink)
    data, column = sink.getvalue().to_pybytes(), None if write is None else "text"
    path = lake / name
    path.write_bytes(data)
    assert reason_against(str(path), column) is None
    for part in range(3):  # the first bytes, the schema, the rest
        number = count()
        away = faults.of(
            "slow", 99, lambda m, p, n=number, first=part: m == "GET" and p.endswith(name) and next(n) >= first
        )
        with away, contextlib.suppress(ResourceError):
            assert reason_against(str(path), column) is None
            assert faults.times == 99  # all was read by then
    (lake / f"cut.{name}").write_bytes(data[: len(data) // 2])
    assert reason_against(str(lake / f"cut.{name}"), column) is not None


def test_patterns_and_folders_of_a_bucket(lake: Path) -> None:
    for name in ("a.txt", "b.txt.gz", "deep/c.txt", "deep/er/d.txt", "_SUCCESS", "deep/.hidden", "deep/_x/e.txt"):
        (lake / name).write_text(name)
    base = str(lake)

    def listed(uri: str) -> list[str]:
        return sorted(entry["path"].removeprefix(f"{base}/") for entry in files_of(uri))

    assert listed(base) == ["a.txt", "b.txt.gz", "deep/c.txt", "deep/er/d.txt"]
    assert listed(f"{base}/a.txt") == ["a.txt"]
    assert listed(f"{base}/*.txt") == ["a.txt"]
    assert listed(f"{base}/**/*.txt") == ["a.txt", "deep/_x/e.txt", "deep/c.txt", "deep/er/d.txt"]
    assert listed(f"{base}/d??p/*.txt") == ["deep/c.txt"]
    assert listed(f"{base}/d*") == ["deep/c.txt", "deep/er/d.txt"]
    assert listed(f"{base}/[bc]*") == ["b.txt.gz"]
    entry = files_of(f"{base}/a.txt")[0]
    assert entry["bytes"] == 5 and entry["modified"] > 1e18
    with pytest.raises(InputError, match=r"^--input must match files; got nothing \(s3://lake"):
        files_of(f"{base}/none*")


# credentials


@pytest.mark.parametrize(
    "uri",
    [
        f"s3://{KEY}:{SECRET}@lake/x",
        "s3://user@lake/x",
        "abfss://c@a.dfs.core.windows.net/x?sv=2022&sig=abc%3D",
        "hdfs://me:secret@host/x",
        "wasbs://c@a.blob.core.windows.net/x?sig=abc",
    ],
)
def test_credentials_in_a_uri_are_refused_and_not_repeated(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--input", uri, "--output", "x"], ["--input", "a.txt", "--output", uri]):
        assert cli.main(["run", *arguments]) == 2
        told = capsys.readouterr()
        assert "URI must be free of users, keys and signatures" in told.err or "folder must be a path" in told.err
        for secret in (SECRET, "sig=", "secret", "user@", KEY):
            assert secret not in told.err + told.out


def test_a_key_that_an_error_repeats_is_struck_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from simglove_spark.storage.schemes import first_words

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "?sig=abcdef")
    assert first_words(f"bad {SECRET} and ?sig=abcdef\nmore") == "bad *** and ***"
