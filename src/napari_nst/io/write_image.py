"""Images into files: the formats, how deep each of them goes, and stacks."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from napari_nst.io.atomic_write import write_whole
from napari_nst.io.contact_sheet import Cell, Grid, sheet_of
from napari_nst.io.embedded_text import SOFTWARE, jpeg_comment, put_png_text

Pixels = np.ndarray[Any, Any]
Depth = Literal[8, 16, 32]

_BAND = 256
"""Rows that are converted at once."""


def write_image(
    path: str | os.PathLike[str], image: Pixels, depth: Depth = 8, *, text: str = ""
) -> None:
    """Write an image, as a whole or not at all.

    Parameters
    ----------
    path : path-like
        Ends in .png, .jpg, .jpeg, .tif or .tiff. A file that is there is replaced.
    image : ndarray
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA whose alpha is straight; float in [0, 1].
        One of uint8 or uint16 is written as it is.
    depth : {8, 16, 32}
        Bits per channel of a float image; a JPEG has 8. 32 is for a TIFF, which then holds the
        numbers as float32, as they are, in [0, 1] or not.
    text : str
        Stored in the file, for `read_text`; a JPEG holds 64 kB of it. "" stores nothing.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If the image holds other numbers.
    ValueError
        If the name's ending, the depth, an alpha channel or the text does not go with the format,
        or the image has another shape.
    """
    path = Path(path)
    if image.ndim != 2 and (image.ndim != 3 or image.shape[-1] not in (3, 4)):
        raise ValueError(f"image must be (H, W), (H, W, 3) or (H, W, 4); not {image.shape}.")
    if is_whole := image.dtype.kind == "u" and image.dtype.itemsize <= 2:
        depth = 8 if image.dtype.itemsize == 1 else 16
    encode = _encoder(path, depth)
    if encode is _encode_jpeg and image.shape[2:] == (4,):
        raise ValueError(f"{path}: a JPEG has no alpha channel; take PNG or TIFF for RGBA.")
    # As they are, but in this machine's byte order.
    pixels = image.astype(f"u{depth // 8}") if is_whole else levels("image", image, depth)
    write_whole(path, encode(pixels, text))


def write_stack(
    path: str | os.PathLike[str],
    images: Pixels | Sequence[Pixels],
    labels: Sequence[str],
    *,
    text: str = "",
) -> None:
    """Write several images into one file of 8 bit, as a whole or not at all.

    Parameters
    ----------
    path : path-like
        A TIFF gets a page for each image, as ImageJ has them: the labels are its slices', the text
        is its info. With another ending of `write_image`, it is one picture: a grid, to be read
        row by row, with each label above its image.
    images : ndarray or sequence of ndarray
        (N, H, W) grey or (N, H, W, 3) RGB, float in [0, 1].
    labels : sequence of str
        One for each image. In a grid, what the letters of ASCII cannot spell is an empty box.
    text : str
        As for `write_image`.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If the images hold other numbers.
    ValueError
        If the name's ending or the text does not go with the format, there are no images or not as
        many as labels, or they have another shape or several.
    """
    path = Path(path)
    encode = _encoder(path, 8)
    shapes = sorted({image.shape for image in images})
    if len(shapes) != 1 or (len(shapes[0]) != 2 and shapes[0][2:] != (3,)):
        listed = ", ".join(map(str, shapes)) or "none"
        raise ValueError(f"images must all be (H, W) or all (H, W, 3), of one size; not {listed}.")
    if len(labels) != len(images):
        raise ValueError(f"labels must be {len(images)}, one for each image; not {len(labels)}.")
    stack = np.stack([levels("images", image, 8) for image in images])
    if encode is _encode_tiff:
        write_whole(path, encode_tiff_stack(stack, labels, text))
    else:
        cells = [Cell(label, caption=label) for label in labels]
        grid = Grid.wrapped(cells, math.ceil(math.sqrt(len(cells))))
        write_image(path, sheet_of(grid, dict(enumerate(stack))), text=text)


def depth_for(path: str | os.PathLike[str], source: Pixels, wanted: int | None = None) -> Depth:
    """Return the bits per channel to write `path` with.

    Parameters
    ----------
    path : path-like
        As for `write_image`.
    source : ndarray
        What the image was made from: as deep as this, but no deeper than the format allows, nor
        than 16.
    wanted : {8, 16, 32}, optional
        Or as deep as this.

    Raises
    ------
    ValueError
        If the name's ending or the depth does not go with the format.
    """
    is_deep = source.dtype != np.uint8 and _encoder(Path(path), 8) is not _encode_jpeg
    depth = wanted or (16 if is_deep else 8)
    _encoder(Path(path), depth)
    return cast(Depth, depth)


def levels(name: str, image: Pixels, depth: Depth) -> Pixels:
    """Return what a file of this depth holds of a float image; `name` is for an error."""
    if image.dtype.kind != "f":
        others = ", uint8 or uint16" if name == "image" else ""
        raise TypeError(f"{name} must hold float in [0, 1]{others}; not {image.dtype}.")
    image = image.astype(np.float32, copy=False)  # float16 cannot count to 65535
    if depth == 32:
        return image
    whole = np.empty(image.shape, f"u{depth // 8}")
    for top in range(0, len(image), _BAND):  # of a large one no copies in floats
        rows = slice(top, top + _BAND)
        whole[rows] = np.rint(np.clip(image[rows], 0, 1) * (2**depth - 1))
    return whole


def _encoder(path: Path, depth: int) -> Callable[[Pixels, str], bytes]:
    """Return what makes a file's bytes of pixels, as `levels` returns them, and a text."""
    ending = path.suffix.lower()
    if ending not in _ENCODERS:
        raise ValueError(f"{path} must end in {', '.join(_ENCODERS)}, to say its format.")
    if depth not in (8, 16, 32):
        raise ValueError(f"depth must be 8, 16 or 32; not {depth!r}.")
    if depth == 32 and _ENCODERS[ending] is not _encode_tiff:
        raise ValueError(f"{path}: only a TIFF has 32 bits per channel; take .tif for 32.")
    if depth == 16 and _ENCODERS[ending] is _encode_jpeg:
        raise ValueError(f"{path}: a JPEG has 8 bits per channel; take PNG or TIFF for 16.")
    return _ENCODERS[ending]


