"""What a run starts from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_nst.engine.subjects import Subject
from napari_nst.recipe import Recipe

MEAN_COLOUR = (0.485, 0.456, 0.406)
"""Of ImageNet's photographs, RGB: what every flavour of the network takes for nothing at all."""


def initial_image(
    recipe: Recipe,
    shape: tuple[int, int],
    content: Subject | None,
    styles: Sequence[Subject],
    image: Subject | None,
    *,
    grey: bool = False,
    rows: slice | None = None,
) -> Tensor:
    """Return what a run starts from, (1, 3, H, W) in [0, 1], or some rows of it.

    Parameters
    ----------
    recipe : Recipe
        Its `init`, `noise`, `noise_spread`, `init_noise` and `seed`.
    shape : tuple of int
        Height and width of the first scale.
    content : Subject or None
        What ``content`` and ``mix`` start from.
    styles : sequence of Subject
        The first is what ``style`` starts from, enlarged to cover the picture at its own aspect.
    image : Subject or None
        What ``image`` starts from, likewise.
    grey : bool
        Whether the picture is grey; its noise then is too.
    rows : slice, optional
        Which; all where left out.
    """
    rows = rows or slice(0, shape[0])
    if recipe.init == "image":
        assert image is not None
        return image.covering(shape, rows).image.clamp(0, 1)
    if recipe.init == "style":
        return styles[0].covering(shape, rows).image.clamp(0, 1)
    pattern = content or styles[0]
    share = {"content": 0.0, "noise": 1.0, "mix": recipe.init_noise}[recipe.init]
    if not share:
        return pattern.covering(shape, rows).image.clamp(0, 1)
    noise = _noise(recipe, shape, styles[0] if styles else pattern, grey)[:, :, rows]
    noise = noise.to(pattern.image.device)
    beneath = pattern.covering(shape, rows).image if share < 1 else torch.zeros_like(noise)
    return torch.lerp(beneath.to(noise), noise, share).clamp(0, 1)


def _noise(recipe: Recipe, shape: tuple[int, int], pattern: Subject, grey: bool) -> Tensor:
    """Return noise (1, 3, H, W) in [0, 1], drawn on the processor: the same for every device."""
    generator = torch.Generator().manual_seed(recipe.seed)
    # One draw for all channels of a grey picture: the mean of three would be fainter.
    size = (1, 1 if grey else 3, *shape)
    middle = torch.tensor(MEAN_COLOUR).view(1, 3, 1, 1)
    if recipe.noise == "uniform":
        drawn = torch.rand(size, generator=generator) * 2 - 1
        return (middle + drawn * recipe.noise_spread).clamp(0, 1)
    drawn = torch.randn(size, generator=generator)
    if recipe.noise == "normal":
        return (middle + drawn * recipe.noise_spread).clamp(0, 1)
    pixels = pattern.image.cpu().double().flatten(2)
    if pattern.mask is not None:
        pixels = pixels[..., pattern.mask.cpu().flatten() > 0.5]
    mean, spread = pixels.mean(dim=2), pixels.std(dim=2, correction=0)
    return (mean[..., None, None] + drawn * spread[..., None, None]).float().clamp(0, 1)
