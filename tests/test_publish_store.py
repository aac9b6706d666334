"""Runs in a store are verified, handed out and taken back there, against a real S3 server that fails, and with several publishers at once."""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import finished
import pytest
from s3_server import BUCKET, Faults, environment, make_bucket, serving

from simglove_spark import cli
from simglove_spark.errors import ConfigError, InputError, ResourceError
from simglove_spark.manifest import FILE_NAME, Manifest
from simglove_spark.progress import Progress
from simglove_spark.publishing import publish as module
from simglove_spark.publishing.latest import CLAIMS, history_path, read_latest, switch, to_text
from simglove_spark.publishing.publish import Asked, Published, _record, publish, rollback
from simglove_spark.storage import claims
from simglove_spark.storage.paths import StorePath, path_of
from simglove_spark.vectors import Vectors
from simglove_spark.verifying import Findings, verify

pytest.importorskip("moto", reason="needs the extra test")

SIZE = 60
LIKE = ("neighbours=0",)


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    cache = tmp_path_factory.mktemp("cache")
    with serving() as (url, faults), pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment(url), "XDG_CACHE_HOME": str(cache)}.items():
            patch.setenv(name, value)
        make_bucket()
        yield faults


@pytest.fixture(scope="module")
def runs(faults: Faults) -> Path:
    """Runs one and two of the same words and pairs with other seeds, made in the store."""
    folder = path_of(f"s3://{BUCKET}/runs")
    with pytest.MonkeyPatch.context() as patch:
        finished.finish(folder / "one", patch, SIZE, dim=8, sweeps=2)
        finished.finish(folder / "two", patch, SIZE, dim=8, sweeps=2, seed=2)
    return folder


@pytest.fixture
def root(faults: Faults, request: pytest.FixtureRequest) -> Path:
    """A folder of this test alone to publish into."""
    return path_of(f"s3://{BUCKET}/{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())}")


def published(run: Path, root: Path) -> Published:
    return publish(run, root, Asked(least=LIKE), 2, Progress())


def handed_out(run: Path, root: Path) -> None:
    """The same without a judgement."""
    before = read_latest(root)
    switch(root, before, _record(run, root, Manifest.load(run / "vectors", "vectors"), before, []))


def verified(path: Path) -> Findings:
    return verify(path, 2, Progress())


def files_of(folder: Path) -> dict[str, bytes]:
    assert isinstance(folder, StorePath)
    paths = [info.path.removeprefix(f"{folder.uri.path}/") for info in folder.infos(recursive=True) if info.is_file]
    return {path: (folder / path).read_bytes() for path in paths}


