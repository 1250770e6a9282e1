"""What a run starts from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.run.shelf import MEMORY, Shelf
from napari_nst.engine.tiling.spans import length_of
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
    rows: slice | None = None,
    shelf: Shelf = MEMORY,
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
    shelf : Shelf
        Where it lies.
    """
    rows = rows or slice(0, shape[0])
    size = (1, 3, length_of(rows), shape[1])

    def cut_off(given: Tensor) -> Tensor:
        return shelf.filled(size, lambda part: given[:, :, part].clamp(0, 1))

    if recipe.init == "image":
        assert image is not None
        return cut_off(image.covering(shape, rows, shelf).image)
    if recipe.init == "style":
        return cut_off(styles[0].covering(shape, rows, shelf).image)
    pattern = content or styles[0]
    share = {"content": 0.0, "noise": 1.0, "mix": recipe.init_noise}[recipe.init]
    if not share:
        return cut_off(pattern.covering(shape, rows, shelf).image)
    noise = _noise(recipe, shape, rows, styles[0] if styles else pattern, grey, shelf)
    noise = noise.to(pattern.image.device)
    if share == 1:
        return noise
    beneath = pattern.covering(shape, rows, shelf).image
    return shelf.filled(
        size,
        lambda part: torch.lerp(beneath[:, :, part].to(noise), noise[:, :, part], share).clamp(
            0, 1
        ),
    )


def _noise(
    recipe: Recipe,
    shape: tuple[int, int],
    rows: slice,
    pattern: MaskedImage,
    grey: bool,
    shelf: Shelf,
) -> Tensor:
    """Return rows of noise in [0, 1], drawn on the processor: the same for every device."""
    generator = torch.Generator().manual_seed(recipe.seed)
    # One draw for all channels of a grey picture: the mean of three would be fainter.
    size = (1, 1 if grey else 3, *shape)
    drawn = shelf.empty(size, torch.float32, torch.device("cpu"))
    middle = torch.tensor(MEAN_COLOUR).view(1, 3, 1, 1)
    spread: Tensor | float = recipe.noise_spread
    if recipe.noise == "uniform":
        torch.rand(size, generator=generator, out=drawn)
        drawn.mul_(2).sub_(1)
    else:
        torch.randn(size, generator=generator, out=drawn)
    if recipe.noise not in ("uniform", "normal"):
        middle, spread = _moments_of(pattern)
    own = drawn[:, :, rows]
    return shelf.filled(
        (1, 3, *own.shape[2:]),
        lambda part: (middle + own[:, :, part] * spread).float().clamp(0, 1),
    )


def _moments_of(pattern: MaskedImage) -> tuple[Tensor, Tensor]:
    """Return the mean and the spread of each channel, (1, 3, 1, 1)."""
    pixels = pattern.image.cpu().double().flatten(2)
    if pattern.mask is not None:
        pixels = pixels[..., pattern.mask.cpu().flatten() > 0.5]
    mean, spread = pixels.mean(dim=2), pixels.std(dim=2, correction=0)
    return mean[..., None, None], spread[..., None, None]
