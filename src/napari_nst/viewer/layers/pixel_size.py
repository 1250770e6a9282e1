"""How large a layer's pixels are in the world, where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_nst.viewer.layers.position import data_to_world

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_nst.viewer.layers.read import LayerSlice

_COMMON = ("micrometer", "pixel")
"""What sizes are given in: lengths in the first; the second is what napari calls no unit."""


def pixel_size_of(layer: Image, axes: tuple[int, int]) -> tuple[float | None, str]:
    """Return how large a layer's pixels are along two of its axes.

    Returns
    -------
    size : float or None
        The side of a pixel; the geometric mean of both, where they differ. None where nobody gave
        it one: a pixel is then a pixel long.
    unit : str
        ``micrometer``, or ``pixel`` where the layer has a scale but no unit of length.
    """
    for common in _COMMON:
        if all(layer.units[axis].is_compatible_with(common) for axis in axes):
            break
    else:
        return None, ""  # of time, say
    # A step along an axis may lead through several of the world's; those in units of another kind
    # are no part of its length.
    factors = [
        (1 * unit).m_as(common) if unit.is_compatible_with(common) else 0.0 for unit in layer.units
    ]
    steps = np.array(factors)[:, None] * data_to_world(layer).linear_matrix[:, list(axes)]
    sides = np.linalg.norm(steps, axis=0)
    if common == "pixel" and np.allclose(sides, 1):
        return None, ""
    return float(np.sqrt(sides.prod())), common


def comparable_sizes(pictures: Sequence[LayerSlice]) -> list[float] | None:
    """Return the pixel sizes of pictures in one unit; None if they have none that all share."""
    sizes = [picture.pixel_size for picture in pictures if picture.pixel_size is not None]
    is_shared = len({picture.unit for picture in pictures}) == 1
    return sizes if is_shared and len(sizes) == len(pictures) else None
