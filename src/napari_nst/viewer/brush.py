"""A brush to draw on image layers while a run is paused, and its controls; napari has none."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from psygnal import Signal
from qtpy.QtCore import QSize
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QColorDialog, QHBoxLayout, QPushButton, QSpinBox, QWidget

from napari_nst.viewer.controls.form import FIELDS_WIDTH
from napari_nst.viewer.layers import live_pixels
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.position import shown_axes, shown_index
from napari_nst.viewer.layers.result_layer import set_alone

Array = np.ndarray[Any, Any]
Box = tuple[slice, slice]

UNDO_KEY = "Control-Z"
MAX_UNDO = 50  # strokes; each keeps the part of the image that it covers
MAX_SIZE = 512  # pixels
PAINT_TOOLTIP = (
    "While paused, draw on the result with the mouse; the strokes become part of the image that is "
    "optimised."
)


class Stroke:
    """One stroke of one colour, which changes `pixels`, (H, W) or (H, W, C), in place."""

    def __init__(self, pixels: Array, ink: Array, radius: float) -> None:
        self._pixels = pixels
        self._ink = ink.astype(np.float64)
        self._radius = radius
        self._before = pixels.copy()
        self._coverage = np.zeros(pixels.shape[:2], np.float32)

    def draw(self, start: Array, end: Array) -> None:
        """Draw along a line between two positions (vertical, horizontal) in pixels."""
        height, width = self._coverage.shape
        box, coverage = capsule(start, end, self._radius, (height, width))
        # A pixel that the stroke crosses twice is covered once: the edge stays smooth.
        np.maximum(self._coverage[box], coverage, out=self._coverage[box])
        before, dtype = self._before[box], self._pixels.dtype
        share = self._coverage[box].reshape(*coverage.shape, *(1,) * (before.ndim - 2))
        mixed = before + share * (self._ink - before.astype(np.float64))
        self._pixels[box] = (mixed if dtype.kind == "f" else np.rint(mixed)).astype(dtype)

    def finish(self) -> None:
        """End the stroke, and keep only those earlier pixels that `undo` needs."""
        rows, columns = (np.flatnonzero(self._coverage.any(axis)) for axis in (1, 0))
        box = tuple(slice(i[0], i[-1] + 1) if len(i) else slice(0) for i in (rows, columns))
        self._pixels, self._before = self._pixels[box], self._before[box].copy()

    def undo(self) -> None:
        """Restore the pixels from before the stroke."""
        self._pixels[...] = self._before


def capsule(start: Array, end: Array, radius: float, shape: tuple[int, int]) -> tuple[Box, Array]:
    """Return the box that a round brush touches along a line, and the coverage in [0, 1] there."""
    outer = radius + 0.5  # Pillow's lines would round the positions
    low = np.clip(np.ceil(np.minimum(start, end) - outer), 0, shape).astype(int)
    stop = np.clip(np.floor(np.maximum(start, end) + outer) + 1, 0, shape).astype(int)
    stop = np.maximum(stop, low)
    rows, columns = (np.arange(a, b, dtype=np.float32) for a, b in zip(low, stop, strict=True))
    line = np.subtract(end, start, dtype=np.float64)
    y, x = (rows - start[0])[:, None], (columns - start[1])[None]
    nearest = np.clip((y * line[0] + x * line[1]) / max(line @ line, 1e-12), 0, 1)
    distance = np.hypot(y - nearest * line[0], x - nearest * line[1])
    box = slice(int(low[0]), int(stop[0])), slice(int(low[1]), int(stop[1]))
    return box, np.clip(outer - distance, 0, 1).astype(np.float32)


class Brush:
    """Draws with the left mouse button on the slice of an image layer that the viewer shows."""

    changed = Signal(description="Emitted after every stroke and after every undo.")

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.layer: Any = None
        self._intensity: Intensity | None = None
        self._strokes: deque[Stroke] = deque(maxlen=MAX_UNDO)
        self._size = 16.0
        self.colour = (1.0, 0.55, 0.0)  # red, green, blue in [0, 1]; a grey layer takes their mean

    @property
    def size(self) -> float:
        """Diameter in pixels of the layer."""
        return self._size

    @size.setter
    def size(self, size: float) -> None:
        self._size = size
        self._show_cursor()

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to undo."""
        return bool(self._strokes)

    def attach(self, layer: Image, intensity: Intensity) -> None:
        """Draw in the NumPy array of a layer from now on; make it the viewer's active layer."""
        self.detach()
        self.layer, self._intensity = layer, intensity
        self._viewer.layers.selection.active = layer
        layer.mode = "pan_zoom"
        set_alone(layer, mouse_pan=False)
        layer.mouse_drag_callbacks.append(self._drag)
        layer.bind_key(UNDO_KEY, lambda _: self.undo(), overwrite=True)
        self._show_cursor()

    def detach(self) -> None:
        """Stop drawing and forget the strokes."""
        layer, self.layer = self.layer, None
        self._strokes.clear()
        if layer is None:
            return
        layer.mouse_drag_callbacks.remove(self._drag)
        layer.bind_key(UNDO_KEY, None)
        set_alone(layer, mouse_pan=True, cursor="standard")

    def undo(self) -> None:
        """Undo the last stroke, if there is one."""
        if self._strokes:
            self._strokes.pop().undo()
            self.layer.refresh(extent=False)
            self.changed.emit()

    def _show_cursor(self) -> None:
        """Show a circle of the brush's size as the mouse cursor."""
        layer = self.layer
        if layer is None:
            return
        origin = np.array(layer.data_to_world(np.zeros(layer.ndim)))
        pixels = np.eye(layer.ndim)[list(shown_axes(layer, self._viewer.dims))]
        sides = [np.linalg.norm(layer.data_to_world(pixel) - origin) for pixel in pixels]
        set_alone(layer, cursor_size=self._size * float(min(sides)), cursor="circle")

    def _drag(self, layer: Image, event: Any) -> Iterator[None]:
        """Draw one stroke; napari calls this at the press and resumes it at every move."""
        if event.button != 1 or layer.mode != "pan_zoom" or len(event.dims_displayed) != 2:
            return
        axes = shown_axes(layer, self._viewer.dims)
        stroke = Stroke(self._shown_pixels(layer, axes), self._ink(layer), self._size / 2)
        end = _pixel(layer, event, axes)
        stroke.draw(end, end)
        _refresh(layer)
        yield
        while event.type == "mouse_move" and self.layer is not None:
            start, end = end, _pixel(layer, event, axes)
            stroke.draw(start, end)
            _refresh(layer)
            yield
        if self.layer is not None:  # not detached while the button was down
            stroke.draw(end, _pixel(layer, event, axes))  # Qt skips events of quick moves
            stroke.finish()
            self._strokes.append(stroke)
            layer.refresh(extent=False)  # with the thumbnail
            self.changed.emit()

    def _shown_pixels(self, layer: Image, axes: tuple[int, int]) -> Array:
        """Return a view of the shown slice without alpha, the vertical axis first."""
        shown = shown_index(layer, self._viewer.dims)
        index = tuple(slice(None) if axis in axes else i for axis, i in enumerate(shown))
        pixels = layer.data[index]
        pixels = pixels[..., :3] if layer.rgb else pixels
        return np.asarray(pixels.swapaxes(0, 1) if axes[0] > axes[1] else pixels)

    def _ink(self, layer: Image) -> Array:
        """Return the colour as a pixel value of the layer."""
        assert self._intensity is not None
        colour = np.array(self.colour, np.float32)
        pixel = colour[None, None] if layer.rgb else colour.mean(keepdims=True)[None]
        restored = self._intensity.restore(pixel)
        if restored.dtype != layer.dtype:
            restored = self._intensity.restore(pixel, keep_dtype=True)
        return np.asarray(restored[0, 0])


