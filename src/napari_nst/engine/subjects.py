"""Images that a run looks at, with what counts of them, at whatever size a scale wants."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.images import resize, to_tensor
from napari_nst.engine.pixels import InputImage, shape_fitting
from napari_nst.engine.scales import Scale
from napari_nst.recipe import Recipe

LARGEST_STYLE = 2
"""How many times as long as the picture a style in physical units may be: of a larger one the
middle is taken, which bounds memory and has statistics enough."""


@dataclass(frozen=True, eq=False)
class Subject:
    """An image on the device.

    Attributes
    ----------
    image : Tensor
        (1, 3, H, W), RGB in [0, 1].
    mask : Tensor or None
        (1, 1, H, W) in [0, 1]: how much each pixel counts; None where all count alike.
    """

    image: Tensor
    mask: Tensor | None = None

    @classmethod
    def of(cls, image: InputImage, device: torch.device) -> Subject:
        """Bring a checked image onto the device, its hidden pixels painted over."""
        pixels = to_tensor(image.rgb, device)
        if image.alpha is None:
            return cls(pixels)
        mask = torch.from_numpy(image.alpha.copy())[None, None].to(device)
        # The network looks beyond the border of what is visible, and shall find nothing there.
        visible = mask > 0
        mean = (pixels * visible).sum(dim=(2, 3), keepdim=True) / visible.sum()
        return cls(torch.where(visible, pixels, mean), mask)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.shape[-2], self.image.shape[-1]

    def resized(self, shape: tuple[int, int]) -> Subject:
        """Return the subject resampled to a height and width."""
        mask = None if self.mask is None else resize(self.mask, shape, smooth=False)
        return Subject(resize(self.image, shape), mask)

    def middle(self, shape: tuple[int, int]) -> Subject:
        """Return the middle, at most `shape` large."""
        height, width = (min(own, wanted) for own, wanted in zip(self.shape, shape, strict=True))
        top, left = (self.shape[0] - height) // 2, (self.shape[1] - width) // 2
        window = (..., slice(top, top + height), slice(left, left + width))
        return Subject(self.image[window], None if self.mask is None else self.mask[window])

    def covering(self, shape: tuple[int, int]) -> Subject:
        """Return the subject scaled to cover `shape` at its own aspect, and cut to it."""
        factor = max(shape[0] / self.shape[0], shape[1] / self.shape[1])
        if all(own * factor <= want + 1 for own, want in zip(self.shape, shape, strict=True)):
            return self.resized(shape)  # the same aspect, but for rounding
        height, width = (math.ceil(side * factor - 1e-6) for side in self.shape)
        return self.resized((max(height, shape[0]), max(width, shape[1]))).middle(shape)


def style_at(
    style: Subject, scale: Scale, recipe: Recipe, least: int, relative_pixel: float | None
) -> Subject:
    """Return a style at the size that a scale wants it in.

    Parameters
    ----------
    style : Subject
        As it came.
    scale : Scale
        Where the run is.
    recipe : Recipe
        Its `style_scale`: a style is never enlarged beyond its own pixels times that.
    least : int
        How many pixels the network needs on both sides.
    relative_pixel : float or None
        For a style in physical units: its pixel's size over that of the picture at this scale.
    """
    own = max(style.shape)
    if relative_pixel is None:
        longest = min(scale.longest, own) * recipe.style_scale
    else:
        longest = own * relative_pixel * recipe.style_scale
        largest = LARGEST_STYLE * max(scale.shape)
        if longest > largest:
            side = math.ceil(own * largest / longest)
            style = style.middle((max(side, least), max(side, least)))
            longest *= max(style.shape) / own
    narrow = max(style.shape) / min(style.shape) * least
    return style.resized(_at_least(shape_fitting(style.shape, round(max(longest, narrow))), least))


def _at_least(shape: tuple[int, int], least: int) -> tuple[int, int]:
    return max(shape[0], least), max(shape[1], least)
