"""Make the pictures of docs/guides.md: `.venv/bin/python tools/guides-pictures.py`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pictures import captioned, eight_bit, last, save
from skimage import data

import napari_nst as nst
from napari_nst.io.contact_sheet import resized
from napari_nst.viewer.samples import sample_painting

SIZE, STEPS = 256, 100
COLOURS = {1: (255, 90, 60), 2: (60, 200, 255)}
"""Label → colour of its outline."""

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]

Ellipse = tuple[float, float, float, float]
"""Centre and half axes, each x and y, as fractions of width and height."""

CUP: tuple[Ellipse, ...] = ((0.455, 0.57, 0.42, 0.4), (0.49, 0.28, 0.25, 0.25))
SUN: Ellipse = (0.24, 0.4, 0.135, 0.155)


def main() -> None:
    """Write a sheet of transfers and one of fills."""
    save("guides", captioned(transfers(), columns=3))
    save("filling", captioned(fills(), columns=3))


def transfers() -> dict[str, Pixels]:
    """Paint one photograph in one style, with and without guides."""
    shape = (SIZE * 4 // 5, SIZE)
    coffee = resized(data.coffee()[:, 50:550], shape)
    painting = resized(sample_painting(), (400, 500))
    of_content, of_style = 2 - marked(shape, *CUP), 2 - marked(painting.shape, SUN)
    recipe = nst.preset(size=SIZE, steps=STEPS)

    def painted(**guides: object) -> Pixels:
        return run(nst.stylize(coffee, painting, recipe, **guides))

    return {
        "content": outlined(coffee, of_content),
        "style": outlined(resized(painting, shape), 2 - marked(shape, SUN)),
        "without guides": painted(),
        "label by label": painted(guide=of_content, style_guides=of_style),
        "labels of the style swapped": painted(guide=of_content, style_guides=3 - of_style),
        "label 1 alone, the rest as it is": painted(
            guide=of_content == 1, style_guides=of_style == 1, keep_unlabelled=True
        ),
    }


def fills() -> dict[str, Pixels]:
    """Fill a region of three images, two from their surroundings and one from a marked region."""
    gravel = resized(data.gravel()[:384, :384], (SIZE, SIZE)).copy()
    moon = resized(data.moon()[20:276, 40:296], (SIZE, SIZE))
    tissue = resized(data.immunohistochemistry()[256:, 160:416], (SIZE, SIZE))
    hole = marked(gravel.shape, (0.5, 0.5, 0.22, 0.17))
    gravel[hole > 0] = 255
    crater = marked(moon.shape, (0.315, 0.265, 0.14, 0.15))
    gland = marked(tissue.shape, (0.6, 0.62, 0.32, 0.52))
    stroma = np.zeros_like(gland)
    stroma[: SIZE * 3 // 4, : SIZE // 4] = 1
    recipe = nst.preset("texture", terms=(), steps=STEPS)
    before = {
        "gravel with a hole": outlined(gravel, hole),
        "the moon": outlined(moon, crater),
        "stained tissue": outlined(tissue, gland + 2 * stroma),
    }
    return before | {
        "hole filled": run(nst.synthesize(None, recipe, into=gravel, region=hole)),
        "crater filled": run(nst.synthesize(None, recipe, into=moon, region=crater)),
        "gland filled from the blue region": run(
            nst.synthesize(tissue, recipe, into=tissue, region=gland, exemplar_region=stroma)
        ),
    }


def run(iterations: Iterator[nst.Iteration]) -> Pixels:
    """Return the last picture of a run in colour."""
    return coloured(eight_bit(last(iterations).picture))


def marked(shape: tuple[int, ...], *ellipses: Ellipse) -> Labels:
    """Return labels that are 1 inside the ellipses and 0 elsewhere."""
    height, width = shape[:2]
    y, x = np.mgrid[:height, :width] / np.reshape([height, width], (2, 1, 1))
    within = [((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1 for cx, cy, rx, ry in ellipses]
    return np.any(within, axis=0).astype(np.int64)


def outlined(image: Pixels, labels: Labels) -> Pixels:
    """Draw the borders of labelled regions, and their numbers, over an image."""
    drawn = coloured(image).copy()
    for label, colour in COLOURS.items():
        inside = np.pad(labels == label, 3)
        shifts = [np.roll(inside, by, axis) for axis in (0, 1) for by in (-3, 3)]
        border = inside & ~np.all(shifts, axis=0)
        drawn[border[3:-3, 3:-3]] = colour
    return drawn


def coloured(image: Pixels) -> Pixels:
    """Return a grey image with three channels."""
    return image if image.ndim == 3 else np.dstack([image] * 3)


if __name__ == "__main__":
    main()
