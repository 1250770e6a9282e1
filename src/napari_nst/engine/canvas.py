"""The image as free numbers: what an optimiser may change, and the image that they stand for."""

from __future__ import annotations

import torch
from torch import Tensor


class Canvas:
    """Free numbers ⇄ image, without colour noise where the image is grey.

    Parameters
    ----------
    image_range : {"clip", "free", "tanh"}
        ``clip`` cuts the pixels off at black and white after each step; ``free`` lets them go
        beyond, as most published programs do while they run; ``tanh`` makes pixels
        (tanh x + 1)/2 of free numbers x.
    grey : bool
        One free number per pixel, repeated for the three channels.
    """

    steepest = 0.999
    """Farthest that a pixel of a starting image may lie from mid-grey, of 1, for its tanh's sake:
    beyond it the free numbers are so large that their slope is nothing."""

    def __init__(self, image_range: str = "clip", *, grey: bool = False) -> None:
        self.image_range = image_range
        self.grey = grey

    def numbers(self, image: Tensor) -> Tensor:
        """Return the free numbers of an image (1, 3, H, W) in [0, 1]: (1, 3 or 1, H, W)."""
        if self.grey:
            image = image.mean(dim=1, keepdim=True)
        if self.image_range != "tanh":
            return image
        return torch.atanh((image * 2 - 1).clamp(-self.steepest, self.steepest))

    def image(self, numbers: Tensor) -> Tensor:
        """Return the image (1, 3, H, W) that free numbers stand for; differentiable."""
        if self.image_range == "tanh":
            numbers = (numbers.tanh() + 1) / 2
        return numbers.expand(-1, 3, -1, -1) if self.grey else numbers

    def keep_in_range(self, numbers: Tensor, unit: float) -> None:
        """Cut free numbers off in place where the range says so; white is `unit`."""
        if self.image_range == "clip":
            numbers.clamp_(0, unit)
