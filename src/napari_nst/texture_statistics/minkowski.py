"""Minkowski functionals of a phase: length of its boundary or area of its surface, Euler number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]


def boundary_per_area(phase: Pixels, scale: Sequence[float], mask: Pixels | None = None) -> float:
    """Return the length of a phase's boundary, divided by the area.

    Cauchy and Crofton's formula for lines in four directions: along the axes and the diagonals, as
    `skimage.measure.perimeter_crofton`, also for pixels that are no squares, and without the border
    of the image or the mask, which is no boundary of the phase.

    Parameters
    ----------
    phase, mask : ndarray
        (H, W) bool.
    scale : sequence of float
        Height and width of a pixel.
    """
    inside = np.ones(phase.shape, bool) if mask is None else mask
    height, width = scale
    diagonal, angle = math.hypot(height, width), math.atan2(height, width)
    # Step, angle that the direction stands for, distance between its lines.
    directions = (
        ((0, 1), angle, height),
        ((1, 0), math.pi / 2 - angle, width),
        ((1, 1), math.pi / 4, height * width / diagonal),
        ((1, -1), math.pi / 4, height * width / diagonal),
    )
    length = 0.0
    for step, part, distance in directions:
        crossed, pairs = _crossings(phase, inside, step)
        # As if each pixel had a neighbour: those at the border have none.
        length += part * distance * crossed / max(pairs, 1) * inside.sum() / 2
    return float(length / (inside.sum() * height * width))


def _crossings(phase: Pixels, inside: Pixels, step: tuple[int, int]) -> tuple[int, int]:
    """Return how many of the pairs of neighbours inside lie on both sides of a boundary."""
    down, right = step
    height, width = phase.shape
    first = slice(0, height - down), slice(max(0, -right), width - max(0, right))
    second = slice(down, height), slice(max(0, right), width - max(0, -right))
    pairs = inside[first] & inside[second]
    return int(((phase[first] != phase[second]) & pairs).sum()), int(pairs.sum())


def surface_per_volume(phase: Pixels, scale: Sequence[float], mask: Pixels | None = None) -> float:
    """Return the area of a phase's surface inside the image or the mask, divided by the volume.

    The surface is that of `skimage.measure.marching_cubes`; of voxels, it is about a tenth larger
    than that of the smooth body.

    Parameters
    ----------
    phase, mask : ndarray
        (D, H, W) bool.
    scale : sequence of float
        Sides of a voxel.
    """
    from skimage.measure import marching_cubes, mesh_surface_area

    inside = phase if mask is None else phase[mask]
    # Cubes have voxels as corners; those at the border of the mask have corners outside.
    cubes: Any = np.ones([side - 1 for side in phase.shape], bool)
    if mask is not None:
        for corner in np.ndindex(2, 2, 2):
            index = [slice(at, at + n) for at, n in zip(corner, cubes.shape, strict=True)]
            cubes &= mask[tuple(index)]
    if not cubes.any():
        return math.nan
    if inside.all() or not inside.any():
        return 0.0
    values = phase.astype(np.float32)
    try:
        vertices, faces, *_ = marching_cubes(values, 0.5, spacing=tuple(scale), mask=mask)
    except RuntimeError:  # no surface inside the mask
        return 0.0
    return float(mesh_surface_area(vertices, faces) / (cubes.sum() * math.prod(scale)))


def euler_per_size(phase: Pixels, scale: Sequence[float], mask: Pixels | None = None) -> float:
    """Return the Euler number of a phase, divided by the area or volume.

    In 2-D, it counts parts minus holes; in 3-D, parts plus cavities minus tunnels. Pixels that
    touch at a corner are connected. What the border cuts counts too.
    """
    from skimage.measure import euler_number

    inside = phase if mask is None else phase & mask
    size = phase.size if mask is None else int(mask.sum())
    return float(euler_number(inside, connectivity=phase.ndim) / (size * math.prod(scale)))
