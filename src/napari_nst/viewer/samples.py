"""Sample data that needs no network: what scikit-image ships, and a painting of our own."""

from __future__ import annotations

from typing import Any

from skimage import data

from napari_nst.painting import paint

LayerData = tuple[Any, dict[str, Any], str]


def content_and_style() -> list[LayerData]:
    """Return a portrait and the painting to style it with."""
    return [
        (paint(), {"name": "painting", "rgb": True}, "image"),
        (data.astronaut(), {"name": "astronaut", "rgb": True}, "image"),
    ]


def micrograph_and_tissue() -> list[LayerData]:
    """Return a grey micrograph of a cell and a stained tissue."""
    return [
        (data.immunohistochemistry(), {"name": "stained tissue", "rgb": True}, "image"),
        (data.cell(), {"name": "cell"}, "image"),
    ]


def textures() -> list[LayerData]:
    """Return three grey textures."""
    return [
        (data.gravel(), {"name": "gravel"}, "image"),
        (data.grass(), {"name": "grass"}, "image"),
        (data.brick(), {"name": "brick"}, "image"),
    ]
