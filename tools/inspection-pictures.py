"""Make the pictures of docs/inspection.md: `.venv/bin/python tools/inspection-pictures.py`.

The content comes with scikit-image, the style is painted by the project itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from napari.utils.colormaps import ensure_colormap
from PIL import Image
from skimage import data

import napari_nst as nst
from napari_nst.engine.inspect.display import displayable
from napari_nst.engine.inspect.gram import GramView
from napari_nst.engine.job.job import Job
from napari_nst.io.contact_sheet import resized, sheet_of
from napari_nst.io.sample_painting import sample_painting
from napari_nst.recipe.grid import Cell, Grid

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE, CELL = 256, 192
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
MAPS = 6


def main() -> None:
    """Run one small transfer, and look into it in three ways."""
    content, style = data.astronaut(), sample_painting()
    recipe = nst.preset(size=SIZE, steps=60)
    for it in nst.stylize(content, style, recipe):
        print(f"\r{it.step}/{it.steps}", end="", flush=True)
    print()
    order = nst.order_to_stylize(content, style, recipe)
    feature_sheet(content)
    loss_sheet(order, it.image, {"content": content, "style": style})
    gram_sheet(nst.gram_view(order, it.image, "relu3_1"))


def feature_sheet(content: np.ndarray) -> None:
    """Show the most energetic channels of some layers."""
    cells, pictures = [], {}
    for row, layer in enumerate(LAYERS):
        maps = nst.feature_maps(content, layer, size=SIZE)
        energetic = np.argsort(-np.square(maps).mean(axis=(1, 2)))[:MAPS]
        for column, values in enumerate(displayable(maps[energetic])):
            pictures[len(cells)] = coloured(values)
            cells.append(Cell(f"{layer} {column}", row, column))
    grid = Grid(LAYERS, ("",) * MAPS, tuple(cells))
    small = {index: resized(picture, (128, 128)) for index, picture in pictures.items()}
    save("inspection-features.jpg", sheet_of(grid, small))


def loss_sheet(order: Job, picture: np.ndarray, inputs: dict[str, np.ndarray]) -> None:
    """Show the images, then where each loss comes from."""
    maps = nst.loss_maps(order, picture)
    shown = {name: square(image) for name, image in inputs.items()}
    shown["result"] = square(np.rint(picture * 255).astype(np.uint8))
    for part in ("content/relu4_2", *(f"style/{layer}" for layer in LAYERS)):
        loss = f"{part} {maps[part].sum():.3f}"
        shown[loss] = resized(coloured(displayable(maps[part])), (CELL, CELL))
    write_sheet("inspection-losses.jpg", shown, columns=3)


def gram_sheet(view: GramView) -> None:
    """Show Gram matrices side by side."""
    labels = [f"{name} {distance:.2f}" for name, distance in view.distances.items()]
    shown = dict(zip([*labels, "result"], map(coloured, view.shown), strict=True))
    write_sheet("inspection-gram.jpg", shown, columns=3)


def write_sheet(name: str, pictures: dict[str, np.ndarray], columns: int) -> None:
    """Write pictures with their names above them."""
    grid = Grid.wrapped([Cell(label, caption=label) for label in pictures], columns)
    save(name, sheet_of(grid, dict(enumerate(pictures.values()))))


def save(name: str, sheet: np.ndarray) -> None:
    """Write a sheet as a small JPEG; `write_image` would keep more of it than a page needs."""
    Image.fromarray(sheet).save(IMAGES / name, quality=80)


def coloured(values: np.ndarray) -> np.ndarray:
    """Paint numbers in [0, 1] as heat, small maps with square pixels."""
    times = max(1, SIZE // len(values))
    large = values.repeat(times, axis=0).repeat(times, axis=1)
    colours = ensure_colormap("inferno").map(large.ravel())[:, :3]
    return np.rint(colours * 255).astype(np.uint8).reshape(*large.shape, 3)


def square(image: np.ndarray) -> np.ndarray:
    """Cut the middle out of an image, at the size of a cell."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return resized(image[top : top + side, left : left + side], (CELL, CELL))


if __name__ == "__main__":
    main()
