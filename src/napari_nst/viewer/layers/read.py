"""What an image layer shows, to be read in another thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image

from napari_nst.engine.job.input_image import NamedImage
from napari_nst.viewer.layers.intensity import (
    Intensity,
    as_type,
    intensity_of,
    to_unit,
    whole_range,
)
from napari_nst.viewer.layers.position import (
    Position,
    layer_transform,
    position_of,
    shown_planes,
    slice_text,
    whole_affine,
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class LayerSlice:
    """The slice that an image layer shows, chosen in the main thread and read in another."""

    name: str  # of the layer
    position: Position
    intensity: Intensity
    where: str  # such as "slice 5 of 40 along z"; "" if the layer has one slice only
    pixel_size: float | None  # side of a pixel in `unit`; None if unknown
    # Returns float32 in [0, 1]: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA. Slow for lazy or
    # large data; raises `ValueError` or `TypeError` if there is no image.
    read: Callable[[], Array]
    unit: str  # "micrometer", or "pixel" if the layer has a scale but no unit of length
    read_raw: Callable[[], Array]  # returns the layer's own values instead, of the same shape


def shown_slice(
    layer: Image, dims: Dims, size: int = 0, *, channel: tuple[int, int] | None = None
) -> LayerSlice:
    """Return the slice of a layer that the viewer shows; raise `ValueError` if it is no image."""
    check_is_image(layer)
    position = position_of(layer, dims)
    # A multiscale layer is read at its coarsest level with `size` pixels, or at the finest if this
    # is 0. A level that the user has locked is read instead.
    level = _level_for(layer, position.axes, size)
    data = layer.data[level] if layer.multiscale else layer.data
    name, intensity = layer.name, intensity_of(layer)
    where = slice_text(layer, dims, skip=channel[0] if channel else None)
    planes = list(shown_planes(layer, dims, data.shape))
    if channel:
        axis, number = channel
        position = replace(position, panel_axis=axis)
        planes[axis] = round(number * data.shape[axis] / layer.level_shapes[0][axis])
        name = f"{name} channel {number}"
    limits = intensity.limits or whole_range(intensity.dtype)
    white = whole_range(np.dtype(layer.dtype))[1]
    # NumPy's function that puts the planes of a thick slice together.
    project = getattr(np, str(layer.projection_mode), None)
    index, thick = tuple(planes), _thick_axes(planes)
    finest, unit = pixel_size_of(layer, position.axes)
    # Pixels of a coarser level are larger.
    ratio = np.divide(position.shape, [data.shape[axis] for axis in position.axes])
    pixel_size = None if finest is None else finest * float(np.sqrt(ratio.prod()))

    def read_raw() -> Array:
        shown = _projected(np.asarray(data[index]), thick, project)  # computes a lazy layer
        return shown.swapaxes(0, 1) if position.axes[0] > position.axes[1] else shown

    def read() -> Array:
        return NamedImage.of(to_unit(read_raw(), limits, f"Layer {name!r}", white), name)

    return LayerSlice(name, position, intensity, where, pixel_size, read, unit, read_raw)


def check_is_image(layer: Image) -> None:
    """Raise `ValueError` if a run cannot use a layer."""
    if layer.ndim < 2 or 0 in layer.level_shapes[0]:
        raise ValueError(f"Layer {layer.name!r} is empty; choose one that shows an image.")
    if np.issubdtype(layer.dtype, np.complexfloating):
        raise ValueError(
            f"Layer {layer.name!r} holds complex numbers; make a layer of its magnitude or phase."
        )


def _level_for(layer: Image, axes: tuple[int, int], size: int) -> int:
    if layer.multiscale and layer.locked_data_level is not None:
        return int(layer.locked_data_level)
    if not layer.multiscale or not size:
        return 0
    longest = [max(shape[axes[0]], shape[axes[1]]) for shape in layer.level_shapes]
    return max((i for i, pixels in enumerate(longest) if pixels >= size), default=0)


def _thick_axes(planes: Sequence[int | slice]) -> tuple[int, ...]:
    """Return the axes of several planes in data that are indexed with `planes`."""
    kept = [plane for plane in planes if isinstance(plane, slice)]
    return tuple(axis for axis, plane in enumerate(kept) if plane != slice(None))


def _projected(shown: Array, axes: tuple[int, ...], project: Callable[..., Any] | None) -> Array:
    """Return the projection of a thick slice, as napari computes it."""
    if project is None or all(shown.shape[axis] == 1 for axis in axes):
        return shown.squeeze(axes)
    return np.asarray(project(shown, axis=axes))


def pixel_size_of(layer: Image, axes: tuple[int, int]) -> tuple[float | None, str]:
    """Return the mean side of a layer's pixels along two axes, None without scale, and its unit."""
    sides, unit = pixel_sides(layer_transform(layer), axes)
    return (None, "") if sides is None else (float(np.sqrt(sides.prod())), unit)


def pixel_sides(transform: Mapping[str, Any], axes: Sequence[int]) -> tuple[Array | None, str]:
    """Return the sides of pixels along two axes, None without scale, and their unit."""
    units = transform["units"]
    for common in ("micrometer", "pixel"):  # napari gives layers without a unit in pixels
        if all(units[axis].is_compatible_with(common) for axis in axes):
            break
    else:
        return None, ""  # of time, for example
    # A step along an axis of the data may go along several axes of the world. Those in other kinds
    # of units do not count in its length.
    factors = [
        (1 * unit).m_as(common) if unit.is_compatible_with(common) else 0.0 for unit in units
    ]
    steps = np.array(factors)[:, None] * whole_affine(dict(transform)).linear_matrix[:, list(axes)]
    sides = np.linalg.norm(steps, axis=0)
    if common == "pixel" and np.allclose(sides, 1):
        return None, ""
    return sides, common


def comparable_sizes(slices: Sequence[LayerSlice]) -> list[float] | None:
    """Return the pixel sizes of slices if all are known and in one unit, else None."""
    known = [one.pixel_size for one in slices if one.pixel_size is not None]
    return known if len({one.unit for one in slices}) == 1 and len(known) == len(slices) else None


class OriginalPixels:
    """Values of pixels that a run does not change, also those beyond the contrast limits."""

    def __init__(self, values: Array | None = None) -> None:
        self._values = values

    @property
    def values(self) -> Array | None:
        """The values of all pixels; None before they are read."""
        return self._values

    def read(self, layer_slice: LayerSlice) -> None:
        """Keep the values of all pixels at the first call; the user may paint on them later."""
        if self._values is None:
            self._values = layer_slice.read_raw().copy()

    def put_back(
        self,
        pixels: Array,
        free: Array | None,
        window: tuple[slice, slice] = (slice(None), slice(None)),
        shape: tuple[int, ...] = (),
    ) -> Array:
        """Return a result, or a window of it, with the original values outside `free`."""
        if self._values is None or free is None or free.shape != (shape or pixels.shape[:2]):
            return pixels
        values, free = self._values[window], free[window]
        # White has another value in another dtype.
        if values.shape != pixels.shape or (pixels.ndim == 3 and values.dtype != pixels.dtype):
            return pixels
        where = free if pixels.ndim == 2 else free[..., None]
        # The mean of a thick slice's planes is no integer.
        kept = values if values.dtype == pixels.dtype else as_type(values, pixels.dtype)
        return np.where(where, pixels, kept)
