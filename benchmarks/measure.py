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
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"

PHASES = ("loading", "appearing", "asked", "iterating")
"""What goes on in the window when its event loop turns."""


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


class Window:
    """A napari window with the sample pictures and the Style Transfer widget, as it opens."""

    def __init__(self, size: int, steps: int) -> None:
        import napari

        self.viewer: Any = napari.Viewer()
        self.viewer.open_sample("napari-nst", "content_and_style")
        began = time.perf_counter()
        self.widget = self.viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
        self.opening = time.perf_counter() - began
        self.widget.recipe_controls.reset()
        self.widget.size.value, self.widget.steps.value = size, steps
        self.widget.min_size.value = 0

    def turn_everything_on(self) -> None:
        """Guide the style, draw each layer's curve, and keep every iteration."""
        import numpy as np

        labels = np.ones(self.widget.content.value.data.shape[:2], int)
        labels[:, labels.shape[1] // 2 :] = 2
        layer = self.viewer.add_labels(labels, name="guide", visible=False)
        self.widget.content_guide.value = self.widget.style_guide.value = layer
        self.widget.panel.plot.legend.each_layer.setChecked(True)
        self.widget.keep_history.value = "evenly"

    def run(self, meanwhile: dict[int, Callable[[], object]]) -> dict[str, list[float]]:
        """Run to the end; return the gaps between turns of the event loop, by what went on.

        `meanwhile` says what to do after which iterations; that second's gaps count apart, and so
        do those of the first second with the new layer, in which napari makes its controls.
        """
        from qtpy.QtCore import QEventLoop, QTimer

        widget, loop, waiting = self.widget, QEventLoop(), dict(meanwhile)
        gaps: dict[str, list[float]] = {
            "loading": [],
            "appearing": [],
            "asked": [],
            "iterating": [],
        }
        last, appeared, asked = time.perf_counter(), 0.0, 0.0

        def probe() -> None:
            nonlocal last, appeared, asked
            now = time.perf_counter()
            newest = widget.panel.active.newest if widget.panel.active else None
            appeared = appeared or (now if widget.result is not None else 0.0)
            is_new = not appeared or now < appeared + 1
            kind = "loading" if not appeared else "appearing" if is_new else "iterating"
            gaps["asked" if now < asked + 1 else kind].append(now - last)
            for step in [one for one in waiting if newest is not None and newest.step >= one]:
                began = asked = time.perf_counter()
                waiting.pop(step)()
                gaps["asked"].append(time.perf_counter() - began)
            last = time.perf_counter()
            if not widget.running:
                loop.quit()

        timer = QTimer()
        timer.timeout.connect(probe)
        timer.start(2)
        widget.start()
        loop.exec()
        timer.stop()
        return gaps


def comfort(size: int, steps: int) -> dict[str, float]:
    """Return how smooth a window stays with everything on, and what memory it takes."""
    import psutil

    window, process, megabytes = Window(size, steps), psutil.Process(), {}
    window.turn_everything_on()
    widget = window.widget

    def weigh() -> None:
        megabytes[len(megabytes)] = process.memory_info().rss / 1e6

    # Weighed when L-BFGS has filled its history again, 20 steps after the change.
    gaps = window.run(
        {
            steps // 8: lambda: setattr(widget.style_weight, "value", 20.0),
            steps // 4: lambda: widget.panel.plot.picked.emit(steps // 8),
            steps * 3 // 4: weigh,
            steps - 2: weigh,
        }
    )
    kept = widget.panel.history.current.history.megabytes
    window.viewer.close()
    return {
        "opening the widget, s": window.opening,
        "longest stall while torch and the network load, s": max(gaps["loading"]),
        "longest stall while the new layer appears, s": max(gaps["appearing"]),
        "longest stall while it iterates, s": max(gaps["iterating"]),
        "longest stall when the history is first shown, s": max(gaps["asked"]),
        "more memory at the end than after three quarters, MB": megabytes[1] - megabytes[0],
        "of which the history, MB": kept / 4,
    }


def window_and_terminal(size: int, steps: int, repeats: int = 3) -> dict[str, float]:
    """Median seconds per iteration in the window and from the terminal, by turns."""
    from napari_nst.files import write_image
    from napari_nst.viewer.samples import content_and_style

    (content, *_), (style, *_) = content_and_style()
    seconds: dict[str, list[float]] = {"window": [], "terminal": []}
    with tempfile.TemporaryDirectory() as folder:
        for name, image in (("content", content), ("style", style)):
            write_image(Path(folder, f"{name}.png"), image)
        command = [
            *(sys.executable, "-m", "napari_nst", "stylize", "content.png", "style.png"),
            *("-o", "out.png", "--log", "run.jsonl", "--size", str(size), "--min-size", "0"),
            *("--steps", str(steps)),
        ]
        window = Window(size, steps)
        for _ in range(repeats):
            subprocess.run(command, check=True, capture_output=True, cwd=folder)
            lines = Path(folder, "run.jsonl").read_text().splitlines()
            at = [json.loads(line)["seconds"] for line in lines]
            seconds["terminal"] += [b - a for a, b in pairwise(at[1:])]
            at = []
            watch = window.widget.panel.runner.reported.connect(
                lambda run, at=at: (
                    at.append((run.newest.step, run.newest.seconds)) if run.newest else None
                )
            )
            window.run({})
            window.widget.panel.runner.reported.disconnect(watch)
            seen = sorted({step: second for step, second in at if step > 1}.items())
            seconds["window"] += [
                (b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(seen) if b[0] > a[0]
            ]
        window.viewer.close()
    found = {where: statistics.median(values) for where, values in seconds.items()}
    return {**found, "window ÷ terminal": found["window"] / found["terminal"]}


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
        found["window at 512 px, everything on"] = comfort(512, steps=40)
        found["seconds per iteration at 512 px"] = window_and_terminal(512, steps=16)
    for size in arguments.sizes:
        found[f"seconds per iteration at {size} px, by number format"] = iteration_seconds(
            size, ["bfloat16", "float32"]
        )
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
