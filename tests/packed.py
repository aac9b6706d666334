"""Environments packed for --archives, as the README has operators make them."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import venv_pack
from warming import warm

ROOT = Path(__file__).parent.parent
WARM_UP = "from simglove_spark.warm_up import warm_up; warm_up()"


def packed(folder: Path) -> Path:
    """A thin archive: this checkout's package, kernels and all, in an environment that takes numba and the rest from ours."""
    environment = folder / "thin"
    _run(sys.executable, "-m", "venv", "--without-pip", environment)
    (site,) = environment.glob("lib/python3.*/site-packages")
    # looked up last, and without its own .pth files: an editable install stays out
    (site / "others.pth").write_text(f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})\n")
    warm()
    shutil.copytree(ROOT / "simglove_spark", site / "simglove_spark")
    return _pack(environment, folder / "environment.tar.gz")


def packed_whole(folder: Path) -> dict[bool, Path]:
    """Archives of the package and all that it needs, from the registry: with its kernels compiled, and without."""
    environment = folder / "whole"
    _run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ROOT)
    archives = {False: _pack(environment, folder / "not-compiled.tar.gz")}
    _run(python, "-I", "-c", WARM_UP)  # isolated, or it finds the checkout before the environment
    return archives | {True: _pack(environment, folder / "compiled.tar.gz")}


def _pack(environment: Path, archive: Path) -> Path:
    venv_pack.pack(prefix=str(environment), output=str(archive), compress_level=1)
    return archive


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)
