"""What of a layer a result shows as it is, number by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_nst.viewer.layers.read import LayerSlice

Array = np.ndarray[Any, Any]


class OriginalPixels:
    """The numbers of a layer's pixels that a run leaves alone.

    The picture that the engine returns is as exact as [0, 1] is; a layer's numbers may lie beyond
    its contrast limits.
    """

    def __init__(self) -> None:
        self._numbers: Array | None = None

    def read(self, picture: LayerSlice) -> None:
        """Note the numbers of all pixels."""
        self._numbers = picture.read_raw()

    def put_back(
        self,
        pixels: Array,
        free: Array | None,
        window: tuple[slice, slice] = (slice(None), slice(None)),
        shape: tuple[int, ...] = (),
    ) -> Array:
        """Return a result's numbers (H, W) or (H, W, C) with the untouched ones put back.

        They are the pixels that are not `free`, which an iteration knows, bool (H, W). With
        `window` and `shape`, the numbers are some rows and columns of a result of this height and
        width.
        """
        if self._numbers is None or free is None or free.shape != (shape or pixels.shape[:2]):
            return pixels
        numbers, free = self._numbers[window], free[window]
        # Of colours in another type of number, white is another number too.
        if numbers.shape != pixels.shape or (pixels.ndim == 3 and numbers.dtype != pixels.dtype):
            return pixels
        where = free if pixels.ndim == 2 else free[..., None]
        return np.where(where, pixels, numbers.astype(pixels.dtype, copy=False))
