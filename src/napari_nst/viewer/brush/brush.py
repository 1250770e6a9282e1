"""A brush for image layers; napari has one for labels only."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_nst.viewer.brush.stroke import Stroke
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.position import shown_axes, shown_index

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

Array = np.ndarray[Any, Any]

UNDO_KEY = "Control-Z"
MAX_UNDO = 50  # strokes; each keeps the part of the image that it covers


class Brush:
    """Draws with the mouse on the slice of an image layer that the viewer shows.

    While the brush is attached, dragging with the left button draws instead of moving the view, the
    wheel zooms as usual, and Ctrl+Z in the canvas undoes the last stroke.
    """

    changed = Signal(description="Emitted after every stroke and after every undo.")

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.layer: Any = None
        self._intensity: Intensity | None = None
        self._strokes: deque[Stroke] = deque(maxlen=MAX_UNDO)
        self._could_pan = True
        self._size = 16.0
        self.colour = (1.0, 0.55, 0.0)
        """Red, green and blue in [0, 1]; a grey layer takes their mean."""

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
        """Draw on a layer from now on, in place, and make it the viewer's active layer.

        The layer must not be multiscale, and its data must be a numpy array.
        """
        self.detach()
        self.layer, self._intensity = layer, intensity
        self._viewer.layers.selection.active = layer
        layer.mode = "pan_zoom"
        self._could_pan, layer.mouse_pan = layer.mouse_pan, False
        layer.mouse_drag_callbacks.append(self._drag)
        layer.bind_key(UNDO_KEY, self._on_undo_key, overwrite=True)
        self._show_cursor()

    def detach(self) -> None:
        """Stop drawing and forget the strokes; does nothing if the brush is not attached."""
        layer, self.layer = self.layer, None
        self._strokes.clear()
        if layer is None:
            return
        layer.mouse_drag_callbacks.remove(self._drag)
        layer.bind_key(UNDO_KEY, None)
        layer.mouse_pan = self._could_pan
        layer.cursor = "standard"

    def undo(self) -> None:
        """Undo the last stroke, if there is one."""
        if self._strokes:
            self._strokes.pop().undo()
            self.layer.refresh(extent=False)
            self.changed.emit()

    def _on_undo_key(self, layer: Image) -> None:
        self.undo()

    def _show_cursor(self) -> None:
        """Show a circle of the brush's size as the mouse cursor."""
        layer = self.layer
        if layer is None:
            return
        origin = np.array(layer.data_to_world(np.zeros(layer.ndim)))
        sides = [
            np.linalg.norm(layer.data_to_world(np.eye(layer.ndim)[axis]) - origin)
            for axis in shown_axes(layer, self._viewer.dims)
        ]
        layer.cursor_size = self._size * float(min(sides))
        layer.cursor = "circle"

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
        if self.layer is None:  # detached while the button was down
            return
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
