"""Draws docs/roofline.png from what kernel.py wrote: see benchmarks/README.md."""

import argparse
import json
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    from matplotlib import pyplot as plt

    lines = [json.loads(line) for line in arguments.input.read_text().splitlines()]
    peak, memory = lines[0]["gflops"], lines[1]["GB_per_s"]
    intensity = np.logspace(-1, 1.5, 50)
    figure, axis = plt.subplots(figsize=(7, 4.6), layout="constrained")
    axis.loglog(
        intensity,
        np.minimum(peak, memory * intensity),
        color="0.3",
        label=f"memory in order, {memory} GB/s; {peak} GFlop/s",
    )
    for place, line in enumerate(line for line in lines if line.get("contexts") == "as in text"):
        size = 2 * line["dim"]
        name = f"V = {line['words']:,}, dim {line['dim']} ({line['table_MiB']} MiB)"
        color = f"C{place}"
        for kind, flops, marker in (("residual", 4, "o"), ("curvature", 2, "^")):
            axis.plot(
                flops * line["dim"] / size,
                line[f"{kind}_gflops"],
                marker,
                color=color,
                label=name if kind == "residual" else None,
            )
        # the same bytes with no arithmetic: what scattered rows allow
        reach = size / line["read_ns"]
        axis.loglog(intensity, np.minimum(peak, reach * intensity), ":", color=color, linewidth=0.8)
    axis.set(xlabel="flops per byte of float16 rows", ylabel="GFlop/s, one thread", xlim=(0.1, 30), ylim=(1, 200))
    axis.set_title(
        "o residual (4 dim flops a visit)   ^ curvature (2 dim)   dotted: reading the rows alone", fontsize=9
    )
    axis.legend(fontsize=7)
    figure.savefig(arguments.output, dpi=110)


if __name__ == "__main__":
    main()
