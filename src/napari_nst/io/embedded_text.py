"""What an image file says beside its pixels: its format, and the text that was written with it."""

from __future__ import annotations

import io
import logging
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

# Without a handler of its own, what tifffile logs of a broken file would end up on the terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

Format = Literal["PNG", "JPEG", "TIFF"]
Found = TypeVar("Found")

SOFTWARE = "napari-nst"
"""Marks a text as ours: a PNG's keyword, a TIFF's Software, what a JPEG's comment begins with."""

_STARTS: dict[bytes, Format] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
}
_PNG_KEYWORD = SOFTWARE.encode() + b"\0"
_JPEG_PREFIX = f"{SOFTWARE}: ".encode()
_JPEG_MOST = 65533 - len(_JPEG_PREFIX)  # a segment says its own length in 16 bits


def read_text(path: str | os.PathLike[str]) -> str | None:
    """Read the text that `write_image` or `write_stack` stored in a file.

    Parameters
    ----------
    path : path-like
        A PNG, JPEG or TIFF, of ours or not.

    Returns
    -------
    str or None
        The text as it was given; None where there is none, or only another program's.

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    ValueError
        If it is broken, or not an image; the message names the file.
    """
    return decode_file(path, {"PNG": _png_text, "JPEG": _jpeg_text, "TIFF": _tiff_text})


class Unusable(Exception):
    """A whole file that is not what a run can use: a phrase that follows the file's name."""


def decode_file(
    path: str | os.PathLike[str], decoders: Mapping[Format, Callable[[bytes], Found]]
) -> Found:
    """Return what the decoder for a file's format makes of its bytes.

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    ValueError
        If it has none of the formats, or its decoder fails; the message names the file.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(max(map(len, _STARTS)))
        kind = next((_STARTS[magic] for magic in _STARTS if start.startswith(magic)), None)
        if kind is None:
            raise ValueError(f"{path} is not a PNG, JPEG or TIFF image; convert it to one of them.")
        data = start + file.read()
    try:
        return decoders[kind](data)
    except Unusable as error:
        raise ValueError(f"{path} {error}.") from None
    except Exception as error:
        # What decoders raise at arbitrary bytes is no short list: struct.error, KeyError …
        raise ValueError(f"{path} is broken and cannot be read ({error}).") from error


def put_png_text(png: bytes, text: str) -> bytes:
    """Return a PNG with a text chunk more, which imagecodecs cannot write."""
    # Uncompressed: Pillow refuses a whole image for a text that unpacks to more than a megabyte.
    uncompressed_in_no_language = b"\0\0\0\0"
    chunk = b"iTXt" + _PNG_KEYWORD + uncompressed_in_no_language + text.encode()
    header = 8 + 25  # the signature and IHDR, which comes first
    size, check = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return png[:header] + size + chunk + check + png[header:]


def _png_text(data: bytes) -> str | None:
    # Not with Pillow, which looks at the pixels too, and finds some images too large.
    at, kind = 8, b""
    while kind != b"IEND":
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        (check,) = struct.unpack_from(">I", data, at + 8 + size)
        if kind == b"iTXt" and body.startswith(_PNG_KEYWORD):
            if zlib.crc32(kind + body) != check:
                raise ValueError("its text has another checksum")
            rest = body[len(_PNG_KEYWORD) :]
            is_compressed, _method = rest[:2]
            _language, _translated, text = rest[2:].split(b"\0", 2)
            return (zlib.decompress(text) if is_compressed else text).decode()
        at += 8 + size + 4
    return None


def jpeg_comment(text: str) -> bytes:
    """Return a text as the comment of a JPEG.

    Raises
    ------
    ValueError
        If it is too long for one.
    """
    size = len(text.encode())
    if size > _JPEG_MOST:
        raise ValueError(
            f"text has {size} bytes, of which a JPEG holds {_JPEG_MOST}; take PNG or TIFF."
        )
    return _JPEG_PREFIX + text.encode()


def _jpeg_text(data: bytes) -> str | None:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as file:
        comment = file.info.get("comment", b"")
    ours = comment.startswith(_JPEG_PREFIX)
    return comment[len(_JPEG_PREFIX) :].decode() if ours else None


def _tiff_text(data: bytes) -> str | None:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page: Any = tiff.pages[0]
        if max(page.dataoffsets) >= len(data):
            # Where a file breaks off before its pixels, tifffile leaves out the tags that it lost.
            raise ValueError("it has lost its pixels")
        if page.software != SOFTWARE:
            return None
        if tiff.is_imagej:  # a stack, whose description is ImageJ's
            info: str | None = (tiff.imagej_metadata or {}).get("Info")
            return info
        tag = page.tags.get("ImageDescription")
        if tag is None:
            return None
        # Not the tag's value, which tifffile strips.
        raw = data[tag.valueoffset : tag.valueoffset + tag.valuebytecount]
        return raw.rstrip(b"\0").decode()