def _encode_png(pixels: Pixels, text: str) -> bytes:
    import imagecodecs

    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=6))
    return put_png_text(data, text) if text else data


def _encode_jpeg(pixels: Pixels, text: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    comment = jpeg_comment(text) if text else None
    # Brush strokes are small and colourful: colours at half the resolution would smear them.
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling="4:4:4", comment=comment)
    return file.getvalue()


def _encode_tiff(pixels: Pixels, text: str) -> bytes:
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(
        file, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack",
        planarconfig="contig" if pixels.ndim == 3 else None,
        extrasamples=["unassalpha"] if pixels.shape[2:] == (4,) else None,
        # ImageJ cannot undo the predictor of float numbers.
        compression="zlib", predictor=pixels.dtype.kind == "u",
        metadata=None, software=SOFTWARE, description=text.encode() or None,
    )  # fmt: skip
    return file.getvalue()


def encode_tiff_stack(stack: Pixels, labels: Sequence[str], text: str) -> bytes:
    """Return the bytes of a TIFF with a page for each image, as ImageJ has them.

    Grey has uint8, uint16 or float32, RGB has uint8.
    """
    import tifffile

    file = io.BytesIO()
    is_rgb = stack.ndim == 4
    tifffile.imwrite(
        file, stack, imagej=True, photometric="rgb" if is_rgb else "minisblack", software=SOFTWARE,
        metadata={"axes": "ZYXS" if is_rgb else "ZYX", "Labels": list(labels)}
        | ({"Info": text} if text else {}),
    )  # fmt: skip
    return file.getvalue()


_ENCODERS: dict[str, Callable[[Pixels, str], bytes]] = {
    ".png": _encode_png,
    ".jpg": _encode_jpeg,
    ".jpeg": _encode_jpeg,
    ".tif": _encode_tiff,
    ".tiff": _encode_tiff,
}
