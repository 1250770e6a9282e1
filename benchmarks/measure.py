"""Measure how smooth a napari window stays while a run is in it, with everything on.

    make measure

The window is a real one; under Xvfb its OpenGL is software, which is the slow case. How fast runs
are, and how large, is what `make bench` measures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.window import Window


def comfort(size: int, steps: int) -> dict[str, float]:
    """Return how smooth a window stays with everything on, and what memory it takes."""
    import psutil

    window, process = Window(size, steps), psutil.Process()
    megabytes: dict[int, float] = {}
    window.turn_everything_on()
    window.settle()
    widget, alone = window.widget, window.redraw(times=30)

    def weigh() -> None:
        megabytes[len(megabytes)] = process.memory_info().rss / 1e6

    # Weighed when L-BFGS has filled its history again, 20 steps after the change.
    gaps = window.probe(
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
        "longest stall with no run, while napari draws a layer, s": alone,
        "longest stall while torch and the network load, s": max(gaps["loading"]),
        "longest stall while the new layer appears, s": max(gaps["appearing"]),
        "longest stall while it iterates, s": max(gaps["iterating"]),
        "longest stall when it ends, s": max(gaps["ended"]),
        "longest stall when the history is first shown, s": max(gaps["asked"]),
        "more memory at the end than after three quarters, MB": megabytes[1] - megabytes[0],
        "of which the history, MB": kept / 4,
    }


def main() -> None:
    """Print the figures; with ``--json FILE`` write them too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    text = json.dumps({"at 512 px, everything on": comfort(512, steps=40)}, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
