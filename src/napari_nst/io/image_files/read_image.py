"""Read image files as arrays. The content of a file gives its format, not its name."""

from __future__ import annotations

import io
import logging
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_nst.io.free_memory import free_host_memory
from napari_nst.io.image_files.calibration import calibration_of_tiff
from napari_nst.io.image_files.decoded_image import (
    ORIENTATION,
    DecodedImage,
    Limits,
    Pixels,
    SeveralImages,
    Unusable,
    cmyk_as_rgb,
    decoded,
    divided_by_alpha,
    from_pillow,
    labels_from_pillow,
    with_alpha,
)
from napari_nst.io.stack import Plane, tiff_plane

if TYPE_CHECKING:
    from PIL import ImageFile

# Without a handler, the messages of tifffile about broken files would appear in the terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

Result = TypeVar("Result")
_Decoders = dict[str, Callable[[bytes], DecodedImage]]

SIGNATURES: Mapping[str, Callable[[bytes], bool]] = {
    "PNG": lambda start: start.startswith(b"\x89PNG\r\n\x1a\n"),
    "JPEG": lambda start: start.startswith(b"\xff\xd8\xff"),
    # + is BigTIFF.
    "TIFF": lambda start: start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    "WebP": lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP",
    "GIF": lambda start: start.startswith((b"GIF87a", b"GIF89a")),
    "BMP": lambda start: start.startswith(b"BM"),
    "AVIF": lambda start: start[4:12] in (b"ftypavif", b"ftypavis", b"ftypmif1"),
}
_WORKING_BYTES = 12  # of each pixel of a run's input: RGB in float32
_LARGEST_CHUNK = 1 << 26  # bytes of a compressed text or profile; records have a few thousand


def read_image(
    path: str | os.PathLike[str], page: int | None = None, channel: int | None = None
) -> Pixels:
    """Return a file's pixels as `decode_image` does."""
    return decode_image(path, page, channel).pixels


def decode_image(
    path: str | os.PathLike[str], page: int | None = None, channel: int | None = None
) -> DecodedImage:
    """Return the image in a file, upright; an OSError or a ValueError names the file.

    `page` and `channel`, from 1, choose an image in a file that has several.
    """
    plane = Plane(page, channel)
    decoders: _Decoders = {kind: partial(_read, plane) for kind, _read in _READERS.items()}
    others = ("JPEG", "WebP", "GIF", "BMP", "AVIF")
    decoders |= {kind: partial(_with_pillow, plane, kind) for kind in others}
    return decode_file(path, decoders)


def decode_labels(path: str | os.PathLike[str]) -> DecodedImage:
    """Return labels, (H, W) integers or bool, as `decode_image` does."""
    decoders: _Decoders = {"TIFF": _tiff_labels}
    decoders |= {kind: partial(_labels_with_pillow, kind) for kind in ("PNG", "GIF", "BMP")}
    decoders |= {kind: partial(_no_labels, kind) for kind in ("JPEG", "WebP", "AVIF")}
    return decode_file(path, decoders)


def read_labels(path: str | os.PathLike[str]) -> Pixels:
    """Return the labels in a file, upright; errors are `decode_image`'s."""
    return decode_labels(path).pixels


def decode_file(
    path: str | os.PathLike[str], decoders: Mapping[str, Callable[[bytes], Result]]
) -> Result:
    """Return the result of the decoder for a file's format; a ValueError names a broken file."""
    with Path(path).open("rb") as file:
        start = file.read(16)  # other files may be too large to be read as a whole
        kind = next((kind for kind in decoders if SIGNATURES[kind](start)), None)
        if kind is None:
            *names, last = sorted(decoders, key=list(SIGNATURES).index)
            known = f"{', '.join(names)} or {last}"
            state = "is not a" if start else "is empty. It must be a"
            raise ValueError(f"{path} {state} {known} image.")
        try:
            check_memory(os.fstat(file.fileno()).st_size)
            return decoders[kind](start + file.read())
        except SeveralImages as error:
            raise SeveralImages(f"{path} {error}.") from None
        except Unusable as error:
            raise ValueError(f"{path} {error}.") from None
        except MemoryError:
            raise ValueError(f"{path} does not fit into memory. Make it smaller.") from None
        except Exception as error:
            # Decoders raise many kinds of errors for broken files: struct.error and others.
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{path} is broken and cannot be read ({reason}).") from error


def check_memory(needed: float, what: str = "") -> None:
    """Raise `Unusable` if some bytes are more than the memory that is free."""
    free = free_host_memory()
    if needed > free:
        raise Unusable(
            f"is too large{what}: it takes {needed / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} GB are free. Make it smaller"
        )


