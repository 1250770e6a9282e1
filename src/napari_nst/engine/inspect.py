"""Look into the network: feature maps, loss maps and Gram matrices of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.device import choose_device
from napari_nst.engine.images.convert import to_tensor
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.build import RecipeLike, checked_recipe, refuse_targets
from napari_nst.engine.job.input_image import RGB, ImageLike, as_rgb, read_input, shape_fitting
from napari_nst.engine.job.job import ROLES, Job
from napari_nst.engine.job.layers import least_size
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.losses import gram_matrix
from napari_nst.engine.objective.from_recipe import mask_at
from napari_nst.engine.objective.objective import Objective, layer_of
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.torch_errors import explained_errors
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.engine.vgg.weights import Progress, load
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before

Array = np.ndarray[Any, np.dtype[np.float32]]


def feature_maps(
    image: ImageLike,
    layer: str,
    recipe: RecipeLike | None = None,
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
        raise ValueError(f"`size` must be a side in pixels, or 0 to leave it as it is; not {size}.")
    shape = shape_fitting(source.shape, size) if size else source.shape
    _check_size(shape, layer, recipe, "image")
    with explained_errors(recipe, [Scale(max(shape), shape, 1)]), torch.no_grad():
        network = _load_network(recipe, [layer], progress)
        maps = network(MaskedImage.of(source, network.device).resized(shape).image)[layer]
        found: Array = maps[0].float().contiguous().cpu().numpy()
        return found


def loss_maps(
    order: Job, picture: ImageLike, *, layer: str | None = None, progress: Progress | None = None
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
        any scale of the job; the losses are those of the last phase at this size. If the job keeps
        some pixels as they are, the size is that of the whole picture.
    layer : str, optional
        Return only the losses of this layer, without the total variation.
    progress : callable, optional
        As for `stylize`.

    Returns
    -------
    dict of str to ndarray
        Name of the loss, such as ``content/relu4_2``, ``style/relu1_1`` or ``tv`` → float32 (H, W),
        at least 0. An odd row or column that pooling leaves out is 0. A map sums to the same loss
        in `Iteration.losses`; approximately for a run in 16 bits or with a moving average, and for
        a loss of random directions or positions, or of targets chosen once for each size.

    Raises
    ------
    TypeError, ValueError, NstError
        As `feature_maps`; also if the recipe has no loss at the layer.
    """
    pixels, scale = _read_picture(order, picture)
    order = order.in_phase(scale)
    recipe = order.recipe
    layers = sorted(set(order.network_layers), key=LAYER_NAMES.index)
    if layer is not None and (layer := canonical_layer(layer)) not in layers:
        raise ValueError(f"Layer {layer} has no loss in this recipe; {', '.join(layers)} have.")
    with explained_errors(recipe, order.scales):
        setup = _setup_at(order, scale, layers, progress)
        objective = setup.objective(scale)
        image = setup.image_of(to_tensor(pixels, setup.device), scale.shape)
        maps = _contributions(objective, image, layer)
        return {part: _in_picture(values.float().numpy(), order) for part, values in maps.items()}


@dataclass(frozen=True, eq=False)
class GramView:
    """The Gram matrices of several images at one layer, as `gram_view` returns them."""

    layer: str
    names: tuple[str, ...]  # the images' roles, such as content and style, then picture
    matrices: Array  # (N, C, C): products of channels, averaged over the positions that count
    distances: dict[str, float]  # of each image but the last, as from `gram_distances`

    @property
    def shown(self) -> Array:
        """The signed square roots as pixels (N, C, C) in [0, 1], channels sorted by energy."""
        order = np.argsort(-np.diagonal(self.matrices[-2]), kind="stable")
        ordered = self.matrices[:, order][:, :, order]
        return displayable(np.sign(ordered) * np.sqrt(np.abs(ordered)))


def gram_view(
    order: Job, picture: ImageLike, layer: str, *, progress: Progress | None = None
) -> GramView:
    """Compare the Gram matrices of content, styles and picture at a layer.

    Content and styles have the size, the colours and the masks that the run has at the picture's
    scale. Each is measured as a whole: guides have no effect, and an inpainted region is compared
    together with its margin.

    Parameters
    ----------
    order, picture, progress
        As for `loss_maps`; so are errors.
    layer : str
        Any layer of VGG-19, even one without a loss in the recipe. ValueError if an image is too
        small for it.

    Returns
    -------
    GramView
        `names` of the images, their `matrices` (N, C, C), `distances` of each from the picture
        relative to their mean norm, and `shown`, the matrices as pixels in [0, 1].
    """
    layer = canonical_layer(layer)
    pixels, scale = _read_picture(order, picture)
    refuse_targets(order.styles, "The style of a Gram view")
    order = order.in_phase(scale)
    of_content, of_style = ROLES[order.name]
    _check_size(scale.shape, layer, order.recipe, "picture")
    for fit in order.fits(scale):
        _check_size(fit.shape, layer, order.recipe, f"{of_style} at this scale")
    with explained_errors(order.recipe, order.scales), torch.no_grad():
        setup = _setup_at(order, scale, [layer], progress)
        content = setup.content and setup.content.resized(scale.shape)
        inputs = [*([content] if content else []), *setup.styles_at(scale)]
        image = setup.image_of(to_tensor(pixels, setup.device), scale.shape)
        masked = MaskedImage(image, content.mask if content else None)
        matrices = [_gram(setup.target_network, one, layer) for one in inputs]
        matrices.append(_gram(setup.network, masked, layer))
    count = len(order.styles)
    styles = [of_style] if count == 1 else [f"{of_style} {i + 1}" for i in range(count)]
    names = [*([of_content] if order.content else []), *styles]
    of_inputs = dict(zip(names, matrices, strict=False))
    distances = gram_distances(of_inputs, dict.fromkeys(of_inputs, matrices[-1]))
    return GramView(layer, (*names, "picture"), torch.stack(matrices).cpu().numpy(), distances)


