"""The report of a run: one well-formed file that fetches nothing, in which words are never markup, and whose figures are right."""

import base64
import errno
import hashlib
import json
import os
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from logs import besides
from pages import HOSTILE, Page, write_run

from simglove_spark import cli
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.pages.report import charts, page, tables, word_map
from simglove_spark.pages.report.run_folder import RunFolder, read_evaluations
from simglove_spark.pages.telling_words import telling_words
from simglove_spark.shown import plain_text, short_text
from simglove_spark.vectors import Vectors

ECHARTS = "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0"  # of the published file, see its README


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "a <b>run&amp;"
    write_run(folder, HOSTILE)
    return folder


@pytest.fixture(scope="module")
def text(run: Path) -> str:
    return rendered(run, watch=HOSTILE)


def rendered(folder: Path, evaluations: Any = (), watch: Any = ()) -> str:
    return page.render(RunFolder.read(folder), evaluations, watch, 100, "pca")


def data_of(found: Page) -> dict[str, Any]:
    return json.loads(found.scripts[0])


def test_the_page_is_well_formed_and_has_no_markup_of_words(run: Path, text: str, tmp_path: Path) -> None:
    found = Page(text)
    assert found.open == []
    words = [f"p{number}" for number in range(len(HOSTILE))]
    write_run(tmp_path / "plain", words)
    plain = Page(rendered(tmp_path / "plain", watch=words))
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in plain.tags]
    assert "a <b>run&amp;" in found.text
    assert data_of(found)["map"]["words"][: len(HOSTILE)] == [short_text(word) for word in HOSTILE]
    assert len(text) < 2_500_000  # of which the chart library is 1.1 million


@settings(max_examples=25, deadline=None)
@given(
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), max_size=6, unique=True)
)
def test_any_words_leave_the_page_as_it_is(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any") / "run"
    write_run(folder, words, size=30)
    found = Page(rendered(folder, watch=words))
    assert found.open == []
    assert len(found.scripts) == 3
    assert data_of(found)["map"]["words"][: len(words)] == [short_text(word) for word in words]


HARMFUL = "".join(map(chr, [*range(32), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A)]))


@settings(deadline=None)
@given(word=st.text(), most=st.integers(1, 30))
@example(word=HARMFUL, most=30)
@example(word="\udc80 \ud800", most=3)
def test_shown_words_are_short_and_on_one_line(word: str, most: int) -> None:
    assert len(short_text(word, most)) == min(len(word), most)
    assert len(short_text(word).splitlines()) <= 1
    assert not set(plain_text(word)) & set(HARMFUL)
    assert plain_text(word).encode() is not None


def test_what_belongs_to_the_spelling_is_shown() -> None:
    for word in ("می\u200cخواهم", "क्\u200dष", "👩\u200d🚀", "a\u3000b\xa0c", "\ue000"):
        assert plain_text(word) == word


def test_nothing_is_fetched(text: str) -> None:
    found = Page(text)
    for tag, attributes in found.tags:
        assert "src" not in attributes and "srcset" not in attributes and "action" not in attributes, tag
        assert attributes.get("href", "#").startswith("#") or attributes["href"] == "data:,"
        assert not [name for name in attributes if name.startswith("on")], tag
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(styles) == 1
    assert "url(" not in styles[0] and "@import" not in styles[0]
    assert not re.search(r"https?:|fetch\(|XMLHttpRequest|import\(|innerHTML|eval\(", found.scripts[2])


