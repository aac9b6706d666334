"""Sizes in bytes, and times: reading and writing them as people do, and asking the machine."""

import os
import re
from pathlib import Path

import psutil

from simglove_spark.errors import ConfigError

# a Python with numpy, pyarrow, numba and compiled kernels, and the text that it reads, before any table
WORKER_BASE = 256 << 20
#: Any of them says how much an executor may take beside its heap.
_OVERHEADS = {f"spark.executor.{name}" for name in ("memoryOverhead", "memoryOverheadFactor", "pyspark.memory")}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_size(text: str, flag: str) -> int:
    """Bytes of a size such as 512m or 8g.

    Raises
    ------
    ConfigError
        When it is not a positive size.
    """
    size = int(_number(text, _UNITS, "i?b?"))
    if size < 1:
        raise ConfigError(f"--{flag} must be a size such as 512m or 8g; got {text!r}. Write a number and k, m, g or t.")
    return size


def parse_time(text: str, flag: str) -> float:
    """Seconds of a time such as 90s, 45m or 8h.

    Raises
    ------
    ConfigError
        When it is not a positive time.
    """
    seconds = _number(text, _SECONDS)
    if seconds <= 0:
        raise ConfigError(f"--{flag} must be a time such as 45m or 8h; got {text!r}. Write a number and s, m, h or d.")
    return seconds


def _number(text: str, units: dict[str, int], ending: str = "") -> float:
    """A number of up to 15 digits times its unit, a letter or nothing; 0 for anything else."""
    match = re.fullmatch(rf"\s*([0-9]{{1,15}}(?:\.[0-9]+)?)\s*([{''.join(units)}]?){ending}\s*", text.lower())
    return float(match[1]) * units[match[2]] if match else 0.0


def show_size(size: float) -> str:
    """A size in the largest unit that keeps it above one."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def total_memory() -> int:
    """Bytes of memory of this machine, or of the container if that has less."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        limit = "max"
    machine = int(psutil.virtual_memory().total)
    return machine if limit == "max" else min(machine, int(limit))


def free_memory() -> int:
    """Bytes that can be had now without swapping."""
    return min(int(psutil.virtual_memory().available), total_memory())


def own_memory() -> int:
    """Bytes of memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """Most bytes of memory that this process has held since it began."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) << 10 if found else own_memory()


def left_for_tables(memory: int, held: int = 0) -> int:
    """Bytes of a worker's ``memory`` that its tables may take beside Python itself and ``held`` bytes; a quarter at least."""
    return max(memory // 4, memory - WORKER_BASE - held)


def executor_overhead(worker_memory: int, settings: dict[str, str]) -> dict[str, str]:
    """What YARN and Kubernetes must give an executor beside its heap, as a Spark setting; nothing where ``settings`` say it.

    That is ``worker_memory`` bytes for a Python worker on each core, and Spark's usual tenth of the heap, at least 384 MiB.
    """
    if _OVERHEADS & settings.keys():
        return {}
    heap = settings.get("spark.executor.memory", "1g")
    own = parse_size(f"{heap}m" if heap.isdigit() else heap, "spark-conf spark.executor.memory")
    workers = int(settings.get("spark.executor.cores", "1")) * worker_memory
    return {"spark.executor.memoryOverhead": f"{(workers + max(384 << 20, own // 10)) >> 20}m"}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
