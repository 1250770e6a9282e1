"""The demo: a style transfer of the sample images in a napari window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import napari
from qtpy.QtCore import QTimer

from napari_nst.errors import NstError
from napari_nst.viewer.layers.save import save_result

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.viewer.run.worker import RunThread

WINDOW = (1440, 900)  # width and height of the window in pixels, for a small laptop


class Progress(Protocol):
    """Where the demo tells how far its run is."""

    def before_run(self, message: str, done: int, total: int) -> None:
        """Take what happens before the first step."""

    def step(self, iteration: Iteration) -> None:
        """Take a step."""


def run_demo(headless: bool, output: Path, progress: Progress, **changes: int) -> list[Path]:
    """Open napari, start a style transfer of the samples, and return the files if `headless`."""
    viewer: Any = napari.Viewer()
    viewer.window.resize(*WINDOW)
    viewer.open_sample("napari-nst", "content_and_style")
    _, widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")
    widget.recipe_controls.reset()  # not those of the last session
    for name, value in changes.items():
        getattr(widget, name).value = value
    for layer in viewer.layers:
        layer.visible = layer is widget.content.value
    # When the result appears, the window is laid out and the canvas has its final size.
    viewer.layers.events.inserted.connect(lambda: QTimer.singleShot(500, viewer.reset_view))
    report = _reporter(progress)
    widget.panel.runner.reported.connect(report)
    widget.panel.runner.ended.connect(report)
    widget.panel.begin(widget.request)  # without remembering it
    written: list[Path] = []
    if headless:
        watch = QTimer()
        watch.timeout.connect(lambda: _finish(viewer, widget, watch, output, written))
        watch.start(200)
    napari.run()
    if headless and not written:
        raise NstError(f"The demo ended without a result: {widget.status_text}")
    return written


def _reporter(progress: Progress) -> Callable[[RunThread], None]:
    """Return a function that passes on what has changed of a run since it was last called."""
    last: object = None

    def report(run: RunThread) -> None:
        nonlocal last
        newest, before = run.newest, (run.message, run.done, run.total)
        current = before if newest is None else newest.step
        if current == last:
            return
        last = current
        if newest is not None:
            progress.step(newest)
        elif run.total or run.message == run.forecast:
            progress.before_run(*before)

    return report


def _finish(viewer: Any, widget: Any, watch: QTimer, output: Path, written: list[Path]) -> None:
    if widget.running:
        return
    watch.stop()
    if widget.result is not None:
        output.mkdir(parents=True, exist_ok=True)
        window, result = output / "window.png", output / "result.png"
        viewer.screenshot(str(window), canvas_only=False, flash=False)
        save_result(widget.result, result)
        written += [window, result]
    viewer.close()
