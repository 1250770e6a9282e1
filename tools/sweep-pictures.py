"""Make the pictures of docs/sweeps.md: `.venv/bin/python tools/sweep-pictures.py`."""

from __future__ import annotations

from collections.abc import Iterator

from pictures import each, save
from skimage import data

import napari_nst as nst
from napari_nst.io.contact_sheet import sheet_of
from napari_nst.io.image_files.write_image import quantized
from napari_nst.recipe.grid import Grid
from napari_nst.viewer.samples import sample_painting


def main() -> None:
    """Write a sweep, and the layers of the network."""
    coffee, painting = data.coffee()[:, 50:550], sample_painting()

    def stylize(recipe: nst.Recipe) -> Iterator[nst.Iteration]:
        return nst.stylize(coffee, painting, recipe)

    axes = {"style_weight": [2, 8, 32], "size": [96, 128, 192]}
    write("sweep", nst.sweep(stylize, nst.preset(steps=40), axes))
    write("explored-layers", nst.explore_layers(coffee))


def write(name: str, iterations: Iterator[nst.Iteration]) -> None:
    """Write the grid of the last picture of each run."""
    newest = {it.panel: it for it in each(iterations)}
    grid = Grid.from_dict(next(iter(newest.values())).facts["grid"])
    pictures = {panel: quantized("picture", it.picture, 8) for panel, it in newest.items()}
    save(name, sheet_of(grid, pictures), quality=88)


if __name__ == "__main__":
    main()
