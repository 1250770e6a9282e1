"""How a layer's values are displayed, and how an image becomes such values again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image

Array = np.ndarray[Any, Any]
Limits = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Intensity:
    """How a layer's values are displayed."""

    limits: Limits | None  # gamma is left out, for an exact conversion back; None: the whole range
    dtype: np.dtype[Any]
    is_grey: bool
    colormap: Any = "gray"

    def restore(self, picture: Array, keep_dtype: bool = False) -> Array:
        """Return an image in [0, 1], (H, W) or (H, W, C), as values like the layer's own."""
        dtype = self._dtype_for(picture, keep_dtype)
        low, high = self.limits_in(dtype, picture.ndim)
        if dtype == np.uint8 and (low, high) == whole_range(dtype):
            return to_uint8(picture)
        # Limits of grey may be close together and far from zero.
        number = np.dtype(np.float64 if picture.ndim == 2 else np.float32)
        values = as_type(low + picture.astype(number) * number.type(high - low), dtype)
        if picture.shape[2:] == (4,):
            values[..., 3] = as_type(picture[..., 3] * number.type(whole_range(dtype)[1]), dtype)
        return values

    def display(self, picture: Array, keep_dtype: bool = False) -> dict[str, Any]:
        """Return the arguments of `add_image` that display what `restore` returns."""
        limits = self.limits_in(self._dtype_for(picture, keep_dtype), picture.ndim)
        if picture.ndim == 3:
            return {"rgb": True, "contrast_limits": limits}
        return {"rgb": False, "contrast_limits": limits, "colormap": self.colormap}

    def _dtype_for(self, picture: Array, keep_dtype: bool) -> np.dtype[Any]:
        if self.is_grey and picture.ndim == 2:
            return self.dtype if keep_dtype else np.dtype(np.float32)
        # Among integers, RGB has an agreed range in 8 and 16 bits only.
        has_range = self.dtype.kind == "f" or self.dtype in (np.uint8, np.uint16)
        kept = keep_dtype and has_range and not self.is_grey
        return self.dtype if kept else np.dtype(np.uint8)

    def limits_in(self, dtype: np.dtype[Any], ndim: int) -> Limits:
        """Return the values of black and white in grey (2) or RGB (3 dimensions) of a dtype."""
        is_own = ndim == 2 if self.is_grey else dtype == self.dtype
        return self.limits if self.limits is not None and is_own else whole_range(dtype)


def whole_range(dtype: np.dtype[Any]) -> Limits:
    """Return the values of black and white in images of a dtype."""
    return 0.0, float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def intensity_of(layer: Image) -> Intensity:
    """Return how a layer's values are displayed."""
    low, high = (float(limit) for limit in layer.contrast_limits)
    if layer.rgb:
        return Intensity((low, high), np.dtype(layer.dtype), is_grey=False)
    dtype = np.dtype(layer.dtype)
    if str(layer.projection_mode) == "sum":  # may be beyond the range of the layer's dtype
        dtype = np.zeros(1, dtype).sum().dtype
    return Intensity((low, high), dtype, is_grey=True, colormap=layer.colormap)


def to_unit(pixels: Array, limits: Limits, name: str, white: float | None = None) -> Array:
    """Return values, grey, RGB or RGBA, as float32 in [0, 1]; `white` is the largest alpha."""
    if np.issubdtype(pixels.dtype, np.floating):
        if not np.isfinite(pixels).any():
            raise ValueError(f"{name} is all NaN; choose one that shows an image.")
        # napari displays a NaN at the lower end of the range.
        pixels = np.nan_to_num(pixels, nan=limits[0])
    low, high = limits
    colours = pixels[..., :3] if pixels.ndim == 3 else pixels
    if colours.dtype.itemsize <= 2 and limits == whole_range(colours.dtype):
        shown: Array = colours.astype(np.float32) / np.float32(high)
    else:
        # In double precision, because limits may be close together and far from zero.
        shown = np.subtract(colours, low, dtype=np.float64) / max(high - low, 1e-300)
    shown = np.clip(shown, 0, 1).astype(np.float32, copy=False)
    if pixels.shape[2:] != (4,):
        return shown
    opaque = whole_range(pixels.dtype)[1] if white is None else white
    alpha = np.clip(pixels[..., 3:] / opaque, 0, 1).astype(np.float32)
    return np.concatenate([shown, alpha], axis=-1)


def to_uint8(image: Array) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return float pixels in [0, 1] as 8 bits, which draw fast and fit any file format."""
    rounded: np.ndarray[Any, np.dtype[np.uint8]] = np.rint(image * 255).astype(np.uint8)
    return rounded


def as_type(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return floats as another dtype, rounded and clipped to its range."""
    if dtype.kind == "b":
        return values >= 0.5
    if dtype.kind == "f":
        return values.astype(dtype)
    info = np.iinfo(dtype)
    top = float(info.max)
    if top > info.max:  # with 64 bits, the nearest double is out of range
        top = float(np.nextafter(top, 0))
    return np.clip(np.rint(values), info.min, top).astype(dtype)
