"""A run's history as layers: one layer with an iteration slider, or one layer per iteration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_nst.io.history import FrameStack
from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.panel_label import PanelText, known_units
from napari_nst.viewer.layers.position import move_slider, shown_index
from napari_nst.viewer.layers.save import LAYOUT

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.viewer.run.request import RunRequest

_ONLY_LAST = ("shape", "seconds", "losses")
"""Entries of a record that are true of a run's last iteration only."""


class HistoryLayer:
    """An image layer at the result's position, with an extra axis for the iterations.

    Images are resized when the slider comes to them, so the layer appears at once and takes no
    memory beside the history's. Use it from the main thread only.
    """

    def __init__(self, viewer: ViewerModel, request: RunRequest) -> None:
        self._viewer = viewer
        self._request = request
        # The iterations need an axis of their own, even if the result has one for its panels.
        self._position = replace(request.position, panel_axis=None)
        self._axis = self._position.pixel_axes(1)[0]
        self._stack: FrameStack | None = None
        self.layer: Any = None

    @property
    def exists(self) -> bool:
        """Whether the viewer has the layer."""
        return self.layer is not None and self.layer in self._viewer.layers

    @property
    def steps(self) -> list[int]:
        """The steps whose images the layer shows."""
        return list(self._stack.steps) if self._stack is not None else []

    def show(self, stack: FrameStack, facts: Mapping[str, Any] | None = None) -> None:
        """Show these images, with a run's record as metadata; make the layer if there is none.

        The slider stays at its iteration, or at the newest one if it was there.
        """
        placed = stack.converted(self._position.data)
        step = stack.steps[-1]
        if self.exists and self._stack is not None:
            index = shown_index(self.layer, self._viewer.dims)[self._axis]
            if index < len(self._stack) - 1:
                step = self._stack.steps[index]
            self.layer.data = placed
            if self._stack.size != placed.size:
                transform = self._transform(placed)
                self.layer.scale, self.layer.translate = transform["scale"], transform["translate"]
        else:
            self._add(placed)
        self._stack = placed
        layout = {"axes": list(self._position.pixel_axes(1)), "panels": list(placed.labels)}
        self.layer.metadata[RECORD] = {**(facts or {}), LAYOUT: layout}
        self._move_slider(placed, step)

    def show_step(self, step: int) -> int | None:
        """Move the slider to the image of the nearest step, and return that step.

        None if there is no layer.
        """
        if not self.exists or self._stack is None:
            return None
        if not self.layer.visible:  # setting it again would redraw the layer
            self.layer.visible = True
        self._move_slider(self._stack, step)
        return self._stack.steps[self._stack.nearest(step)]

    def _move_slider(self, stack: FrameStack, step: int) -> None:
        PanelText.of(self._viewer).follow(self.layer, self._axis, stack.labels)
        move_slider(self.layer, self._viewer.dims, self._axis, stack.nearest(step))

    def _add(self, stack: FrameStack) -> None:
        request = self._request
        self.layer = self._viewer.add_image(
            stack,
            name=f"{request.name} · history",
            multiscale=False,
            interpolation2d="linear",  # as the result's layer
            metadata={RECORD: {}},
            **request.intensity.display(stack.originals[0], request.keep_dtype),
            **self._transform(stack),
        )

    def _transform(self, stack: FrameStack) -> dict[str, Any]:
        transform = self._position.transform_at(stack.size, len(stack))
        units = known_units(transform["units"], self._viewer.dims, self._position.ndim)
        labels = ("iteration", *transform["axis_labels"][1:])
        return transform | {"units": units, "axis_labels": labels}


class IterationLayers:
    """One layer per kept iteration, for short runs; only the newest layer is visible."""

    MOST = 100
    """Largest number of iterations: napari draws and lists every layer."""

    def __init__(self, viewer: ViewerModel, request: RunRequest) -> None:
        self._viewer = viewer
        self._request = request
        self._layers: dict[int, Any] = {}

    def add_next(self, stack: FrameStack) -> bool:
        """Add the layer of the first iteration that has none; return False if all have one.

        Only one at a time, because adding a layer blocks the window for a moment.
        """
        step = next((step for step in stack.steps if step not in self._layers), None)
        if step is None:
            return False
        for layer in self._layers.values():
            layer.visible = False
        request, position = self._request, self._request.position
        pixels = stack.originals[stack.steps.index(step)]
        layout = {"axes": list(position.axes), "panels": []}
        self._layers[step] = self._viewer.add_image(
            position.data(pixels),
            name=f"{request.name} {step:04d}",
            metadata={RECORD: {LAYOUT: layout}},
            interpolation2d="linear",  # as the result's layer
            **request.intensity.display(pixels, request.keep_dtype),
            **position.transform_at(pixels.shape[:2]),
        )
        return True

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Store the run's record in every layer, each with its own step."""
        shared = {name: value for name, value in facts.items() if name not in _ONLY_LAST}
        for step, layer in self._layers.items():
            layout = layer.metadata[RECORD][LAYOUT]
            layer.metadata[RECORD] = {**shared, "step": step, LAYOUT: layout}
