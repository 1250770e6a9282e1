"""How a layer's numbers become what is shown, and a picture's become numbers of that kind again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.engine.job.input_image import as_rgb

if TYPE_CHECKING:
    from napari.layers import Image

Array = np.ndarray[Any, Any]
Limits = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Intensity:
    """How a layer's numbers are shown.

    Attributes
    ----------
    limits : tuple of float or None
        Contrast limits of a grey layer: what is shown as black and as white. Gamma, which bends
        what lies between, is left out, so that the way back is exact. None for RGB.
    dtype : dtype
        Of the numbers.
    is_grey : bool
        Whether the layer is no RGB.
    colormap : str or napari.utils.Colormap
        What grey is drawn with.
    """

    limits: Limits | None
    dtype: np.dtype[Any]
    is_grey: bool
    colormap: Any = "gray"

    def restore(self, picture: Array, keep_dtype: bool = False) -> Array:
        """Return a picture in numbers like the layer's own.

        Parameters
        ----------
        picture : ndarray
            Float (H, W) grey, (H, W, 3) or (H, W, 4), in [0, 1].
        keep_dtype : bool
            Whether to return numbers of the layer's type.

        Returns
        -------
        ndarray
            Grey of a grey layer goes back through its contrast limits, into float32, or into the
            layer's type, rounded and cut to its range. All else is uint8, or, where the layer is
            no grey, the layer's type with its full range; floats have [0, 1].
        """
        dtype = self._dtype_for(picture, keep_dtype)
        low, high = self.limits_in(dtype)
        if self.limits is not None and picture.ndim == 2:
            return as_type(low + picture.astype(np.float64) * (high - low), dtype)
        if dtype == np.uint8:
            return to_uint8(picture)
        return as_type(picture * np.float32(high), dtype)

    def display(self, picture: Array, keep_dtype: bool = False) -> dict[str, Any]:
        """Return what `add_image` needs to know to draw what `restore` returns as it is meant."""
        if picture.ndim == 3:
            return {"rgb": True}
        limits = self.limits_in(self._dtype_for(picture, keep_dtype))
        return {"rgb": False, "contrast_limits": limits, "colormap": self.colormap}

    def _dtype_for(self, picture: Array, keep_dtype: bool) -> np.dtype[Any]:
        if self.is_grey and picture.ndim == 2:
            return self.dtype if keep_dtype else np.dtype(np.float32)
        # Of whole numbers, RGB has an agreed range in 8 and 16 bit alone.
        has_range = self.dtype.kind == "f" or self.dtype in (np.uint8, np.uint16)
        kept = keep_dtype and has_range and not self.is_grey
        return self.dtype if kept else np.dtype(np.uint8)

    def limits_in(self, dtype: np.dtype[Any]) -> Limits:
        """Return what grey of a type of number is black and white at."""
        if self.limits is not None:
            return self.limits
        return 0.0, 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def intensity_of(layer: Image) -> Intensity:
    """Return how a layer's numbers are shown."""
    if layer.rgb:
        return Intensity(None, np.dtype(layer.dtype), is_grey=False)
    low, high = (float(limit) for limit in layer.contrast_limits)
    return Intensity((low, high), np.dtype(layer.dtype), is_grey=True, colormap=layer.colormap)


def to_unit(pixels: Array, limits: Limits | None, name: str) -> Array:
    """Return a layer's numbers as the float32 in [0, 1] that they are shown as.

    Parameters
    ----------
    pixels : ndarray
        (H, W) grey; where `limits` is None (H, W, 3) RGB or (H, W, 4) RGBA.
    limits : tuple of float or None
        Of the contrast of grey.
    name : str
        What to call the pixels in an error.

    Raises
    ------
    TypeError, ValueError
        If they have no agreed range, or are NaN without exception.
    """
    if np.issubdtype(pixels.dtype, np.floating):
        if not np.isfinite(pixels).any():
            raise ValueError(f"{name} is all NaN; choose one that shows an image.")
        # Single missing pixels are drawn at the lower end of the range, as napari shows them.
        pixels = np.nan_to_num(pixels, nan=limits[0] if limits else 0.0)
    if limits is not None:
        low, high = limits
        # In double precision: limits may lie close together and far from zero.
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
    """Return float pixels in [0, 1] as 8 bits: quick to draw, and any file format can hold them."""
    rounded: np.ndarray[Any, np.dtype[np.uint8]] = np.rint(image * 255).astype(np.uint8)
    return rounded


def as_type(numbers: Array, dtype: np.dtype[Any]) -> Array:
    """Return floats as a type of number, rounded to what it can hold."""
    if dtype.kind == "b":
        return numbers >= 0.5
    if dtype.kind == "f":
        return numbers.astype(dtype)
    info = np.iinfo(dtype)
    top = float(info.max)
    if top > info.max:  # of 64 bits, the nearest double lies beyond the range
        top = float(np.nextafter(top, 0))
    return np.clip(np.rint(numbers), info.min, top).astype(dtype)
