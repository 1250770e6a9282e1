"""Distances between Gram matrices at layers that a recipe does not optimise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.engine.job.layers import least_size, network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.recipe import Recipe
from napari_nst.texture_statistics.sample import Sample

if TYPE_CHECKING:
    from torch import Tensor

    from napari_nst.engine.vgg.network import VGG19

Pixels = np.ndarray[Any, Any]
Progress = Callable[[str, int, int], None]
Grams = dict[str, "Tensor"]

LAYERS = ("relu1_2", "relu2_2", "relu3_2", "relu3_4", "relu4_2", "relu4_4")
"""Layers that are compared, those left out that a recipe optimises."""

SLICES = 2
"""Of a volume, along each axis."""


def held_out_layers(recipe: Recipe, shape: Sequence[int]) -> list[str]:
    """Return the layers that no loss of a recipe reads, and for which crops are large enough."""
    phases = map(recipe.phase, range(len(recipe.phases) + 1))
    read = {layer for phase in phases for layer in network_layers(phase)}
    side = min(shape[-2:])
    return [
        layer
        for layer in LAYERS
        if layer not in read and least_size([layer], recipe.padding) <= side
    ]


def gram_distances_of_crops(
    images: Sequence[Sample],
    exemplars: Sequence[Sample],
    recipe: Recipe,
    layers: Sequence[str],
    progress: Progress | None = None,
) -> dict[str, tuple[float, float]]:
    """Return, for each layer, the median distances of crops.

    They are those of the crops of an image from the crops of its exemplar, and those between the
    crops of the exemplar. The distance of two Gram matrices is |G − A| over the mean of |G| and
    |A|.
    """
    from napari_nst.engine.device import choose_device
    from napari_nst.engine.inspect import gram_distances
    from napari_nst.engine.torch_errors import explained_errors
    from napari_nst.engine.vgg.network import network_of
    from napari_nst.engine.vgg.weights import load

    height, width = images[0].shape[-2:]
    scale = Scale(max(height, width), (height, width), 1)
    with explained_errors(recipe, [scale]):
        network = network_of(recipe, layers, load(recipe.weights, progress))
        network = network.to(choose_device(recipe.device))
        of_exemplars = [_of_sample(network, one) for one in exemplars]
        of_images = [_of_sample(network, one) for one in images]
        apart = [gram_distances(one, other) for one in of_images for other in of_exemplars]
        between = [gram_distances(one, other) for one, other in combinations(of_exemplars, 2)]
    return {
        layer: (
            median(one[layer] for one in apart),
            median(one[layer] for one in between) if between else float("nan"),
        )
        for layer in network.layers
    }


def gram_matrices(network: VGG19, rgb: Pixels, mask: Pixels | None = None) -> Grams:
    """Return the Gram matrix (C, C) of an image at each layer of a network.

    The image is float32 (H, W, 3) in [0, 1], the mask bool (H, W).
    """
    import torch

    from napari_nst.engine.images.convert import to_tensor
    from napari_nst.engine.losses import gram_matrix
    from napari_nst.engine.objective.from_recipe import mask_at

    selected = None
    if mask is not None:
        selected = torch.from_numpy(mask.astype(np.float32))[None, None].to(network.device)
    with torch.no_grad():
        features = network(to_tensor(rgb, network.device))
        return {
            layer: gram_matrix(values, mask_at(selected, layer))[0]
            for layer, values in features.items()
        }


def _of_sample(network: VGG19, sample: Sample) -> Grams:
    """Return the Gram matrices of an image, or the means of those of slices of a volume."""
    parts = [sample] if sample.ndim == 2 else list(sample.slices(SLICES))
    found = [
        gram_matrices(network, np.broadcast_to(one.values, (*one.shape, 3)), one.mask)
        for one in parts
        if one.mask is None or one.mask.any()
    ]
    total = {layer: sum((one[layer] for one in found[1:]), found[0][layer]) for layer in found[0]}
    return {layer: one / len(found) for layer, one in total.items()}
