"""Hostile files through every reader: a right answer or a clear error, never a traceback, a hang, or memory beyond the budget.

    python -m pytest -q -m faults tests/test_fuzz.py         SIMGLOVE_FUZZ=1000 files for each reader, SIMGLOVE_FUZZ_SEED=1

A failure names its seed; the same seed makes the same file.
"""

import os
import shutil
from pathlib import Path

import pytest
from fuzzing import READERS, carry_out, trial

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
