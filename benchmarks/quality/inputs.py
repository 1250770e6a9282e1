"""The images that are measured: those of scikit-image, our own painting, and a folder's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from skimage import data

from napari_nst.io.image_files.read_image import read_image
from napari_nst.viewer.samples import sample_painting

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

OWN: Mapping[str, Callable[[], Pixels]] = {
    "astronaut": data.astronaut,
    "cat": data.chelsea,
    "cell": lambda: data.cell()[80:],
    "coffee": lambda: data.coffee()[:, 50:550],
    "painting": sample_painting,
    "tissue": data.immunohistochemistry,
}
"""Images that every installation has."""

EXEMPLARS: Mapping[str, Callable[[], Pixels]] = {
    "brick": data.brick,
    "gravel": data.gravel,
    "grass": data.grass,
    "tissue": data.immunohistochemistry,
}
"""Textures of 512 × 512 pixels; tissue is in colour."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")


@dataclass(frozen=True)
class Pair:
    """Names of a content and a style."""

    content: str
    style: str

    @classmethod
    def parse(cls, text: str) -> Pair:
        """Read ``content:style``; ValueError for any other text."""
        content, _, style = text.strip().partition(":")
        if not content or not style or ":" in style:
            raise ValueError(f"A pair is content:style, such as astronaut:painting; not {text!r}.")
        return cls(content, style)

    def __str__(self) -> str:
        return f"{self.content} × {self.style}"


PAIRS = tuple(
    map(Pair.parse, ("astronaut:painting", "coffee:painting", "cell:tissue", "cat:painting"))
)


class Images:
    """Finds images by name: in a folder, where a name is a file's without suffix, or our own."""

    def __init__(self, folder: Path | None = None) -> None:
        paths = [] if folder is None else sorted(folder.iterdir())
        self.files = {path.stem: path for path in paths if path.suffix.lower() in SUFFIXES}

    def is_own(self, name: str) -> bool:
        """Whether an image is ours, and not one of the folder."""
        return name in OWN and name not in self.files

    def __getitem__(self, name: str) -> Pixels:
        """Return an image as uint8 (H, W) or (H, W, 3); ValueError for an unknown name."""
        if name in self.files:
            return _eight_bit(read_image(self.files[name]))
        if name not in OWN:
            known = ", ".join([*self.files, *OWN])
            raise ValueError(f"There is no image {name!r}; put it into --images, or use {known}.")
        return OWN[name]()


def _eight_bit(pixels: np.ndarray[Any, Any]) -> Pixels:
    """Return pixels as uint8 without an alpha channel."""
    opaque = pixels if pixels.ndim == 2 else pixels[..., :3]
    if opaque.dtype == np.uint8:
        return opaque
    white = np.iinfo(opaque.dtype).max if opaque.dtype.kind == "u" else 1
    scaled: Pixels = np.rint(np.clip(opaque / white, 0, 1) * 255).astype(np.uint8)
    return scaled
