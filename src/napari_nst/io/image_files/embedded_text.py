"""Text in an image file: the iTXt chunk of a PNG, the comment of a JPEG, a tag of a TIFF."""

from __future__ import annotations

import io
import os
import struct
import zlib
from typing import Any

from napari_nst.io.image_files.read_image import decode_file, inflated, png_chunks

SOFTWARE = "napari-nst"
"""Marks a text as ours: keyword of a PNG's text, Software of a TIFF, start of a JPEG's comment."""

_PNG_KEYWORD = SOFTWARE.encode() + b"\0"
_JPEG_PREFIX = f"{SOFTWARE}: ".encode()
_JPEG_MAX_BYTES = 65533 - len(_JPEG_PREFIX)  # a segment has a length of 16 bits


def read_text(path: str | os.PathLike[str]) -> str | None:
    """Return the text that `write_image` or `write_stack` stored; errors are `read_image`'s."""
    return decode_file(path, {"PNG": _png_text, "JPEG": _jpeg_text, "TIFF": _tiff_text})


def add_png_text(png: bytes, text: str) -> bytes:
    """Return an encoded PNG with an additional text chunk, which imagecodecs cannot write."""
    # Not compressed: Pillow refuses images with compressed texts of more than a megabyte.
    uncompressed_without_language = b"\0\0\0\0"
    body = _PNG_KEYWORD + uncompressed_without_language + text.encode()
    return add_png_chunk(png, b"iTXt", body)


def add_png_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """Return an encoded PNG with another chunk before its pixels."""
    chunk = kind + body
    length, checksum = struct.pack(">I", len(body)), struct.pack(">I", zlib.crc32(chunk))
    header = 8 + 25  # the signature, and IHDR, which comes first
    return png[:header] + length + chunk + checksum + png[header:]


def jpeg_comment(text: str) -> bytes:
    """Return a text as the comment of a JPEG; raise a ValueError if it is too long."""
    data = text.encode()
    if len(data) > _JPEG_MAX_BYTES:
        raise ValueError(
            f"text has {len(data)} bytes; a JPEG holds {_JPEG_MAX_BYTES}, write a PNG or TIFF."
        )
    return _JPEG_PREFIX + data


def _png_text(data: bytes) -> str | None:
    # Pillow is not used because it refuses very large images.
    for kind, body in png_chunks(data):
        if kind == b"iTXt" and body.startswith(_PNG_KEYWORD):
            rest = body[len(_PNG_KEYWORD) :]
            is_compressed, _method = rest[:2]
            _language, _translated, text = rest[2:].split(b"\0", 2)
            return (inflated(text) if is_compressed else text).decode()
    return None


def _jpeg_text(data: bytes) -> str | None:
    from PIL.JpegImagePlugin import JpegImageFile  # `Image.open` refuses very large images

    with JpegImageFile(io.BytesIO(data)) as file:
        comment: bytes = file.info.get("comment", b"")
    is_ours = comment.startswith(_JPEG_PREFIX)
    return comment.removeprefix(_JPEG_PREFIX).decode() if is_ours else None


def _tiff_text(data: bytes) -> str | None:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page: Any = tiff.pages[0]
        if max(page.dataoffsets) >= len(data):
            # If a file is cut off before its pixels, tifffile silently omits the missing tags.
            raise ValueError("its pixels are missing")
        if page.software != SOFTWARE:
            return None
        # The description of a stack belongs to ImageJ.
        text = (tiff.imagej_metadata or {}).get("Info") if tiff.is_imagej else page.description
        return text or None
