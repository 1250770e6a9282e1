"""Decoded images: upright, with straight alpha and sRGB colours."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.io.image_files.calibration import Calibration

if TYPE_CHECKING:
    from PIL import Image

Pixels = np.ndarray[Any, Any]
Limits = tuple[float, float]
"""The values that are black and white."""

ORIENTATION = 274  # the tag of EXIF and of TIFF
_CHANNELS = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}  # colour space in a profile's header
_TRANSPOSED = (5, 6, 7, 8)
_ROWS = 64  # that are computed at once
_SRGB_TOLERANCE = 2  # of 255: variants of the sRGB profile differ from each other by less


class Unusable(Exception):
    """An intact image that cannot be used; the message continues a sentence after its name."""


class SeveralImages(Unusable, ValueError):
    """A file that holds several images, of which none was chosen."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as a viewer of photographs shows it."""

    pixels: Pixels  # (H, W) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB, (H, W, 4) RGBA
    orientation: int = 1  # EXIF's, from 1 to 8, of the stored image, which has been turned upright
    limits: Limits | None = None  # the display range in the file, for more than 8 bits
    calibration: Calibration | None = None  # the size of the pixels in a TIFF
    page: int | None = None  # which of several pages or frames of the file, from 1
    channel: int | None = None  # which of several channels, from 1

    @property
    def plane(self) -> dict[str, int]:
        """Its page and channel, of a file that has several."""
        found = {"page": self.page, "channel": self.channel}
        return {name: number for name, number in found.items() if number is not None}

    @property
    def stored_shape(self) -> tuple[int, int]:
        """Height and width before the image was turned upright."""
        height, width = self.pixels.shape[:2]
        return (width, height) if self.orientation in _TRANSPOSED else (height, width)

    def turned_as(self, other: DecodedImage) -> DecodedImage:
        """Return this image, turned as another one was."""
        return DecodedImage(upright(self.pixels, other.orientation), other.orientation)

    def scaled(self, limits: Limits) -> DecodedImage:
        """Return the image in [0, 1], with these values as black and white; alpha is unaffected."""
        low, high = limits
        colours, alpha = split_alpha(self.pixels)

        def scale(rows: Pixels) -> Pixels:
            # In double precision, because limits may be close together and far from zero.
            values = np.subtract(rows, low, dtype=np.float64) / max(high - low, 1e-300)
            return np.clip(values, 0, 1).astype(np.float32)

        scaled = _by_rows(scale, colours)
        if alpha is not None:
            whole = 1 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max
            scaled = with_alpha(scaled, (alpha / whole).astype(np.float32))
        return replace(self, pixels=scaled, limits=limits)

    def extremes(self) -> Limits:
        """Return the smallest and the largest finite value of all colours."""
        colours, _ = split_alpha(self.pixels)
        finite = colours[np.isfinite(colours)] if colours.dtype.kind == "f" else colours
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def split_alpha(pixels: Pixels) -> tuple[Pixels, Pixels | None]:
    """Return the colours, (H, W) or (H, W, 3), and alpha (H, W), if there is one."""
    if pixels.ndim < 3 or pixels.shape[-1] not in (2, 4):
        return pixels, None
    return pixels[..., 0] if pixels.shape[-1] == 2 else pixels[..., :3], pixels[..., -1]


def with_alpha(colours: Pixels, alpha: Pixels | None) -> Pixels:
    """Return colours, (H, W) or (H, W, 3), with alpha (H, W) as the last channel."""
    return colours if alpha is None else np.dstack([colours, alpha])


def divided_by_alpha(colours: Pixels, alpha: Pixels) -> Pixels:
    """Return the colours of straight alpha for colours that were multiplied by alpha."""
    whole = 1.0 if alpha.dtype.kind == "f" else float(np.iinfo(alpha.dtype).max)

    def divide(rows: Pixels, weights: Pixels) -> Pixels:
        weights = weights if rows.ndim == 2 else weights[..., None]
        straight = rows.astype(np.float64) * whole / np.where(weights > 0, weights, np.inf)
        if alpha.dtype.kind != "f":
            straight = np.rint(np.minimum(straight, whole))
        return straight.astype(colours.dtype)

    return _by_rows(divide, colours, alpha)


