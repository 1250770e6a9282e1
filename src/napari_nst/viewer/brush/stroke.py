"""Strokes of the brush in a layer's pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Box = tuple[slice, slice]


class Stroke:
    """One stroke of one colour, from the press of the mouse button to its release.

    A pixel that the stroke crosses twice is covered once, so that the stroke's edge stays smooth.

    Parameters
    ----------
    pixels : ndarray
        (H, W) or (H, W, C), of any number type; changed in place.
    ink : ndarray
        () or (C,), the colour as a value of these pixels.
    radius : float
        Of the brush, in pixels.
    """

    def __init__(self, pixels: Array, ink: Array, radius: float) -> None:
        self._pixels = pixels
        self._ink = ink.astype(np.float64)
        self._radius = radius
        self._before = pixels.copy()
        self._coverage = np.zeros(pixels.shape[:2], np.float32)

    def draw(self, start: Array, end: Array) -> None:
        """Draw along a line between two positions (vertical, horizontal) in pixels."""
        height, width = self._coverage.shape
        box, coverage = capsule(start, end, self._radius, (height, width))
        np.maximum(self._coverage[box], coverage, out=self._coverage[box])
        before, dtype = self._before[box], self._pixels.dtype
        share = self._coverage[box].reshape(*coverage.shape, *(1,) * (before.ndim - 2))
        mixed = before + share * (self._ink - before.astype(np.float64))
        self._pixels[box] = (mixed if dtype.kind == "f" else np.rint(mixed)).astype(dtype)

    def finish(self) -> None:
        """End the stroke, and keep only those earlier pixels that `undo` needs."""
        rows, columns = (np.flatnonzero(self._coverage.any(axis)) for axis in (1, 0))
        box = tuple(slice(i[0], i[-1] + 1) if len(i) else slice(0) for i in (rows, columns))
        self._pixels, self._before = self._pixels[box], self._before[box].copy()

    def undo(self) -> None:
        """Restore the pixels from before the stroke."""
        self._pixels[...] = self._before


def capsule(start: Array, end: Array, radius: float, shape: tuple[int, int]) -> tuple[Box, Array]:
    """Return how much of each pixel a round brush covers on its way along a line.

    The coverage is float32 in [0, 1], falling from 1 to 0 over one pixel at the edge; it is of that
    box of the image (height, width) which the brush touches. Positions are (vertical, horizontal)
    in pixels, whose centres are at whole numbers. Pillow would round them to whole pixels.
    """
    outer = radius + 0.5
    low = np.clip(np.ceil(np.minimum(start, end) - outer), 0, shape).astype(int)
    stop = np.clip(np.floor(np.maximum(start, end) + outer) + 1, 0, shape).astype(int)
    stop = np.maximum(stop, low)
    rows, columns = (np.arange(a, b, dtype=np.float32) for a, b in zip(low, stop, strict=True))
    line = np.subtract(end, start, dtype=np.float64)
    y, x = (rows - start[0])[:, None], (columns - start[1])[None]
    nearest = np.clip((y * line[0] + x * line[1]) / max(line @ line, 1e-12), 0, 1)
    distance = np.hypot(y - nearest * line[0], x - nearest * line[1])
    box = slice(int(low[0]), int(stop[0])), slice(int(low[1]), int(stop[1]))
    return box, np.clip(outer - distance, 0, 1).astype(np.float32)
