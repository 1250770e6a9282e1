"""How a layer's values are displayed, and how an image becomes such values again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image

from napari_nst.engine.job.input_image import as_rgb

Array = np.ndarray[Any, Any]
Limits = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Intensity:
    """How a layer's values are displayed."""

    limits: Limits | None  # of a grey layer; gamma is left out, for an exact conversion back
    dtype: np.dtype[Any]
    is_grey: bool
    colormap: Any = "gray"

    def restore(self, picture: Array, keep_dtype: bool = False) -> Array:
        """Return an image in [0, 1], (H, W) or (H, W, C), as values like the layer's own."""
        dtype = self._dtype_for(picture, keep_dtype)
        low, high = self.limits_in(dtype)
        if self.limits is not None and picture.ndim == 2:
            return as_type(low + picture.astype(np.float64) * (high - low), dtype)
        if dtype == np.uint8:
            return to_uint8(picture)
        return as_type(picture * np.float32(high), dtype)

    def display(self, picture: Array, keep_dtype: bool = False) -> dict[str, Any]:
        """Return the arguments of `add_image` that display what `restore` returns."""
        if picture.ndim == 3:
            return {"rgb": True}
        limits = self.limits_in(self._dtype_for(picture, keep_dtype))
        return {"rgb": False, "contrast_limits": limits, "colormap": self.colormap}

    def _dtype_for(self, picture: Array, keep_dtype: bool) -> np.dtype[Any]:
        if self.is_grey and picture.ndim == 2:
            return self.dtype if keep_dtype else np.dtype(np.float32)
        # Among integers, RGB has an agreed range in 8 and 16 bits only.
        has_range = self.dtype.kind == "f" or self.dtype in (np.uint8, np.uint16)
        kept = keep_dtype and has_range and not self.is_grey
        return self.dtype if kept else np.dtype(np.uint8)

    def limits_in(self, dtype: np.dtype[Any]) -> Limits:
        """Return the values of black and white in grey of a dtype."""
        if self.limits is not None:
            return self.limits
        return 0.0, 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def intensity_of(layer: Image) -> Intensity:
    """Return how a layer's values are displayed."""
    if layer.rgb:
        return Intensity(None, np.dtype(layer.dtype), is_grey=False)
    low, high = (float(limit) for limit in layer.contrast_limits)
    return Intensity((low, high), np.dtype(layer.dtype), is_grey=True, colormap=layer.colormap)


def to_unit(pixels: Array, limits: Limits | None, name: str) -> Array:
    """Return a layer's values, grey with `limits` or RGB or RGBA, as float32 in [0, 1]."""
    if np.issubdtype(pixels.dtype, np.floating):
        if not np.isfinite(pixels).any():
            raise ValueError(f"{name} is all NaN; choose one that shows an image.")
        # napari displays a NaN at the lower end of the range.
        pixels = np.nan_to_num(pixels, nan=limits[0] if limits else 0.0)
    if limits is not None:
        low, high = limits
        # In double precision, because limits may be close together and far from zero.
        shown = np.subtract(pixels, low, dtype=np.float64) / max(high - low, 1e-300)
        return np.clip(shown, 0, 1).astype(np.float32)
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = np.clip(pixels, 0, 1)
    colours = as_rgb(pixels, name)
    if pixels.shape[-1] != 4:
        return colours
    alpha = as_rgb(pixels[..., 3], f"alpha of {name}")[..., :1]
    return np.concatenate([colours, alpha], axis=-1)


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
