"""The levels of a large layer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from napari_nst.viewer.layers.intensity import as_type

Array = np.ndarray[Any, Any]
Window = tuple[slice, slice]

LARGE = 2048
"""Longest side in pixels beyond which a layer is multiscale. Of a layer that is not, napari sends
all pixels to the graphics card for every frame, 12 MB at this size, and displays at most 8192 or
16384 pixels a side, the limit of textures. Of a multiscale layer it sends the visible part."""

COARSEST = 512
"""Longest side in pixels of the last level, from which napari makes each thumbnail."""


class Pyramid:
    """An image and its halves, down to a small one; each pixel is the mean of two by two.

    `shape` is the height and width; `like` (h, w) or (h, w, C) has the dtype and the channels.
    `coarsest` is the longest side of the last level in pixels; 0 makes one level only.
    """

    def __init__(self, shape: tuple[int, int], like: Array, coarsest: int = COARSEST) -> None:
        self.multiscale = coarsest > 0
        # From fine to coarse; always the same arrays.
        self.levels = [np.zeros((*shape, *like.shape[2:]), like.dtype)]
        while coarsest and max(self.levels[-1].shape[:2]) > coarsest:
            half = [-(-side // 2) for side in self.levels[-1].shape[:2]]
            self.levels.append(np.zeros((*half, *like.shape[2:]), like.dtype))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.levels[0].shape[:2]
        return height, width

    def suits(self, shape: tuple[int, int], like: Array) -> bool:
        """Return whether images of this size, dtype and these channels fit."""
        finest = self.levels[0]
        return bool(finest.dtype == like.dtype) and finest.shape == (*shape, *like.shape[2:])

    def write(self, window: Window, pixels: Array) -> None:
        """Write pixels (h, w) or (h, w, C) into rows and columns of all levels."""
        self.levels[0][window] = pixels
        for fine, coarse in pairwise(self.levels):
            rows, columns = (slice(side.start // 2, -(-side.stop // 2)) for side in window)
            window = rows, columns
            below = slice(2 * rows.start, 2 * rows.stop), slice(2 * columns.start, 2 * columns.stop)
            coarse[window] = halved(fine[below])


def halved(pixels: Array) -> Array:
    """Return the means of two by two pixels; an odd last row or column counts twice."""
    odd = [(0, side % 2) for side in pixels.shape[:2]]
    if any(after for _, after in odd):
        pixels = np.pad(pixels, [*odd, *[(0, 0)] * (pixels.ndim - 2)], mode="edge")
    number = np.promote_types(pixels.dtype, np.float32)
    pairs = np.add(pixels[::2], pixels[1::2], dtype=number)
    means = (pairs[:, ::2] + pairs[:, 1::2]) * number.type(0.25)
    return as_type(means, pixels.dtype)