def decoded(
    pixels: Pixels,
    *,
    orientation: int = 1,
    profile: bytes = b"",
    limits: Limits | None = None,
    calibration: Calibration | None = None,
) -> DecodedImage:
    """Return stored pixels, turned upright, with the colours of a profile converted to sRGB."""
    if 0 in pixels.shape or not (pixels.ndim == 2 or pixels.shape[2:] in ((2,), (3,), (4,))):
        raise Unusable(f"holds no image; the shape of its pixels is {pixels.shape}")
    colours, alpha = split_alpha(pixels)
    if profile:
        colours = _to_srgb(colours, profile)
    orientation = orientation if orientation in range(1, 9) else 1  # others mean nothing
    if calibration is not None and orientation in _TRANSPOSED:
        calibration = calibration.transposed()
    turned = upright(with_alpha(colours, alpha), orientation)
    return DecodedImage(turned, orientation, limits, calibration)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn stored pixels upright, by an orientation of EXIF and TIFF from 1 to 8."""
    if orientation in _TRANSPOSED:  # the first stored row is the left or the right side
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def from_pillow(image: Image.Image) -> DecodedImage:
    """Return a Pillow image of any mode, as a viewer of photographs shows it, or raise Unusable."""
    mode = _grey_or_rgb(image)
    if mode == "I" or mode == "F" or mode.startswith("I;16"):
        pixels = np.asarray(image)
    elif image.mode == "CMYK":
        return decoded(
            cmyk_as_rgb(np.asarray(image), _profile(image)), orientation=orientation_of(image)
        )
    else:
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    if mode == "I" and pixels.min(initial=0) >= 0 and pixels.max(initial=0) <= 65535:
        pixels = pixels.astype(np.uint16)  # how older versions of Pillow open 16-bit files
    profile = _profile(image) if pixels.dtype == np.uint8 else b""
    return decoded(pixels, orientation=orientation_of(image), profile=profile)


def labels_from_pillow(image: Image.Image) -> DecodedImage:
    """Return a Pillow image of labels, turned upright: of a palette, the indices."""
    if image.mode not in ("1", "L", "P", "I") and not image.mode.startswith("I;16"):
        raise Unusable("has colours or alpha; save labels as integers in a grey PNG or a TIFF")
    return decoded(np.asarray(image), orientation=orientation_of(image))


def orientation_of(image: Image.Image) -> int:
    """Return the orientation in an image's EXIF; 1 if there is none, or if it is damaged."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return 1
    return found if isinstance(found, int) else 1


def cmyk_as_rgb(pixels: Pixels, profile: bytes = b"") -> Pixels:
    """Return CMYK (H, W, 4), uint8 or uint16 with 0 for no ink, as RGB."""
    if profile[16:20] == b"CMYK" and (converted := _transformed(pixels, profile)) is not None:
        return converted
    whole = np.iinfo(pixels.dtype).max

    def reflected(rows: Pixels) -> Pixels:
        light = (whole - rows).astype(np.float32)
        return np.rint(light[..., :3] * light[..., 3:] / whole).astype(pixels.dtype)

    return _by_rows(reflected, pixels)


def _by_rows(function: Callable[..., Pixels], *images: Pixels) -> Pixels:
    """Return the result of a function that is called for some rows at a time, to save memory."""
    tops = range(0, len(images[0]), _ROWS)
    return np.concatenate([function(*(one[top : top + _ROWS] for one in images)) for top in tops])


def _grey_or_rgb(image: Image.Image) -> str:
    """Return the mode that an image is converted to, without a loss where possible."""
    mode, has_alpha = image.mode, image.has_transparency_data
    if mode in ("I", "F") or mode.startswith("I;16"):
        return mode
    if mode in ("1", "L", "LA", "La"):
        return "LA" if has_alpha else "L"
    if mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"):
        return "RGBA" if has_alpha else "RGB"
    raise Unusable(f"has Pillow's mode {mode!r}; convert it to 'RGB' first")


def _profile(image: Image.Image) -> bytes:
    found = image.info.get("icc_profile")
    return found if isinstance(found, bytes) else b""


def _to_srgb(colours: Pixels, profile: bytes) -> Pixels:
    """Convert grey or RGB of 8 or 16 bits from a colour profile; a damaged one is ignored."""
    channels = 1 if colours.ndim == 2 else 3
    if _CHANNELS.get(profile[16:20]) != channels or colours.dtype not in (np.uint8, np.uint16):
        return colours
    levels = np.linspace(0, 255, 6).astype(np.uint8)
    samples = np.array([*itertools.product(levels, repeat=channels)], np.uint8)[None]
    seen = _transformed(samples if channels == 3 else samples[..., 0], profile)
    if seen is None or np.abs(seen.astype(int) - samples).max() <= _SRGB_TOLERANCE:
        return colours  # it is sRGB
    converted = _transformed(colours, profile)
    assert converted is not None
    return converted if channels == 3 else converted[..., 0]


def _transformed(pixels: Pixels, profile: bytes) -> Pixels | None:
    """Return pixels in the colours of a profile as RGB in sRGB; None if the profile is damaged."""
    import imagecodecs  # Pillow converts 8 bits only

    space = {1: "gray", 3: "rgb", 4: "cmyk"}[_CHANNELS[profile[16:20]]]
    try:
        result: Pixels = imagecodecs.cms_transform(
            np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("=")), profile,
            imagecodecs.cms_profile("srgb"), colorspace=space, outcolorspace="rgb",
        )  # fmt: skip
    except (imagecodecs.CmsError, ValueError):
        return None
    return result