def gram_distances(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, float]:
    """Return, for each name, |G − A| divided by the mean of |G| and |A|; 0 for equal matrices."""
    return {
        name: float((one[name] - other[name]).norm())
        / (float(one[name].norm() + other[name].norm()) / 2 or 1.0)
        for name in one
    }


def displayable(values: np.ndarray[Any, Any]) -> Array:
    """Scale an array to pixels in [0, 1]; 0 is black, or mid-grey if there are negative values."""
    magnitudes = np.abs(values)
    # A percentile, so that a single large value does not make the others dark.
    white = float(np.percentile(magnitudes, 99.9)) or float(magnitudes.max()) or 1.0
    scaled = values / white
    if values.min() < 0:
        scaled = (scaled + 1) / 2
    pixels: Array = np.clip(scaled, 0, 1).astype(np.float32)
    return pixels


def _load_network(recipe: Recipe, layers: Iterable[str], progress: Progress | None) -> VGG19:
    """Return a recipe's network with some layers, in float32 on the recipe's device."""
    device = choose_device(recipe.device)
    return network_of(recipe, layers, load(recipe.weights, progress)).to(device)


def _check_size(shape: tuple[int, int], layer: str, recipe: Recipe, name: str) -> None:
    """Raise a ValueError if an image of a height and width is too small for a layer."""
    least = least_size([layer], recipe.padding)
    if min(shape) < least:
        raise ValueError(
            f"{name} is {shape[0]} × {shape[1]} pixels, and {layer} needs {least} on both sides; "
            "take a larger image, or a layer that is less deep."
        )


def _read_picture(job: Job, picture: ImageLike) -> tuple[RGB, Scale]:
    """Return a picture's pixels and the scale of the job that it was made at."""
    if not isinstance(job, Job):
        raise TypeError(
            "`order` must be a job, such as order_to_stylize(content, style) returns; it is "
            f"{type(job).__name__}."
        )
    pixels = as_rgb(picture, "picture")
    shape = (pixels.shape[0], pixels.shape[1])
    shapes = [scale.shape for scale in job.scales]
    if job.keep_outside is not None:  # then every scale is shown within the whole picture
        shapes = [job.keep_outside.picture.shape]
    if shape in shapes:  # at the last phase that makes pictures of this size
        last = len(shapes) - 1 - shapes[::-1].index(shape)
        return pixels, job.scales[-1] if job.keep_outside else job.scales[last]
    sizes = " or ".join(f"{height} × {width}" for height, width in shapes)
    raise ValueError(
        f"picture is {shape[0]} × {shape[1]} pixels, but its job makes pictures of {sizes}; give "
        "one of these, or the recipe and the images that the picture was made with."
    )


def _setup_at(job: Job, scale: Scale, layers: Iterable[str], progress: Progress | None) -> RunSetup:
    """Return a job's images and float32 network, for one scale and some layers."""
    network = _load_network(job.recipe, layers, progress)
    return RunSetup(replace(job, scales=[scale]), network, network.device)


def _contributions(objective: Objective, image: Tensor, layer: str | None) -> dict[str, Tensor]:
    """Return, for each part of an objective, a map (H, W) that sums to the part."""
    with torch.no_grad():
        image = objective.with_fixed(image)
        objective.choose_targets(image)
        features = objective.network(image)
    maps = {
        part: _on_pixels(_shares(loss, features[layer_of(part)]), layer_of(part), image)
        for part, loss in objective.on_features.items()
        if layer_of(part) in features and layer in (None, layer_of(part))
    }
    if layer is None:
        for part in objective.on_features:
            if part not in maps:  # a loss of several layers joined: by its gradient by the pixels
                maps[part] = _shares(partial(_part, objective, part), image)
        maps |= {part: _shares(loss, image) for part, loss in objective.on_image.items()}
    return maps


def _part(objective: Objective, part: str, image: Tensor) -> Tensor:
    value: Tensor = objective(image)[part]
    return value


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


def _gram(network: VGG19, image: MaskedImage, layer: str) -> Tensor:
    return gram_matrix(network(image.image)[layer], mask_at(image.mask, layer))[0]
