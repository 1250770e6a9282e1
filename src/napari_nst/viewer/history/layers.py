"""A run's history as layers: one with an iteration slider, or one for each iteration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.io.frame_stack import FrameStack
from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.panel_label import PanelText, known_units
from napari_nst.viewer.layers.position import move_slider, shown_index
from napari_nst.viewer.layers.save import LAYOUT

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.viewer.run.request import RunRequest

Pixels = np.ndarray[Any, Any]

_OF_THE_END = ("shape", "seconds", "losses")
"""What a record says of the last iteration alone."""


class HistoryLayer:
    """An image layer that shows a history at the result's place, with an axis of iterations.

    Each picture is enlarged when the slider comes to it, so that the layer takes no memory beside
    the history's and appears at once. Call it from the main thread only.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layer.
    request : RunRequest
        Whose history it is.
    """

    def __init__(self, viewer: ViewerModel, request: RunRequest) -> None:
        self._viewer = viewer
        self._name = f"{request.name} · history"
        # Where the result's pictures lie along an axis of their own, iterations need another.
        self._position = replace(request.position, panel_axis=None)
        self._request = request
        self._stack: FrameStack | None = None
        self.layer: Any = None

    @property
    def is_there(self) -> bool:
        """Whether the viewer has the layer."""
        return self.layer is not None and self.layer in self._viewer.layers

    @property
    def steps(self) -> list[int]:
        """The steps whose pictures it shows."""
        return list(self._stack.steps) if self._stack is not None else []

    def show(self, stack: FrameStack, facts: Mapping[str, Any] | None = None) -> None:
        """Show pictures; those that are shown already make way.

        The slider stays at its iteration, or at the newest if it was there.

        Parameters
        ----------
        stack : FrameStack
            As `restore` of `Intensity` makes its pictures.
        facts : mapping, optional
            The run's record.
        """
        self.point(self.lay(stack, facts))

    def lay(self, stack: FrameStack, facts: Mapping[str, Any] | None = None) -> int:
        """Put pictures into the layer, as `show`, and return the step that is to be seen.

        Until `point` is given that, neither slider nor text say the same.
        """
        placed = stack.converted(self._position.data)
        seen = stack.steps[-1]
        if self.is_there and self._stack is not None:
            index = shown_index(self.layer, self._viewer.dims)[self._axis]
            if index < len(self._stack) - 1:
                seen = self._stack.steps[index]
            self._update(placed)
        else:
            self._add(placed)
        self._stack = placed
        layout = {"axes": list(self._position.pixel_axes(1)), "panels": list(placed.labels)}
        self.layer.metadata[RECORD] = {**(facts or {}), LAYOUT: layout}
        return seen

    def point(self, step: int) -> None:
        """Move the slider to the picture whose step is nearest, and write what it is called."""
        if self.is_there and self._stack is not None:
            PanelText.of(self._viewer).follow(self.layer, self._axis, self._stack.labels)
            move_slider(self.layer, self._viewer.dims, self._axis, self._stack.nearest(step))

    def show_step(self, step: int) -> int | None:
        """Show the picture whose step is nearest, and return that step.

        None if there is no layer.
        """
        if not self.is_there or self._stack is None:
            return None
        if not self.layer.visible:  # to say so again would draw it again
            self.layer.visible = True
        self.point(step)
        return self._stack.steps[self._stack.nearest(step)]

    @property
    def _axis(self) -> int:
        return self._position.pixel_axes(1)[0]

    def _update(self, stack: FrameStack) -> None:
        resized = self._stack is not None and self._stack.size != stack.size
        self.layer.data = stack
        if resized:
            transform = self._transform(stack)
            self.layer.scale, self.layer.translate = transform["scale"], transform["translate"]

    def _add(self, stack: FrameStack) -> None:
        intensity, keep_dtype = self._request.intensity, self._request.keep_dtype
        self.layer = self._viewer.add_image(
            stack,
            name=self._name,
            multiscale=False,
            interpolation2d="linear",  # as the run's own layer
            metadata={RECORD: {}},
            **intensity.display(stack.originals[0], keep_dtype),
            **self._transform(stack),
        )

    def _transform(self, stack: FrameStack) -> dict[str, Any]:
        transform = self._position.transform_at(stack.size, len(stack))
        units = known_units(transform["units"], self._viewer.dims, self._position.ndim)
        labels = ("iteration", *transform["axis_labels"][1:])
        return transform | {"units": units, "axis_labels": labels}


class IterationLayers:
    """A layer for each iteration that a history keeps, for short runs; the newest is seen.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layers.
    request : RunRequest
        Whose iterations they are.
    """

    MOST = 100
    """Iterations of a run that may have a layer each: napari draws and lists every one of them."""

    def __init__(self, viewer: ViewerModel, request: RunRequest) -> None:
        self._viewer = viewer
        self._request = request
        self._layers: dict[int, Any] = {}

    def add_next(self, stack: FrameStack) -> bool:
        """Add a layer for the first iteration that has none yet, and return whether there was one.

        One at a time, since each of them holds up the window.
        """
        missing = [step for step in stack.steps if step not in self._layers]
        if not missing:
            return False
        step = missing[0]
        pixels = stack.originals[stack.steps.index(step)]
        for layer in self._layers.values():
            layer.visible = False
        position, (height, width) = self._request.position, pixels.shape[:2]
        layout = {"axes": list(position.axes), "panels": []}
        self._layers[step] = self._viewer.add_image(
            position.data(pixels),
            name=f"{self._request.name} {step:04d}",
            metadata={RECORD: {LAYOUT: layout}},
            interpolation2d="linear",  # as the run's own layer
            **self._request.intensity.display(pixels, self._request.keep_dtype),
            **position.transform_at((height, width)),
        )
        return True

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Keep the run's record with the layers, each with its own step."""
        lasting = {name: facts[name] for name in facts if name not in _OF_THE_END}
        for step, layer in self._layers.items():
            layout = layer.metadata[RECORD][LAYOUT]
            layer.metadata[RECORD] = {**lasting, "step": step, LAYOUT: layout}
