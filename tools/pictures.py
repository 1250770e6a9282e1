"""Functions that the scripts which make the pictures of docs/ share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

import napari_nst as nst
from napari_nst.io.contact_sheet import sheet_of
from napari_nst.recipe.grid import Cell, Grid

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def each(iterations: Iterator[nst.Iteration]) -> Iterator[nst.Iteration]:
    """Yield the iterations of a run and print its progress."""
    for it in iterations:
        print(f"\r{it.step}/{it.steps}, {it.seconds:.0f} s", end="", flush=True)
        yield it
    print()


def last(iterations: Iterator[nst.Iteration]) -> nst.Iteration:
    """Return the last iteration of a run and print its progress."""
    for it in each(iterations):
        newest = it
    return newest


def eight_bit(picture: np.ndarray) -> np.ndarray:
    """Return a picture in [0, 1] as uint8."""
    return np.rint(picture * 255).astype(np.uint8)


def captioned(pictures: Mapping[str, np.ndarray], columns: int) -> np.ndarray:
    """Return a sheet of uint8 pictures with their names above them."""
    grid = Grid.wrapped([Cell(name, caption=name) for name in pictures], columns)
    return sheet_of(grid, dict(enumerate(pictures.values())))


def save(name: str, pixels: np.ndarray, quality: int = 85) -> None:
    """Write a picture as a JPEG into the folder of the docs; few bytes suffice for a page."""
    Image.fromarray(pixels).save(IMAGES / f"{name}.jpg", quality=quality, subsampling=0)