def simglove(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err.splitlines()[-1] if err else ""


def test_the_commands(runs: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, like in (("one", ()), ("two", ("--min", *LIKE))):
        code, out, err = simglove(capsys, "publish", f"{runs}/{name}", "--to", root, *like)
        assert (code, json.loads(out)["published"]["path"]) == (0, f"{runs}/{name}"), err
        assert simglove(capsys, "similar", "w1", "--vectors", f"{root}/latest.json")[0] == 0
    before = files_of(root)
    assert simglove(capsys, "publish", runs / "two", "--to", root)[0] == 0  # nothing to do
    assert files_of(root) == before
    code, out, _ = simglove(capsys, "verify", root)
    assert (code, json.loads(out)["findings"], json.loads(out)["tables"]) == (0, [], 4)
    code, out, _ = simglove(capsys, "rollback", "--to", root)
    assert (code, json.loads(out)["published"]["path"]) == (0, f"{runs}/one")
    assert sorted(files_of(root)) == ["latest.json", *(f"published/{number:06d}.json" for number in (1, 2, 3))]
    assert Vectors.load(root).manifest == Vectors.load(runs / "one" / "vectors").manifest
    code, out, err = simglove(capsys, "publish", runs / "two", "--to", root, "--min", "neighbours=1.1")
    assert (code, json.loads(files_of(root)["latest.json"])["number"]) == (6, 3)
    assert "published/refused-runtwo.json" in files_of(root)
    assert verified(root).found == []
    code, out, _ = simglove(capsys, "status", runs / "one", "--json")
    assert (code, json.loads(out)["state"]) == (0, "complete")


def test_runs_inside_the_folder_are_named_by_their_place_in_it(runs: Path) -> None:
    record = published(runs / "one", runs).record
    assert record is not None
    assert (record["path"], record["vectors"]) == ("one", "one/vectors")
    assert published(runs / "two", runs).error is None
    assert rollback(runs, 2, Progress())["path"] == "one"
    assert len(Vectors.load(f"{runs}/latest.json")) == SIZE
    assert verified(runs).found == []


def test_a_folder_here_may_name_a_run_in_a_store_but_not_the_other_way_round(
    runs: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert simglove(capsys, "publish", f"{runs}/one", "--to", f"file://{tmp_path}/here")[0] == 0
    assert len(Vectors.load(tmp_path / "here")) == SIZE
    assert verified(tmp_path / "here").found == []
    finished.finish(tmp_path / "run", monkeypatch, SIZE, dim=8, sweeps=2)
    told = simglove(capsys, "publish", f"file://{tmp_path}/run", "--to", root)
    assert (told[0], told[2]) == (
        2,
        f"simglove: run must lie in a store, as the folder does that names it; got {tmp_path}/run ({root}). "
        "Copy it there, or give another --to.",
    )
    assert files_of(root) == {}
    assert simglove(capsys, "publish", f"file://{tmp_path}/run", "--to", f"file://{tmp_path}")[0] == 0
    assert simglove(capsys, "verify", f"file://{tmp_path}")[0] == 0
    for wrong in ("ftp://x/y", "s3://key:secret@b/x"):
        assert simglove(capsys, "publish", wrong, "--to", root)[0] == 2


# a store that fails


def from_on(method: str, what: str, first: int) -> Callable[[str, str], bool]:
    """Requests of that kind about such a file, from the ``first`` on."""
    number = count()
    return lambda asked, path: asked == method and what in path and next(number) >= first


@pytest.mark.parametrize(
    ("kind", "method", "what", "first"),
    [
        ("slow", "POST", "latest.json", 0),  # an upload is begun,
        ("dropped", "PUT", "latest.json", 0),  # gets its bytes,
        ("slow", "POST", "latest.json", 1),  # and is completed
        ("dropped", "PUT", "000002.json", 0),
        ("slow", "PUT", CLAIMS, 0),
    ],
)
def test_a_store_that_fails_at_the_moment_of_publishing_leaves_all_as_it_was(
    runs: Path, root: Path, faults: Faults, kind: str, method: str, what: str, first: int
) -> None:
    handed_out(runs / "one", root)
    before = (root / "latest.json").read_bytes()
    away = faults.of(kind, 99, from_on(method, what, first))
    with away, pytest.raises(ResourceError, match=r"^store must answer; got .*, after all tries") as caught:
        published(runs / "two", root)
    assert caught.value.exit_code == 4
    assert (root / "latest.json").read_bytes() == before
    assert Vectors.load(root).manifest == Vectors.load(runs / "one" / "vectors").manifest
    handed_out(runs / "two", root)  # no claim is left that would stand in the way
    assert sorted(files_of(root)) == ["latest.json", "published/000001.json", "published/000002.json"]


def test_where_only_the_answer_is_lost_the_new_record_is_whole(runs: Path, root: Path, faults: Faults) -> None:
    handed_out(runs / "one", root)
    with faults.of("cut", 1, from_on("POST", "latest.json", 1)), contextlib.suppress(ResourceError):
        published(runs / "two", root)
    assert read_latest(root) == json.loads((root / "published" / "000002.json").read_text())
    assert published(runs / "two", root).gates == []  # nothing to do


def test_a_store_that_recovers_is_not_noticed(runs: Path, root: Path, faults: Faults) -> None:
    for kind, run in (("slow", "one"), ("dropped", "two")):
        with faults.of(kind, 2, lambda method, path: method in ("PUT", "POST") and "latest.json" in path):
            handed_out(runs / run, root)
            assert faults.times == 0
    assert verified(root).found == []


def test_a_store_that_stays_away_is_no_damage(runs: Path, faults: Faults) -> None:
    for what in ("pairs/_manifest.json", ".npy"):
        away = faults.of("slow", 999, lambda method, path, what=what: method == "GET" and path.endswith(what))
        with away, pytest.raises(ResourceError, match="store must answer"):
            verified(runs / "one")


def test_who_may_not_write_is_told_before_the_judging(runs: Path, root: Path, faults: Faults) -> None:
    with faults.of("denied", 99, lambda method, path: method in ("PUT", "POST")):
        with pytest.raises(ResourceError, match=r"^store must be writable; got "):
            published(runs / "one", root)
        assert not [path for method, path in faults.seen if "/pairs/" in path]


@pytest.mark.parametrize(("kind", "method", "first"), [("dropped", "PUT", 0), ("slow", "POST", 1)])
def test_an_upload_that_fails_at_its_end_is_told(
    root: Path, faults: Faults, tmp_path: Path, kind: str, method: str, first: int
) -> None:
    """pyarrow tells only of those that cannot be begun."""
    path = root / "file"
    for before in (None, b"old!"):
        if before is not None:
            path.write_bytes(before)
        told = rf"^store must answer; got nothing of what was written \({path}\), after all tries"
        with faults.of(kind, 99, from_on(method, "/file", first)), pytest.raises(ResourceError, match=told):
            path.write_bytes(b"new!")
        assert (path.read_bytes() if path.exists() else None) == before
    path.write_bytes(b"new!")
    path.write_bytes(b"new!")
    assert path.read_bytes() == b"new!"


# several publishers


@pytest.mark.parametrize("text", ["longer by far", "a"])
def test_a_file_that_is_replaced_while_it_is_read_is_read_whole(root: Path, faults: Faults, text: str) -> None:
    """Its size is asked before its bytes: of a longer one in its place only the beginning would come."""
    path, turns = root / "latest.json", count()
    path.write_text("old")

    def replaced(method: str, where: str) -> bool:
        if method == "GET" and where.endswith("latest.json") and next(turns) == 0:
            path.write_text(text)
        return False

    with faults.of("slow", 1, replaced):
        assert path.read_text() == text


def test_no_publisher_loses_what_another_has_written(root: Path) -> None:
    """Many at once: each that was told of success is one number more, and all numbers are there."""
    record = {"format_version": 1, "path": "one", "vectors": "one/vectors", "run_id": "", "previous": None}
    record["tables"] = {"vectors": "0" * 64}
    switch(root, None, {**record, "number": 1})

    def work(name: int) -> list[int]:
        won = []
        for _ in range(6):
            before = read_latest(root)
            assert before is not None
            try:
                won.append(
                    switch(root, before, {**before, "run_id": str(name), "number": before["number"] + 1})["number"]
                )
            except ConfigError:
                time.sleep(0.01 * name)
        return won

    with ThreadPoolExecutor(4) as threads:
        numbers = sorted(number for won in threads.map(work, range(4)) for number in won)
    assert numbers == list(range(2, 2 + len(numbers)))
    assert numbers
    latest = read_latest(root)
    assert latest is not None
    assert latest["number"] == numbers[-1]
    assert [json.loads(history_path(root, number).read_text())["number"] for number in numbers] == numbers


def test_who_judged_against_another_run_is_told(runs: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = module._judge

    def slowly(*given: Any) -> Any:
        handed_out(runs / "one", root)
        return judge(*given)

    monkeypatch.setattr(module, "_judge", slowly)
    told = (
        r"^latest.json must be the one that the run was judged against; got number 1, s3://lake/runs/one by now \(s3://"
    )
    with pytest.raises(ConfigError, match=told):
        published(runs / "two", root)
    latest = read_latest(root)
    assert latest is not None
    assert latest["path"] == f"{runs}/one"


def test_a_claim_of_another_is_respected_until_it_must_be_dead(
    runs: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / CLAIMS / "other.json").write_text("{}")
    with pytest.raises(ConfigError, match="folder must be published into by one at a time; got a second"):
        published(runs / "one", root)
    assert list(files_of(root)) == [f"{CLAIMS}/other.json"]
    monkeypatch.setattr(claims, "DEAD_AFTER", 0)
    handed_out(runs / "one", root)
    assert CLAIMS not in " ".join(files_of(root))


def test_who_held_its_claim_too_long_writes_nothing_more(
    runs: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_out(runs / "one", root)
    before = files_of(root)
    monkeypatch.setattr(claims, "HELD_AT_MOST", -1)
    with pytest.raises(ResourceError, match=r"^store must answer within -1 s; got no end \(s3://"):
        handed_out(runs / "two", root)
    assert files_of(root) == before
    assert 2 * claims.HELD_AT_MOST < claims.DEAD_AFTER


# verify


@pytest.mark.parametrize("table", ["word_counts", "vocabulary", "pairs", "vectors"])
def test_damage_of_any_file_in_the_store_is_found(runs: Path, table: str) -> None:
    for number, path in enumerate(sorted((runs / "one" / table).iterdir())):
        content = path.read_bytes()
        flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
        path.unlink()
        if number % 3:
            path.write_bytes(flipped if number % 3 == 1 else content[: len(content) // 2])
        try:
            found = {one.path for one in verified(runs / "one" if path.name == FILE_NAME else path.parent).found}
        finally:
            path.write_bytes(content)
        assert str(path) in found
    assert verified(runs / "one").found == []


def test_what_belongs_to_nobody_is_told_and_what_a_kill_left_is_noted(runs: Path) -> None:
    left = runs / "two" / "pairs" / f"shard-00001-{'0' * 16}.parquet"
    foreign = runs / "two" / "pairs" / "thesis.docx"
    left.write_text("of a worker whose driver was killed")
    foreign.write_text("years of work")
    try:
        found = verified(runs / "two")
    finally:
        left.unlink()
        foreign.unlink()
    assert [one.path for one in found.found] == [str(foreign)]
    assert [(one.path, "is left by a build" in one.what) for one in found.notes] == [(str(left), True)]


def test_a_record_that_leads_elsewhere_is_refused(runs: Path, root: Path) -> None:
    handed_out(runs / "one", root)
    record = json.loads((root / "latest.json").read_text())
    for place in ("ftp://x/y", "s3://lake/runs/../../x", "../x", "s3://key:secret@lake/x"):
        (root / "latest.json").write_text(to_text({**record, "vectors": place}))
        with pytest.raises(InputError, match=r"latest.json must be what simglove publish wrote; got ") as caught:
            Vectors.load(root)
        assert "secret" not in str(caught.value)