def test_the_policy_allows_the_two_scripts_and_nothing_from_elsewhere(text: str) -> None:
    found = Page(text)
    policy = next(a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    for script in found.scripts[1:]:
        checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{checksum}'" in policy
    assert "http" not in policy


def test_the_chart_library_is_the_published_one_with_its_licence() -> None:
    folder = files("simglove_spark.pages") / "report" / "echarts"
    assert hashlib.sha256((folder / "echarts.min.js").read_bytes()).hexdigest() == ECHARTS
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "Apache ECharts" in (folder / "NOTICE").read_text()


def test_the_page_tells_what_the_run_holds(run: Path, text: str) -> None:
    found = Page(text).text
    assert "40" in found and "2026-01-02 03:04:05" in found
    assert re.search(r"train\s*complete\s*2\.0\s*40\s*20\s*4 KiB", found)
    assert "made fromvocabulary " in found and ", in this folder" in found
    assert "--threads2–" in found.replace("\n", "")
    assert "Length is not importance here: counts were evened out (--count-power 0.75)" in found


@pytest.mark.parametrize(
    ("power", "told"), [(1.0, "a longer vector is a word that says more"), (None, "Length of a word's vector")]
)
def test_what_norms_say_depends_on_how_counts_were_evened(tmp_path: Path, power: float | None, told: str) -> None:
    write_run(tmp_path / "run", [], power=power)
    found = Page(rendered(tmp_path / "run")).text
    assert told in found
    assert "not importance" not in found


def test_a_folder_with_vectors_alone_is_shown_too(tmp_path: Path) -> None:
    Vectors(["only", "two"], [[1.0], [0.0]]).save(tmp_path / "run" / "vectors")
    found = Page(rendered(tmp_path / "run"))
    assert "These vectors carry no record of their training." in found.text
    assert "Nobody counted these words" in found.text
    assert data_of(found)["map"]["places"] == [[1.0, 0.0], [-1.0, 0.0]]


def test_the_same_run_gives_the_same_text(run: Path, text: str) -> None:
    assert rendered(run, watch=HOSTILE) == text


# --- figures ---


def test_losses_are_those_of_the_passes() -> None:
    passes = [{"sweep": 1, "of": 2, "loss": 3.0}, {"sweep": 2, "loss": 2.0, "held_out_loss": 4.0, "seconds": 9}]
    told = charts.losses(passes)
    assert told == {
        "unit": "sweep",
        "passes": 2,
        "series": [{"name": "loss", "values": [3.0, 2.0]}, {"name": "held out loss", "values": [None, 4.0]}],
    }
    assert charts.losses([{"epoch": 1, "loss": 1.0}])["unit"] == "epoch"


def test_norms_and_rarity_are_those_of_plain_loops() -> None:
    random = np.random.default_rng(5)
    size = 12_000
    counts = (1e6 / np.arange(1, size + 1)).astype(np.int64)
    counts[-3:] = 0  # words that the corpus lacks are not shown
    vectors = Vectors([f"w{number}" for number in range(size)], random.standard_normal((size, 3)), counts)
    told = charts.norms(vectors)
    assert told is not None
    assert told["words"][:100] == [f"w{number}" for number in range(100)]
    assert 1000 < len(told["words"]) <= charts.POINTS
    total = sum(counts.tolist())
    for word, (x, y), count in zip(told["words"], told["points"], told["counts"], strict=True):
        row = int(word[1:])
        assert count == counts[row] > 0
        assert x == pytest.approx(-np.log(counts[row] / total), abs=1e-4)
        assert y == pytest.approx(sum(float(v) ** 2 for v in vectors.matrix[row]) ** 0.5, abs=1e-4)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 9), st.floats(0, 9, width=32)),
        min_size=1,
        max_size=300,
    )
)
def test_medians_are_those_of_a_plain_loop(points: list[tuple[float, float]]) -> None:
    x, y = np.array([p[0] for p in points]), np.array([p[1] for p in points], np.float32)
    width = (x.max() + 1e-9 - x.min()) / charts.BINS
    bins: dict[int, list[float]] = {}
    edges = np.linspace(x.min(), x.max() + 1e-9, charts.BINS + 1).tolist()
    for one, other in points:
        place = max(number for number in range(charts.BINS) if edges[number] <= one)
        bins.setdefault(place, []).append(other)
    expected = [
        [x.min() + (place + 0.5) * width, float(np.median(np.array(ys, np.float32)))]
        for place, ys in sorted(bins.items())
        if len(ys) >= charts.LEAST_IN_BIN
    ]
    assert np.allclose(np.reshape(charts.medians(x, y), (-1, 2)), np.reshape(expected, (-1, 2)), atol=2e-4)


def clustered(size: int) -> tuple[Vectors, np.ndarray]:
    random = np.random.default_rng(9)
    kind = np.arange(size) % 3
    matrix = random.standard_normal((3, 8))[kind] * 3 + random.standard_normal((size, 8))
    return Vectors([f"w{number}" for number in range(size)], matrix, np.arange(size, 0, -1)), kind


def of_one_kind(places: np.ndarray, kind: np.ndarray) -> float:
    """Share of points whose nearest other point is of the same kind."""
    distances = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((kind[distances.argmin(axis=1)] == kind).mean())


@pytest.mark.parametrize("projection", ["pca", "tsne"])
def test_words_with_like_vectors_lie_together_on_the_map(projection: word_map.Projection) -> None:
    vectors, kind = clustered(150)
    ids = vectors.most_frequent(150)
    places = word_map.project(vectors, ids, projection, seed=1)
    assert np.abs(places).max(axis=0) == pytest.approx([1, 1])
    assert of_one_kind(places, kind) > 0.95
    assert of_one_kind(np.random.default_rng(1).standard_normal((150, 2)), kind) < 0.6  # the control
    assert np.array_equal(word_map.project(vectors, ids, projection, seed=1), places)


def test_pca_has_the_largest_variances() -> None:
    vectors, _ = clustered(50)
    rows = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(np.cov(rows.T.astype(float), bias=True))
    assert word_map._pca(rows.astype(float)).var(axis=0) == pytest.approx(values[::-1][:2])


