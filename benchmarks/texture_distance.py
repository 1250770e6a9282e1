"""Distances between textures: between Gram matrices at each layer of a network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np

from napari_nst.engine.inspect import gram_distances
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.network import VGG19
from napari_nst.texture_statistics.gram import gram_matrices

Pixels = np.ndarray[Any, Any]


def distances_between_crops(network: VGG19, image: Pixels, size: int) -> dict[str, float]:
    """Return, for each layer, the median distance between the four square corners of a texture.

    The image is (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1]. A synthesized texture is
    good if its distance from the exemplar is not larger than this distance between two crops of one
    real texture.
    """
    crops = [gram_matrices(network, as_rgb(crop)) for crop in corners(image, size)]
    distances = [gram_distances(one, other) for one, other in combinations(crops, 2)]
    return {layer: median(d[layer] for d in distances) for layer in distances[0]}


def corners(image: Pixels, size: int) -> Sequence[Pixels]:
    """Return the four square corners of an image, top left first."""
    height, width = image.shape[:2]
    tops, lefts = (0, height - size), (0, width - size)
    return [image[t : t + size, left : left + size] for t in tops for left in lefts]
