"""Loss maps: how much each pixel of an image contributes to each loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.images.convert import to_tensor
from napari_nst.engine.inspect.feature_maps import load_network
from napari_nst.engine.job.input_image import RGB, as_rgb
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.objective.objective import Objective, layer_of
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.torch_errors import explained_errors
from napari_nst.engine.vgg.weights import Progress
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before

Array = np.ndarray[Any, np.dtype[np.float32]]


def loss_maps(
    order: Job,
    picture: ArrayLike,
    *,
    layer: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Array]:
    """Return how much each pixel of a picture contributes to each loss.

    The loss L of a layer is divided among the layer's positions: position p gets
    L · ‖g_p‖² / Σ_q ‖g_q‖², with g the gradient by the features. For a content loss, a sum of
    squared differences, this is exactly the position's summand if its mask is 0 or 1. Style losses
    are no sums over positions; there the map shows how large the gradient is at each position. A
    position's contribution is divided equally among the pixels that it pools. The total variation
    is divided among pixels by its gradient by the pixels.

    Parameters
    ----------
    order : Job
        The images and the recipe that the picture was made with, as from `order_to_stylize`.
    picture : array-like
        `Iteration.picture` or `Iteration.image`, (H, W), (H, W, 3) or (H, W, 4), with the size of
        any scale of the job. If the job keeps some pixels as they are, the size is that of the
        whole picture.
    layer : str, optional
        Return only the losses of this layer, without the total variation.
    progress : callable, optional
        As for `stylize`.

    Returns
    -------
    dict of str to ndarray
        Name of the loss, such as ``content/relu4_2``, ``style/relu1_1`` or ``tv`` → float32 (H, W),
        at least 0. An odd row or column that pooling leaves out is 0. A map sums to the same loss
        in `Iteration.losses`; approximately for a run in 16 bits or a loss with random directions.

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
    pixels, scale = read_picture(order, picture)
    with explained_errors(recipe, order.scales):
        setup = setup_at(order, scale, layers, progress)
        objective = setup.objective(scale)
        image = setup.image_of(to_tensor(pixels, setup.device), scale.shape)
        maps = _contributions(objective, image, layer)
        return {part: _in_picture(values.float().numpy(), order) for part, values in maps.items()}


def read_picture(job: Job, picture: ArrayLike) -> tuple[RGB, Scale]:
    """Return a picture's pixels and the scale of the job that it was made at.

    Raises TypeError or ValueError if it is no image, or has a size that the job does not make.
    """
    pixels = as_rgb(picture, "picture")
    shape = (pixels.shape[0], pixels.shape[1])
    shapes = [scale.shape for scale in job.scales]
    if job.keep_outside is not None:  # then every scale is shown within the whole picture
        shapes = [job.keep_outside.picture.shape]
    if shape in shapes:
        return pixels, job.scales[-1] if job.keep_outside else job.scales[shapes.index(shape)]
    sizes = " or ".join(f"{height} × {width}" for height, width in shapes)
    raise ValueError(
        f"picture is {shape[0]} × {shape[1]} pixels, but its job makes pictures of {sizes}; give "
        "one of these, or the recipe and the images that the picture was made with."
    )


def setup_at(job: Job, scale: Scale, layers: Iterable[str], progress: Progress | None) -> RunSetup:
    """Return a job's images and float32 network, for one scale and some layers."""
    network = load_network(job.recipe, layers, progress)
    return RunSetup(replace(job, scales=[scale]), network, network.device)


def _contributions(objective: Objective, image: Tensor, layer: str | None) -> dict[str, Tensor]:
    """Return, for each part of an objective, a map (H, W) that sums to the part."""
    with torch.no_grad():
        image = objective.with_fixed(image)
        features = objective.network(image)
    maps = {
        part: _on_pixels(_shares(loss, features[layer_of(part)]), layer_of(part), image)
        for part, loss in objective.on_features.items()
        if layer in (None, layer_of(part))
    }
    if layer is None:
        maps |= {part: _shares(loss, image) for part, loss in objective.on_image.items()}
    return maps


def _shares(loss: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Divide the loss of values (1, C, H', W') among their positions (H', W')."""
    values = values.detach().requires_grad_()
    value = loss(values)
    (gradient,) = torch.autograd.grad(value, values)
    # On the CPU: Apple's GPUs have no float64, which squares of small gradients need.
    squares = gradient[0].cpu().double().square().sum(dim=0)
    if not squares.any():
        # At a minimum the loss need not be 0; then every position gets the same share.
        squares = torch.ones_like(squares)
    return float(value.detach()) * squares / squares.sum()


def _on_pixels(shares: Tensor, layer: str, image: Tensor) -> Tensor:
    """Divide the share of each position of a layer among the pixels that the position pools."""
    side = 2 ** poolings_before(layer)
    pixels = shares.repeat_interleave(side, 0).repeat_interleave(side, 1) / side**2
    height, width = image.shape[-2:]
    return functional.pad(pixels, (0, width - pixels.shape[1], 0, height - pixels.shape[0]))


def _in_picture(values: Array, job: Job) -> Array:
    """Return a map of the window that a job works on as a map of the whole picture."""
    if job.keep_outside is None:
        return values
    whole = np.zeros(job.keep_outside.picture.shape, np.float32)
    whole[job.keep_outside.window] = values
    return whole