def test_neighbours_are_those_of_the_vectors(run: Path) -> None:
    vectors = Vectors.load(run / "vectors")
    (row,) = charts.neighbours(vectors, ["飞机场"])
    assert row["similar"] == [(short_text(word), score) for word, score in vectors.most_similar("飞机场", 8)]
    assert row["correlative"] == [(short_text(word), score) for word, score in vectors.most_correlative("飞机场", 8)]


def test_words_of_all_ranks_are_watched_when_none_is_named() -> None:
    words = telling_words(Vectors([f"w{n}" for n in range(20_000)], np.ones((20_000, 1))), 12)
    assert (words[0], words[-1], len(words)) == ("w150", "w10000", 12)
    assert telling_words(Vectors(["a", "b"], np.ones((2, 1))), 12) == ["b"]


# --- tables ---


def test_evaluations_are_rows_of_a_table(tmp_path: Path) -> None:
    main = {"measure": "spearman", "part": "all", "score": 0.5, "interval": [0.25, 0.75], "found": 1000, "total": 1200}
    none = {"measure": "spearman", "part": "\x1b", "score": None, "interval": None, "found": 0, "total": 2}
    own = {"kind": "similarity", "file": "ws.txt", "scores": [main, none]}
    difference = {"vectors": "b", "against": "a", "difference": -0.25, "interval": [-0.5, 0.125]}
    both = {"kind": "similarity", "file": "ws.txt", "measure": "spearman", "part": "all", "found": 3, "total": 4}
    both |= {"scores": [0.5, 0.25], "differences": [difference]}
    models = [{"vectors": name, "results": [own]} for name in "ab"]
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"models": models, "shared": {"words": 5, "results": [both]}}))
    (first, rows), (second, _), (third, shared) = read_evaluations([path])
    assert (first, second, third) == ("two.json: a", "two.json: b", "two.json: the words that all share")
    columns, told = tables.evaluation(rows)
    assert columns == ("kind", "file", "measure", "part", "score", "interval", "found", "total")
    assert told == [
        ["similarity", "ws.txt", "spearman", "all", "0.500", "0.250 to 0.750", "1,000", "1,200"],
        ["similarity", "ws.txt", "spearman", "\ufffd", "", "", "0", "2"],
    ]
    columns, told = tables.evaluation(shared)
    head = ["similarity", "ws.txt", "spearman", "all"]
    assert columns == (*columns[:4], "vectors", "score", "against", "difference", "interval", "found", "total")
    assert told == [
        [*head, "a", "0.500", "", "", "", "3", "4"],
        [*head, "b", "0.250", "a", "-0.250", "-0.500 to 0.125", "3", "4"],
    ]


def test_settings_tell_what_is_not_the_default(run: Path) -> None:
    training = {row["name"]: row for row in tables.settings(RunFolder.read(run))["Training"]}
    assert training["--dim"] == {"name": "--dim", "value": "4", "default": "100", "changed": True}
    assert training["--count-power"] == {
        "name": "--count-power",
        "value": "0.75",
        "default": "0.75",
        "changed": False,
    }


def test_a_parent_that_is_not_here_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "vectors").symlink_to(run / "vectors")
    (row,) = tables.lineage(RunFolder.read(tmp_path / "run"))
    assert [parent.split(", ")[1] for parent in row["parents"]] == ["of elsewhere"] * 2


# --- contracts ---


def test_messages_of_folders_and_files_that_are_not_what_they_should_be(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        RunFolder.read(run / "vectors")
    assert str(caught.value) == (
        f"folder must be that of a run, which holds vectors/; got a table ({run / 'vectors'}). Give {run}."
    )


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"stages": 5}',
        '{"stages": {"train": 5}}',
        '{"config": []}',
        '{"stages": {"train": {"seconds": "x"}}}',
        '{"stages": {"train": {"rows": null}}}',
        '{"stages": {"train": {"bytes": []}}}',
    ],
)
def test_a_record_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    write_run(tmp_path / "run", [])
    path = tmp_path / "run" / "run.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        RunFolder.read(tmp_path / "run")
    assert str(caught.value) == (
        f"run.json must hold config and stages as objects; got others ({path}). Run the stages again."
    )


