"""Saving a result layer."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image

from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.write_image import depth_for, write_image, write_stack
from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.intensity import to_unit
from napari_nst.viewer.layers.position import layer_transform, whole_affine
from napari_nst.viewer.layers.read import pixel_sides

Array = np.ndarray[Any, Any]

LAYOUT = "layer"
"""Key of the record: the axes of the layer's data (panels, vertical, horizontal), and labels."""


def save_result(layer: Image, path: str | os.PathLike[str]) -> None:
    """Write the image of a result layer into a PNG, JPEG or TIFF file, with its record as text."""
    layout = layout_of(layer)
    if folder := layout.get("stack"):
        raise ValueError(f"Layer {layer.name!r} is saved already: its slices are in {folder}.")
    record = {key: value for key, value in layer.metadata[RECORD].items() if key != LAYOUT}
    text = json.dumps(record) if record else ""
    finest = layer.data[0] if layer.multiscale else layer.data
    pixels = _upright(np.asarray(finest), layer.ndim, layout["axes"])
    low, high = map(float, layer.contrast_limits)
    name, axes = f"Layer {layer.name!r}", layout["axes"][-2:]
    shape = (finest.shape[axes[0]], finest.shape[axes[1]])
    limits = None if layer.rgb else (low, high)
    known = calibration_of(layer_transform(layer), axes, shape, limits)
    if labels := layout["panels"]:
        shown = [to_unit(picture, (low, high), name) for picture in pixels]
        opaque = [picture[..., :3] if layer.rgb else picture for picture in shown]
        known = replace(known, limits=None)  # the values are those between the limits
        write_stack(path, opaque, labels, text=text, calibration=known)
        return
    ending = Path(path).suffix.lower()
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    if pixels.dtype == np.uint8 or (pixels.dtype == np.uint16 and ending not in (".jpg", ".jpeg")):
        write_image(path, pixels, text=text, calibration=known)
    elif ending in (".tif", ".tiff"):
        write_image(path, pixels.astype(np.float32), 32, text=text, calibration=known)
    else:
        displayed = to_unit(pixels, (low, high), name)
        write_image(path, displayed, depth_for(path, pixels), text=text, calibration=known)


def calibration_of(
    transform: Mapping[str, Any],
    axes: Sequence[int],
    shape: tuple[int, int],
    limits: tuple[float, float] | None,
) -> Calibration:
    """Return what a file holds of a layer's transform along two axes, and of its limits."""
    sides, unit = pixel_sides(transform, axes)
    if sides is None:
        return Calibration(shape, limits=limits)
    matrix = whole_affine(dict(transform)).affine_matrix[[*axes, -1]]
    steps = np.diag(matrix[:2, list(axes)])
    # A file says where an image begins, but not how it is turned.
    is_upright = np.count_nonzero(matrix[:2, :-1]) == 2 and bool((steps > 0).all())
    row, column = -matrix[:2, -1] / steps if is_upright else (0, 0)
    origin = (float(row), float(column)) if is_upright else None
    name = "um" if unit == "micrometer" else unit
    return Calibration(shape, (float(sides[0]), float(sides[1])), name, origin, limits)


def layout_of(layer: Image) -> dict[str, Any]:
    """Return the axes and labels of a result's data; raise `ValueError` for another layer."""
    record = layer.metadata.get(RECORD)
    layout = record.get(LAYOUT) if isinstance(record, Mapping) else None
    if not isinstance(layout, dict):
        raise ValueError(
            f"Layer {layer.name!r} is no result of this plugin; choose one that it has made."
        )
    return layout


def panels_of(layer: Any) -> list[str]:
    """Return the labels of the images in a stack of this plugin, or an empty list."""
    record = layer.metadata.get(RECORD)
    layout = record.get(LAYOUT) if isinstance(record, Mapping) else None
    return list(layout["panels"]) if layout else []


def _upright(data: Array, ndim: int, axes: list[int]) -> Array:
    """Return the images in a layer's data: the reverse of `Position.data`."""
    taken = data[tuple(slice(None) if axis in axes else 0 for axis in range(ndim))]
    # The rank of each axis among the remaining ones.
    order = np.argsort(np.argsort(axes))
    return taken.transpose(*order, *range(len(axes), taken.ndim))
