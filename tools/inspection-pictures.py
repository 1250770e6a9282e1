"""Make the pictures of docs/inspection.md: `.venv/bin/python tools/inspection-pictures.py`."""

from __future__ import annotations

import numpy as np
from napari.utils.colormaps import ensure_colormap
from pictures import captioned, eight_bit, last, save
from skimage import data

import napari_nst as nst
from napari_nst.engine.inspect import GramView, displayable
from napari_nst.engine.job.job import Job
from napari_nst.io.contact_sheet import resized, sheet_of
from napari_nst.recipe.grid import Cell, Grid
from napari_nst.viewer.samples import sample_painting

SIZE, CELL = 256, 192
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
MAPS = 6


def main() -> None:
    """Run one small transfer and write its features, losses and Gram matrices."""
    content, style = data.astronaut(), sample_painting()
    recipe = nst.preset(size=SIZE, steps=60)
    result = last(nst.stylize(content, style, recipe)).image
    job = nst.order_to_stylize(content, style, recipe)
    feature_sheet(content)
    loss_sheet(job, result, {"content": content, "style": style})
    gram_sheet(nst.gram_view(job, result, "relu3_1"))


def feature_sheet(content: np.ndarray) -> None:
    """Write the channels with the highest energy of some layers."""
    cells, pictures = [], {}
    for row, layer in enumerate(LAYERS):
        maps = nst.feature_maps(content, layer, size=SIZE)
        energetic = np.argsort(-np.square(maps).mean(axis=(1, 2)))[:MAPS]
        for column, values in enumerate(displayable(maps[energetic])):
            pictures[len(cells)] = coloured(values)
            cells.append(Cell(f"{layer} {column}", row, column))
    grid = Grid(LAYERS, ("",) * MAPS, tuple(cells))
    small = {index: resized(picture, (128, 128)) for index, picture in pictures.items()}
    save("inspection-features", sheet_of(grid, small))


def loss_sheet(job: Job, picture: np.ndarray, inputs: dict[str, np.ndarray]) -> None:
    """Write the images and their loss maps."""
    maps = nst.loss_maps(job, picture)
    shown = {name: square(image) for name, image in inputs.items()}
    shown["result"] = square(eight_bit(picture))
    for part in ("content/relu4_2", *(f"style/{layer}" for layer in LAYERS)):
        loss = f"{part} {maps[part].sum():.3f}"
        shown[loss] = resized(coloured(displayable(maps[part])), (CELL, CELL))
    save("inspection-losses", captioned(shown, columns=3))


def gram_sheet(view: GramView) -> None:
    """Write Gram matrices side by side."""
    labels = [f"{name} {distance:.2f}" for name, distance in view.distances.items()]
    shown = dict(zip([*labels, "result"], map(coloured, view.shown), strict=True))
    save("inspection-gram", captioned(shown, columns=3))


def coloured(values: np.ndarray) -> np.ndarray:
    """Return values in [0, 1] with a colormap, small maps with square pixels."""
    times = max(1, SIZE // len(values))
    large = values.repeat(times, axis=0).repeat(times, axis=1)
    colours = ensure_colormap("inferno").map(large.ravel())[:, :3]
    return eight_bit(colours).reshape(*large.shape, 3)


def square(image: np.ndarray) -> np.ndarray:
    """Return the central square of an image at the size of a cell."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return resized(image[top : top + side, left : left + side], (CELL, CELL))


if __name__ == "__main__":
    main()
