"""Recognise the format of an image file by its first bytes, and decode it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

# Without a handler, the messages of tifffile about broken files would appear in the terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

Format = Literal["PNG", "JPEG", "TIFF"]
Result = TypeVar("Result")

_SIGNATURES: dict[bytes, Format] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
}


class Unusable(Exception):
    """An intact image that cannot be used; the message continues a sentence after its file name."""


def decode_file(
    path: str | os.PathLike[str], decoders: Mapping[Format, Callable[[bytes], Result]]
) -> Result:
    """Return the result of the decoder for a file's format.

    Raises an OSError if the file cannot be read, and a ValueError that names the file if it is
    broken, unusable or in another format.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(max(map(len, _SIGNATURES)))
        found = (kind for magic, kind in _SIGNATURES.items() if start.startswith(magic))
        kind = next(found, None)
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
