"""Saving a result layer, and showing it three by three."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_nst.io.record import RECORD
from napari_nst.io.write_image import depth_for, write_image, write_stack
from napari_nst.viewer.layers.intensity import to_unit
from napari_nst.viewer.layers.position import layer_transform

Array = np.ndarray[Any, Any]

LAYOUT = "layer"
"""Key of the record: the axes of the layer's data (panels, vertical, horizontal), and labels."""

_TILES_OF = "napari-nst-tiles-of"


def tile_preview(viewer: ViewerModel, layer: Image) -> Any:
    """Show a texture three by three around itself; update the preview of an earlier call."""
    vertical, horizontal = _layout(layer)["axes"][-2:]
    repeats, first = np.ones(layer.data.ndim, int), np.zeros(layer.ndim)
    for axis in (vertical, horizontal):
        repeats[axis], first[axis] = 3, -layer.data.shape[axis]
    levels = list(layer.data) if layer.multiscale else [layer.data]
    tiled = [np.tile(level, repeats) for level in levels]
    tiles = tiled if layer.multiscale else tiled[0]
    transform = layer_transform(layer, first)
    metadata = {RECORD: dict(layer.metadata[RECORD]), _TILES_OF: layer.unique_id}
    for preview in viewer.layers:
        if preview.metadata.get(_TILES_OF) == layer.unique_id:
            preview.data, preview.metadata = tiles, metadata
            preview.scale, preview.translate = transform["scale"], transform["translate"]
            return preview
    shown = {} if layer.rgb else {"contrast_limits": layer.contrast_limits}
    return viewer.add_image(
        tiles,
        name=f"{layer.name} 3 × 3",
        rgb=layer.rgb,
        multiscale=layer.multiscale,
        colormap=None if layer.rgb else layer.colormap,
        metadata=metadata,
        **shown,
        **transform,
    )


def save_result(layer: Image, path: str | os.PathLike[str]) -> None:
    """Write the image of a result layer into a PNG, JPEG or TIFF file, with its record as text."""
    layout = _layout(layer)
    record = {key: value for key, value in layer.metadata[RECORD].items() if key != LAYOUT}
    text = json.dumps(record) if record else ""
    finest = layer.data[0] if layer.multiscale else layer.data
    pixels = _upright(np.asarray(finest), layer.ndim, layout["axes"])
    low, high = map(float, layer.contrast_limits)
    name = f"Layer {layer.name!r}"
    if labels := layout["panels"]:
        shown = [to_unit(picture, (low, high), name) for picture in pixels]
        opaque = [picture[..., :3] if layer.rgb else picture for picture in shown]
        write_stack(path, opaque, labels, text=text)
        return
    ending = Path(path).suffix.lower()
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    if pixels.dtype == np.uint8 or (pixels.dtype == np.uint16 and ending not in (".jpg", ".jpeg")):
        write_image(path, pixels, text=text)
    elif ending in (".tif", ".tiff"):
        write_image(path, pixels.astype(np.float32), 32, text=text)
    else:
        write_image(path, to_unit(pixels, (low, high), name), depth_for(path, pixels), text=text)


def _layout(layer: Image) -> dict[str, Any]:
    record = layer.metadata.get(RECORD)
    layout = record.get(LAYOUT) if isinstance(record, Mapping) else None
    if not isinstance(layout, dict):
        raise ValueError(
            f"Layer {layer.name!r} is no result of this plugin; choose one that it has made."
        )
    return layout


def _upright(data: Array, ndim: int, axes: list[int]) -> Array:
    """Return the images in a layer's data: the reverse of `Position.data`."""
    taken = data[tuple(slice(None) if axis in axes else 0 for axis in range(ndim))]
    # The rank of each axis among the remaining ones.
    order = np.argsort(np.argsort(axes))
    return taken.transpose(*order, *range(len(axes), taken.ndim))
