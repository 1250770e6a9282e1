"""Make the picture of docs/training-data.md: `python tools/training-data-picture.py`.

It takes minutes, and prints the page's table of figures.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from pictures import captioned, save
from scipy import ndimage
from skimage import data
from skimage.color import label2rgb
from skimage.filters import gaussian, sobel
from skimage.segmentation import find_boundaries, watershed
from skimage.transform import warp

import napari_nst as nst
from napari_nst.augmentation.kept import displacement, overlap
from napari_nst.io.image_files.read_image import read_image

STYLES = {
    "stained tissue": data.immunohistochemistry(),
    "gravel": data.gravel(),
    "stars": data.hubble_deep_field()[:500, :500],
}

FIGURES = (displacement, overlap)


def labels_of(image: np.ndarray) -> np.ndarray:
    """Return a number for each coin, by the watershed of scikit-image's gallery."""
    markers = np.where(image < 30, 1, np.where(image > 150, 2, 0))
    return ndimage.label(ndimage.binary_fill_holes(watershed(sobel(image), markers) == 2))[0]


def outlined(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return an image in colour with the outlines of labels."""
    shown = np.dstack([image] * 3)
    shown[find_boundaries(labels, mode="inner")] = (255, 200, 0)
    return shown


def warped(image: np.ndarray, pixels: float) -> np.ndarray:
    """Return an image whose parts are moved by about so many pixels in all directions."""
    flow = gaussian(np.random.default_rng(0).normal(size=(2, *image.shape)), 20, channel_axis=0)
    flow *= pixels / np.hypot(*flow).mean()
    return warp(image, np.indices(image.shape) + flow, order=1, mode="edge")


def figures(folder: Path, image: np.ndarray, labels: np.ndarray) -> None:
    """Print the table of the page."""
    unit = image / 255
    for weight in (1, 3, 10):
        for name, style in STYLES.items():
            run = nst.augment(
                image, labels, style, folder / f"{name} {weight}", variants=1, style_weights=weight
            )
            variant = read_image(run.path / run.result(progress=False)[-1]["image"]) / 255
            found = [f(unit, one) for one in (variant, warped(variant, 4)) for f in FIGURES]
            print(name, weight, *(f"{value:.2f}" for value in found), flush=True)


def picture(folder: Path, image: np.ndarray, labels: np.ndarray) -> None:
    """Write the picture of the page."""
    pictures = {
        "image": np.dstack([image] * 3),
        "its labels": np.rint(label2rgb(labels, image, bg_label=0) * 255).astype(np.uint8),
    }
    for name, style in STYLES.items():
        run = nst.augment(image, labels, style, folder / name, variants=1, size=0)
        row = run.result(progress=False)[-1]
        print(name, row["style_weight"], row["displacement"], row["overlap"], flush=True)
        variant = read_image(run.path / row["image"])
        pictures[name] = np.dstack([variant] * 3)
    pictures["stars, with the labels"] = outlined(variant, labels)
    save("training-data", captioned(pictures, 3))


coins = data.coins()
with tempfile.TemporaryDirectory() as temporary:
    for make in (picture, figures):
        make(Path(temporary), coins, labels_of(coins).astype(np.uint16))
