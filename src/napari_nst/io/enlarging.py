"""Pictures at another size: what coarse scales need to be shown beside fine ones."""

from __future__ import annotations

from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]


def enlarged(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return a picture at another size, interpolated linearly: no blocks, and soon done.

    Outer edges stay where they are, as where the viewer draws a coarse layer over a fine one.

    Parameters
    ----------
    pixels : ndarray
        (H, W) or (H, W, C), of any type of real numbers.
    shape : tuple of int
        Height and width wanted.

    Returns
    -------
    ndarray
        Of the same type; whole numbers are rounded. The picture itself where it has that size.
    """
    if pixels.shape[:2] == shape:
        return pixels
    exact = np.float32 if pixels.dtype.itemsize <= 2 else np.float64
    blended: Pixels = pixels.astype(exact)
    for axis, wanted in enumerate(shape):
        blended = _along(blended, axis, wanted)
    # True is 1: of what is yes or no, the nearer one.
    return (blended if pixels.dtype.kind == "f" else np.rint(blended)).astype(pixels.dtype)


def repeated(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return a picture at another size, by the nearest pixel: cheap enough for every frame."""
    rows, columns = (
        np.arange(wanted) * given // wanted
        for wanted, given in zip(shape, pixels.shape[:2], strict=True)
    )
    larger: Pixels = pixels[rows[:, None], columns]
    return larger


def _along(pixels: Pixels, axis: int, wanted: int) -> Pixels:
    """Interpolate along one axis."""
    given = pixels.shape[axis]
    at = np.clip((np.arange(wanted) + 0.5) * given / wanted - 0.5, 0, given - 1)
    before = at.astype(int)
    after = np.minimum(before + 1, given - 1)
    share = (at - before).astype(pixels.dtype)
    share = share.reshape([-1 if one == axis else 1 for one in range(pixels.ndim)])
    first: Pixels = np.take(pixels, before, axis)
    second: Pixels = np.take(pixels, after, axis)
    # In place: a temporary array for each operation would take longer than the sums.
    second -= first
    second *= share
    second += first
    return second
