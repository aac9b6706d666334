"""The demo's corpus: English that every machine has, the docstrings of Python and of all installed packages.

A line is one paragraph of a docstring in lower case, so that no window reaches over a paragraph's end. Test folders are
left out: their few docstrings say the same of each test. Vendored copies of a package bring the same docstrings again;
each is written once.
"""

import ast
import hashlib
import os
import re
import sys
import sysconfig
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

from simglove_spark.cache import cache_folder
from simglove_spark.errors import InputError

TEXT_VERSION = 1  # raise it when the same files would give other text
BATCH_BYTES = 2 << 20

#: A word has a letter; identifiers and `2d` stay whole, numbers and punctuation go.
WORD = re.compile(r"\w*[^\W\d_]\w*(?:'t\b)?")
PARAGRAPH_END = re.compile(r"\n\s*\n")
PACKAGE_FOLDERS = ("site-packages", "dist-packages")
SKIPPED_FOLDERS = (*PACKAGE_FOLDERS, "test", "tests", "idle_test", "__pycache__")

SourceFile = tuple[str, int, int]  # path, bytes, time of last change in ns


def write_docstrings(
    folder: Path | None = None, processes: int = 1, on_progress: Callable[[int, int], None] | None = None
) -> Path:
    """Text file of all docstrings on this machine, one paragraph a line; found again if no source file has changed.

    Parameters
    ----------
    folder
        Where the file is kept; by default in the user's cache.
    processes
        Processes that read source files; the text is the same for any number. More than one are spawned: a script
        that asks for them needs ``if __name__ == "__main__":``.
    on_progress
        Called with the number of files read and of all files.

    Raises
    ------
    InputError
        When the Python here has no docstrings, as those stripped to bytecode.
    """
    roots = source_roots()
    files = sorted(file for root in roots for file in _source_files(root))
    folder = cache_folder("docstrings") if folder is None else folder
    place = hashlib.sha256(repr(roots).encode()).hexdigest()[:8]
    content = hashlib.sha256(repr([TEXT_VERSION, files]).encode()).hexdigest()[:16]
    path = folder / f"docstrings-{place}-{content}.txt"
    if not path.is_file():
        _write(path, _unique_texts(files, processes, on_progress or (lambda done, total: None)))
        for other in folder.glob(f"docstrings-{place}-*.txt"):
            if other != path:
                other.unlink(missing_ok=True)  # what this Python had before a package was installed
    return path


def source_roots() -> list[str]:
    """Folders of the standard library and of installed packages."""
    packages = [entry for entry in sys.path if Path(entry).name in PACKAGE_FOLDERS]
    found = [os.path.realpath(root) for root in (sysconfig.get_path("stdlib"), *packages)]
    return sorted({root for root in found if Path(root).is_dir()})


def _source_files(root: str) -> list[SourceFile]:
    """Python files below a root; packages inside the standard library's folder are a root themselves or not on the path."""
    files: list[SourceFile] = []
    for parent, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118 - Path is slow on 20,000 files
            if name.endswith(".py"):
                with suppress(OSError):  # a dangling link, or a package that is just removed
                    status = os.stat(path)  # noqa: PTH116
                    files.append((path, status.st_size, status.st_mtime_ns))
    return files


def _write(path: Path, texts: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as out:
            out.writelines(texts)
        if temporary.stat().st_size == 0:
            raise InputError(
                f"Python must have source files with docstrings; got none ({sysconfig.get_path('stdlib')}). "
                "Give a text of your own."
            )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _unique_texts(files: list[SourceFile], processes: int, on_progress: Callable[[int, int], None]) -> Iterator[str]:
    """Each docstring's lines, the first time it comes."""
    seen: set[bytes] = set()
    done = 0
    for batch, texts in _read_batches(_batches(files), processes):
        for text in texts:
            digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                yield text
        done += len(batch)
        on_progress(done, len(files))


def _batches(files: list[SourceFile]) -> list[list[str]]:
    """Files in order, in batches of about equal bytes."""
    batches: dict[int, list[str]] = {}
    for (path, _, _), end in zip(files, accumulate(size for _, size, _ in files), strict=True):
        batches.setdefault(end // BATCH_BYTES, []).append(path)
    return list(batches.values())


def _read_batches(batches: list[list[str]], processes: int) -> Iterator[tuple[list[str], list[str]]]:
    if processes <= 1 or len(batches) <= 1:
        yield from ((batch, read_batch(batch)) for batch in batches)
        return
    # spawn, as a fork would copy this process's threads (Spark's, the progress bar's) in the middle of what they do
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from zip(batches, pool.map(read_batch, batches), strict=True)


def read_batch(paths: list[str]) -> list[str]:
    """Texts of the docstrings of some files, in their order; files that are no Python are skipped."""
    texts = []
    for path in paths:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes in other people's code
                tree = ast.parse(Path(path).read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        texts += [text for docstring in _docstrings(tree) if (text := docstring_text(docstring))]
    return texts


def _docstrings(tree: ast.Module) -> Iterator[str]:
    """Docstrings of a module and of its classes and functions; only statements are searched, never expressions."""
    rest: list[ast.AST] = [tree]
    while rest:
        node = rest.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            if docstring:
                yield docstring
        inner = [child for part in ("body", "handlers", "orelse", "finalbody") for child in getattr(node, part, ())]
        rest += reversed(inner)


def docstring_text(docstring: str) -> str:
    """A docstring's paragraphs, one a line; a lone word has no neighbours and is dropped."""
    paragraphs = (WORD.findall(part) for part in PARAGRAPH_END.split(docstring.lower()))
    return "".join(" ".join(words) + "\n" for words in paragraphs if len(words) > 1)
