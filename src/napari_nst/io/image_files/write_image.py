"""Write images, stacks of images and grids of images as PNG, JPEG or TIFF files."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from napari_nst.io.atomic_write import check_size, write_atomically
from napari_nst.io.contact_sheet import resized, sheet_of
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.embedded_text import (
    SOFTWARE,
    add_png_chunk,
    add_png_text,
    jpeg_comment,
)
from napari_nst.recipe.grid import Cell, Grid

Pixels = np.ndarray[Any, Any]
Depth = Literal[8, 16, 32]
FilePath = str | os.PathLike[str]

_LARGEST_CLASSIC_TIFF = 2**32 - 2**25  # bytes; offsets have 32 bits, and a text needs room


def write_image(
    path: FilePath,
    image: Pixels,
    depth: Depth = 8,
    *,
    text: str = "",
    calibration: Calibration | None = None,
) -> None:
    """Write uint8 or uint16 as they are, or floats in [0, 1] with `depth` bits, with a text."""
    path = Path(path)
    write_atomically(path, encode_image(path, image, depth, text=text, calibration=calibration))


def encode_image(
    path: Path,
    image: Pixels,
    depth: Depth = 8,
    *,
    text: str = "",
    calibration: Calibration | None = None,
) -> bytes:
    """Return what `write_image` writes; the path says the format."""
    if image.ndim != 2 and (image.ndim != 3 or image.shape[-1] not in (3, 4)):
        raise ValueError(f"image must be (H, W), (H, W, 3) or (H, W, 4); not {image.shape}.")
    if is_integer := image.dtype.kind == "u" and image.dtype.itemsize <= 2:
        depth = 8 if image.dtype.itemsize == 1 else 16
    encode = _encoder(path, depth)
    check_size(path, (image.shape[0], image.shape[1]))
    if encode is _encode_jpeg and image.shape[2:] == (4,):
        raise ValueError(f"{path}: a JPEG has no alpha channel; write a PNG or TIFF for RGBA.")
    # Integers may be in another byte order.
    if is_integer:
        pixels = image.astype(f"u{depth // 8}", copy=False)
    else:
        pixels = quantized("image", image, depth)
    return encode(pixels, text, calibration)


def write_stack(
    path: FilePath,
    images: Pixels | Sequence[Pixels],
    labels: Sequence[str],
    *,
    text: str = "",
    calibration: Calibration | None = None,
) -> None:
    """Write floats (N, H, W) or (N, H, W, 3) in [0, 1] as pages of a TIFF, or as one 8-bit grid."""
    shapes = sorted({image.shape for image in images})
    if len(shapes) != 1 or (len(shapes[0]) != 2 and shapes[0][2:] != (3,)):
        listed = ", ".join(map(str, shapes)) or "none"
        raise ValueError(f"images must all be (H, W) or all (H, W, 3), of one size; not {listed}.")
    if len(labels) != len(images):
        raise ValueError(f"labels must be {len(images)}, one for each image; not {len(labels)}.")
    cells = [Cell(label, caption=label) for label in labels]
    grid = Grid.wrapped(cells, math.ceil(math.sqrt(len(cells))))
    write_grid(path, grid, dict(enumerate(images)), text=text, calibration=calibration)


def write_volume(
    path: FilePath,
    volume: Pixels,
    depth: Depth = 8,
    *,
    text: str = "",
    calibration: Calibration | None = None,  # of a slice; voxels are cubes
) -> None:
    """Write floats (D, H, W) or (D, H, W, 3) in [0, 1] as pages of a TIFF, with a text."""
    path = Path(path)
    check_volume_file(path, is_grey=volume.ndim == 3, depth=depth)
    pixels = quantized("volume", volume, depth)
    write_atomically(path, encode_tiff_stack(pixels, (), text, calibration, is_volume=True))


def check_volume_file(path: FilePath, *, is_grey: bool, depth: Depth) -> None:
    """Raise a ValueError unless a file can hold a volume with so many bits per channel."""
    if _encoder(Path(path), 8) is not _encode_tiff:
        raise ValueError(f"{path} cannot hold a volume. Choose a name that ends in .tif.")
    if not is_grey and depth != 8:
        raise ValueError(f"{path}: a volume of colours has 8 bits per channel; not {depth}.")


def write_grid(
    path: FilePath,
    grid: Grid,
    images: Mapping[int, Pixels],
    *,
    text: str = "",
    calibration: Calibration | None = None,  # of the pages of a TIFF
) -> None:
    """Write floats by cell index, as pages of a TIFF or one 8-bit picture, without alpha."""
    path = Path(path)
    is_tiff = _encoder(path, 8) is _encode_tiff
    if not images:
        raise ValueError("images is empty; a grid needs at least one.")
    shown = {index: quantized("images", images[index], 8) for index in sorted(images)}
    if not is_tiff:
        write_image(path, sheet_of(grid, shown), text=text)
        return
    shape = max(image.shape[:2] for image in shown.values())
    pages = np.stack([resized(image, shape) for image in shown.values()])
    labels = [grid.cells[index].label for index in shown]
    write_atomically(path, encode_tiff_stack(pages, labels, text, calibration))


def depth_for(path: FilePath, source: Pixels, wanted: int | None = None) -> Depth:
    """Return the bits per channel for an output file: `wanted`, or those of the source up to 16."""
    path = Path(path)
    is_deep = source.dtype != np.uint8 and _encoder(path, 8) is not _encode_jpeg
    depth = wanted or (16 if is_deep else 8)
    _encoder(path, depth)
    return cast(Depth, depth)


def quantized(name: str, image: Pixels, depth: Depth) -> Pixels:
    """Return a float image in [0, 1] as uint8 or uint16, or as float32 for a depth of 32."""
    if image.dtype.kind != "f":
        others = ", uint8 or uint16" if name == "image" else ""
        raise TypeError(f"{name} must hold float in [0, 1]{others}; not {image.dtype}.")
    image = image.astype(np.float32, copy=False)  # float16 has too few digits for 65535
    if depth == 32:
        return image
    result = np.empty(image.shape, f"u{depth // 8}")
    rows_at_once = 256  # so that large images are not copied as a whole
    for top in range(0, len(image), rows_at_once):
        rows = slice(top, top + rows_at_once)
        result[rows] = np.rint(np.clip(image[rows], 0, 1) * (2**depth - 1))
    return result


def eight_bit(picture: Pixels) -> Pixels:
    """Return integers, which span the range of their type, or floats in [0, 1] as uint8."""
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype.kind != "f":
        picture = picture / np.float32(np.iinfo(picture.dtype).max)
    return quantized("picture", picture, 8)


def encode_tiff_stack(
    stack: Pixels,
    labels: Sequence[str],
    text: str,
    calibration: Calibration | None = None,
    *,
    is_volume: bool = False,  # its voxels are as deep as they are high
) -> bytes:
    """Return an ImageJ TIFF with one page per image: grey uint8, uint16, float32 or RGB uint8."""
    import tifffile

    axes, photometric = ("ZYXS", "rgb") if stack.ndim == 4 else ("ZYX", "minisblack")
    options, known = calibration.at(stack.shape[1:3]).imagej() if calibration else ({}, {})
    metadata = {"axes": axes, **known} | ({"Info": text} if text else {})
    metadata |= {"Labels": list(labels)} if labels else {}
    if is_volume and calibration is not None and calibration.pixel is not None:
        metadata["spacing"] = calibration.pixel[0]
    file = io.BytesIO()
    tifffile.imwrite(
        file, stack, imagej=True, photometric=photometric, software=SOFTWARE, metadata=metadata,
        **options,
    )  # fmt: skip
    return file.getvalue()


def _encoder(path: Path, depth: int) -> Callable[..., bytes]:
    """Return the function that encodes quantized pixels and a text for the format of a path."""
    encode = _ENCODERS.get(path.suffix.lower())
    if encode is None:
        raise ValueError(f"{path} must end in {', '.join(_ENCODERS)}, to say its format.")
    if depth not in (8, 16, 32):
        raise ValueError(f"depth must be 8, 16 or 32; not {depth!r}.")
    if depth == 32 and encode is not _encode_tiff:
        raise ValueError(f"{path}: only a TIFF has 32 bits per channel; take .tif for 32.")
    if depth == 16 and encode is _encode_jpeg:
        raise ValueError(f"{path}: a JPEG has 8 bits per channel; take PNG or TIFF for 16.")
    return encode


def _encode_png(pixels: Pixels, text: str, calibration: Calibration | None) -> bytes:
    import imagecodecs  # Pillow cannot write 16-bit RGB

    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=6))
    if calibration and (size := calibration.at(pixels.shape).png_chunk()):
        data = add_png_chunk(data, b"pHYs", size)
    return add_png_text(data, text) if text else data


def _encode_jpeg(pixels: Pixels, text: str, _: Calibration | None) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    comment = jpeg_comment(text) if text else None
    # Chroma subsampling would blur small colourful strokes.
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling="4:4:4", comment=comment)
    return file.getvalue()


def _encode_tiff(pixels: Pixels, text: str, calibration: Calibration | None) -> bytes:
    import tifffile

    known = calibration.at(pixels.shape) if calibration else None
    is_large = pixels.nbytes > _LARGEST_CLASSIC_TIFF
    options: dict[str, Any] = {"metadata": None, "description": text.encode() or None}
    is_imagej = pixels.ndim == 2 or (pixels.shape[2:] == (3,) and pixels.dtype == np.uint8)
    if known and is_imagej and not known.has_tag_unit and not is_large:
        options, metadata = known.imagej()
        options |= {"imagej": True, "metadata": metadata | ({"Info": text} if text else {})}
    elif known:
        options |= known.tags()
    file = io.BytesIO()
    tifffile.imwrite(
        file, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack",
        planarconfig="contig" if pixels.ndim == 3 else None,
        extrasamples=["unassalpha"] if pixels.shape[2:] == (4,) else None,
        # ImageJ does not support the predictor for floats.
        compression="zlib", predictor=pixels.dtype.kind == "u",
        software=SOFTWARE, bigtiff=is_large, **options,
    )  # fmt: skip
    return file.getvalue()


_ENCODERS: dict[str, Callable[..., bytes]] = {
    ".png": _encode_png,
    **dict.fromkeys((".jpg", ".jpeg"), _encode_jpeg),
    **dict.fromkeys((".tif", ".tiff"), _encode_tiff),
}
