"""Measure stalls of a napari window during a run, with all options of the widget on.

    make measure

The window is real; under Xvfb its OpenGL is software, which is the slow case. `make bench` measures
the speed and memory of runs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import quantiles

from benchmarks.window import Window, stalls_of_napari_alone


def comfort(size: int, steps: int) -> dict[str, float]:
    """Return the stalls of a window with all options on, and the growth of its memory."""
    import psutil
    from qtpy.QtCore import QTimer

    window, process = Window(size, steps), psutil.Process()
    window.turn_everything_on()
    window.settle()
    widget = window.widget
    peaks: dict[int, float] = {}  # of each quarter: memory varies within an iteration

    def weigh() -> None:
        newest = widget.panel.active.newest if widget.panel.active else None
        if newest is not None:
            quarter = 4 * (newest.step - 1) // steps
            peaks[quarter] = max(process.memory_info().rss / 1e6, peaks.get(quarter, 0.0))

    scale = QTimer()
    scale.timeout.connect(weigh)
    scale.start(50)
    gaps = window.probe(
        {
            steps // 8: lambda: setattr(widget.style_weight, "value", 20.0),
            steps // 4: lambda: widget.panel.plot.picked.emit(steps // 8),
        }
    )
    scale.stop()
    kept = widget.panel.history.current.history.megabytes
    window.viewer.close()
    return {
        "longest stall while torch and the network load, s": max(gaps["loading"]),
        "longest stall while the new layer appears, s": max(gaps["appearing"]),
        "longest stall while it iterates, s": max(gaps["iterating"]),
        "99 of 100 gaps while it iterates are below, s": quantiles(gaps["iterating"], n=100)[-1],
        "longest stall when it ends, s": max(gaps["ended"]),
        "longest stall when the history is first shown, s": max(gaps["asked"]),
        # In these quarters, L-BFGS has filled its history and the layer of the history exists.
        "growth of the peak memory from the third quarter to the last, MB": peaks[3] - peaks[2],
        "part of the history in this growth, MB": kept / 4,
    }


def main() -> None:
    """Print the figures; with ``--json FILE`` write them too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    figures = {
        "napari alone, longest stall, s": stalls_of_napari_alone(),
        "at 512 px, everything on": comfort(512, steps=40),
    }
    text = json.dumps(figures, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
