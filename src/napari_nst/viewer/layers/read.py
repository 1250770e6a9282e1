"""Layers as pictures: what a layer shows now, how its numbers are meant, and where it lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.viewer.layers.intensity import Intensity, intensity_of, to_unit
from napari_nst.viewer.layers.pixel_size import pixel_size_of
from napari_nst.viewer.layers.position import Position, position_of, slice_text

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class LayerSlice:
    """What an image layer shows now, picked in the main thread, to be read in another.

    Attributes
    ----------
    name : str
        Of the layer.
    position : Position
        Where the shown slice lies.
    intensity : Intensity
        How its numbers are shown.
    where : str
        Which slice it is, such as ``slice z = 5 of 40``; "" where the layer has but one.
    pixel_size : float or None
        Side of a pixel, as it is read, in `unit`; None where that is not known.
    read : callable
        Returns float32 in [0, 1]: (H, W) of a grey layer, (H, W, 3) of RGB, (H, W, 4) of RGBA.
        Slow for lazy or large data. Raises `ValueError` or `TypeError` where there is nothing to
        read.
    unit : str
        ``micrometer``, or ``pixel`` where the layer has a scale but no unit of length.
    read_numbers : callable
        Returns the layer's own numbers instead, of the same shape.
    """

    name: str
    position: Position
    intensity: Intensity
    where: str
    pixel_size: float | None
    read: Callable[[], Array]
    unit: str
    read_raw: Callable[[], Array]


def shown_slice(
    layer: Image, dims: Dims, size: int = 0, *, channel: tuple[int, int] | None = None
) -> LayerSlice:
    """Pick the slice of a layer that the viewer shows.

    Parameters
    ----------
    layer : napari.layers.Image
        RGB(A) or grey, of any number of dimensions, multiscale or lazy too.
    dims : napari.components.Dims
        Of the viewer: which axes and which slice it shows.
    size : int
        Longest side wanted; of a multiscale layer the smallest level that has it is read. 0 reads
        the finest.
    channel : tuple of int, optional
        An axis of the layer and a number: read this channel, whichever of them is shown. The
        pictures of all channels share one place, the shown slice's, with room for all along the
        axis.

    Raises
    ------
    ValueError
        If the layer holds no picture: it has fewer than two dimensions, no pixels, or complex
        numbers.
    """
    check_is_image(layer)
    position = position_of(layer, dims)
    level = _level_for(layer, position.axes, size)
    data = layer.data[level] if layer.multiscale else layer.data
    name, intensity, at = layer.name, intensity_of(layer), list(position.index)
    where = slice_text(layer, dims, at, skip=channel[0] if channel else None)
    if channel:
        position, at[channel[0]] = position.along(channel[0]), channel[1]
        name = f"{name} channel {channel[1]}"
    index = _index_at(layer, data, position.axes, at)
    finest, unit = pixel_size_of(layer, position.axes)
    # A coarser level's pixels are larger.
    ratio = np.divide(position.shape, [data.shape[axis] for axis in position.axes])
    pixel_size = None if finest is None else finest * float(np.sqrt(ratio.prod()))

    def read_raw() -> Array:
        # Not before it is asked for: of a lazy layer, this is what takes long.
        shown = np.asarray(data[index])
        return shown.swapaxes(0, 1) if position.axes[0] > position.axes[1] else shown

    def read() -> Array:
        return to_unit(read_raw(), intensity.limits, f"Layer {name!r}")

    return LayerSlice(name, position, intensity, where, pixel_size, read, unit, read_raw)


def check_is_image(layer: Image) -> None:
    """Raise `ValueError` if a layer holds nothing that a run could use."""
    if layer.ndim < 2 or 0 in layer.level_shapes[0]:
        raise ValueError(f"Layer {layer.name!r} is empty; choose one that shows an image.")
    if np.issubdtype(layer.dtype, np.complexfloating):
        raise ValueError(
            f"Layer {layer.name!r} holds complex numbers; make a layer of its magnitude or phase."
        )


def _level_for(layer: Image, axes: tuple[int, int], size: int) -> int:
    if not layer.multiscale or not size:
        return 0
    longest = [max(shape[axes[0]], shape[axes[1]]) for shape in layer.level_shapes]
    return max((i for i, pixels in enumerate(longest) if pixels >= size), default=0)


def _index_at(
    layer: Image, data: Any, axes: tuple[int, int], index: Sequence[int]
) -> tuple[int | slice, ...]:
    """Return what takes a slice, given by its index in the finest level, from a level's data."""
    lengths = data.shape[: layer.ndim]
    ratio = np.divide(lengths, layer.level_shapes[0][: layer.ndim])
    return tuple(
        slice(None) if axis in axes else min(round(index[axis] * ratio[axis]), length - 1)
        for axis, length in enumerate(lengths)
    )
