"""Wall time per stage and peak memory per process of a `simglove run`: see benchmarks/README.md."""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psutil


def role(process: psutil.Process, root: int) -> str:
    if process.pid == root:
        return "driver (Python)"
    name = process.name()
    if name.startswith("java"):
        return "Spark JVM"
    command = " ".join(process.cmdline())
    if "sail_server" in command:
        return "Sail server"
    return "one Python worker" if "pyspark" in command else "other"


def sample(root: psutil.Process, peaks: dict[str, int], busy: dict[int, tuple[str, float]]) -> None:
    for process in [root, *root.children(recursive=True)]:
        try:
            kind, memory, cpu = role(process, root.pid), process.memory_info(), process.cpu_times()
        except psutil.Error:
            continue
        # shared pages (the mapped vocabulary, the daemon's imports) count in each process that has them
        peaks[kind] = max(peaks.get(kind, 0), memory.rss)
        busy[process.pid] = (kind, cpu.user + cpu.system)


def watch(command: list[str]) -> dict:
    """Run a command; its seconds, and by role the peak memory of a process and the CPU seconds of all."""
    began, peaks, busy = time.perf_counter(), {}, {}
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, text=True) as child,
    ):
        root = psutil.Process(child.pid)
        while child.poll() is None:
            sample(root, peaks, busy)
            time.sleep(0.1)
        log.seek(0)
        errors = log.read()
    if child.returncode != 0:
        raise SystemExit(f"exit code {child.returncode}: {errors[-2000:]}")
    cpu: dict[str, float] = {}
    for kind, seconds in busy.values():
        cpu[kind] = cpu.get(kind, 0.0) + seconds
    return {"total": time.perf_counter() - began, "peaks": peaks, "cpu": cpu}


def measure(command: list[str], output: Path) -> dict:
    shutil.rmtree(output, ignore_errors=True)
    seen = watch(command)
    stages = json.loads((output / "run.json").read_text())["stages"]
    seconds = {name: stage["seconds"] for name, stage in stages.items()}
    return {"seconds": {**seconds, "total": seen["total"]}, "peaks": seen["peaks"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = [part for part in arguments.command if part != "--"]
    output = Path(command[command.index("--output") + 1])
    results = [measure(command, output) for _ in range(arguments.runs)]
    print(f"{' '.join(command)}\n{psutil.cpu_count()} cores, {arguments.runs} runs, median (least to most)")
    for name in results[0]["seconds"]:
        values = [result["seconds"][name] for result in results]
        print(f"  {name:<18}{statistics.median(values):8.1f} s   ({min(values):.1f} to {max(values):.1f})")
    for name in results[0]["peaks"]:
        peak = max(result["peaks"].get(name, 0) for result in results)
        print(f"  {name:<18}{peak / 2**20:8,.0f} MiB at most")


if __name__ == "__main__":
    main()
