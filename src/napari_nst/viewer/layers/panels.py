"""Several images as one layer with a slider, and the label of the shown image over the canvas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
from napari.components import ViewerModel

from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.own_axis import cover, on_own_axis
from napari_nst.viewer.layers.position import Position, move_slider, shown_axes, shown_index
from napari_nst.viewer.layers.save import LAYOUT


class PanelText:
    """The text overlay of a viewer; only the viewer's events hold it, while it follows a layer."""

    _existing: ClassVar[WeakValueDictionary[int, PanelText]] = WeakValueDictionary()

    @classmethod
    def of(cls, viewer: Any) -> PanelText:
        """Return the viewer's text, made on the first call."""
        # A plugin gets a proxy of the viewer, whose attributes are new proxies on each access.
        model = getattr(viewer, "__wrapped__", viewer)
        text = cls._existing.get(id(model.dims))
        if text is None:
            text = cls._existing[id(model.dims)] = cls(model)
        return text

    def __init__(self, viewer: Any) -> None:
        self._dims, self._layers = viewer.dims, viewer.layers
        self._overlay = viewer.canvas.overlays.text
        self._followed: dict[Any, tuple[int, tuple[str, ...]]] = {}
        self._written: str | None = None
        self._former = ("", False)
        # napari's events hold methods weakly and functions strongly.
        self._on_change = lambda event=None: self._update()

    def follow(self, layer: Any, axis: int, labels: Sequence[str]) -> None:
        """Show the label of the image that a layer shows along an axis, while it exists."""
        layer = getattr(layer, "__wrapped__", layer)
        if not self._followed:
            for emitter in self._emitters():
                emitter.connect(self._on_change)
        self._followed[layer] = (axis, tuple(labels))
        layer.events.visible.connect(self._on_change)
        self._update()

    def _emitters(self) -> list[Any]:
        return [
            self._dims.events.point,
            self._dims.events.order,
            self._layers.events.removed,
            self._layers.events.reordered,
        ]

    def _update(self) -> None:
        for layer in [layer for layer in self._followed if layer not in self._layers]:
            layer.events.visible.disconnect(self._on_change)
            del self._followed[layer]
        label = self._label()
        if label is None:
            self._put_back()
        else:
            self._write(label)
        if not self._followed:
            for emitter in self._emitters():
                emitter.disconnect(self._on_change)

    def _label(self) -> str | None:
        """Return the label of the topmost visible layer that has one."""
        for layer in reversed(self._layers):
            if layer in self._followed and layer.visible:
                axis, labels = self._followed[layer]
                if axis not in shown_axes(layer, self._dims):
                    return labels[shown_index(layer, self._dims)[axis]]
        return None

    def _write(self, label: str) -> None:
        if self._overlay.text != self._written:
            # The first time, or after another text was written.
            self._former = (self._overlay.text, self._overlay.visible)
            self._overlay.visible = True
        self._overlay.text = self._written = label

    def _put_back(self) -> None:
        if self._written is not None and self._overlay.text == self._written:
            self._overlay.text, self._overlay.visible = self._former
        self._written = None


def add_stack(
    viewer: ViewerModel,
    position: Position,
    pictures: np.ndarray[Any, Any],
    labels: Sequence[str],
    *,
    name: str,
    axis_label: str,
    **display: Any,
) -> Any:
    """Add labelled grey images (N, H, W) along an axis of their own; a single one has no axis."""
    count, (height, width) = len(pictures), pictures.shape[1:3]
    if count == 1:
        pictures, count, name = pictures[0], 0, f"{name} · {labels[0]}"
    else:
        position = on_own_axis(viewer, position, axis_label)
    transform, axes = position.transform_at((height, width), count), position.pixel_axes(count)
    if count:
        transform["axis_labels"] = (axis_label, *transform["axis_labels"][1:])
    layout = {"axes": list(axes), "panels": list(labels) if count else []}
    layer: Any = viewer.add_image(
        position.data(pictures, count),
        name=name,
        metadata={RECORD: {LAYOUT: layout}},
        **display,
        **transform,
    )
    cover(viewer, layer, position, count)
    if count:
        PanelText.of(viewer).follow(layer, axes[0], labels)
        move_slider(layer, viewer.dims, axes[0], 0)
    return layer
