"""Gradients that float16 can hold on their way back through the network.

It has nothing above 65504, and below 6e-8 nothing but 0, which is what most gradients by features
of a large image are. So losses go back multiplied by a factor that the pixels divide by again
(Micikevicius et al. 2018, "Mixed Precision Training").
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

FIRST, LEAST = 2.0**24, 2.0**-60
"""What is tried first, and what is no longer: recipes' gradients differ by ten orders."""

STRIDE = 2.0**12
"""How much less is tried where gradients were infinite. Two strides less than the most that is
possible still lose nothing: at 64 px, the default recipe, all of 2 to 2²⁴ leave the gradient by
pixels equally exact."""


class LossScale:
    """The factor by which gradients are larger within the network than outside.

    A power of two, so that nothing is rounded by it. Departs from torch's `GradScaler`, which
    leaves out a step whose gradient has become infinite: an optimiser that learns from every step
    would take that for a fact, so the same gradient is computed once more, with less.

    Parameters
    ----------
    dtype : torch.dtype
        Of the network; formats with the exponents of float32 need none, and have 1 for good.

    Attributes
    ----------
    factor : float
        What it is now.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.is_needed = dtype == torch.float16
        self.factor = FIRST if self.is_needed else 1.0

    def magnified(self, loss: Tensor) -> Tensor:
        """Return a loss from which gradients set out larger by the factor."""
        return _scaled(loss, self.factor)

    def reduced(self, image: Tensor) -> Tensor:
        """Return an image, float32, at which gradients arrive as if there were no factor."""
        return _scaled(image, 1 / self.factor)

    def begin(self) -> None:
        """Try a little more, where another scale begins: of more pixels each counts less."""
        if self.is_needed:
            self.factor *= 2

    def lower(self) -> bool:
        """Take less, after gradients that were infinite; return whether that is worth a try."""
        if not self.is_needed or self.factor <= LEAST:
            return False
        self.factor /= STRIDE
        return True


def _scaled(value: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return value
    scaled: Tensor = _Scaled.apply(value, factor)
    return scaled


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return value.view_as(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None
