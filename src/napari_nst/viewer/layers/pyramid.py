"""A picture and its halves: what a large layer is drawn from."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from napari_nst.viewer.layers.intensity import as_type

Array = np.ndarray[Any, Any]
Window = tuple[slice, slice]

LARGE = 2048
"""Longest side in pixels beyond which a layer gets a pyramid. Without one, napari sends the whole
picture to the graphics card for every frame, 12 MB at this size, and shows no more of it than a
texture can hold, which is 8192 or 16384 pixels a side. Of a pyramid it sends what the window shows.
"""

COARSEST = 512
"""Longest side in pixels of the last level: thumbnails are made of it, for every frame."""


class Pyramid:
    """A picture, and its halves down to a small one, each the mean of two by two pixels.

    Parameters
    ----------
    shape : tuple of int
        Height and width.
    like : ndarray
        (h, w) or (h, w, C), of the type of number and the channels that the picture has.
    coarsest : int
        Longest side in pixels of the smallest level; 0 makes none but the picture itself.

    Attributes
    ----------
    levels : list of ndarray
        (H, W) or (H, W, C), from fine to coarse. They stay the same arrays.
    multiscale : bool
        Whether there are others than the picture itself, where that is not small.
    """

    def __init__(self, shape: tuple[int, int], like: Array, coarsest: int = COARSEST) -> None:
        self.multiscale = coarsest > 0
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
        """Return whether it is for pictures of this size, these channels and type of number."""
        finest = self.levels[0]
        return bool(finest.dtype == like.dtype) and finest.shape == (*shape, *like.shape[2:])

    def write(self, window: Window, pixels: Array) -> None:
        """Put pixels (h, w) or (h, w, C) into rows and columns of the picture and of its halves."""
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
