"""The image that a run began with, over the left part of its result, up to a line to drag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QSlider, QWidget

from napari_nst.viewer.layers.intensity import whole_range
from napari_nst.viewer.layers.position import Position, layer_transform
from napari_nst.viewer.layers.read import LayerSlice
from napari_nst.viewer.layers.result_layer import PASSING
from napari_nst.viewer.run.runner import Runner
from napari_nst.viewer.run.worker import run_in_background

Array = np.ndarray[Any, Any]

MOST = 4096  # pixels of a side: napari uploads the shown part whenever the line moves
_PARTS = 1000  # of the slider
_NEAR = 8  # pixels of the canvas between the mouse and a line that it takes
_LINE = "#ffd60a"


class BeforeAfter:
    """A check box and a slider for a layer that hides a part of the result behind its source.

    The layer exists only while the box is checked and the viewer has the result; the result itself
    stays as it is, also while a run draws into it.
    """

    def __init__(
        self, viewer: ViewerModel, runner: Runner, complain: Callable[[Exception], None]
    ) -> None:
        self._viewer = viewer
        self._runner = runner
        self._complain = complain
        self.layer: Any = None  # shows what was before, from the left edge to the line
        self._of: Any = None  # the result that the layer belongs to, or for which it is being read
        self._pixels: Array | None = None  # all of the source
        self._own = Position((1, 1), (0, 1), (0, 0), {})  # of the result
        self.box = QCheckBox("Before | after")
        self.box.setToolTip(
            "Show the image as it was on the left of a line, and the result on the right. Drag the "
            "line in the picture, or move the slider."
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _PARTS)
        self.slider.setValue(_PARTS // 2)
        self.slider.setAccessibleName("Before and after")
        self.slider.setToolTip("How much of the width shows the image as it was.")
        self.slider.setEnabled(False)
        self.native = QWidget()
        row = QHBoxLayout(self.native)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box)
        row.addWidget(self.slider, 1)
        self.native.hide()
        self.box.toggled.connect(self._on_toggled)
        self.slider.valueChanged.connect(self._crop)
        self._drags = self._drag  # one object, so that it can be removed
        runner.shown.connect(self.follow)

    @property
    def is_possible(self) -> bool:
        """Whether there is a result, and what it was made from is known."""
        request = self._runner.request
        has_source = request is not None and request.is_single and request.source is not None
        return has_source and self._runner.has_result

    def toggle(self) -> None:
        """Show both, or the result alone."""
        if self.is_possible:
            self.box.toggle()
        else:
            self._complain(ValueError("There is no result of a single image. Press Run first."))

    def follow(self) -> None:
        """Offer the view while there is a result; called when a run or the layers change."""
        if self._runner.closed:
            return
        if self.native.isHidden() == self.is_possible:
            self.native.setVisible(self.is_possible)
        was_removed = self.layer is not None and self.layer not in self._viewer.layers
        if self.is_possible and was_removed and self._of == self._runner.live.layer:
            self.box.setChecked(False)  # by the user
        elif not self.is_possible or self._of != self._runner.live.layer:
            self.remove()
        if self.box.isChecked() and self.is_possible and self._of is None:
            self._read()

    def remove(self) -> None:
        """Remove the layer, and let go of the mouse."""
        layer, self.layer, self._of, self._pixels = self.layer, None, None, None
        if self._drags in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._drags)
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _on_toggled(self, on: bool) -> None:
        self.slider.setEnabled(on)
        if on:
            self.follow()
        else:
            self.remove()

    def _read(self) -> None:
        """Read the source in a thread, because it may be lazy, and show it."""
        request, result = self._runner.request, self._runner.live.layer
        assert request is not None
        assert request.source is not None
        source, shape, self._of = request.source, request.position.shape, result

        def show(pixels: Array) -> None:
            if not self._runner.closed and self._of == result and result in self._viewer.layers:
                self._add(source, pixels, shape)

        run_in_background(
            lambda _: source.read_raw(),
            viewer=self._viewer,
            returned=show,
            failed=self._complain,
            finished=lambda: None,
        )

    def _add(self, source: LayerSlice, pixels: Array, shape: tuple[int, int]) -> None:
        """Add the layer above the result, where that is now; the result covers `shape` pixels."""
        every = -(-max(pixels.shape[:2]) // MOST)
        self._pixels = pixels[::every, ::every]
        # A result may be larger than its source, and a source may be read at a coarser level.
        ratio = np.divide(source.position.shape, self._pixels.shape[:2])
        result, axes = self._of, source.position.axes
        data = result.data[0] if result.multiscale else result.data
        covered = (data.shape[axes[0]], data.shape[axes[1]])
        own = self._own = Position(covered, axes, (0,) * result.ndim, layer_transform(result))
        at = own.transform_at((shape[0] / ratio[0], shape[1] / ratio[1]))
        is_rgb, limits = pixels.ndim == 3, source.intensity.limits
        options = {} if is_rgb else {"colormap": source.intensity.colormap}
        layers, active = self._viewer.layers, self._viewer.layers.selection.active
        self.layer = self._viewer.add_image(
            own.data(self._left()),
            name=f"{source.name} · before",
            rgb=is_rgb,
            multiscale=False,
            contrast_limits=limits or whole_range(pixels.dtype),
            interpolation2d="linear",  # as the result's layer
            metadata={PASSING: True},
            **options,
            **at,
        )
        layers.move(layers.index(self.layer), layers.index(result) + 1)
        if active is not None:
            layers.selection.active = active
        frame = self.layer.bounding_box
        frame.points, frame.line_color, frame.line_thickness = False, _LINE, 2
        frame.visible = True
        self._viewer.mouse_drag_callbacks.append(self._drags)

    def _left(self) -> Array:
        """Return the source's pixels on the left of the line."""
        assert self._pixels is not None
        width = self._pixels.shape[1]
        return self._pixels[:, : max(1, round(width * self.slider.value() / _PARTS))]

    def _crop(self) -> None:
        if self.layer is None or self._pixels is None:
            return
        self.layer.data = self._own.data(self._left())
        self.layer.visible = self.slider.value() > 0

    def _drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """Move the line with the mouse, if that took it and the canvas is not drawn on."""
        camera = self._viewer.scene.camera
        if event.button != 1 or not camera.mouse_pan or not self._is_near(event.position):
            return
        camera.mouse_pan = False
        yield
        while event.type == "mouse_move":
            self.slider.setValue(round(self._place(event.position)[1] * _PARTS))
            yield
        camera.mouse_pan = True

    def _place(self, at: Any) -> Array:
        """Return a position of the world as shares of the source's height and width."""
        assert self._pixels is not None
        pixel = np.asarray(self.layer.world_to_data(at))[list(self._own.axes)] + 0.5
        place: Array = pixel / self._pixels.shape[:2]
        return place

    def _is_near(self, at: Any) -> bool:
        if self.layer is None or self._pixels is None or self._viewer.dims.ndisplay != 2:
            return False
        row, column = self._place(at)
        # How far the mouse is from the line for each pixel of the canvas that it moves.
        pixels = np.eye(len(at))[list(self._viewer.dims.displayed)] / self._viewer.scene.camera.zoom
        steps = [self._place(at + one)[1] - column for one in pixels]
        apart = abs(column - self.slider.value() / _PARTS)
        return bool(0 <= row <= 1 and apart <= _NEAR * np.hypot(*steps))
