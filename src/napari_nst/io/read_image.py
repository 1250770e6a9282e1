"""Images as files: PNG, JPEG and TIFF, 8 or 16 bit or float, in and out.

What a file holds decides how it is read, whatever it is called; the name decides how one is
written.
"""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from napari_nst.io.embedded_text import Unusable, decode_file, read_text
from napari_nst.io.write_image import Depth, Pixels, depth_for, write_image, write_stack

__all__ = [
    "Depth", "Pixels", "depth_for", "read_image", "read_labels", "read_text", "write_image",
    "write_stack",
]  # fmt: skip


def read_image(path: str | os.PathLike[str]) -> Pixels:
    """Read an image with the numbers that its file holds.

    Parameters
    ----------
    path : path-like
        A PNG of 8 or 16 bit, a JPEG, or a TIFF of one page of 8 or 16 bit or float. Palettes, and
        CMYK in a JPEG, become RGB; a camera's EXIF orientation is applied.

    Returns
    -------
    ndarray
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA; uint8, uint16 or float.

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    ValueError
        If it is broken, or not an image that a run could use; the message names the file.
    """
    return decode_file(path, {"PNG": _read_png, "JPEG": _read_jpeg, "TIFF": _read_tiff})


def read_labels(path: str | os.PathLike[str]) -> Pixels:
    """Read an image of labels with the numbers that its file holds.

    Parameters
    ----------
    path : path-like
        A PNG of grey, of bits or of a palette, whose numbers are then the labels; or a TIFF of one
        page of whole numbers.

    Returns
    -------
    ndarray
        (H, W), whole numbers or bool.

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    ValueError
        If it is broken, or holds no labels; the message names the file.
    """
    return decode_file(path, {"PNG": _png_labels, "JPEG": _jpeg_labels, "TIFF": _tiff_labels})


def _png_labels(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["PNG"]) as file:
        if file.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
            raise Unusable("is in colour; save labels as whole numbers, in a grey PNG or a TIFF")
        return np.asarray(file)


def _jpeg_labels(_: bytes) -> Pixels:
    raise Unusable("is a JPEG, which changes the numbers of labels; save them as PNG or TIFF")


def _tiff_labels(data: bytes) -> Pixels:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        labels: Pixels = tiff.asarray().squeeze()
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise Unusable("holds no labels; save one page of whole numbers, one for each pixel")
    return labels


def _read_png(data: bytes) -> Pixels:
    # Pillow would cut RGB of 16 bit to 8. Palettes come expanded, bits as 0 and 255.
    import imagecodecs

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
        every: list[Any] = list(tiff.pages)
        pages = [page for page in every if not page.is_reduced]  # thumbnails, pyramids
        if len(pages) != 1 or tiff.series[0].size != pages[0].size:
            raise Unusable("has several pages; save the one that you mean as a file of its own")
        return _page_pixels(pages[0])


def _page_pixels(page: Any) -> Pixels:
    """Return a TIFF page as grey, RGB or RGBA."""
    kind, samples = page.photometric.name, page.samplesperpixel
    if page.dtype not in (np.uint8, np.uint16, np.float16, np.float32, np.float64):
        raise Unusable(f"holds numbers of type {page.dtype}; convert it to 8 or 16 bit first")
    if page.bitspersample != page.dtype.itemsize * 8:
        raise Unusable(f"has {page.bitspersample} bits per channel; convert it to 8 or 16 first")
    are_alpha = [sample.name in ("ASSOCALPHA", "UNASSALPHA") for sample in page.extrasamples]
    colours = samples - len(are_alpha)
    if kind == "YCBCR" and page.compression.name.endswith("JPEG"):
        kind = "RGB"  # the decoder has converted it
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
