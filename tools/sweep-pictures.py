"""Make the pictures of docs/sweeps.md: `.venv/bin/python tools/sweep-pictures.py`.

The photograph comes with scikit-image, the style is painted by the project itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from skimage import data

import napari_nst as nst
from napari_nst.io.contact_sheet import sheet_of
from napari_nst.io.sample_painting import sample_painting
from napari_nst.io.write_image import quantized
from napari_nst.recipe.grid import Grid

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def main() -> None:
    """Write a sweep, and the layers of the network."""
    coffee, painting = data.coffee()[:, 50:550], sample_painting()

    def begin(recipe: nst.Recipe) -> Iterator[nst.Iteration]:
        return nst.stylize(coffee, painting, recipe)

    axes = {"style_weight": [2, 8, 32], "size": [96, 128, 192]}
    write("sweep", nst.sweep(begin, nst.preset(steps=40), axes))
    write("explored-layers", nst.explore_layers(coffee))


def write(name: str, iterations: Iterator[nst.Iteration]) -> None:
    """Write the grid of all pictures."""
    last = {}
    for it in iterations:
        last[it.panel] = it
        print(f"\r{name}: {it.step}/{it.steps}, {it.seconds:.0f} s", end="", flush=True)
    print()
    grid = Grid.from_dict(it.facts["grid"])
    sheet = sheet_of(
        grid, {panel: quantized("picture", it.picture, 8) for panel, it in last.items()}
    )
    Image.fromarray(sheet).save(IMAGES / f"{name}.jpg", quality=88, subsampling=0)


if __name__ == "__main__":
    main()
