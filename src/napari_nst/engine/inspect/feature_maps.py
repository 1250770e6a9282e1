"""Feature maps: the output of a layer of the network for an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from napari_nst.engine.device import choose_device
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.build import checked_recipe
from napari_nst.engine.job.input_image import read_input, shape_fitting
from napari_nst.engine.job.layers import least_size
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.torch_errors import explained_errors
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.engine.vgg.weights import Progress, load
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import canonical_layer

Array = np.ndarray[Any, np.dtype[np.float32]]


def feature_maps(
    image: ArrayLike,
    layer: str,
    recipe: Recipe | None = None,
    *,
    size: int = 0,
    progress: Progress | None = None,
) -> Array:
    """Return the feature maps of an image at a layer of the network.

    Parameters
    ----------
    image : array-like
        An image as for `stylize`.
    layer : str
        Any layer of VGG-19, such as ``relu3_1``.
    recipe : Recipe, optional
        Its network: `weights`, `network_input`, `pooling`, `rescale_pooling`, `padding`, `device`;
        by default those of the ``default`` preset. The precision is always float32.
    size : int
        Longest side in pixels that the image is resized to; 0 leaves it as it is.
    progress : callable, optional
        As for `stylize`.

    Returns
    -------
    ndarray
        float32 (C, H', W'), a map for each channel of the layer.

    Raises
    ------
    TypeError, ValueError
        If the image, the layer, the recipe or the size cannot be used.
    NstError
        If weights cannot be had or memory runs out.
    """
    recipe, layer = checked_recipe(recipe, "transfer"), canonical_layer(layer)
    source = read_input(image, "image")
    if size < 0:
        raise ValueError(f"size must be a side in pixels, or 0 to leave it as it is; not {size}.")
    shape = shape_fitting(source.shape, size) if size else source.shape
    check_size(shape, layer, recipe, "image")
    with explained_errors(recipe, [Scale(max(shape), shape, 1)]), torch.no_grad():
        network = load_network(recipe, [layer], progress)
        maps = network(MaskedImage.of(source, network.device).resized(shape).image)[layer]
        found: Array = maps[0].float().contiguous().cpu().numpy()
        return found


def load_network(recipe: Recipe, layers: Iterable[str], progress: Progress | None) -> VGG19:
    """Return a recipe's network with some layers, in float32 on the recipe's device."""
    device = choose_device(recipe.device)
    return network_of(recipe, layers, load(recipe.weights, progress)).to(device)


def check_size(shape: tuple[int, int], layer: str, recipe: Recipe, name: str) -> None:
    """Raise a ValueError if an image of a height and width is too small for a layer."""
    least = least_size([layer], recipe.padding)
    if min(shape) < least:
        raise ValueError(
            f"{name} is {shape[0]} × {shape[1]} pixels, and {layer} needs {least} on both sides; "
            "take a larger image, or a layer that is less deep."
        )
