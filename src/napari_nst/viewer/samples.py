"""Sample data that needs no network: images of scikit-image, and our own painting."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

from skimage import data

from napari_nst.io.image_files.decoded_image import Pixels
from napari_nst.io.image_files.read_image import read_image

LayerData = tuple[Any, dict[str, Any], str]

# The content comes first: the widgets choose the lowest layer as the content, the next as the style


def content_and_style() -> list[LayerData]:
    """Return a portrait and a painting."""
    return [
        (data.astronaut(), {"name": "astronaut", "rgb": True}, "image"),
        (sample_painting(), {"name": "painting", "rgb": True}, "image"),
    ]


def micrograph_and_tissue() -> list[LayerData]:
    """Return a grey micrograph of a cell and a stained tissue."""
    return [
        (data.cell(), {"name": "cell"}, "image"),
        (data.immunohistochemistry(), {"name": "stained tissue", "rgb": True}, "image"),
    ]


def textures() -> list[LayerData]:
    """Return three grey textures."""
    return [
        (getattr(data, name)(), {"name": name}, "image") for name in ("gravel", "grass", "brick")
    ]


def sample_painting() -> Pixels:
    """Return the painting that the package contains, free of any rights: uint8 (512, 512, 3)."""
    with as_file(files("napari_nst") / "data" / "painting.jpg") as path:
        return read_image(path)
