"""Model cards: what they tell of a run, that the hub's own library reads them, and that nothing in them is markup or a path."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables
import yaml

from simglove_spark.errors import InputError
from simglove_spark.export import FORMATS, load_vectors, save_vectors
from simglove_spark.formats import lineage
from simglove_spark.formats.card import code
from simglove_spark.formats.importing_vectors import import_vectors
from simglove_spark.manifest import Manifest, hash_json, sealed
from simglove_spark.vectors import Vectors

HOSTILE = "a|b`<script>\n# x\x1b[31m.txt"
SETTINGS = {
    "model": "pmi",
    "dim": 2,
    "count_power": 0.75,
    "seed": 1,
    "start_from": "/home/someone/vectors",
    "loss": None,
}


def scored(measure: str, part: str, score: float | None, interval: Any, found: int, total: int) -> dict[str, Any]:
    counts = {"found": found, "total": total}
    return {"measure": measure, "part": part, "score": score, "interval": interval, **counts}


ANALOGIES = [scored("3CosAdd", "all", 0.5, [0.4, 0.61], 1, 2), scored("3CosAdd", "semantic", 0.25, None, 1, 2)]
SCORES = {
    "vectors": "/home/someone/v",
    "results": [
        {"kind": "similarity", "file": "ws353.txt", "scores": [scored("spearman", "all", 0.6871, None, 351, 353)]},
        {"kind": "analogy", "file": "q.txt", "scores": ANALOGIES},
        {"kind": "similarity", "file": "none.txt", "scores": [scored("spearman", "all", None, None, 0, 3)]},
    ],
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with a vocabulary, pairs, vectors and run.json."""
    folder = tmp_path / "run"
    vocabulary = tables.write_vocabulary(folder / "vocabulary", {"a": 5, "b": 3})
    path, inputs = (
        folder / "vocabulary" / "_manifest.json",
        [{"path": f"/home/someone/{HOSTILE}", "bytes": 2048, "modified": 10**18}],
    )
    raw = json.loads(path.read_text())
    raw |= {
        "inputs": inputs,
        "bad_files": inputs,
        "config": {"lowercase": True, "normalize": "nfkc", "tokenizer": "words"},
    }
    raw["config_hash"] = hash_json(raw["config"])
    path.write_text(json.dumps(sealed(raw)))
    pairs = tables.write_pairs(folder / "pairs", {(0, 1): 2}, vocabulary)
    vectors = Vectors(["a", "b"], [[1.0, 2.0], [3.0, 4.0]], [5, 0])
    own = vectors.save(folder / "vectors", SETTINGS, [vocabulary.as_parent(), pairs.as_parent()])
    record = {"ended": "2026-11-22T15:49:11.989+00:00", "stages": {"train": {"sha256": own.content_sha256}}}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def card_of(run: Path, name: str = "parquet", scores: tuple[Path, ...] = (), **options: Any) -> str:
    vectors = Vectors.load(run / "vectors")
    found = lineage.find(run / "vectors", vectors, scores)
    return save_vectors(vectors, run.parent / "out", name, lineage=found, overwrite=True, **options).read_text()


def test_a_card_tells_corpus_date_settings_scores_and_gaps(run: Path) -> None:
    scores = run.parent / "scores.json"
    scores.write_text(json.dumps(SCORES))
    text = card_of(run, scores=(scores,), dtype="int8")
    for line in (
        "# Word vectors: 2 words, 2 components",
        "Written by simglove-spark as parquet, int8. To open them:",
        '    pandas.read_parquet("FILE")',
        "Date: trained 2026-11-22.",
        "8 words of the vocabulary; input files: 1",
        "| `a¦b'<script>\ufffd# x\ufffd[31m.txt` | 2 KiB |",
        "| vocabulary | `lowercase` | `True` |",
        "| pairs | `window_size` | `5` |",
        "| vectors | `count_power` | `0.75` |",
        "| vectors | `start_from` | `vectors` |",
        "| `ws353.txt` | `similarity, spearman, all` | 0.687 | - | 351 | 353 |",
        "| `q.txt` | `analogy, 3CosAdd, all` | 0.500 | 0.400 to 0.610 | 1 | 2 |",
        "| `q.txt` | `analogy, 3CosAdd, semantic` | 0.250 | - | 1 | 2 |",
        "- Components are int8 codes with a scale a word: each moved by 1/254 of the word's largest one at most.",
        "- Words of count 0, which the corpus lacks and of which nothing was learned: 1.",
        "- Text must be cut by `words` before it is looked up, as the corpus was.",
        "- Files of the corpus that could not be read and were left out: 1.",
    ):
        assert line in text.split("\n"), line
    assert "Counts were evened (count_power `0.75`)" in text
    assert "someone" not in text
    assert "none.txt" not in text
    assert "`loss`" not in text


