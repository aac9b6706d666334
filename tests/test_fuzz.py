"""Hostile files through every reader: a right answer or a clear error, never a traceback, a hang, or memory beyond the budget.

    python -m pytest -q -m faults tests/test_fuzz.py         SIMGLOVE_FUZZ=1000 files for each reader, SIMGLOVE_FUZZ_SEED=1

A failure names its seed; the same seed makes the same file.
"""

import json
import os
import random
import re
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import READERS, bounded, carry_out, trial
from hostile import make_hostile, reseal
from pyarrow import orc
from test_text_ranges import cut, words_in

from simglove_spark.cleaning import is_utf8
from simglove_spark.config import CorpusConfig
from simglove_spark.corpus import list_inputs
from simglove_spark.errors import SimgloveError
from simglove_spark.sampling import text_bytes

SHORT = 8
MANY = int(os.environ.get("SIMGLOVE_FUZZ", "1000"))
SEED = os.environ.get("SIMGLOVE_FUZZ_SEED", "1")


def fuzz(name: str, folder: Path, number: int) -> None:
    reader = READERS[name]
    (folder / "pristine").mkdir()
    reader.make(folder / "pristine")
    shutil.copytree(folder / "pristine", folder / "now")
    ended = carry_out(reader.command(folder / "now"))
    assert ended.code == 0, ended.told
    reader.right(folder / "now")
    found = [trial(name, reader, folder / "pristine", folder / "now", f"{SEED}-{place}") for place in range(number)]
    failed = [told for told in found if told]
    assert not failed, "\n".join([f"{len(failed)} of {number}", *failed[:40]])


@pytest.mark.parametrize("name", READERS)
def test_valid_files_are_read_and_some_hostile_ones_told(tmp_path: Path, name: str) -> None:
    fuzz(name, tmp_path, SHORT)


@pytest.mark.faults
@pytest.mark.parametrize("name", READERS)
def test_a_thousand_hostile_files(tmp_path: Path, name: str) -> None:
    fuzz(name, tmp_path, MANY)


PARQUET = ("vectors table", "vocabulary and pairs", "pairs, looked up", "pairs, merged", "pairs, exported")
PARQUET += ("vocabulary as Parquet", "pairs as Parquet", "words as Parquet", "parquet")


@pytest.mark.parametrize("name", PARQUET)
def test_a_column_whose_name_is_not_utf8_is_told(tmp_path: Path, name: str) -> None:
    """One flipped bit, and pyarrow raises neither an error of its own nor an OSError."""
    READERS[name].make(tmp_path)
    for path in tmp_path.glob(READERS[name].hostile):
        if path.suffix != ".json":
            path.write_bytes(path.read_bytes().replace(b"word", b"\xf7ord"))
    reseal(tmp_path)
    ended = carry_out(READERS[name].command(tmp_path))
    assert ended.code == 3, ended.told


# --- the corpus ---

TEXTS = ("the quick brown fox\njumps over\n\nthe lazy dog 飞机 é\r\n" * 20).encode()


def text_trial(path: Path, seed: str) -> None:
    """A hostile text in byte ranges cut anywhere: the words of a plain loop, and what is not UTF-8 is counted."""
    draw = random.Random(seed)
    path.write_bytes(TEXTS)
    told = make_hostile(path, draw)
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not raw.split() or path.stat().st_size == 0:
        return
    places = [draw.randrange(path.stat().st_size) for _ in range(draw.randrange(4))]
    with bounded():
        words, _, bad = words_in(cut(path, places))
    expected = Counter(raw.split())
    good = {word: count for word, count in expected.items() if is_utf8(word)}
    assert {word: words[word] for word in good} == good, (seed, told)
    assert bad == expected.total() - sum(good.values()), (seed, told)


def parquet_trial(path: Path, seed: str) -> None:
    """A hostile file of a column: its sizes and its head are read, or it is refused."""
    draw = random.Random(seed)
    table = pa.table({"body": ["the quick brown fox", "", None, "é"] * 20, "n": range(80)})
    if path.suffix == ".orc":
        orc.write_table(table, path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        pq.write_table(table, path)
    told = make_hostile(path, draw)
    with bounded():
        try:
            inputs = list_inputs(CorpusConfig(input=(str(path),), column="body"))
            assert text_bytes(inputs, "body") >= 0
        except SimgloveError as error:
            assert re.search(r" must .*; got ", str(error), re.DOTALL), (seed, told)


CORPORA = dict.fromkeys(("a.parquet", "a.orc", "a.jsonl"), parquet_trial) | {"a.txt": text_trial}


@pytest.mark.parametrize("number", [SHORT, pytest.param(MANY, marks=pytest.mark.faults)])
@pytest.mark.parametrize("name", CORPORA)
def test_a_hostile_corpus_is_counted_or_refused(tmp_path: Path, name: str, number: int) -> None:
    for place in range(number):
        CORPORA[name](tmp_path / name, f"{SEED}-{place}")
