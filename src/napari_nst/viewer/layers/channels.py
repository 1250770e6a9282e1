"""Channels: the axis of a layer that holds them, each as a picture, and three as RGB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.position import axis_name, shown_axes
from napari_nst.viewer.layers.read import LayerSlice, check_is_image, shown_slice

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image

MOST_CHANNELS = 16
"""A longer axis is taken for depth or time."""


def channel_axes(layer: Image, dims: Dims | None = None) -> dict[str, int]:
    """Return the axes of a grey layer that may hold its channels.

    Parameters
    ----------
    layer : napari.layers.Image
        An RGB layer has none: its channels are its colours.
    dims : napari.components.Dims, optional
        Of the viewer, which says which two axes are shown; without it, the last two are.

    Returns
    -------
    dict of str to int
        Name, such as ``c`` or ``axis 0``, → number, of each axis that is not shown and has 2 to 16
        entries.
    """
    if layer.rgb or layer.ndim < 3:
        return {}
    shown = shown_axes(layer, dims) if dims else (layer.ndim - 2, layer.ndim - 1)
    lengths = layer.level_shapes[0]
    found = [a for a in range(layer.ndim) if a not in shown and 1 < lengths[a] <= MOST_CHANNELS]
    names = [axis_name(layer, dims, axis) for axis in found]
    # Where two axes share a name, numbers tell them apart.
    return {
        name if names.count(name) == 1 else f"axis {axis}": axis
        for name, axis in zip(names, found, strict=True)
    }


def channel_slices(layer: Image, dims: Dims, axis: int | str, size: int = 0) -> list[LayerSlice]:
    """Pick each channel of a layer, of the slice that the viewer shows.

    Parameters
    ----------
    layer, dims, size
        As for `shown_slice`.
    axis : int or str
        Which axis holds the channels: a number, or a name that `channel_axes` gives.

    Returns
    -------
    list of LayerSlice
        Named "cells channel 0" and so on. They share one place; a result of as many panels lies
        along the same axis, each at its channel.

    Raises
    ------
    ValueError
        If the layer has no such axis, or the axis is shown; and as `shown_slice`.
    """
    check_is_image(layer)
    candidates = channel_axes(layer, dims)
    number = candidates.get(axis) if isinstance(axis, str) else axis
    if number is None or number not in candidates.values():
        listed = ", ".join(candidates) or "none"
        raise ValueError(
            f"Layer {layer.name!r} has no axis {axis!r} of channels; those it may have: {listed}."
        )
    count = int(layer.level_shapes[0][number])
    return [shown_slice(layer, dims, size, channel=(number, index)) for index in range(count)]


def rgb_slice(pictures: Sequence[LayerSlice]) -> LayerSlice:
    """Take three grey pictures for red, green and blue.

    Parameters
    ----------
    pictures : sequence of LayerSlice
        Three channels of a layer, or of three layers, each through its own contrast limits. The
        result lies where the first one does.

    Raises
    ------
    ValueError
        If there are not three, one is RGB itself, or their shapes differ.
    """
    if len(pictures) != 3:
        raise ValueError(f"RGB takes three channels, for red, green and blue; not {len(pictures)}.")
    if colourful := [picture.name for picture in pictures if not picture.intensity.is_grey]:
        raise ValueError(f"Layer {colourful[0]!r} is RGB already; choose grey ones as channels.")
    _check_shapes(pictures, [picture.position.shape for picture in pictures])
    first = pictures[0]

    def read() -> np.ndarray[Any, Any]:
        return stacked([picture.read() for picture in pictures])

    def read_raw() -> np.ndarray[Any, Any]:
        return stacked([picture.read_raw() for picture in pictures])

    def stacked(channels: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        # Pyramids of one size may have levels of different ones.
        _check_shapes(pictures, [channel.shape for channel in channels])
        return np.stack(channels, axis=-1)

    intensity = Intensity(None, first.intensity.dtype, is_grey=False)
    position = replace(first.position, panel_axis=None)
    return replace(
        first,
        name=_name(pictures),
        position=position,
        intensity=intensity,
        read=read,
        read_raw=read_raw,
    )


def _check_shapes(pictures: Sequence[LayerSlice], shapes: Sequence[tuple[int, ...]]) -> None:
    if len(set(shapes)) > 1:
        listed = ", ".join(
            f"{picture.name!r} {' × '.join(map(str, shape))}"
            for picture, shape in zip(pictures, shapes, strict=True)
        )
        raise ValueError(f"Channels must be of one size; theirs are {listed}.")


def _name(pictures: Sequence[LayerSlice]) -> str:
    parts = [picture.name.rpartition(" channel ") for picture in pictures]
    if all(base and base == parts[0][0] for base, _, _ in parts):
        return f"{parts[0][0]} channels {', '.join(number for _, _, number in parts)}"
    return " + ".join(picture.name for picture in pictures)
