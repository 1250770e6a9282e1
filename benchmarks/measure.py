"""Measure what the README says: start-up, time per iteration, and how smooth the window stays.

    make measure

Machines differ and are noisy, so each figure is a median, and the two number formats alternate.
The window is a real one; under Xvfb its OpenGL is software, which is the slow case.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def import_seconds(module: str, repeats: int = 7) -> float:
    """Median time of an import in a fresh interpreter."""

    def once() -> float:
        command = [sys.executable, "-c", IMPORT.format(module)]
        return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    return statistics.median(once() for _ in range(repeats))


def iteration_seconds(size: int, precisions: list[str], steps: int = 12) -> dict[str, float]:
    """Median time of a step of the default recipe, at one size, for each number format."""
    import napari_nst as nst
    from napari_nst.viewer.samples import content_and_style

    (content, *_), (style, *_) = content_and_style()
    seconds: dict[str, list[float]] = {precision: [] for precision in precisions}
    for _ in range(2):
        for precision in precisions:
            recipe = nst.preset("default", size=size, min_size=0, steps=steps, precision=precision)
            at = [it.seconds for it in nst.stylize(content, style, recipe)]
            # The first step also computes the targets.
            seconds[precision] += [b - a for a, b in pairwise(at[1:])]
    return {precision: statistics.median(values) for precision, values in seconds.items()}


def stalls(size: int, steps: int) -> dict[str, float]:
    """Longest and median gap between two turns of the window's event loop during a run."""
    import napari
    from qtpy.QtCore import QTimer

    viewer: Any = napari.Viewer()
    viewer.open_sample("napari-nst", "content_and_style")
    opening = time.perf_counter()
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    opening = time.perf_counter() - opening
    widget.size.value, widget.steps.value, widget.min_size.value = size, steps, 0
    gaps: dict[str, list[float]] = {"loading": [], "appearing": [], "iterating": []}
    began = last = time.perf_counter()
    appeared = 0.0

    def probe() -> None:
        nonlocal last, appeared
        now = time.perf_counter()
        if widget.result is not None and not appeared:
            appeared = now
        # The first second with the new layer is napari's: it makes its controls and draws it.
        phase = "loading" if last < appeared or not appeared else "iterating"
        gaps["appearing" if appeared and now < appeared + 1 else phase].append(now - last)
        last = now
        if not widget.running:
            timer.stop()
            viewer.close()

    timer = QTimer()
    timer.timeout.connect(probe)
    timer.start(2)
    widget.start()
    napari.run()
    return {
        "opening the widget": opening,
        "longest stall while torch and the network load": max(gaps["loading"]),
        "longest stall while the new layer appears": max(gaps["appearing"]),
        "longest stall while it iterates": max(gaps["iterating"]),
        "seconds per iteration in the window": (last - appeared) / max(1, steps - 1),
        "run": last - began,
    }


def main() -> None:
    """Print a table; with ``--json FILE`` write it too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--no-window", action="store_true", help="leave the window out")
    arguments = parser.parse_args()

    found: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "import napari_nst": import_seconds("napari_nst"),
    }
    if not arguments.no_window:  # first: what is loaded already would not be waited for again
        found["window at 512 px"] = stalls(512, steps=20)
    for size in arguments.sizes:
        found[f"seconds per iteration at {size} px"] = iteration_seconds(
            size, ["bfloat16", "float32"]
        )
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
