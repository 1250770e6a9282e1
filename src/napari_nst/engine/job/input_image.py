"""Images that callers hand in, checked and converted to float32 RGB."""

from __future__ import annotations

import hashlib
import math
import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.given import Layer, advice, opened
from napari_nst.engine.job.layers import check_size, shares_of
from napari_nst.engine.job.style_target import COLOURS, SUFFIX, StyleTarget
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.decoded_image import DecodedImage, Pixels, split_alpha
from napari_nst.recipe import Recipe

RGB = np.ndarray[Any, np.dtype[np.float32]]
"""An image of float32 (H, W, 3) in [0, 1]."""

Weights = np.ndarray[Any, np.dtype[np.float32]]
"""A weight for each pixel, float32 (H, W) in [0, 1]."""

Window = tuple[slice, slice]
"""Rows and columns of an image."""

_IN_TERMINAL = " (in the terminal: --limits)"
_ACCEPTED = "(H, W), (H, W, 3) or (H, W, 4) of uint8, uint16 or float in [0, 1]"


class NamedImage(np.ndarray[Any, np.dtype[Any]]):
    """Pixels with the name of the layer that they were read from, which the record gets."""

    name = ""

    @classmethod
    def of(cls, pixels: np.ndarray[Any, Any], name: str) -> NamedImage:
        """Return the same pixels with a name."""
        named = np.asarray(pixels).view(cls)
        named.name = name
        return named


@dataclass(frozen=True, eq=False)
class InputImage:
    """A checked image."""

    rgb: RGB
    alpha: Weights | None  # None: no pixel is transparent
    is_grey: bool
    metadata: dict[str, Any]  # shape, dtype, SHA-256 and name of the array that was handed in
    calibration: Calibration | None = None  # of the file that it was read from
    target: StyleTarget | None = None  # in place of the image, of which `rgb` are some pixels

    @classmethod
    def of_target(cls, target: StyleTarget) -> InputImage:
        """Return a style target in the place of an image."""
        rgb = np.asarray(target.arrays[COLOURS], np.float32)[None]  # as one row
        return cls(rgb, None, target.is_grey, target.metadata, target=target)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[:2] if self.target is None else self.target.shape

    def cropped(self, window: Window) -> InputImage:
        """Return some rows and columns."""
        alpha = None if self.alpha is None else self.alpha[window]
        return InputImage(self.rgb[window], alpha, self.is_grey, self.metadata)

    @property
    def is_nearly_black(self) -> bool:
        """Whether 16-bit values look like those of 14 bits or fewer, which must be rescaled."""
        is_deep = np.dtype(self.metadata.get("dtype", np.uint8)).newbyteorder("=") == np.uint16
        return is_deep and 0 < float(self.rgb.max()) <= 2**14 / 2**16

    @property
    def weights(self) -> Weights | None:
        """How much each pixel counts: alpha, of which only proportions matter."""
        return None if self.alpha is None else self.alpha / max(float(self.alpha.max()), 1e-6)


# Pillow's images are array-like.
ImageLike = ArrayLike | str | os.PathLike[str] | Layer | DecodedImage | InputImage
"""An image as callers hand it in, or a checked one, which several jobs can share."""

StyleLike = ImageLike | StyleTarget
"""A style as callers hand it in."""

Images = StyleLike | Sequence[StyleLike]
"""One image or target, or a list of them."""


Known = dict[int, tuple[weakref.ref[Any], InputImage]]
"""The `id` of an image that was handed in → the image, and what was read of it."""

_known: ContextVar[Known | None] = ContextVar("_known", default=None)


@contextmanager
def reading_once(known: Known) -> Iterator[None]:
    """Read each image only once in all ``with`` blocks of one `known`."""
    token = _known.set(known)
    try:
        yield
    finally:
        _known.reset(token)


def read_input(image: ImageLike, name: str) -> InputImage:
    """Check an image (H, W), (H, W, 3) or (H, W, 4), or of Pillow, which errors call `name`."""
    if isinstance(image, InputImage):
        return image
    known, key = _known.get(), id(image)
    if known is None:
        return _read(image, name)
    if key not in known:
        found = _read(image, name)
        try:
            # Forgotten with the image, because another image may then get the same id.
            known[key] = weakref.ref(image, lambda _: known.pop(key, None)), found
        except TypeError:  # such as a list of numbers
            return found
    return known[key][1]


def _read(image: Any, name: str) -> InputImage:
    found, origin = opened(image, name)
    array, colours, alpha = _samples(found)
    rgb = _as_rgb(colours, name)
    if alpha is not None:
        alpha = in_unit_range(alpha, name, "The alpha of ")
        if not alpha.any():
            raise ValueError(
                f"`{name}` is transparent everywhere. Give it pixels that can be seen."
            )
        if alpha.min() == 1:
            alpha = None
    metadata = {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "sha256": hashlib.sha256(np.ascontiguousarray(array).data).hexdigest(),
        **origin,
    }
    if isinstance(image, NamedImage) and image.name:
        metadata["name"] = image.name
    calibration = found.calibration if isinstance(found, DecodedImage) else None
    return InputImage(rgb, alpha, colours.ndim == 2, metadata, calibration)


