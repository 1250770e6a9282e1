"""A napari window with the Style Transfer widget: its opening time, and gaps in its event loop.

    python -m benchmarks.window

prints the opening time as JSON, from a process in which nothing was loaded before.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any


class Window:
    """A napari window with the sample images and the Style Transfer widget."""

    def __init__(self, size: int, steps: int, device: str = "auto") -> None:
        import napari

        self.viewer: Any = napari.Viewer()
        self.viewer.open_sample("napari-nst", "content_and_style")
        began = time.perf_counter()
        self.widget = self.viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
        self.opening = time.perf_counter() - began
        self.widget.recipe_controls.reset()
        self.widget.size.value, self.widget.steps.value = size, steps
        self.widget.min_size.value = 0
        self.widget.recipe_controls.fields["device"].value = device

    def settle(self) -> None:
        """Wait for the first drawing of the window, which takes a second with any widget."""
        _longest_gap(3000)

    def turn_everything_on(self) -> None:
        """Guide the style, draw each layer's curve, and keep every iteration."""
        import numpy as np

        labels = np.ones(self.widget.content.value.data.shape[:2], int)
        labels[:, labels.shape[1] // 2 :] = 2
        layer = self.viewer.add_labels(labels, name="guide", visible=False)
        self.widget.content_guide.value = self.widget.style_guide.value = layer
        self.widget.panel.plot.each_layer.setChecked(True)
        self.widget.keep_history.value = "evenly"

    def probe(self, meanwhile: dict[int, Callable[[], object]]) -> dict[str, list[float]]:
        """Run to the end; return the gaps between turns of the event loop, by phase of the run.

        `meanwhile` has functions to call after some iterations. Gaps within a second after such a
        call are a phase of their own, and so are gaps within the first second with the new layer,
        in which napari makes its controls.
        """
        from qtpy.QtCore import QEventLoop, QTimer

        widget, loop, waiting = self.widget, QEventLoop(), dict(meanwhile)
        gaps: dict[str, list[float]] = {
            "loading": [],
            "appearing": [],
            "asked": [],
            "iterating": [],
            "ended": [],
        }
        last, appeared, asked = time.perf_counter(), 0.0, 0.0

        def probe() -> None:
            nonlocal last, appeared, asked
            now = time.perf_counter()
            newest = widget.panel.active.newest if widget.panel.active else None
            appeared = appeared or (now if widget.result is not None else 0.0)
            is_new = not appeared or now < appeared + 1
            kind = "loading" if not appeared else "appearing" if is_new else "iterating"
            kind = kind if widget.running else "ended"
            gaps["asked" if now < asked + 1 else kind].append(now - last)
            for step in [one for one in waiting if newest is not None and newest.step >= one]:
                began = time.perf_counter()
                waiting.pop(step)()
                asked = time.perf_counter()
                gaps["asked"].append(asked - began)
            last = time.perf_counter()
            if not widget.running:
                loop.quit()

        timer = QTimer()
        timer.timeout.connect(probe)
        timer.start(10)  # a faster timer slows the optimizer down by a tenth
        widget.start()
        loop.exec()
        timer.stop()
        return gaps


def stalls_of_napari_alone() -> dict[str, float]:
    """Return the longest gaps of a window with two images and without the plugin.

    They are measured for a layer that is redrawn, a new layer like a run's, and a new stack like a
    history's, with a text.
    """
    import napari
    import numpy as np
    import skimage.data

    viewer: Any = napari.Viewer()
    picture = skimage.data.astronaut()
    for name in ("content", "style"):
        viewer.add_image(picture, name=name)

    def add_stack() -> None:
        viewer.add_image(np.stack([picture] * 5))
        viewer.canvas.overlays.text.visible = True
        viewer.canvas.overlays.text.text = "iteration 5 of 40, 512 px, loss 1.23"

    _longest_gap(3000)
    seconds = {
        "one layer redrawn": _longest_gap(1500, viewer.layers[0].refresh),
        "a layer": _longest_gap(1500, lambda: viewer.add_image(picture)),
        "a stack": _longest_gap(1500, add_stack),
    }
    viewer.close()
    return seconds


def _longest_gap(milliseconds: int, call: Callable[[], object] = lambda: None) -> float:
    """Return the longest time between turns of the event loop while a function is called."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, timer = QEventLoop(), QTimer()
    turns = [time.perf_counter()]
    timer.timeout.connect(lambda: turns.append(time.perf_counter()))
    timer.start(10)
    QTimer.singleShot(milliseconds // 5, call)
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
    timer.stop()
    return max(later - earlier for earlier, later in itertools.pairwise(turns))


def opening() -> dict[str, Any]:
    """Return the seconds until the widget is open, and whether torch was imported."""
    window = Window(256, 1)
    window.viewer.close()
    return {"seconds": window.opening, "torch": "torch" in sys.modules}


if __name__ == "__main__":
    print(json.dumps(opening()))
