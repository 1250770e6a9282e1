"""The size of a layer's pixels in the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_nst.viewer.layers.position import data_to_world

if TYPE_CHECKING:
    from napari.layers import Image

_UNITS = ("micrometer", "pixel")
"""Units of the sizes: of lengths, and of layers without a unit, which napari gives in pixels."""


def pixel_size_of(layer: Image, axes: tuple[int, int]) -> tuple[float | None, str]:
    """Return the side of a layer's pixels along two axes, and its unit.

    If the sides differ, it is their geometric mean. The unit is ``micrometer``, or ``pixel`` for a
    layer that has a scale but no unit of length. The size is None for a layer without scale.
    """
    for common in _UNITS:
        if all(layer.units[axis].is_compatible_with(common) for axis in axes):
            break
    else:
        return None, ""  # of time, for example
    # A step along an axis of the data may go along several axes of the world. Those in other kinds
    # of units do not count in its length.
    factors = [
        (1 * unit).m_as(common) if unit.is_compatible_with(common) else 0.0 for unit in layer.units
    ]
    steps = np.array(factors)[:, None] * data_to_world(layer).linear_matrix[:, list(axes)]
    sides = np.linalg.norm(steps, axis=0)
    if common == "pixel" and np.allclose(sides, 1):
        return None, ""
    return float(np.sqrt(sides.prod())), common


def comparable_sizes(sizes: Sequence[float | None], units: Sequence[str]) -> list[float] | None:
    """Return pixel sizes if all are known and in one unit, else None."""
    known = [size for size in sizes if size is not None]
    return known if len(set(units)) == 1 and len(known) == len(sizes) else None
