"""What a run starts from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.recipe import Recipe

MEAN_COLOUR = (0.485, 0.456, 0.406)
"""Of ImageNet's photographs, RGB: what every flavour of the network takes for nothing at all."""


def initial_image(
    recipe: Recipe,
    shape: tuple[int, int],
    content: MaskedImage | None,
    styles: Sequence[MaskedImage],
    image: MaskedImage | None,
    *,
    grey: bool = False,
) -> Tensor:
    """Return what a run starts from, (1, 3, H, W) in [0, 1].

    Parameters
    ----------
    recipe : Recipe
        Its `init`, `noise`, `noise_spread`, `init_noise` and `seed`.
    shape : tuple of int
        Height and width of the first scale.
    content : MaskedImage or None
        What ``content`` and ``mix`` start from.
    styles : sequence of MaskedImage
        The first is what ``style`` starts from, enlarged to cover the picture at its own aspect.
    image : MaskedImage or None
        What ``image`` starts from, likewise.
    grey : bool
        Whether the picture is grey; its noise then is too.
    """
    if recipe.init == "image":
        assert image is not None
        return image.covering(shape).image.clamp(0, 1)
    if recipe.init == "style":
        return styles[0].covering(shape).image.clamp(0, 1)
    pattern = content or styles[0]
    share = {"content": 0.0, "noise": 1.0, "mix": recipe.init_noise}[recipe.init]
    if not share:
        return pattern.covering(shape).image.clamp(0, 1)
    noise = _noise(recipe, shape, styles[0] if styles else pattern, grey)
    noise = noise.to(pattern.image.device)
    if share == 1:
        return noise
    return torch.lerp(pattern.covering(shape).image, noise, share).clamp(0, 1)


def _noise(recipe: Recipe, shape: tuple[int, int], pattern: MaskedImage, grey: bool) -> Tensor:
    """Return noise in [0, 1], drawn on the CPU: the same for every device."""
    generator = torch.Generator().manual_seed(recipe.seed)
    # One draw for all channels of a grey picture: the mean of three would be fainter.
    size = (1, 1 if grey else 3, *shape)
    middle = torch.tensor(MEAN_COLOUR).view(1, 3, 1, 1)
    deviation: Tensor | float = recipe.noise_spread
    if recipe.noise == "uniform":
        drawn = torch.rand(size, generator=generator).mul_(2).sub_(1)
    else:
        drawn = torch.randn(size, generator=generator)
    if recipe.noise not in ("uniform", "normal"):
        middle, deviation = _moments_of(pattern)
    return (middle + drawn * deviation).float().clamp(0, 1)


def _moments_of(pattern: MaskedImage) -> tuple[Tensor, Tensor]:
    """Return the mean and the spread of each channel, (1, 3, 1, 1)."""
    pixels = pattern.image.cpu().double().flatten(2)
    if pattern.mask is not None:
        pixels = pixels[..., pattern.mask.cpu().flatten() > 0.5]
    mean, spread = pixels.mean(dim=2), pixels.std(dim=2, correction=0)
    return mean[..., None, None], spread[..., None, None]
