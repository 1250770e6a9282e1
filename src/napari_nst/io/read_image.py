"""Read PNG, JPEG and TIFF files as arrays. The content of a file gives its format, not its name."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

# Without a handler, the messages of tifffile about broken files would appear in the terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

Pixels = np.ndarray[Any, Any]
Result = TypeVar("Result")

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
_SIGNATURES |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF")  # + is BigTIFF


class Unusable(Exception):
    """An intact image that cannot be used; the message continues a sentence after its file name."""


def decode_file(
    path: str | os.PathLike[str], decoders: Mapping[str, Callable[[bytes], Result]]
) -> Result:
    """Return the result of the decoder for a file's format; a ValueError names a broken file."""
    with Path(path).open("rb") as file:
        start = file.read(8)  # other files may be too large to be read as a whole
        kind = next((kind for magic, kind in _SIGNATURES.items() if start.startswith(magic)), None)
        if kind is None:
            raise ValueError(f"{path} is not a PNG, JPEG or TIFF image; convert it to one of them.")
        data = start + file.read()
    try:
        return decoders[kind](data)
    except Unusable as error:
        raise ValueError(f"{path} {error}.") from None
    except Exception as error:
        # Decoders raise many kinds of errors for broken files: struct.error, KeyError and others.
        raise ValueError(f"{path} is broken and cannot be read ({error}).") from error


def read_image(path: str | os.PathLike[str]) -> Pixels:
    """Return a file as (H, W), (H, W, 3) or (H, W, 4); OSError or ValueError names the file."""
    return decode_file(path, {"PNG": _read_png, "JPEG": _read_jpeg, "TIFF": _read_tiff})


def read_labels(path: str | os.PathLike[str]) -> Pixels:
    """Return a PNG or TIFF of labels as (H, W), integers or bool; errors are `read_image`'s."""
    return decode_file(path, {"PNG": _png_labels, "JPEG": _jpeg_labels, "TIFF": _tiff_labels})


def _png_labels(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["PNG"]) as file:
        if file.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
            raise Unusable("is in colour; save labels as integers in a grey PNG or a TIFF")
        return np.asarray(file)  # of a palette, the indices


def _jpeg_labels(_: bytes) -> Pixels:
    raise Unusable("is a JPEG, whose compression changes labels; save them as PNG or TIFF")


def _tiff_labels(data: bytes) -> Pixels:
    import tifffile

    labels: Pixels = tifffile.imread(io.BytesIO(data)).squeeze()
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise Unusable("holds no labels; save one page of integers, one for each pixel")
    return labels


def _read_png(data: bytes) -> Pixels:
    import imagecodecs  # Pillow reduces 16-bit RGB to 8 bits

    # Palettes are converted to RGB, and 1-bit images to 0 and 255.
    pixels: Pixels = imagecodecs.png_decode(data)
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 2 else pixels


def _read_jpeg(data: bytes) -> Pixels:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as file:
        image = ImageOps.exif_transpose(file)
        return np.asarray(image if image.mode == "L" else image.convert("RGB"))


def _read_tiff(data: bytes) -> Pixels:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        all_pages: list[Any] = list(tiff.pages)
        pages = [page for page in all_pages if not page.is_reduced]  # thumbnails, pyramids
        if len(pages) != 1 or tiff.series[0].size != pages[0].size:
            raise Unusable("has several pages; save one page in a file of its own")
        return _page_pixels(pages[0])


def _page_pixels(page: Any) -> Pixels:
    """Return a TIFF page as grey, RGB or RGBA."""
    kind, samples = page.photometric.name, page.samplesperpixel
    if page.dtype not in (np.uint8, np.uint16, np.float16, np.float32, np.float64):
        raise Unusable(f"has values of type {page.dtype}; convert it to 8 or 16 bit first")
    if page.bitspersample != page.dtype.itemsize * 8:
        raise Unusable(f"has {page.bitspersample} bits per channel; convert it to 8 or 16 first")
    are_alpha = [sample.name in ("ASSOCALPHA", "UNASSALPHA") for sample in page.extrasamples]
    colours = samples - len(are_alpha)
    if kind == "YCBCR" and page.compression.name.endswith("JPEG"):
        kind = "RGB"  # the decoder converts the colours
    wanted = {"RGB": 3, "PALETTE": 1, "MINISBLACK": 1, "MINISWHITE": 1}
    if wanted.get(kind) != colours or not all(are_alpha) or page.imagedepth != 1:
        raise Unusable(f"is {kind} of {samples} channels; convert it to grey or RGB first")
    pixels: Pixels = page.asarray()
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 3 and colours == 1:
        pixels = pixels[..., 0]
    if kind == "PALETTE":
        pixels = (page.colormap >> 8).astype(np.uint8).T[pixels]
    if kind == "MINISWHITE":
        pixels = (1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max) - pixels
    return pixels[..., :4] if pixels.ndim == 3 else pixels