@pytest.mark.parametrize(
    ("module", "message"),
    [("jinja2", "report must have Jinja2; got"), ("openTSNE", "--projection tsne must have openTSNE; got")],
)
def test_a_missing_library_is_named_with_its_extra(
    run: Path, monkeypatch: pytest.MonkeyPatch, module: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(word_map, "PERPLEXITY", 2)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        page.render(RunFolder.read(run), (), (), 100, "tsne")
    assert "pip install 'simglove-spark[report]'" in str(caught.value)


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = cli.main(["report", *map(str, arguments), "--projection", "pca"])
    out, err = capsys.readouterr()
    assert (out == "") == (code != 0)
    return code, out + besides(err)


def test_the_command_writes_beside_the_run_and_never_half(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = sorted(path for path in run.rglob("*"))
    path = run.parent / f"{run.name}.report.html"
    assert report(capsys, run) == (
        0,
        f"The report is in {path}: one file, which any browser opens without a network.\n",
    )
    assert sorted(path for path in run.rglob("*")) == before
    code, line = report(capsys, run)
    assert (code, line) == (
        2,
        f"simglove: output must be a new file; got one that exists ({path}). Give another --output, or --overwrite.\n",
    )
    told = path.read_bytes()
    code, line = report(capsys, run, "--overwrite", "--watch", "nowhere")
    assert code == 3
    assert line.startswith("simglove: word must be one of the vocabulary's 40; got 'nowhere'.")
    assert path.read_bytes() == told
    scores = tmp_path / "scores.json"
    row = {"measure": "spearman", "part": "all", "score": 0.5, "interval": None, "found": 1, "total": 2}
    results = [{"kind": "similarity", "file": "<i>ws.txt", "scores": [row]}]
    scores.write_text(json.dumps({"vectors": "v", "results": results}))
    assert report(capsys, run, "--overwrite", "--evaluation", scores, "--watch", "w1", "w2")[0] == 0
    assert "<i>ws.txt" in Page(path.read_text(encoding="utf-8")).text
    assert [entry for entry in run.parent.iterdir() if entry not in (run, path)] == []


def test_a_place_that_cannot_be_written_is_told(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("kept")
    path = tmp_path / "file" / "report.html"
    code, line = report(capsys, run, "--output", path)
    assert (code, line) == (
        4,
        f"simglove: output must be writable; got File exists ({path}). Give another --output.\n",
    )
    os.mkfifo(tmp_path / "pipe")
    assert report(capsys, run, "--output", tmp_path / "pipe", "--overwrite")[0] == 2

    def full(self: Path, text: str, **options: Any) -> None:
        self.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert report(capsys, run, "--output", tmp_path / "file", "--overwrite")[0] == 4
    assert (tmp_path / "file").read_bytes() == b"kept"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "pipe"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--map-words", "2"], 2, "--map-words must lie between 3 and 20000; got 2. Use 3000."),
        (["--output", "."], 2, "output must be a new file; got one that exists"),
        (["--evaluation", "none.json"], 3, "scores must be a file; got No such file or directory"),
    ],
)
def test_wrong_usage_is_told_in_a_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    got, told = report(capsys, run, "--overwrite", *arguments)
    assert (got, told.count("\n")) == (code, 1)
    assert message in told


# --- neighbours after each pass ---


def watching_run(folder: Path, neighbours: Any, sha256: str | None = None) -> Path:
    manifest = write_run(folder, HOSTILE)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["stages"]["train"]["sha256"] = sha256 or manifest.content_sha256
    (folder / "run.json").write_text(json.dumps({**record, "neighbours": neighbours}), encoding="utf-8")
    return folder


def test_neighbours_are_shown_as_they_settled(tmp_path: Path) -> None:
    evil = HOSTILE[0]
    heard = [
        {"sweep": 1, "word": evil, "nearest": ["a", evil], "stayed": 0},
        {"sweep": 1, "word": "w15", "nearest": ["b"], "stayed": 0},
        {"sweep": 2, "word": evil, "nearest": [evil, "c"], "stayed": 1},
    ]
    folder = watching_run(tmp_path / "run", heard)
    assert tables.settling(RunFolder.read(folder)) == {
        "unit": "sweep",
        "words": {
            evil: [
                {"pass": 1, "nearest": [("a", False), (evil, False)]},
                {"pass": 2, "nearest": [(evil, False), ("c", True)]},
            ],
            "w15": [{"pass": 1, "nearest": [("b", False)]}],
        },
    }
    text = rendered(folder)
    assert Page(text).open == []
    assert "As they settled" in Page(text).text
    assert "<b>c</b>" in text
    assert len(Page(text).scripts) == 3


@pytest.mark.parametrize(
    ("neighbours", "sha256"),
    [
        ([], None),
        ("x", None),
        ([{"sweep": 1, "word": "a", "nearest": ["b"], "stayed": 0}], "0" * 64),  # of another training
        ([1, {}, {"word": "a"}, {"word": "a", "nearest": [1], "stayed": 0, "sweep": 1}], None),
        ([{"word": "a", "nearest": ["b"], "stayed": 0}], None),
    ],
)
def test_without_neighbours_of_its_own_nothing_is_shown(tmp_path: Path, neighbours: Any, sha256: str | None) -> None:
    folder = watching_run(tmp_path / "run", neighbours, sha256)
    assert tables.settling(RunFolder.read(folder)) is None
    assert "As they settled" not in rendered(folder)
