"""How alike two textures are, layer by layer, and how alike two pieces of one are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_nst.engine.images.convert import to_tensor
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.losses import gram_matrix
from napari_nst.engine.vgg.network import VGG19

Pixels = np.ndarray[Any, Any]


@torch.no_grad()
def gram_matrices(network: VGG19, image: Pixels) -> dict[str, Tensor]:
    """Return the Gram matrix (C, C) of an image at each of a network's layers.

    Parameters
    ----------
    network : VGG19
        On the processor.
    image : ndarray
        (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
    """
    features = network(to_tensor(as_rgb(image), torch.device("cpu")))
    return {layer: gram_matrix(values)[0] for layer, values in features.items()}


def gram_distances(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, float]:
    """Return, for each layer, |G − A| over the mean of |G| and |A|: 0 for the same statistics."""
    return {
        layer: float((one[layer] - other[layer]).norm())
        / (float(one[layer].norm() + other[layer].norm()) / 2 or 1.0)
        for layer in one
    }


def distances_between_crops(network: VGG19, image: Pixels, size: int) -> dict[str, float]:
    """Return how far pieces of one texture are from each other, for each layer.

    The yardstick for a synthesized texture: its distance from the exemplar cannot be 0, but need
    not be more than two pieces of the real thing have between them.

    Parameters
    ----------
    network : VGG19
        Whose layers are compared.
    image : ndarray
        The texture.
    size : int
        Side of the square pieces, which are cut from the four corners.

    Returns
    -------
    dict of str to float
        Layer → the median over all pairs of pieces.
    """
    pieces = [gram_matrices(network, piece) for piece in corners(image, size)]
    distances = [gram_distances(one, other) for one, other in combinations(pieces, 2)]
    return {layer: median(d[layer] for d in distances) for layer in distances[0]}


def corners(image: Pixels, size: int) -> Sequence[Pixels]:
    """Return the four square corners of an image, top left first."""
    height, width = image.shape[:2]
    tops, lefts = (0, height - size), (0, width - size)
    return [image[t : t + size, left : left + size] for t in tops for left in lefts]
