"""The pixels of a layer that a result keeps, value by value."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_nst.viewer.layers.read import LayerSlice

Array = np.ndarray[Any, Any]


class OriginalPixels:
    """The values of a layer's pixels that a run does not change.

    The engine works on [0, 1], and values beyond the contrast limits would be lost there.
    """

    def __init__(self) -> None:
        self._values: Array | None = None

    def read(self, layer_slice: LayerSlice) -> None:
        """Keep the values of all pixels."""
        self._values = layer_slice.read_raw()

    def put_back(
        self,
        pixels: Array,
        free: Array | None,
        window: tuple[slice, slice] = (slice(None), slice(None)),
        shape: tuple[int, ...] = (),
    ) -> Array:
        """Return a result (H, W) or (H, W, C) with the original values outside `free`, (H, W).

        With `window` and `shape`, `pixels` are some rows and columns of a result of this shape.
        """
        if self._values is None or free is None or free.shape != (shape or pixels.shape[:2]):
            return pixels
        values, free = self._values[window], free[window]
        # White has another value in another dtype.
        if values.shape != pixels.shape or (pixels.ndim == 3 and values.dtype != pixels.dtype):
            return pixels
        where = free if pixels.ndim == 2 else free[..., None]
        return np.where(where, pixels, values.astype(pixels.dtype, copy=False))
