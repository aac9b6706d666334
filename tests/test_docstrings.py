"""The demo's text: what is taken out of source files, and that the same files give the same bytes."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simglove_spark import docstrings
from simglove_spark.docstrings import docstring_text, read_batch, write_docstrings
from simglove_spark.errors import InputError

SOURCE = '''
"""Module text.

Second paragraph
over two lines."""
import os
TEXT = """No docstring: a value."""
if os.name:
    def outer(a="not one"):
        """Outer function."""
        def inner():
            """Inner function."""
        return inner
else:
    class Other:
        "Other class."
try:
    async def wait():
        """Wait here."""
except ImportError:
    def wait():
        """Wait there."""
class Thing:
    """Thing class."""
    def method(self):
        """Method text."""
        """Not a docstring."""
    def silent(self): pass
'''
LINES = [
    *("module text", "second paragraph over two lines", "outer function", "inner function", "other class"),
    *("wait here", "wait there", "thing class", "method text"),
]


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A Python with a standard library and one folder of packages, and nothing else."""
    stdlib, packages = tmp_path / "python3.11", tmp_path / "site-packages"
    path = ["", str(stdlib), str(packages), str(tmp_path / "project")]
    monkeypatch.setattr(docstrings, "sysconfig", SimpleNamespace(get_path=lambda name: str(stdlib)))
    monkeypatch.setattr(docstrings, "sys", SimpleNamespace(path=path))  # the real one spawns processes
    for name in ("python3.11/lib.py", "site-packages/b/core.py", "site-packages/a/core.py"):
        add(tmp_path / name, f'"""Text of {name}."""\n')
    return tmp_path


def add(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_docstrings_of_modules_classes_and_functions_in_order(tmp_path):
    add(tmp_path / "a.py", SOURCE)
    assert "".join(read_batch([str(tmp_path / "a.py")])).splitlines() == LINES


@pytest.mark.parametrize(
    ("docstring", "text"),
    [
        ("An Array of np.float64, in 2D; 100 x 3.5", "an array of np float64 in 2d x"),
        ("__init__(self, *args) -> None", "__init__ self args none"),
        ("Don't use `it's_name`", "don't use it s_name"),
        ("----- ____ === 12 1.0", ""),
        ("alone\n\ntwo words", "two words"),
        ("one line\n   \t\nnext\r\n\r\nlast line", "one line\nlast line"),
        ("Größe naïve ΔX", "größe naïve δx"),
        ("lone surrogate \ud800 here", "lone surrogate here"),
    ],
)
def test_words_and_paragraphs(docstring, text):
    assert docstring_text(docstring).splitlines() == text.splitlines()


@given(st.text())
def test_any_docstring_gives_plain_lines_of_lower_case_words(docstring):
    text = docstring_text(docstring)
    assert text.encode().decode() == text
    assert text == "".join(" ".join(line.split()) + "\n" for line in text.split("\n")[:-1])
    assert not any(re.fullmatch(r"[\d_]+", word) for word in text.split())
    assert all(len(line.split()) > 1 for line in text.split("\n")[:-1])


@pytest.mark.parametrize(
    "content",
    [b"def broken(:\n", b'"""Null \0 byte."""', b'# coding: nonsense\n"""Text here."""', b'"""Not UTF-8 \xff."""'],
)
def test_files_that_are_no_python_are_skipped(tmp_path, content):
    add(tmp_path / "bad.py", content)
    add(tmp_path / "good.py", '"""Good \\d text."""')
    paths = [str(tmp_path / name) for name in ("bad.py", "missing.py", "good.py")]
    assert read_batch(paths) == ["good d text\n"]


def test_library_and_packages_in_the_order_of_their_paths(packages):
    text = write_docstrings(packages / "out").read_text()
    assert text == "text of python3 lib py\ntext of site packages a core py\ntext of site packages b core py\n"


def test_tests_and_folders_off_the_path_stay_out(packages):
    before = write_docstrings(packages / "out").read_bytes()
    for name in ("site-packages/a/tests/t.py", "python3.11/test/t.py", "python3.11/site-packages/x.py", "project/p.py"):
        add(packages / name, '"""Should not come."""')
    (packages / "site-packages" / "dangling.py").symlink_to(packages / "gone.py")
    assert write_docstrings(packages / "out").read_bytes() == before


def test_vendored_copies_are_written_once(packages):
    add(packages / "site-packages/a/_vendor/b.py", '"""The same text."""')
    add(packages / "site-packages/z.py", "class Z:\n    '''The same   text.'''")
    assert write_docstrings(packages / "out").read_text().count("the same text\n") == 1


def test_same_bytes_for_any_number_of_processes(packages, monkeypatch):
    monkeypatch.setattr(docstrings, "BATCH_BYTES", 100)
    for number in range(20):
        add(packages / f"site-packages/p{number}.py", f'"""Package number n{number} of {"many " * number}."""')
    seen: list[tuple[int, int]] = []
    one = write_docstrings(packages / "one", 1)
    two = write_docstrings(packages / "two", 2, lambda done, total: seen.append((done, total)))
    assert one.read_bytes() == two.read_bytes()
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1] == (23, 23)


def test_unchanged_files_are_not_read_again(packages, monkeypatch):
    path = write_docstrings(packages / "out")
    monkeypatch.setattr(docstrings, "read_batch", None)
    assert write_docstrings(packages / "out") == path


def test_changed_file_replaces_the_text(packages):
    path = write_docstrings(packages / "out")
    source = packages / "site-packages/a/core.py"
    os.utime(source, ns=(0, source.stat().st_mtime_ns + 1))
    again = write_docstrings(packages / "out")
    assert again != path
    assert [entry.name for entry in (packages / "out").iterdir()] == [again.name]


def test_interrupted_writing_leaves_nothing(packages):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_docstrings(packages / "out", 1, stop)
    assert list((packages / "out").iterdir()) == []


def test_python_without_sources_is_told(packages):
    for path in packages.rglob("*.py"):
        path.unlink()
    with pytest.raises(InputError, match=r"Python must have source files with docstrings; got none"):
        write_docstrings(packages / "out")


def test_kept_in_the_users_cache(packages, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(packages / "cache"))
    assert write_docstrings().parent == packages / "cache" / "simglove" / "docstrings"


def test_guarded_script_may_use_two_processes(tmp_path):
    """As an installed command does; the roots are narrowed to a small folder in the parent only."""
    for number in range(3):
        add(tmp_path / f"site-packages/p{number}.py", f'"""Package text n{number}."""')
    script = (
        "from pathlib import Path\nfrom simglove_spark import docstrings as d\n"
        "if __name__ == '__main__':\n"
        f"    d.BATCH_BYTES = 10\n    d.source_roots = lambda: [{str(tmp_path / 'site-packages')!r}]\n"
        f"    print(d.write_docstrings(Path({str(tmp_path / 'out')!r}), 2).read_text())\n"
    )
    add(tmp_path / "command", script)
    run = subprocess.run([sys.executable, tmp_path / "command"], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:3] == [f"package text n{number}" for number in range(3)]
    assert run.stderr == ""
