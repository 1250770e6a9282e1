"""Sample data that needs no network: what scikit-image ships, and a painting of our own."""

from __future__ import annotations

from typing import Any

from skimage import data

from napari_nst.painting import paint

LayerData = tuple[Any, dict[str, Any], str]


# The content comes first: the widget takes the lowest layer for it and the next for the style.


def content_and_style() -> list[LayerData]:
    """Return a portrait and the painting to style it with."""
    return [
        (data.astronaut(), {"name": "astronaut", "rgb": True}, "image"),
        (paint(512, 512), {"name": "painting", "rgb": True}, "image"),
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
        (data.gravel(), {"name": "gravel"}, "image"),
        (data.grass(), {"name": "grass"}, "image"),
        (data.brick(), {"name": "brick"}, "image"),
    ]
