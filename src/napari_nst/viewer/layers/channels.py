"""The channels of a layer: each as an image, or three as RGB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image

from napari_nst.engine.job.input_image import NamedImage
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.position import axis_name, shown_axes
from napari_nst.viewer.layers.read import LayerSlice, check_is_image, shown_slice

MOST_CHANNELS = 16  # a longer axis is assumed to be depth or time


def channel_axes(layer: Image, dims: Dims | None = None) -> dict[str, int]:
    """Return name → number of a grey layer's axes that are not shown and have 2 to 16 entries."""
    if layer.rgb or layer.ndim < 3:
        return {}
    shown = shown_axes(layer, dims) if dims else (layer.ndim - 2, layer.ndim - 1)
    lengths = layer.level_shapes[0]
    found = [a for a in range(layer.ndim) if a not in shown and 1 < lengths[a] <= MOST_CHANNELS]
    names = [axis_name(layer, dims, axis) for axis in found]
    # Two axes with the same name get their numbers instead.
    return {
        name if names.count(name) == 1 else f"axis {axis}": axis
        for name, axis in zip(names, found, strict=True)
    }


def channel_slices(layer: Image, dims: Dims, axis: int | str, size: int = 0) -> list[LayerSlice]:
    """Return each channel of the shown slice, along an axis by number or name."""
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


def rgb_slice(slices: Sequence[LayerSlice]) -> LayerSlice:
    """Return three grey slices of one shape, each with its own limits, as red, green and blue."""
    if len(slices) != 3:
        raise ValueError(f"RGB takes three channels, for red, green and blue; not {len(slices)}.")
    if colourful := [one.name for one in slices if not one.intensity.is_grey]:
        raise ValueError(f"Layer {colourful[0]!r} is RGB already; choose grey ones as channels.")
    _check_shapes(slices, [one.position.shape for one in slices])
    first, name = slices[0], _name(slices)

    def stacked(channels: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        # Multiscale layers of one size may have levels of different sizes.
        _check_shapes(slices, [channel.shape for channel in channels])
        return np.stack(channels, axis=-1)

    return replace(
        first,
        name=name,
        position=replace(first.position, panel_axis=None),
        intensity=Intensity(None, first.intensity.dtype, is_grey=False),
        read=lambda: NamedImage.of(stacked([one.read() for one in slices]), name),
        read_raw=lambda: stacked([one.read_raw() for one in slices]),
    )


def _check_shapes(slices: Sequence[LayerSlice], shapes: Sequence[tuple[int, ...]]) -> None:
    if len(set(shapes)) > 1:
        listed = ", ".join(
            f"{one.name!r} {' × '.join(map(str, shape))}"
            for one, shape in zip(slices, shapes, strict=True)
        )
        raise ValueError(f"Channels must be of one size; theirs are {listed}.")


def _name(slices: Sequence[LayerSlice]) -> str:
    parts = [one.name.rpartition(" channel ") for one in slices]
    if all(base and base == parts[0][0] for base, _, _ in parts):
        return f"{parts[0][0]} channels {', '.join(number for _, _, number in parts)}"
    return " + ".join(one.name for one in slices)
