"""Make the pictures of the tutorials: `.venv/bin/python tools/tutorial-pictures.py [NAME ...]`.

Without names it makes all, which takes about ten minutes on two cores.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from pictures import captioned, eight_bit, last, save
from skimage import data

import napari_nst as nst
from napari_nst.io.contact_sheet import resized
from napari_nst.viewer.samples import sample_painting

HEIGHT = 256
Pictures = dict[str, np.ndarray]


def main() -> None:
    """Write the pictures that are named, or all."""
    for name in sys.argv[1:] or SHEETS:
        make, columns = SHEETS[name]
        save(name, captioned(padded(make()), columns), quality=88)


def microscopy() -> Pictures:
    """Paint a cell in the style of a tissue, at the tissue's size on the page and in space."""
    cell, tissue = data.cell()[80:], data.immunohistochemistry()
    recipe = nst.preset("default", size=HEIGHT)
    physical = recipe.replace(style_sizing="physical", channels="rgb")
    return {
        "cell": shown(cell),
        "tissue": shown(tissue),
        "style fitted to the content": painted(cell, tissue, recipe),
        "in colour, at its size in space": painted(cell, tissue, physical, pixel_sizes=[0.5, 0.25]),
    }


def materials() -> Pictures:
    """Make more of a gravel, and show where tiles with and without matching edges meet."""
    gravel = data.gravel()[:256, :256]
    recipe = nst.preset("texture", size=128)
    tiling = recipe.replace(padding="circular")
    plain = textured(gravel, recipe, (128, 128))
    seamless = textured(gravel, tiling, (128, 128))
    return {
        "exemplar": resized(shown(gravel), (128, 128)),
        "four times as large": textured(gravel, tiling, (256, 256)),
        "where four tiles meet": corners(plain),
        "where four seamless tiles meet": corners(seamless),
    }


def corners(tile: np.ndarray) -> np.ndarray:
    """Return the middle of four tiles, twice as large."""
    rolled = np.roll(tile, (tile.shape[0] // 2, tile.shape[1] // 2), axis=(0, 1))
    return rolled.repeat(2, axis=0).repeat(2, axis=1)


def art() -> Pictures:
    """Show what the later phases do, and the colours of the content."""
    cup, painting = data.coffee()[:, 50:550], sample_painting()
    recipe = nst.preset("default", size=HEIGHT)
    return {
        "without refinement": painted(cup, painting, recipe.replace(refine_share=0.0)),
        "default": painted(cup, painting, recipe),
        "refine strength 3": painted(cup, painting, recipe.replace(refine_strength=3.0)),
        "colours of the photograph": painted(cup, painting, recipe.replace(color="luminance")),
    }


def layers() -> Pictures:
    """Show what the first layer of each block keeps of a tissue, and what its statistics are."""
    tissue = data.immunohistochemistry()[:256, :256]
    names = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    newest: dict[str, np.ndarray] = {}
    for it in nst.explore_layers(tissue, layers=names, size=128, steps=60):
        newest[it.panels[it.panel]] = shown(eight_bit(it.picture))
    by_kind = sorted(newest, key=lambda label: label.split()[1])  # reconstructions first
    return {label: newest[label] for label in by_kind}


def painted(content: np.ndarray, style: np.ndarray, recipe: nst.Recipe, **more: Any) -> np.ndarray:
    """Return the result of a transfer."""
    return shown(eight_bit(last(nst.stylize(content, style, recipe, **more)).picture))


def textured(exemplar: np.ndarray, recipe: nst.Recipe, shape: tuple[int, int]) -> np.ndarray:
    """Return a texture in colour."""
    it = last(nst.synthesize(exemplar, recipe, shape=shape))
    return in_colour(eight_bit(it.picture))


def shown(image: np.ndarray) -> np.ndarray:
    """Return an image in colour at the height of the page."""
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    return in_colour(resized(image, (HEIGHT, width)))


def padded(pictures: Pictures) -> Pictures:
    """Return pictures of one shape, with white where they end; a sheet would stretch them."""
    height, width = np.max([picture.shape[:2] for picture in pictures.values()], axis=0)
    return {
        name: np.pad(
            picture,
            ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0)),
            constant_values=255,
        )
        for name, picture in pictures.items()
    }


def in_colour(image: np.ndarray) -> np.ndarray:
    """Return a grey image as RGB."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


SHEETS = {
    "tutorial-microscopy": (microscopy, 4),
    "tutorial-materials": (materials, 4),
    "tutorial-art": (art, 4),
    "network-layers": (layers, 5),
}
"""Name → the function that makes the pictures, and how many are beside each other."""


if __name__ == "__main__":
    main()
