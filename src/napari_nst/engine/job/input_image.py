"""Arrays that callers hand in, as float32 RGB. NumPy alone, so that bad input is told at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

RGB = np.ndarray[Any, np.dtype[np.float32]]
"""An image of float32 (H, W, 3) in [0, 1]."""

_ACCEPTED = "(H, W) or (H, W, 3) of uint8, uint16 or float in [0, 1]"


@dataclass(frozen=True, eq=False)
class InputImage:
    """An image that a caller handed in, checked.

    Attributes
    ----------
    rgb : ndarray
        float32 (H, W, 3) in [0, 1].
    alpha : ndarray or None
        float32 (H, W) in [0, 1]: how much each pixel counts; None where all count alike.
    is_grey : bool
        Whether it came with a single channel.
    metadata : dict
        What a record says of it: shape, type and SHA-256 of the array as it came.
    """

    rgb: RGB
    alpha: RGB | None
    is_grey: bool
    metadata: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[0], self.rgb.shape[1]


def read_input(image: ArrayLike, name: str) -> InputImage:
    """Check an image that a caller handed in.

    Parameters
    ----------
    image : array-like
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA; uint8, uint16 or float in [0, 1].
    name : str
        What to call it in an error.

    Raises
    ------
    TypeError, ValueError
        As `as_rgb`; also if every pixel is transparent.
    """
    array: np.ndarray[Any, Any] = np.asarray(image)
    rgb = as_rgb(array, name)
    alpha = None
    if array.ndim == 3 and array.shape[-1] == 4:
        alpha = as_rgb(array[..., 3], f"alpha of {name}")[..., 0]
        if not (alpha > 0.5).any():
            raise ValueError(f"{name} is transparent everywhere; give it pixels that can be seen.")
        if alpha.min() == 1:
            alpha = None
    metadata = {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "sha256": hashlib.sha256(np.ascontiguousarray(array).data).hexdigest(),
    }
    return InputImage(rgb, alpha, array.ndim == 2, metadata)


def as_rgb(image: ArrayLike, name: str = "image") -> RGB:
    """Return an image as float32 RGB (H, W, 3) in [0, 1].

    Parameters
    ----------
    image : array-like
        (H, W) grey or (H, W, 3) RGB; uint8, uint16 or float in [0, 1]. A fourth channel, alpha, is
        left out.
    name : str
        What to call the image in an error.

    Raises
    ------
    TypeError
        If the numbers are of a type that has no agreed range.
    ValueError
        If the array is no image, or its values are not finite or outside [0, 1].
    """
    array: np.ndarray[Any, Any] = np.asarray(image)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=-1)
    if array.ndim != 3 or array.shape[-1] not in (3, 4):
        raise ValueError(f"{name} must be an image {_ACCEPTED}; its shape is {array.shape}.")
    array = array[..., :3]
    if array.size == 0:
        raise ValueError(f"{name} must have at least one pixel; its shape is {array.shape[:2]}.")
    if array.dtype.newbyteorder("=") in (np.uint8, np.uint16):
        scaled: RGB = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
        return scaled
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"{name} must be {_ACCEPTED}; its type is {array.dtype}, convert it first.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has pixels that are NaN or infinite; replace them first.")
    # Resampling by cubic filters overshoots by rounding errors that nobody should hear about.
    if array.min() < -1e-3 or array.max() > 1 + 1e-3:
        span = f"{array.min():g} to {array.max():g}"
        raise ValueError(f"{name} must be in [0, 1]; its values go from {span}, rescale it first.")
    inside: RGB = np.clip(array, 0, 1).astype(np.float32)
    return inside


def shape_fitting(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Return the height and width of `shape` scaled so that its longest side is `longest`."""
    height, width = shape[:2]
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def displayable(values: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return numbers of any range as a picture of [0, 1].

    Parameters
    ----------
    values : ndarray
        Of any shape; all are scaled alike.

    Returns
    -------
    ndarray
        float32, of the same shape. White is the 99.9th percentile of the magnitudes, so that no
        single one leaves the others dark. Black is 0; where there are negative numbers, mid-grey
        is, and black is as far below it.
    """
    sizes = np.abs(values)
    white = float(np.percentile(sizes, 99.9)) or float(sizes.max()) or 1.0
    scaled = values / white
    if values.min() < 0:
        scaled = (scaled + 1) / 2
    shown: np.ndarray[Any, np.dtype[np.float32]] = np.clip(scaled, 0, 1).astype(np.float32)
    return shown