def _pixel(layer: Image, event: Any, axes: tuple[int, int]) -> Array:
    """Return the mouse's position (vertical, horizontal) in pixels of the layer."""
    return np.asarray(layer.world_to_data(event.position))[list(axes)]


def _refresh(layer: Image) -> None:
    layer.refresh(extent=False, thumbnail=False, highlight=False)


class BrushControls:
    """Switches a brush on and off and sets it; `level` replaces `colour` on a grey layer."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.brush = Brush(viewer)
        self._layer: Any = None
        self._intensity: Intensity | None = None
        self._chosen = QColor()
        self.paint = _button("Paint", PAINT_TOOLTIP)
        self.paint.setCheckable(True)
        self.colour = _button("", "", "Colour")
        self.colour.setIconSize(QSize(28, 14))
        self.level = _number("Level", 0, 100, " %", "Grey level of the brush, from black to white.")
        self.size = _number("Size", 1, MAX_SIZE, " px", "Width of the brush in pixels.")
        self.undo = _button("Undo", "Undo the last stroke; Ctrl+Z in the canvas does it too.")
        self.native = QWidget()
        row = QHBoxLayout(self.native)
        row.setContentsMargins(0, 0, 0, 0)
        for control in (self.paint, self.colour, self.level, self.size, self.undo):
            row.addWidget(control, int(isinstance(control, QSpinBox)))
        self.size.setValue(round(self.brush.size))
        self.level.setValue(100)
        self._show_colour(QColor.fromRgbF(*self.brush.colour))
        self.paint.toggled.connect(self._on_paint)
        self.colour.clicked.connect(self._on_colour)
        self.level.valueChanged.connect(self._set_brush_colour)
        self.size.valueChanged.connect(lambda pixels: setattr(self.brush, "size", pixels))
        self.undo.clicked.connect(self.brush.undo)
        self.brush.changed.connect(self._enable_undo)
        self.withdraw()

    def offer(self, layer: Image, intensity: Intensity) -> None:
        """Show the controls for a layer; they are disabled for a multiscale one."""
        self.withdraw()
        self._layer, self._intensity = layer, intensity
        for control in (self.paint, self.colour, self.level, self.size):
            control.setEnabled(not layer.multiscale)
        self._enable_undo()
        self.paint.setToolTip(
            f"The brush cannot draw on a result of more than {live_pixels.LARGE} pixels."
            if layer.multiscale
            else PAINT_TOOLTIP
        )
        self.colour.setVisible(bool(layer.rgb))
        self.level.setVisible(not layer.rgb)
        self._set_brush_colour()
        self.native.setVisible(True)

    def withdraw(self) -> None:
        """Switch the brush off and hide the controls."""
        self.paint.setChecked(False)
        self._layer = self._intensity = None
        self.native.setVisible(False)

    def _on_paint(self, checked: bool) -> None:
        if checked and self._layer is not None and self._intensity is not None:
            self.brush.attach(self._layer, self._intensity)
        else:
            self.brush.detach()
        self._enable_undo()

    def _on_colour(self) -> None:
        chosen = QColorDialog.getColor(self._chosen, self.native, "Colour of the brush")
        if chosen.isValid():
            self._show_colour(chosen)
            self._set_brush_colour()

    def _set_brush_colour(self) -> None:
        if self._layer is None or self._layer.rgb:
            chosen = self._chosen
            self.brush.colour = (chosen.redF(), chosen.greenF(), chosen.blueF())
        else:
            self.brush.colour = (self.level.value() / 100,) * 3

    def _enable_undo(self) -> None:
        self.undo.setEnabled(self.brush.can_undo)

    def _show_colour(self, colour: QColor) -> None:
        self._chosen = colour
        swatch = QPixmap(self.colour.iconSize())
        swatch.fill(colour)
        self.colour.setIcon(QIcon(swatch))
        self.colour.setToolTip(f"Colour of the brush: {colour.name()}.")


def _button(text: str, tooltip: str, name: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    button.setAccessibleName(name or text)
    return button


def _number(name: str, low: int, high: int, unit: str, tooltip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setSuffix(unit)
    box.setToolTip(tooltip)
    box.setAccessibleName(name)
    box.setMinimumWidth(FIELDS_WIDTH)
    return box