def _check_size(width: int, height: int, bytes_per_pixel: float) -> None:
    """Raise `Unusable` before a file of a few bytes fills the memory with pixels."""
    needed = width * height * (bytes_per_pixel + _WORKING_BYTES)
    check_memory(needed, f", {width} × {height} pixels")


# PNG


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the body of a PNG's chunks; an error names a damaged chunk."""
    position, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        # Chunks of pixels are checked where they are decoded.
        if kind != b"IDAT" and zlib.crc32(kind + body) != checksum:
            raise ValueError(f"the checksum of its {kind.decode('latin-1')} is wrong")
        yield kind, body
        position += 8 + length + 4


def inflated(data: bytes) -> bytes:
    """Return a decompressed text or profile; a ValueError if it is too long."""
    stream = zlib.decompressobj()
    result = stream.decompress(data, _LARGEST_CHUNK)
    if stream.unconsumed_tail:
        raise ValueError(f"it holds a text of more than {_LARGEST_CHUNK >> 20} MB")
    return result


def _read_png(plane: Plane, data: bytes) -> DecodedImage:
    import imagecodecs  # Pillow reduces 16-bit RGB to 8 bits
    from PIL import Image

    orientation, profile = 1, b""
    for kind, body in png_chunks(data):
        if kind == b"IHDR":
            width, height, bits = struct.unpack_from(">IIB", body)
            _check_size(width, height, 4 * max(bits, 8) / 8)
        elif kind == b"acTL" and body[:4] != b"\0\0\0\1":
            return _with_pillow(plane, "PNG", data)
        elif kind == b"eXIf":
            exif = Image.Exif()
            exif.load(body)
            orientation = exif.get(ORIENTATION, 1)
        elif kind == b"iCCP":
            _name, _, compressed = body.partition(b"\0")
            profile = inflated(compressed[1:])
    # Palettes are converted to RGB, 1-bit images to 0 and 255, and transparent colours to alpha.
    return decoded(imagecodecs.png_decode(data), orientation=orientation, profile=profile)


# What Pillow reads


def _open_with_pillow(plane: Plane, kind: str, data: bytes) -> ImageFile.ImageFile:
    # `Image.open` refuses images of more than 179 million pixels, whatever memory there is.
    try:
        plugin = import_module(f"PIL.{_PLUGINS[kind]}ImagePlugin")
    except ImportError:
        raise Unusable(f"is {kind}, which this version of Pillow cannot read. Update it") from None
    opened: ImageFile.ImageFile = getattr(plugin, f"{_PLUGINS[kind]}ImageFile")(io.BytesIO(data))
    _check_size(*opened.size, 4)
    if frames := _frames(kind, opened):
        opened.seek(plane.of(frames, 1)[0])
    return opened


def _frames(kind: str, opened: ImageFile.ImageFile) -> int:
    """Return the number of frames of an animation, 0 for a single image."""
    is_animated = kind != "JPEG" and getattr(opened, "is_animated", False)
    return int(getattr(opened, "n_frames", 0)) if is_animated else 0


_PLUGINS = {
    "PNG": "Png", "JPEG": "Jpeg", "WebP": "WebP", "GIF": "Gif", "BMP": "Bmp", "AVIF": "Avif"
}  # fmt: skip


def _with_pillow(plane: Plane, kind: str, data: bytes) -> DecodedImage:
    with _open_with_pillow(plane, kind, data) as file:
        return replace(from_pillow(file), page=plane.page if _frames(kind, file) else None)


def _labels_with_pillow(kind: str, data: bytes) -> DecodedImage:
    with _open_with_pillow(Plane(), kind, data) as file:
        return labels_from_pillow(file)


def _no_labels(kind: str, _: bytes) -> DecodedImage:
    raise Unusable(f"is a {kind}, whose compression changes labels. Save them as PNG or TIFF")


# TIFF


def _read_tiff(plane: Plane, data: bytes) -> DecodedImage:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page, stored, used = tiff_plane(tiff, plane)
        pixels, channel = _page_pixels(page, stored, None if used.channel else plane.channel)
        image = decoded(
            pixels,
            orientation=_tag(page, ORIENTATION, 1),
            profile=b"" if page.photometric.name == "SEPARATED" else _profile(page),
            limits=display_range(tiff, page) if pixels.dtype.itemsize > 1 else None,
            calibration=calibration_of_tiff(tiff, page, (pixels.shape[0], pixels.shape[1])),
        )
        return replace(image, page=used.page, channel=used.channel or channel)


_READERS: Mapping[str, Callable[[Plane, bytes], DecodedImage]] = {
    "PNG": _read_png, "TIFF": _read_tiff,
}  # fmt: skip