def _samples(image: DecodedImage | Pixels) -> tuple[Pixels, Pixels, Pixels | None]:
    """Return an image as it was handed in, its colours, and its alpha if it has one."""
    if isinstance(image, DecodedImage):
        return (image.pixels, *split_alpha(image.pixels))
    # Two channels of an array may be those of a microscope, not grey and alpha.
    return (image, *split_alpha(image)) if image.shape[2:] == (4,) else (image, image, None)


def read_styles(images: Images, name: str, recipe: Recipe) -> list[InputImage]:
    """Read one style or several: as many as the recipe blends, large enough for its layers."""
    several: list[Any] = list(images) if isinstance(images, (list, tuple)) else [images]
    if not several:
        raise ValueError(f"`{name}` is an empty list. Give at least one image.")
    shares_of(recipe, len(several))  # checks their number
    styles = [_read_style(one, name) for one in several]
    for style in styles:
        check_size(style.shape, name, recipe)
    return styles


def _read_style(style: Any, name: str) -> InputImage:
    """Return an image or a style target, which may be in a file."""
    if isinstance(style, (str, os.PathLike)) and os.fspath(style).lower().endswith(SUFFIX):
        style = StyleTarget.load(style)
    if isinstance(style, StyleTarget):
        return InputImage.of_target(style)
    return read_input(style, name)


def relative_pixels(pixel_sizes: Sequence[float] | None, styles: int) -> list[float] | None:
    """Return each style's pixel size over the content's."""
    if pixel_sizes is None:
        return None
    try:
        sizes = [float(size) for size in pixel_sizes]
    except (TypeError, ValueError):
        sizes = []
    if len(sizes) != styles + 1 or not all(math.isfinite(size) and size > 0 for size in sizes):
        raise ValueError(
            f"`pixel_sizes` needs {styles + 1} numbers above 0, the content's and each style's; "
            f"it is {pixel_sizes!r}."
        )
    return [size / sizes[0] for size in sizes[1:]]


def as_rgb(image: ImageLike, name: str = "image") -> RGB:
    """Return an image (H, W), (H, W, 3) or (H, W, 4) as RGB, or raise TypeError or ValueError."""
    if isinstance(image, InputImage):
        return image.rgb
    return _as_rgb(_samples(opened(image, name)[0])[1], name)


def _as_rgb(array: Pixels, name: str) -> RGB:
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] != 3):
        raise ValueError(
            f"`{name}` must be an image {_ACCEPTED}; its shape is "
            f"{array.shape}{advice(array.shape)}."
        )
    if array.size == 0:
        raise ValueError(f"`{name}` must have at least one pixel; its shape is {array.shape[:2]}.")
    unit = in_unit_range(array, name)
    return unit if unit.ndim == 3 else np.repeat(unit[..., None], 3, axis=-1)


def in_unit_range(array: Pixels, name: str, part: str = "") -> RGB:
    """Return values as float32 in [0, 1], or raise TypeError or ValueError."""
    if array.dtype.newbyteorder("=") in (np.uint8, np.uint16):
        values: RGB = array.astype(np.float32)
        values /= np.float32(np.iinfo(array.dtype).max)
        return values
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"{part}`{name}` must be {_ACCEPTED}; its type is {array.dtype}. {_cure(array)}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{part}`{name}` has pixels that are NaN or infinite. Replace them first.")
    # Cubic resampling overshoots [0, 1] slightly; that is no reason for an error.
    if array.min() < -1e-3 or array.max() > 1 + 1e-3:
        span = f"{array.min():g} to {array.max():g}"
        raise ValueError(
            f"{part}`{name}` must be in [0, 1]; its values go from {span}. {_cure(array)}."
        )
    inside: RGB = np.clip(array, 0, 1).astype(np.float32)
    return inside


def _cure(array: Pixels) -> str:
    """Return how to bring values into an accepted type and range."""
    if array.dtype.kind == "b":
        return "Convert it by astype(float)"
    if array.dtype.kind not in "iuf" or array.min() < 0 or array.max() > 255:
        return f"Rescale it first{_IN_TERMINAL}"
    convert = "Divide it by 255" if array.dtype.kind == "f" else "Convert it by astype(np.uint8)"
    return f"{convert}, or rescale it{_IN_TERMINAL}"


def shape_fitting(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Return the height and width of `shape` scaled so that its longest side is `longest`."""
    height, width = shape[:2]
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
