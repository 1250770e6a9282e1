"""A brush for image layers, for which napari has none."""

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
Colour = tuple[float, float, float]

UNDO_KEY = "Control-Z"

_REMEMBERED = 50
"""Strokes that can be undone; each keeps the part of the picture that it covers."""


class Brush:
    """Paints with the mouse on the slice of an image layer that the viewer shows.

    While it is attached, dragging with the left button paints instead of moving the view, the wheel
    zooms as ever, and Ctrl+Z in the canvas takes the last stroke back.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        That has the layers.
    """

    painted = Signal(description="Emitted after every stroke, and after one was taken back.")

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._intensity: Intensity | None = None
        self._strokes: deque[Stroke] = deque(maxlen=_REMEMBERED)
        self._could_pan = True
        self._size = 16.0
        self.colour: Colour = (1.0, 0.55, 0.0)
        """Red, green and blue in [0, 1]; a grey layer takes the mean."""

    @property
    def layer(self) -> Any:
        """The layer that it paints on, or None."""
        return self._layer

    @property
    def size(self) -> float:
        """Diameter in the layer's pixels."""
        return self._size

    @size.setter
    def size(self, size: float) -> None:
        self._size = size
        self._show_cursor()

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to take back."""
        return bool(self._strokes)

    def attach(self, layer: Image, intensity: Intensity) -> None:
        """Paint on a layer from now on, which becomes the viewer's active one.

        Parameters
        ----------
        layer : napari.layers.Image
            Not multiscale, its data a numpy array; that is painted in place.
        intensity : Intensity
            How its numbers are meant.
        """
        self.detach()
        self._layer, self._intensity = layer, intensity
        self._viewer.layers.selection.active = layer
        layer.mode = "pan_zoom"
        self._could_pan, layer.mouse_pan = layer.mouse_pan, False
        layer.mouse_drag_callbacks.append(self._drag)
        layer.bind_key(UNDO_KEY, self._on_undo_key, overwrite=True)
        self._show_cursor()

    def detach(self) -> None:
        """Paint no more, and forget the strokes; nothing if it is not attached."""
        layer, self._layer = self._layer, None
        self._strokes.clear()
        if layer is None:
            return
        layer.mouse_drag_callbacks.remove(self._drag)
        layer.bind_key(UNDO_KEY, None)
        layer.mouse_pan = self._could_pan
        layer.cursor = "standard"

    def undo(self) -> None:
        """Take the last stroke back, if there is one."""
        if self._strokes:
            self._strokes.pop().undo()
            self._layer.refresh(extent=False)
            self.painted.emit()

    def _on_undo_key(self, layer: Image) -> None:
        self.undo()

    def _show_cursor(self) -> None:
        layer = self._layer
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
        """Paint one stroke; napari calls this at the press and goes on with it at every move."""
        if event.button != 1 or layer.mode != "pan_zoom" or len(event.dims_displayed) != 2:
            return
        axes = shown_axes(layer, self._viewer.dims)
        stroke = Stroke(self._shown(layer, axes), self._ink(layer), self._size / 2)
        end = _pixel(layer, event, axes)
        stroke.draw(end, end)
        _redraw(layer)
        yield
        while event.type == "mouse_move" and self._layer is not None:
            start, end = end, _pixel(layer, event, axes)
            stroke.draw(start, end)
            _redraw(layer)
            yield
        if self._layer is None:  # detached while the button was down
            return
        stroke.draw(end, _pixel(layer, event, axes))  # of quick moves, not every one is told
        stroke.finish()
        self._strokes.append(stroke)
        layer.refresh(extent=False)  # the thumbnail, too
        self.painted.emit()

    def _shown(self, layer: Image, axes: tuple[int, int]) -> Array:
        """Return a view of the shown slice's colours, the vertical axis first; alpha left out."""
        at = shown_index(layer, self._viewer.dims)
        index = tuple(slice(None) if axis in axes else i for axis, i in enumerate(at))
        pixels = layer.data[index]
        pixels = pixels[..., :3] if layer.rgb else pixels
        return np.asarray(pixels.swapaxes(0, 1) if axes[0] > axes[1] else pixels)

    def _ink(self, layer: Image) -> Array:
        """Return the colour in the layer's numbers."""
        assert self._intensity is not None
        colour = np.array(self.colour, np.float32)
        one_pixel = colour[None, None] if layer.rgb else colour.mean(keepdims=True)[None]
        restored = self._intensity.restore(one_pixel)
        if restored.dtype != layer.dtype:
            restored = self._intensity.restore(one_pixel, keep_dtype=True)
        return np.asarray(restored[0, 0])


def _pixel(layer: Image, event: Any, axes: tuple[int, int]) -> Array:
    """Return where the mouse is: (vertical, horizontal) in the layer's pixels."""
    position: Array = np.asarray(layer.world_to_data(event.position))[list(axes)]
    return position


def _redraw(layer: Image) -> None:
    layer.refresh(extent=False, thumbnail=False, highlight=False)