def _tiff_labels(data: bytes) -> DecodedImage:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page: Any = tiff.pages[0]
        _check_page(page)
        labels: Pixels = tiff.asarray().squeeze()
        if labels.ndim != 2 or labels.dtype.kind not in "bui":
            raise Unusable("holds no labels. Save one page of integers, one for each pixel")
        return decoded(labels, orientation=_tag(page, ORIENTATION, 1))


def _page_pixels(
    page: Any, stored: Pixels | None, channel: int | None
) -> tuple[Pixels, int | None]:
    """Return a TIFF page, not turned, and which of several channels that are no colours it is.

    It is grey or RGB, with straight alpha if it has alpha. `stored` are its pixels, if they are
    read already; `channel` is the one to choose among channels that are no colours.
    """
    kind, samples = page.photometric.name, page.samplesperpixel
    if page.dtype is None or page.dtype.kind not in "buif":
        raise Unusable(f"has values of type {page.dtype}. Convert it to 8 or 16 bit first")
    if kind == "YCBCR" and page.compression.name.endswith("JPEG"):
        kind = "RGB"  # the decoder converts the colours
    extra = [sample.name for sample in page.extrasamples]
    colours = samples - len(extra)
    are_alpha = [name in ("ASSOCALPHA", "UNASSALPHA") for name in extra]
    # The second sample of a grey image may be another channel; samples after RGB are no colours.
    is_known = _SAMPLES.get(kind) == colours and (colours > 1 or all(are_alpha))
    has_channels = kind.startswith("MINIS") and samples > 1 and not is_known
    if page.imagedepth != 1 or (kind == "SEPARATED" and _tag(page, 332, 1) != 1):
        is_known = has_channels = False
    if not (is_known or has_channels):
        raise Unusable(f"is {kind} of {samples} channels. Convert it to grey or RGB first")
    chosen = Plane(channel=channel).of(1, samples)[1] if has_channels else None
    _check_page(page)
    stored = page.asarray() if stored is None else stored
    if page.axes == "SYX":
        stored = np.moveaxis(stored, 0, -1)
    stored = stored if stored.ndim == 3 else stored[..., None]
    if chosen is not None:
        stored, colours, are_alpha, extra = stored[..., chosen : chosen + 1], 1, [], []
    whole = _full_range(stored, page.bitspersample)
    pixels = whole[..., 0] if colours == 1 else whole[..., :colours]
    alpha = whole[..., colours + are_alpha.index(True)] if any(are_alpha) else None
    if alpha is not None and "ASSOCALPHA" in extra:
        pixels = divided_by_alpha(pixels, alpha)
    if kind == "PALETTE":
        pixels = (page.colormap >> 8).astype(np.uint8).T[stored[..., 0]]
    if kind == "MINISWHITE":
        pixels = (1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max) - pixels
    if kind == "SEPARATED":
        pixels = cmyk_as_rgb(pixels, _profile(page))
    return with_alpha(pixels, alpha), None if chosen is None else chosen + 1


_SAMPLES = {"RGB": 3, "PALETTE": 1, "MINISBLACK": 1, "MINISWHITE": 1, "SEPARATED": 4}


def _check_page(page: Any) -> None:
    """Raise `Unusable` if a page, or one of its tiles, does not fit into memory."""
    pixels = max(math.prod(page.shape), math.prod(page.chunks))
    check_memory(pixels * (page.dtype.itemsize + _WORKING_BYTES / page.samplesperpixel),
                 f", {page.imagewidth} × {page.imagelength} pixels")  # fmt: skip


def _full_range(pixels: Pixels, bits: Any) -> Pixels:
    """Scale values of some bits per sample to the whole range of their type."""
    if pixels.dtype == bool:
        return pixels * np.uint8(255)
    if pixels.dtype.kind != "u" or bits == pixels.dtype.itemsize * 8:
        return pixels
    if not isinstance(bits, int):
        raise Unusable(f"has {bits} bits per channel. Convert it to 8 or 16 first")
    factor = np.iinfo(pixels.dtype).max / (2**bits - 1)
    scaled: Pixels = np.rint(pixels * factor).astype(pixels.dtype)
    return scaled


def display_range(tiff: Any, page: Any) -> Limits | None:
    """Return the display range that ImageJ or the tags of the samples give."""
    imagej = tiff.imagej_metadata or {}
    low, high = _tag(page, 340, imagej.get("min")), _tag(page, 341, imagej.get("max"))
    try:
        limits = float(np.min(low)), float(np.max(high))
    except (TypeError, ValueError):
        return None
    return limits if -math.inf < limits[0] < limits[1] < math.inf else None


def _profile(page: Any) -> bytes:
    found = _tag(page, 34675, b"")
    return found if isinstance(found, bytes) else b""


def _tag(page: Any, code: int, default: Any) -> Any:
    tag = page.tags.get(code)
    return default if tag is None else tag.value
