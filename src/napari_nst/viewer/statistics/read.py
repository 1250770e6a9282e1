"""Read what a layer shows, its pixels and their sizes, to be measured in another thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image, Labels, Shapes

from napari_nst.texture_statistics.reading import MICROMETRE, Read
from napari_nst.viewer.guides.rasterize import guide_of
from napari_nst.viewer.layers.intensity import intensity_of, to_unit, whole_range
from napari_nst.viewer.layers.position import layer_transform, position_of, shown_index
from napari_nst.viewer.layers.read import check_is_image, pixel_sides, shown_slice

Array = np.ndarray[Any, Any]
ReadLayer = Callable[[], tuple[Read, Array | None]]
"""Returns the pixels of a layer, and the labels that select some of them; slow for lazy layers."""


def slice_reader(layer: Image, dims: Dims, labels: Labels | Shapes | None) -> ReadLayer:
    """Return how to read the slice that the viewer shows; raise `ValueError` if there is none."""
    shown = shown_slice(layer, dims)
    guide = None if labels is None else guide_of(labels, position_of(layer, dims), dims)
    sides, unit = pixel_sides(layer_transform(layer), shown.position.axes)

    def read() -> tuple[Read, Array | None]:
        pixels = np.asarray(shown.read())
        mask = None if guide is None else guide((pixels.shape[0], pixels.shape[1]))
        return _as_read(pixels, 2, sides, unit), mask

    return read


def volume_reader(layer: Image, dims: Dims, labels: Labels | Shapes | None) -> ReadLayer:
    """Return how to read a layer's last three axes, as the viewer orders them, at its sliders."""
    check_is_image(layer)
    axes = _volume_axes(layer, dims)
    shape = layer.level_shapes[0]
    if isinstance(labels, Shapes) or (
        isinstance(labels, Labels) and tuple(labels.level_shapes[0]) != tuple(shape[: layer.ndim])
    ):
        raise ValueError(
            f"Layer {labels.name!r} cannot mark the volume of {layer.name!r}. Choose a Labels "
            "layer of the same shape, or none."
        )
    index = _index(layer, dims, axes)
    data = layer.data[0] if layer.multiscale else layer.data
    drawn = None if labels is None else labels.data
    intensity, name = intensity_of(layer), layer.name
    limits = intensity.limits or whole_range(intensity.dtype)
    white = whole_range(np.dtype(layer.dtype))[1]
    sides, unit = pixel_sides(layer_transform(layer), axes)
    order = np.argsort(np.argsort(axes))

    def read() -> tuple[Read, Array | None]:
        stored = np.asarray(data[index])
        pixels = stored.transpose(*order, *range(3, stored.ndim))
        flat = pixels.reshape(-1, *pixels.shape[2:])  # (rows, W) or (rows, W, C), as an image
        values = to_unit(flat, limits, f"Layer {name!r}", white)
        values = values.reshape(*pixels.shape[:3], *values.shape[2:])
        mask = None if drawn is None else np.asarray(drawn[index]).transpose(*order)
        return _as_read(values, 3, sides, unit), mask

    return read


def is_volume(layer: Image) -> bool:
    """Whether a layer has three axes of at least two slices."""
    long = [side for side in layer.level_shapes[0][: layer.ndim] if side > 1]
    return len(long) >= 3


def _volume_axes(layer: Image, dims: Dims) -> tuple[int, ...]:
    missing = dims.ndim - layer.ndim
    shape = layer.level_shapes[0]
    ordered = [axis - missing for axis in dims.order if axis >= missing]
    axes = tuple(axis for axis in ordered if shape[axis] > 1)[-3:]
    if len(axes) < 3:
        raise ValueError(
            f"Layer {layer.name!r} has no three axes. Choose another layer, or measure the slice."
        )
    return axes


def _index(layer: Image, dims: Dims, axes: tuple[int, ...]) -> tuple[int | slice, ...]:
    at = shown_index(layer, dims)
    return tuple(slice(None) if axis in axes else at[axis] for axis in range(layer.ndim))


def _as_read(pixels: Array, ndim: int, sides: Array | None, unit: str) -> Read:
    channels = pixels if pixels.ndim > ndim else pixels[..., None]
    mask = None
    if channels.shape[-1] == 4:
        channels, mask = channels[..., :3], channels[..., 3] >= 0.5
    scale = None if sides is None else tuple(float(side) for side in sides)
    return Read(channels, mask, scale, MICROMETRE if unit == "micrometer" else "pixel")
