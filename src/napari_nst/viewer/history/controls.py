"""The History section: which images of a run to keep, and buttons to show and export them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Label, PushButton, SpinBox
from magicgui.widgets.bases import ValueWidget
from napari.components import ViewerModel
from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy

from napari_nst.errors import Cancelled, NstError
from napari_nst.io.animation import FORMATS, check_format, write_animation
from napari_nst.io.history import DEFAULT_MEGABYTES, FrameStack
from napari_nst.viewer.controls.file_dialog import ask_for_path
from napari_nst.viewer.history.layers import IterationLayers, RunHistory
from napari_nst.viewer.layers.intensity import to_uint8, to_unit, whole_range
from napari_nst.viewer.layers.save import calibration_of
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.run.throttle import Throttle
from napari_nst.viewer.run.worker import IsClosing, RunThread, run_in_background

LOG, EVEN, OFF = "log-spaced", "evenly", "off"

Array = np.ndarray[Any, Any]

_SUFFIXES = {"MP4 (*.mp4)": ".mp4", "GIF (*.gif)": ".gif", "TIFF stack (*.tif *.tiff)": ".tif"}


class HistoryControls:
    """The controls of the History section, and the history of the newest run as `current`."""

    def __init__(self, viewer: ViewerModel, complain: Callable[[Exception], None]) -> None:
        self._viewer = viewer
        self._complain = complain
        self._writing = ""  # progress of the file that is being written
        self._running = self._closed = False
        self._has_result = True
        self._redraw = Throttle(interval=2.0)  # napari lays its slider out anew each time
        self.current: RunHistory | None = None
        self._previous: RunHistory | None = None
        self._make_controls()
        self._timer = QTimer(self.kept.native)  # deleted together with the widget
        self._timer.setInterval(250)
        self._timer.timeout.connect(self._on_timer)
        self.kept.native.destroyed.connect(self._on_destroyed)  # a lambda would crash PyQt6
        self._enable()
        self.show_state()

    def _make_controls(self) -> None:
        self.keep = ComboBox(
            name="keep_history", label="Keep", choices=(LOG, EVEN, OFF),
            tooltip="Which iterations of the next run to keep: log-spaced, all of the first ones, "
            "where most changes, then fewer; evenly, every n-th; or off, none.",
        )  # fmt: skip
        self.every = SpinBox(
            name="history_every", label="Every n-th", min=1, max=1000, value=1,
            tooltip="Distance between two iterations that are kept evenly.",
        )  # fmt: skip
        self.budget = SpinBox(
            name="history_budget", label="Memory, MB", min=1, max=1_000_000, step=50,
            value=round(DEFAULT_MEGABYTES), tooltip="Memory for the kept images, in millions of "
            "bytes; when they take more, every second image is dropped.",
        )  # fmt: skip
        self.each_as_layer = CheckBox(
            name="iteration_layers", text="Each iteration as a layer of its own",
            tooltip=f"For runs of at most {IterationLayers.MOST} steps.",
        )  # fmt: skip
        self.kept = Label(
            name="history_kept", label="Kept", tooltip="How much the history of this run holds.",
        )  # fmt: skip
        self.kept.native.setWordWrap(True)
        # Otherwise a long file name would widen the dock.
        self.kept.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.show_stack = PushButton(
            name="show_history", text="Show as stack",
            tooltip="Show the history as a layer with a slider for the iterations.",
        )  # fmt: skip
        self.export_as = PushButton(
            name="export_history", text="Export…",
            tooltip="Write the history as an MP4, a GIF or a TIFF stack.",
        )  # fmt: skip
        self.controls: list[ValueWidget[Any]] = [
            self.keep, self.every, self.budget, self.each_as_layer, self.kept, self.show_stack,
            self.export_as,
        ]  # fmt: skip
        self.keep.changed.connect(self._enable)
        self.each_as_layer.changed.connect(self._enable)
        self.show_stack.clicked.connect(self.show)
        self.export_as.clicked.connect(self._on_export)

    def new_history(self, request: RunRequest, *, go_on: bool = False) -> RunHistory | None:
        """Return the new or continued history of a run that starts, or None to keep no image."""
        each, steps = bool(self.each_as_layer.value), request.recipe.steps
        if each and steps > IterationLayers.MOST:
            raise ValueError(
                f"A run of {steps} steps is too long for one layer per iteration; set Steps to at "
                f"most {IterationLayers.MOST}, or untick {self.each_as_layer.text!r} in History."
            )
        self._previous = self.current
        if not go_on or self.current is None:
            self.current = None
            if request.is_single and (each or self.keep.value != OFF):
                self.current = RunHistory(
                    self._viewer,
                    request,
                    "even" if each or self.keep.value == EVEN else "log",
                    every=1 if each else self.every.value,
                    megabytes=self.budget.value,
                    each_as_layer=each,
                )
        self._running = self.current is not None
        self.show_state()
        if self._running:
            self._timer.start()
        return self.current

    def refresh(self) -> None:
        """Update the layer, but at most every two seconds."""
        # In 3D, napari would copy all iterations at full size each time.
        is_volume = self._viewer.dims.ndisplay == 3
        current = self.current if self._running and not is_volume else None
        steps = tuple(current.history.steps) if current is not None else ()
        if current is not None and self._redraw.due(steps):
            with self._redraw.drawing(steps):
                current.refresh()

    def finish(self, run: RunThread) -> None:
        """Keep the last image of a finished run; without one, the previous history is `current`."""
        if run.newest is None:
            self.current = self._previous
        elif self._running and self.current is not None and not self._closed:
            self.current.finish(run)
        self._running, self._previous = False, None
        if not self._closed:
            self.show_state()

    def _on_timer(self) -> None:
        """Add layers of single iterations, and show the progress of an export."""
        if self._closed:
            return
        added = self.current is not None and self.current.add_iteration()
        if self._writing or not self._running:
            self.show_state()
        if not (self._running or added or self._writing):
            self._timer.stop()

    def show(self) -> None:
        """Show the kept images as one layer, or update that layer."""
        try:
            self._history().show()
        except ValueError as error:
            self._complain(error)

    def show_step(self, step: int) -> int | None:
        """Show the image of the nearest step in the layer, and return that step, or None."""
        try:
            return self._history().show_step(step)
        except ValueError as error:
            self._complain(error)
            return None

    def export(self, path: str | Path) -> None:
        """Write the images that are kept now to a file that `write_animation` can write."""
        try:
            check_format(Path(path))
            current = self._history()
            if self._writing:
                raise ValueError("Another file is being written; wait until it is done.")
            self._write(Path(path), current.history.stack(), current)
        except (NstError, ValueError) as error:
            self._complain(error)
            return
        self._timer.start()
        self.show_state()

    def _write(self, path: Path, stack: FrameStack, history: RunHistory) -> None:
        """Write images in a thread: grey ones in a TIFF with their intensities, else as shown."""
        text = json.dumps(history.facts) if history.facts else ""
        first = stack.originals[0]
        limits = history.request.intensity.limits_in(first.dtype, first.ndim)
        is_as_shown = first.ndim == 3 and limits == whole_range(first.dtype)
        if not is_as_shown and (first.ndim == 3 or FORMATS[path.suffix.lower()] != "TIFF"):
            stack = stack.converted(partial(_displayed, limits=limits))
        position = history.request.position
        transform, is_grey = position.transform_at(stack.size), first.ndim == 2
        known = calibration_of(transform, position.axes, stack.size, limits if is_grey else None)
        self._writing = f"Writing {path.name} …"

        def write(is_closing: IsClosing) -> str:
            def report(_: str, done: int, total: int) -> None:
                if is_closing():
                    raise Cancelled("The window was closed.")
                self._writing = f"Writing {path.name}, {done} of {total} …"

            try:
                facts = write_animation(path, stack, text=text, calibration=known, progress=report)
            except Cancelled:
                return ""
            except RuntimeError as error:
                raise NstError(f"{path.name} could not be written: {error}") from error
            return f"Wrote {path.name}: {facts}."

        run_in_background(
            write,
            viewer=self._viewer,
            returned=lambda message: message and show_info(message),
            failed=self._complain,
            finished=lambda: setattr(self, "_writing", ""),
        )

    def _history(self) -> RunHistory:
        if self.current is None:
            raise ValueError(
                f"No history was kept; take another entry than {OFF!r} in Keep, then press Run."
            )
        return self.current

    def _on_export(self) -> None:
        try:
            name = self._history().request.name
            path = ask_for_path(
                self.export_as.native, "Export the history", name, _SUFFIXES, FORMATS
            )
        except ValueError as error:
            self._complain(error)
        else:
            if path is not None:
                self.export(path)

    def offer(self, has_result: bool) -> None:
        """Offer the history while the viewer has the result, or a layer of the history."""
        self._has_result = has_result
        self.show_state()

    def show_state(self) -> None:
        """Show how much is kept or the progress of an export, and enable the buttons."""
        current = self.current
        if current is not None and not (self._has_result or current.layer.exists):
            current = None
        has_images = current is not None and bool(current.history.steps)
        text = self._writing or (current.kept if current is not None else "Nothing yet.")
        if self.kept.value != text:
            self.kept.value = text
        self.show_stack.enabled = has_images
        self.export_as.enabled = has_images and not self._writing

    def _enable(self) -> None:
        each = bool(self.each_as_layer.value)
        self.keep.enabled = not each
        self.every.enabled = self.keep.value == EVEN and not each
        self.budget.enabled = each or self.keep.value != OFF

    def _on_destroyed(self) -> None:
        self._closed = True


def _displayed(pixels: Array, limits: tuple[float, float]) -> Array:
    return to_uint8(to_unit(pixels, limits, "history"))
