"""What bounds the row solver: time of a visit for several sizes, beside the machine's own limits. See benchmarks/README.md."""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from simglove_spark.kernels import gather, simd
from simglove_spark.kernels.compile import compiled_anew
from simglove_spark.kernels.gather import Cells, add_cells, curvature
from simglove_spark.sides import padded

CELLS_PER_ROW, ROWS = 700, 200


@compiled_anew
def multiply_adds(times, x):
    """Ten independent chains in registers: the processor's limit. 160 flops a round."""
    y, half = simd.spread(x), simd.spread(np.float32(0.5))
    a, b, c, d, e = y, y, y, y, y
    f, g, h, i, j = y, y, y, y, y
    for _ in range(times):
        a, b = simd.multiply_add(a, half, y), simd.multiply_add(b, half, y)
        c, d = simd.multiply_add(c, half, y), simd.multiply_add(d, half, y)
        e, f = simd.multiply_add(e, half, y), simd.multiply_add(f, half, y)
        g, h = simd.multiply_add(g, half, y), simd.multiply_add(h, half, y)
        i, j = simd.multiply_add(i, half, y), simd.multiply_add(j, half, y)
    s = simd.add(simd.add(simd.add(a, b), simd.add(c, d)), simd.add(simd.add(e, f), simd.add(g, h)))
    return simd.total(simd.add(s, simd.add(i, j)))


@compiled_anew
def residuals(cells, table, point, out):
    for row in range(cells.contexts.size // CELLS_PER_ROW):
        add_cells(row * CELLS_PER_ROW, (row + 1) * CELLS_PER_ROW, cells, np.float32(1.0), table, point, out)


@compiled_anew
def curvatures(cells, table, point, out):
    for row in range(cells.contexts.size // CELLS_PER_ROW):
        out[0] += curvature(row * CELLS_PER_ROW, (row + 1) * CELLS_PER_ROW, cells, table, point)


@compiled_anew
def read_rows(cells, table, point, out):
    """The visit without its arithmetic: one element of each cache line of each row."""
    step, contexts = np.int64(64 // table.itemsize), cells.contexts
    found = np.int64(0)
    for cell in range(contexts.size):
        if cell + gather.AHEAD < contexts.size:
            gather.prefetch_row(table, contexts[cell + gather.AHEAD])
        for d in range(0, table.shape[1], step):
            found += table[contexts[cell], d]
    out[0] += found


def least(work, repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def measure(words: int, dim: int, zipf: bool, repeats: int) -> dict:
    """Nanoseconds a visit and GFlop/s of one thread, contexts drawn evenly or as a text's (rank to the -0.6)."""
    random = np.random.default_rng(1)
    size = (ROWS, CELLS_PER_ROW)
    drawn = random.random(size) ** 2.5 * words if zipf else random.random(size) * words
    contexts = np.sort(drawn.astype(np.int32), axis=1).ravel()
    weights, pmis = random.random((2, contexts.size)).astype(np.float32)
    for column in (contexts, weights, pmis):
        column.flags.writeable = False
    cells, table = Cells(contexts, weights, pmis), padded(words, dim, np.uint16)
    for first in range(0, words, 1 << 16):
        block = random.normal(0, 0.3, (min(1 << 16, words - first), dim)).astype(np.float16)
        table[first : first + len(block), :dim] = block.view(np.uint16)
    point, out = np.zeros((2, table.shape[1]), np.float32)
    point[:dim] = random.normal(0, 0.3, dim)
    found = {"words": words, "dim": dim, "contexts": "as in text" if zipf else "even", "table_MiB": table.nbytes >> 20}
    for name, work, flops in (
        ("residual", residuals, 4),
        ("curvature", curvatures, 2),
        ("read", read_rows, 0),
    ):
        seconds = least(lambda work=work: work(cells, table, point, out), repeats) / contexts.size
        found[f"{name}_ns"] = round(seconds * 1e9, 2)
        if flops:
            found[f"{name}_gflops"] = round(flops * dim / seconds * 1e-9, 1)
    # two conjugate-gradient steps: two visits of four flops a component, one of two
    found["step_gflops"] = round(10 * dim / (2 * found["residual_ns"] + found["curvature_ns"]), 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--output", type=Path, help="JSON lines, for figures.py")
    arguments = parser.parse_args()
    lines = []
    seconds = least(lambda: multiply_adds(1_000_000, np.float32(0.5)), 10)
    with ThreadPoolExecutor(2) as pool:
        both = least(lambda: list(pool.map(lambda _: multiply_adds(1_000_000, np.float32(0.5)), range(2))), 10)
    lines.append(
        {
            "limit": "multiply-adds in registers",
            "gflops": round(0.16 / seconds, 1),
            "two_threads": round(0.32 / both, 1),
        }
    )
    block = np.ones(1 << 26, np.float32)
    lines.append({"limit": "memory, read in order", "GB_per_s": round(block.nbytes / least(block.sum, 10) * 1e-9, 1)})
    for words in (512, 68_000, 1_000_000):
        for dim in (100, 300):
            for zipf in (False, True):
                lines.append(measure(words, dim, zipf, arguments.repeats))
                print(json.dumps(lines[-1]), flush=True)
    print("\n".join(json.dumps(line) for line in lines[:2]))
    if arguments.output:
        arguments.output.write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
