"""Images of one size as a layer with a slider and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.panel_label import PanelText, known_units
from napari_nst.viewer.layers.position import Position, move_slider
from napari_nst.viewer.layers.save import LAYOUT

if TYPE_CHECKING:
    from napari.components import ViewerModel


def add_stack(
    viewer: ViewerModel,
    position: Position,
    pictures: np.ndarray[Any, Any],
    labels: Sequence[str],
    *,
    axis_label: str,
    **display: Any,
) -> Any:
    """Add grey images (N, H, W) at a position, with an axis of their own before all others.

    `labels` are shown over the canvas, `axis_label` beside the slider. `display` are arguments of
    `add_image`, such as ``name`` and ``colormap``. Returns the layer.
    """
    position = replace(position, panel_axis=None)
    count, (height, width) = len(pictures), pictures.shape[1:3]
    transform = position.transform_at((height, width), count)
    transform["units"] = known_units(transform["units"], viewer.dims, position.ndim)
    transform["axis_labels"] = (axis_label, *transform["axis_labels"][1:])
    axes = position.pixel_axes(count)
    layout = {"axes": list(axes), "panels": list(labels)}
    layer: Any = viewer.add_image(
        position.data(pictures, count), metadata={RECORD: {LAYOUT: layout}}, **display, **transform
    )
    PanelText.of(viewer).follow(layer, axes[0], labels)
    move_slider(layer, viewer.dims, axes[0], 0)
    return layer
