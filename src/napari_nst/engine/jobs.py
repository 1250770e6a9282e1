"""The jobs: what a caller asks for by name. Each checks its input, then returns a generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_nst.engine.device import choose_device, choose_precision
from napari_nst.engine.images import resize, to_tensor
from napari_nst.engine.objective import Objective, network_layers, style_transfer_objective
from napari_nst.engine.optimize import Iteration, optimize
from napari_nst.engine.pixels import RGB, as_rgb, shape_fitting
from napari_nst.engine.scales import Scale, plan_scales
from napari_nst.engine.steppers import STEPPERS
from napari_nst.engine.vgg import VGG19, least_size
from napari_nst.engine.weights import FLAVOURS, Progress, load
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe, preset


def stylize(
    content: ArrayLike,
    style: ArrayLike | Sequence[ArrayLike],
    recipe: Recipe | None = None,
    *,
    progress: Progress | None = None,
) -> Iterator[Iteration]:
    """Paint the content in the style of another image (Gatys et al. 2016).

    Parameters
    ----------
    content : array-like
        (H, W, 3) RGB or (H, W) grey; uint8, uint16 or float in [0, 1].
    style : array-like, or list of them
        The same. Statistics of several styles are averaged.
    recipe : Recipe, optional
        What to do; the ``default`` preset where left out.
    progress : callable, optional
        Called as ``progress(message, done, total)`` while the pretrained network arrives.

    Returns
    -------
    iterator of Iteration
        One per step. The input is checked before this returns; everything slow, the network's
        download included, happens from the first `next` on.

    Raises
    ------
    TypeError, ValueError
        If an image or a field of the recipe cannot be used.
    NstError
        While iterating, if weights cannot be had or memory runs out.
    """
    recipe = _checked_recipe(recipe)
    styles: list[Any] = list(style) if isinstance(style, (list, tuple)) else [style]
    if not styles:
        raise ValueError("style is an empty list; give at least one image.")
    content_rgb = as_rgb(content, "content")
    style_rgbs = [as_rgb(one, "style") for one in styles]
    least = least_size(network_layers(recipe), recipe.padding)
    scales = plan_scales(recipe, content_rgb.shape, least)
    for one in style_rgbs:
        if min(one.shape[:2]) < least:
            height, width = one.shape[:2]
            raise ValueError(
                f"style is {height} × {width} pixels; the recipe's layers need at least {least} "
                "on both sides, take a larger image."
            )
    return _stylize(content_rgb, style_rgbs, recipe, scales, least, progress)


def _stylize(
    content_rgb: RGB,
    style_rgbs: Sequence[RGB],
    recipe: Recipe,
    scales: Sequence[Scale],
    least: int,
    progress: Progress | None,
) -> Iterator[Iteration]:
    with _explained_errors(recipe, scales):
        device = choose_device(recipe.device)
        network = VGG19(
            network_layers(recipe),
            weights=load(recipe.weights, progress),
            pooling=recipe.pooling,
            padding=recipe.padding,
            dtype=choose_precision(recipe.precision, device),
        ).to(device)
        content = to_tensor(content_rgb, device)
        styles = [to_tensor(one, device) for one in style_rgbs]

        def objective_at(scale: Scale) -> Objective:
            at_scale = [
                resize(one, _style_shape(one.shape[-2:], scale.longest, least)) for one in styles
            ]
            return style_transfer_objective(recipe, network, resize(content, scale.shape), at_scale)

        start = initial_image(recipe, resize(content, scales[0].shape))
        yield from optimize(start, scales, objective_at, STEPPERS[recipe.optimizer](recipe))


def initial_image(recipe: Recipe, content: Tensor) -> Tensor:
    """Return what a run starts from: the content, noise, or a mix, (1, 3, H, W) in [0, 1]."""
    share = {"content": 0.0, "noise": 1.0, "mix": recipe.init_noise}[recipe.init]
    if not share:
        return content
    # Drawn on the processor, so that a seed gives the same noise for every device.
    generator = torch.Generator().manual_seed(recipe.seed)
    noise = torch.randn(content.shape, generator=generator).mul(0.25).add(0.5).clamp(0, 1)
    return torch.lerp(content, noise.to(content.device), share)


def _style_shape(shape: Sequence[int], longest: int, least: int) -> tuple[int, int]:
    """Fit a style to the working size: never enlarged, never below what the network needs."""
    own = (shape[0], shape[1])
    narrow = max(own) * least / min(own)
    fitting = shape_fitting(own, min(max(longest, round(narrow)), max(own)))
    return fitting if min(fitting) >= least else own


def _checked_recipe(recipe: Recipe | None) -> Recipe:
    """Refuse, before anything slow starts, what no run could be made of."""
    recipe = preset() if recipe is None else recipe
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe must be a Recipe, such as preset('default'); not {recipe!r}.")
    choose_device(recipe.device)
    if recipe.weights not in FLAVOURS and not Path(recipe.weights).expanduser().is_file():
        known = ", ".join(FLAVOURS)
        raise ValueError(f"weights must be {known} or a file; {recipe.weights!r} is neither.")
    return recipe


@contextmanager
def _explained_errors(recipe: Recipe, scales: Sequence[Scale]) -> Iterator[None]:
    """Turn torch's errors into an `NstError` that says what to do.

    They are `RuntimeError`s, which napari's worker would swallow without a word.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise NstError(f"The computation failed: {error}") from error
        size = scales[-1].longest
        smaller = max(64, size * 3 // 4 // 64 * 64)
        cure = f"try size {smaller}" if smaller < size else "close other programs"
        raise NstError(
            f"Out of memory at {size} pixels on device {recipe.device!r}; {cure}."
        ) from error


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # Neither the processor's allocator nor some versions' for Apple's GPUs raise their own.
    text = str(error).lower()
    return any(
        said in text for said in ("out of memory", "can't allocate memory", "not enough memory")
    )
