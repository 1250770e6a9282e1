"""How the variables of an optimizer become an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Parametrization:
    """Maps variables to an image (1, 3, H, W) in [0, 1].

    A grey image has one variable per pixel instead of three, and so no colour noise.
    """

    image_range: str = "clip"
    """``clip`` limits pixels to [0, 1] after each step; ``free`` does not, as in most published
    programs; ``tanh`` makes pixels (tanh x + 1)/2 of variables x."""

    grey: bool = False
    unit: float = 1.0
    """The variable of a white pixel, except with ``tanh``."""

    steepest = 0.999
    """With ``tanh``, the largest distance of a pixel from mid-grey at the start. Closer to 1, black
    or white, the gradient vanishes."""

    def variables(self, image: Tensor) -> Tensor:
        """Return the variables of an image, (1, 3 or 1, H, W), contiguous, a copy."""
        if self.grey:
            image = image.mean(dim=1, keepdim=True)
        if self.image_range == "tanh":
            image = torch.atanh((image * 2 - 1).clamp(-self.steepest, self.steepest))
        return (image.detach() * self.unit).contiguous()

    def image(self, variables: Tensor) -> Tensor:
        """Return the image of the variables; differentiable, no copy where none is needed."""
        image = variables if self.unit == 1 else variables / self.unit
        if self.image_range == "tanh":
            image = (image.tanh() + 1) / 2
        return image.expand(-1, 3, -1, -1) if self.grey else image

    def gradient(self, variables: Tensor, by_image: Tensor) -> Tensor:
        """Return the gradient by the variables, given that by the image."""
        if self.grey:
            by_image = by_image.sum(dim=1, keepdim=True)
        if self.image_range == "tanh":
            by_image = by_image * (1 - (variables / self.unit).tanh().square()) / 2
        return by_image if self.unit == 1 else by_image.div_(self.unit)

    def limit(self, variables: Tensor) -> None:
        """Limit variables to black and white in place, if the range is ``clip``."""
        if self.image_range == "clip":
            variables.clamp_(0, self.unit)
