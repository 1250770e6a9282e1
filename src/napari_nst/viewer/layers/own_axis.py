"""An axis of the viewer for each kind of stack, so that its slider moves no other layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import Dims

from napari_nst.viewer.layers.position import Position
from napari_nst.viewer.layers.result_layer import set_alone
from napari_nst.viewer.layers.save import panels_of

Array = np.ndarray[Any, Any]


def on_own_axis(viewer: Any, position: Position, label: str) -> Position:
    """Return a position for images along an axis that only stacks with this label have.

    The axis of the images is before those of the position. In between are the viewer's further
    axes, on which the images are the same everywhere; see `cover`.
    """
    position = replace(position, panel_axis=None)
    dims, least = viewer.dims, position.ndim + 1
    stacks = [one for one in viewer.layers if panels_of(one) and one.axis_labels[0] == label]
    own = [one.ndim for one in stacks if one.ndim >= least]
    between = (own[-1] if own else max(least, dims.ndim + 1)) - least
    if not between:
        return position
    places = range(-position.ndim - between, -position.ndim)
    scale, translate = _whole(dims, places)
    units = tuple(dims.units[at] if dims.units else "pixel" for at in places)
    labels = tuple(dims.axis_labels[at] for at in places)
    return position.expanded(scale, translate, units, labels)


def cover(viewer: Any, layer: Any, position: Position, panels: int) -> None:
    """Let a stack at `on_own_axis(…)` be seen wherever the other sliders are, while it exists."""
    last = position.ndim - position.axes_before
    between = range(layer.ndim - last - position.axes_before, layer.ndim - last)
    if panels and position.axes_before:
        _Cover(getattr(viewer, "__wrapped__", viewer), layer, between)


def _whole(dims: Dims, places: Iterable[int]) -> tuple[Array, Array]:
    """Return scale and translation of a pixel as large as the range of each of some sliders."""
    start, stop, step = np.array([dims.range[at] for at in places], float).T
    return stop - start + step, (start + stop) / 2


class _Cover:
    """Makes a layer's pixels along some axes as large as the range of the viewer's sliders."""

    def __init__(self, viewer: Any, layer: Any, axes: range) -> None:
        self._viewer, self._axes = viewer, list(axes)
        self._layer = getattr(layer, "__wrapped__", layer)
        # napari's events hold methods weakly and functions strongly.
        self._on_range = lambda event=None: self._update()
        viewer.dims.events.range.connect(self._on_range)
        self._update()

    def _update(self) -> None:
        layer, dims = self._layer, self._viewer.dims
        if layer not in self._viewer.layers:
            dims.events.range.disconnect(self._on_range)
            return
        scale, translate = np.array(layer.scale), np.array(layer.translate)
        places = [axis - layer.ndim for axis in self._axes]
        scale[self._axes], translate[self._axes] = _whole(dims, places)
        # The translation first: the pixel stays within the range, which it would enlarge otherwise.
        for name, value in (("translate", translate), ("scale", scale)):
            if not np.allclose(value, getattr(layer, name)):
                set_alone(layer, **{name: value})