def test_the_hub_reads_the_head_of_a_card(run: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    scores = run.parent / "scores.json"
    scores.write_text(json.dumps(SCORES))
    data = hub.ModelCard(card_of(run, "safetensors", (scores,))).data
    assert (data.library_name, data.pipeline_tag) == ("model2vec", "feature-extraction")
    assert {"word-vectors", "model2vec", "sentence-transformers"} <= set(data.tags)
    assert [(result.dataset_name, result.metric_value) for result in data.eval_results] == [
        ("ws353.txt", 0.6871),
        ("q.txt", 0.5),
        ("q.txt", 0.25),
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_every_export_has_a_card_with_the_same_bytes_each_time(run: Path, name: str) -> None:
    first = card_of(run, name)
    assert card_of(run, name) == first
    head = yaml.safe_load(re.match(r"---\n(.*?)---\n", first, re.DOTALL)[1])  # type: ignore[index]
    assert "word-vectors" in head["tags"]
    assert f"Written by simglove-spark as {name}, float32." in first
    assert ("The format carries no counts" in first) == (not FORMATS[name].counts)
    assert "None were given with this export." in first


def test_only_what_is_the_vectors_own_is_told(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "stages": {"train": {"sha256": "another"}}}))
    assert "Date: corpus last changed 2001-09-09." in card_of(run)
    (run / "run.json").write_text("[")
    assert "Date: corpus last changed 2001-09-09." in card_of(run)
    Manifest.load(run / "vocabulary", "vocabulary")
    tables.write_vocabulary(run / "other", {"c": 5})
    (run / "vocabulary").rename(run / "old")
    (run / "other").rename(run / "vocabulary")
    text = card_of(run)
    assert "Not known: the vectors' vocabulary table was not beside them." in text
    assert "Date:" not in text
    assert "| vocabulary |" not in text
    assert "| pairs |" in text


def test_vectors_of_no_table_and_of_other_models_say_so(tmp_path: Path, run: Path) -> None:
    text = save_vectors(Vectors(["a"], [[1.0]]), tmp_path / "1", "npy", unknown=True).read_text()
    assert "Not known: they did not come from a table." in text
    assert "`<unk>` is the mean of the 100 rarest words, not learned." in text
    for number, (config, told) in enumerate((({"model": "glove"}, "GloVe's"), ({"space": "separate"}, "a space each"))):
        Vectors(["a"], [[1.0]]).save(tmp_path / f"v{number}", config)
        assert told in save_vectors(Vectors.load(tmp_path / f"v{number}"), tmp_path / f"e{number}", "npy").read_text()


def test_a_card_of_imported_vectors_tells_their_file(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("a 1 2\nb 3 4\n")
    name, manifest = import_vectors(tmp_path / "glove.txt", None, tmp_path / "table", False)
    (entry,) = manifest.details["imported"]["files"]
    assert (name, entry["path"], entry["bytes"]) == ("glove-text", "glove.txt", 12)
    text = save_vectors(Vectors.load(tmp_path / "table"), tmp_path / "out", "npy").read_text()
    assert "Imported; what they were trained on is not known here:" in text
    assert f"| `glove.txt` | `{entry['sha256']}` |" in text


def test_scores_of_several_models_are_refused(run: Path) -> None:
    path = run.parent / "scores.json"
    path.write_text(json.dumps({"models": [SCORES, SCORES], "shared": {"words": 2, "results": []}}))
    with pytest.raises(InputError) as caught:
        card_of(run, scores=(path,))
    assert str(caught.value) == f"scores must be of one model; got 2 ({path}). Evaluate these vectors alone."


def test_a_value_is_code_whatever_it_is() -> None:
    assert code("`x` | <b>\n") == "`'x' ¦ <b>\ufffd`"
    assert code("y" * 300) == f"`{'y' * 199}…`"


def test_numbers_and_reading_survive_a_model_and_its_card(run: Path) -> None:
    card_of(run, "safetensors")
    tokenizer = json.loads((run.parent / "out" / "tokenizer.json").read_text())
    assert [part["type"] for part in tokenizer["normalizer"]["normalizers"]] == ["NFKC", "Lowercase"]
    assert np.array_equal(load_vectors(run.parent / "out").matrix, [[1, 2], [3, 4]])
