"""Saving a result layer."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image

from napari_nst.io.record import RECORD
from napari_nst.io.write_image import depth_for, write_image, write_stack
from napari_nst.viewer.layers.intensity import to_unit

Array = np.ndarray[Any, Any]

LAYOUT = "layer"
"""Key of the record: the axes of the layer's data (panels, vertical, horizontal), and labels."""


def save_result(layer: Image, path: str | os.PathLike[str]) -> None:
    """Write the image of a result layer into a PNG, JPEG or TIFF file, with its record as text."""
    layout = layout_of(layer)
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


def layout_of(layer: Image) -> dict[str, Any]:
    """Return the axes and labels of a result's data; raise `ValueError` for another layer."""
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
