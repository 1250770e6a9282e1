"""The number of floating-point operations of an iteration, computed from the layers' shapes.

A multiplication and an addition are two operations. The count includes the forward and the backward
pass of convolutions and Gram products, which are more than 99 % of all operations. The backward
pass has no gradients of the network's parameters.
"""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from napari_nst.engine.job.layers import layer_weights, network_layers
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer

KERNEL = 3 * 3


def of_convolution(inputs: int, outputs: int, positions: int) -> int:
    """Return the operations of one 3 × 3 convolution, forward; backward has as many."""
    return 2 * KERNEL * inputs * outputs * positions


def of_gram(channels: int, positions: int) -> int:
    """Return the operations of F Fᵀ, forward; D F of its backward pass has as many."""
    return 2 * channels**2 * positions


def of_iteration(recipe: Recipe, height: int, width: int) -> int:
    """Return the operations of an iteration of a recipe with a Gram-like style loss.

    Parameters
    ----------
    recipe : Recipe
        Its layers; each style layer has one product of features with themselves.
    height, width : int
        Of the picture, in pixels.
    """
    wanted = {canonical_layer(layer) for layer in network_layers(recipe)}
    style = {canonical_layer(layer) for layer in layer_weights(recipe, "style")}
    deepest = max(LAYER_NAMES.index(layer) for layer in wanted)
    with torch.device("meta"):  # no parameters, only their shapes
        layers = list(zip(LAYER_NAMES, make_layers(cfgs["E"]), strict=True))
    total, channels = 0, 3
    for name, module in layers[: deepest + 1]:
        if isinstance(module, nn.Conv2d):
            total += 2 * of_convolution(channels, module.out_channels, height * width)
            channels = module.out_channels
        elif isinstance(module, nn.MaxPool2d):
            height, width = height // 2, width // 2
        if name in style:
            total += 2 * of_gram(channels, height * width)
    return total
