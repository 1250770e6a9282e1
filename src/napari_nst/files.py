"""Images as files: PNG, JPEG and TIFF, 8 or 16 bit, in and out.

What a file holds decides how it is read, whatever it is called; the name decides how one is
written.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_nst.outputs import write_whole

Pixels = np.ndarray[Any, Any]
Depth = Literal[8, 16]

# Without a handler of its own, what tifffile logs of a broken file would end up on the terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


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
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(max(map(len, _READERS)))
        read = next((_READERS[magic] for magic in _READERS if start.startswith(magic)), None)
        if read is None:
            raise ValueError(f"{path} is not a PNG, JPEG or TIFF image; convert it to one of them.")
        data = start + file.read()
    try:
        return read(data)
    except _Unusable as error:
        raise ValueError(f"{path} {error}.") from None
    except Exception as error:
        # What decoders raise at arbitrary bytes is no short list: struct.error, KeyError …
        raise ValueError(f"{path} is broken and cannot be read ({error}).") from error


def write_image(path: str | os.PathLike[str], image: Pixels, depth: Depth = 8) -> None:
    """Write an image, as a whole or not at all.

    Parameters
    ----------
    path : path-like
        Ends in .png, .jpg, .jpeg, .tif or .tiff. A file that is there is replaced.
    image : ndarray
        (H, W, 3) RGB, float in [0, 1].
    depth : {8, 16}
        Bits per channel; a JPEG has 8.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the name's ending or the depth does not go with the format.
    """
    encode = _encoder(Path(path), depth)
    most = 2**depth - 1
    pixels = np.rint(np.clip(image, 0, 1) * most).astype(np.uint8 if depth == 8 else np.uint16)
    write_whole(Path(path), encode(pixels))


def depth_for(path: str | os.PathLike[str], source: Pixels, wanted: int | None = None) -> Depth:
    """Return the bits per channel to write `path` with.

    Parameters
    ----------
    path : path-like
        As for `write_image`.
    source : ndarray
        What the image was made from: as deep as this, but no deeper than the format allows.
    wanted : {8, 16}, optional
        Or as deep as this.

    Raises
    ------
    ValueError
        If the name's ending or the depth does not go with the format.
    """
    is_deep = source.dtype != np.uint8 and _encoder(Path(path), 8) is not _encode_jpeg
    depth = wanted or (16 if is_deep else 8)
    _encoder(Path(path), depth)
    return 8 if depth == 8 else 16


class _Unusable(Exception):
    """A whole file that is not what a run can use: a phrase that follows the file's name."""


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
            raise _Unusable("has several pages; save the one that you mean as a file of its own")
        return _page_pixels(pages[0])


def _page_pixels(page: Any) -> Pixels:
    """Return a TIFF page as grey, RGB or RGBA."""
    kind, samples = page.photometric.name, page.samplesperpixel
    if page.dtype not in (np.uint8, np.uint16, np.float16, np.float32, np.float64):
        raise _Unusable(f"holds numbers of type {page.dtype}; convert it to 8 or 16 bit first")
    if page.bitspersample != page.dtype.itemsize * 8:
        raise _Unusable(f"has {page.bitspersample} bits per channel; convert it to 8 or 16 first")
    are_alpha = [sample.name in ("ASSOCALPHA", "UNASSALPHA") for sample in page.extrasamples]
    colours = samples - len(are_alpha)
    if kind == "YCBCR" and page.compression.name.endswith("JPEG"):
        kind = "RGB"  # the decoder has converted it
    wanted = {"RGB": 3, "PALETTE": 1, "MINISBLACK": 1, "MINISWHITE": 1}
    if wanted.get(kind) != colours or not all(are_alpha) or page.imagedepth != 1:
        raise _Unusable(f"is {kind} of {samples} channels; convert it to grey or RGB first")
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


_READERS: dict[bytes, Callable[[bytes], Pixels]] = {
    b"\x89PNG\r\n\x1a\n": _read_png,
    b"\xff\xd8\xff": _read_jpeg,
    b"II*\0": _read_tiff,
    b"MM\0*": _read_tiff,
    b"II+\0": _read_tiff,  # BigTIFF
    b"MM\0+": _read_tiff,
}
"""What a file starts with → what reads it."""


def _encoder(path: Path, depth: int) -> Callable[[Pixels], bytes]:
    """Return what makes a file's bytes of uint8 or uint16 pixels (H, W, 3)."""
    ending = path.suffix.lower()
    if ending not in _ENCODERS:
        raise ValueError(f"{path} must end in {', '.join(_ENCODERS)}, to say its format.")
    if depth not in (8, 16):
        raise ValueError(f"depth must be 8 or 16; not {depth!r}.")
    if depth == 16 and _ENCODERS[ending] is _encode_jpeg:
        raise ValueError(f"{path}: a JPEG has 8 bits per channel; take PNG or TIFF for 16.")
    return _ENCODERS[ending]


def _encode_png(pixels: Pixels) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.png_encode(pixels, level=6))


def _encode_jpeg(pixels: Pixels) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    # Brush strokes are small and colourful: colours at half the resolution would smear them.
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling="4:4:4")
    return file.getvalue()


def _encode_tiff(pixels: Pixels) -> bytes:
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(
        file, pixels, photometric="rgb", compression="zlib", predictor=True,
        metadata=None, software="napari-nst",
    )  # fmt: skip
    return file.getvalue()


_ENCODERS: dict[str, Callable[[Pixels], bytes]] = {
    ".png": _encode_png,
    ".jpg": _encode_jpeg,
    ".jpeg": _encode_jpeg,
    ".tif": _encode_tiff,
    ".tiff": _encode_tiff,
}
