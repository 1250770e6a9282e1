"""Make the picture of docs/training-data.md: `python tools/training-data-picture.py`.

It takes minutes, and prints the table of the variants.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from pictures import captioned, save
from scipy import ndimage
from skimage import data
from skimage.color import label2rgb
from skimage.filters import sobel
from skimage.segmentation import find_boundaries, watershed

import napari_nst as nst
from napari_nst.io.read_image import read_image

STYLES = {
    "stained tissue": data.immunohistochemistry(),
    "gravel": data.gravel(),
    "stars": data.hubble_deep_field()[:500, :500],
}


def labels_of(image: np.ndarray) -> np.ndarray:
    """Return a number for each coin, by the watershed of scikit-image's gallery."""
    markers = np.where(image < 30, 1, np.where(image > 150, 2, 0))
    return ndimage.label(ndimage.binary_fill_holes(watershed(sobel(image), markers) == 2))[0]


def outlined(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return an image in colour with the outlines of labels."""
    shown = np.dstack([image] * 3)
    shown[find_boundaries(labels, mode="inner")] = (255, 200, 0)
    return shown


image = data.coins()
labels = labels_of(image).astype(np.uint16)
with tempfile.TemporaryDirectory() as folder:
    pictures = {
        "image": np.dstack([image] * 3),
        "its labels": np.rint(label2rgb(labels, image, bg_label=0) * 255).astype(np.uint8),
    }
    for name, style in STYLES.items():
        run = nst.augment(image, labels, style, Path(folder, name), variants=1, size=0)
        row = run.result()[-1]
        print(name, row["style_weight"], row["displacement"], row["overlap"])
        variant = read_image(run.path / row["image"])
        pictures[name] = np.dstack([variant] * 3)
    pictures["stars, with the labels"] = outlined(variant, labels)
    save("training-data", captioned(pictures, 3))
