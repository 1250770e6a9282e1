"""How the variables of an optimizer become an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.optim.bases import Pixels


@dataclass(frozen=True)
class Parametrization:
    """Maps variables to an image (1, 3, H, W) in [0, 1].

    The variables are the image's coefficients in a basis. A grey image has one channel of variables
    instead of three, and so no colour noise.
    """

    basis: Pixels

    image_range: str = "clip"
    """``clip`` limits pixels to [0, 1] after each step; ``free`` does not, as in most published
    programs; ``tanh`` makes pixels (tanh x + 1)/2 of x, the image of the variables."""

    grey: bool = False
    unit: float = 1.0
    """The variable of a white pixel, except with ``tanh``."""

    steepest = 0.999
    """With ``tanh``, the largest distance of a pixel from mid-grey at the start. Closer to 1, black
    or white, the gradient vanishes."""

    rounding = 1e-5
    """How near to black or white a pixel is taken to be black or white."""

    def variables(self, image: Tensor) -> Tensor:
        """Return variables of an image, contiguous, a copy."""
        if self.grey:
            image = image.mean(dim=1, keepdim=True)
        if self.image_range == "tanh":
            image = torch.atanh((image * 2 - 1).clamp(-self.steepest, self.steepest))
        return self.basis.coefficients(image.detach() * self.unit).contiguous()

    def image(self, variables: Tensor) -> Tensor:
        """Return the image of the variables; differentiable, no copy where none is needed."""
        image = self.basis.image(variables)
        if self.unit != 1:
            image = image / self.unit
        if self.image_range == "tanh":
            image = (image.tanh() + 1) / 2
        return image.expand(-1, 3, -1, -1) if self.grey else image

    def gradient(self, variables: Tensor, by_image: Tensor) -> Tensor:
        """Return the gradient by the variables, given that by the image."""
        if self.grey:
            by_image = by_image.sum(dim=1, keepdim=True)
        if self.image_range == "tanh":
            slope = (self.basis.image(variables) / self.unit).tanh().square()
            by_image = by_image * (1 - slope) / 2
        elif not self.limits_each:
            by_image = by_image.masked_fill(self._is_stopped(variables, by_image), 0)
        return self.basis.gradient(by_image if self.unit == 1 else by_image.div_(self.unit))

    def _is_stopped(self, variables: Tensor, by_image: Tensor) -> Tensor:
        """Return where pixels are black or white and would leave the range.

        They would move the other pixels that depend on the same variables, and variables without
        end.
        """
        image = self.basis.image(variables) / self.unit
        is_black, is_white = image < self.rounding, image > 1 - self.rounding
        return (is_black & (by_image > 0)) | (is_white & (by_image < 0))

    @property
    def limits_each(self) -> bool:
        """Whether `limit` limits each variable by itself, so that any part can be limited."""
        return self.image_range != "clip" or type(self.basis) is Pixels

    def limit(self, variables: Tensor) -> None:
        """Limit the image of variables to black and white in place, if the range is ``clip``.

        With other bases than pixels, the nearest image in the range is taken up to rounding: bands
        change at their finest level alone.
        """
        if self.image_range != "clip":
            return
        if self.limits_each:
            variables.clamp_(0, self.unit)
        else:
            image = self.basis.image(variables)
            variables += self.basis.coefficients(image.clamp(0, self.unit) - image)
