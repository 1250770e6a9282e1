"""Looking into a picture: what the network sees in it, and where its losses come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from napari_nst.engine.device import choose_device
from napari_nst.engine.images.convert import to_tensor
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.inspect.contributions import contributions
from napari_nst.engine.job.checks import checked_recipe
from napari_nst.engine.job.input_image import RGB, as_rgb, read_input, shape_fitting
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import least_size, network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.run.explained import explained_errors
from napari_nst.engine.run.targets import RunSetup
from napari_nst.engine.vgg.network import network_of
from napari_nst.engine.vgg.weights import Progress, load
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer

Array = np.ndarray[Any, np.dtype[np.float32]]


def feature_maps(
    image: ArrayLike,
    layer: str,
    recipe: Recipe | None = None,
    *,
    size: int = 0,
    progress: Progress | None = None,
) -> Array:
    """Return what a layer of the network sees in an image.

    Parameters
    ----------
    image : array-like
        As `stylize` takes it.
    layer : str
        Any of VGG-19's, such as ``relu3_1``.
    recipe : Recipe, optional
        Its network: `weights`, `network_input`, `pooling`, `rescale_pooling`, `padding`, `device`;
        the ``default`` preset's where left out. The precision is always float32.
    size : int
        Longest side in pixels that the image is resampled to; 0 leaves it as it is.
    progress : callable, optional
        As for `stylize`.

    Returns
    -------
    ndarray
        float32 (C, H', W'), a map for each of the layer's channels; `displayable` makes pictures
        of them.

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
    check_room(shape, layer, recipe, "image")
    device = choose_device(recipe.device)
    with explained_errors(recipe, [Scale(max(shape), shape, 1)]), torch.no_grad():
        network = network_of(recipe, [layer], load(recipe.weights, progress)).to(device)
        maps = network(MaskedImage.of(source, device).resized(shape).image)[layer]
        found: Array = maps[0].float().contiguous().cpu().numpy()
        return found


def loss_maps(
    order: Job,
    picture: ArrayLike,
    *,
    layer: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Array]:
    """Return where each loss of a picture comes from.

    Parameters
    ----------
    order : Order
        What the picture was made of and how, as from `order_to_stylize`.
    picture : array-like
        `Iteration.picture` or `Iteration.image`, (H, W), (H, W, 3) or (H, W, 4); of any scale of
        the order, or, where its run keeps some pixels as they are, of the last.
    layer : str, optional
        Leave out the losses at other layers, and the total variation.
    progress : callable, optional
        As for `stylize`.

    Returns
    -------
    dict of str to ndarray
        Name of the part, such as ``content/relu4_2``, ``style/relu1_1`` or ``tv``, → float32
        (H, W), nowhere below 0. Position p of a layer is given the share ‖g_p‖² / Σ_q ‖g_q‖² of
        its loss, with g the gradient by the features, and divides it evenly among the pixels that
        it pools; see `contributions`. So each map sums to its part in `Iteration.losses`: for a
        run in float32 but for rounding; in bfloat16, or with a loss that draws at random, nearly.

    Raises
    ------
    TypeError, ValueError
        If the picture cannot be used, or the recipe has no loss at the layer.
    NstError
        If weights cannot be had or memory runs out.
    """
    recipe = order.recipe
    layers = sorted(set(network_layers(recipe)), key=LAYER_NAMES.index)
    if layer is not None and (layer := canonical_layer(layer)) not in layers:
        raise ValueError(f"layer {layer} has no loss in this recipe; {', '.join(layers)} have.")
    pixels, scale = placed(order, picture)
    with explained_errors(recipe, order.scales):
        assembly = assembled(order, scale, layers, progress)
        objective = assembly.objective_at(scale)
        image = assembly.image_of(to_tensor(pixels, assembly.device))
        maps = contributions(objective, image, layer)
        return {part: _on_picture(values.float().numpy(), order) for part, values in maps.items()}


def _on_picture(values: Array, order: Job) -> Array:
    """Return a map of what a run works on as one of the whole picture."""
    if order.keep_outside is None:
        return values
    whole = np.zeros(order.keep_outside.picture.shape, np.float32)
    whole[order.keep_outside.window] = values
    return whole


def placed(order: Job, picture: ArrayLike) -> tuple[RGB, Scale]:
    """Check a picture of an order, and find the scale that it is of.

    Raises
    ------
    TypeError, ValueError
        If it is no image, or of a size that the order's run does not work at.
    """
    pixels = as_rgb(picture, "picture")
    shape = (pixels.shape[0], pixels.shape[1])
    shapes = [scale.shape for scale in order.scales]
    if order.keep_outside is not None:  # then the last scale is that of the picture's own pixels
        shapes = [order.keep_outside.picture.shape]
    if shape in shapes:
        return pixels, order.scales[-1] if order.keep_outside else order.scales[shapes.index(shape)]
    sizes = " or ".join(f"{height} × {width}" for height, width in shapes)
    raise ValueError(
        f"picture is {shape[0]} × {shape[1]} pixels, and those that its order makes are {sizes}; "
        "give one of these, or the recipe and the images that it was made with."
    )


def assembled(
    order: Job, scale: Scale, layers: Iterable[str], progress: Progress | None
) -> RunSetup:
    """Return an order's images on its device at a scale, and a float32 network of some layers."""
    device = choose_device(order.recipe.device)
    network = network_of(order.recipe, layers, load(order.recipe.weights, progress))
    return RunSetup(replace(order, scales=[scale]), network.to(device), device)


def check_room(shape: tuple[int, int], layer: str, recipe: Recipe, name: str) -> None:
    """Raise a `ValueError` if an image of a height and width is too small for a layer."""
    least = least_size([layer], recipe.padding)
    if min(shape) < least:
        raise ValueError(
            f"{name} is {shape[0]} × {shape[1]} pixels, and {layer} needs {least} on both sides; "
            "take a larger one, or a layer that is less deep."
        )
