"""Losses whose gradient is computed beside them, and handed to whoever goes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def with_gradient(loss: Callable[[Tensor], Tensor], values: Tensor) -> tuple[Tensor, Tensor]:
    """Return a loss of values, and its gradient by them."""
    leaf = values.detach().requires_grad_()
    with torch.enable_grad():
        value = loss(leaf)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def once_asked(slope: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Return 0, whose gradient by values is what `slope` makes of them.

    It is called on the way back: of several such numbers, gradients are there one at a time.
    """
    zero: Tensor = _OnceAsked.apply(values, slope)
    return zero


def known(image: Tensor, gradient: Tensor, parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return parts of a total that go back to an image by a gradient that is known.

    Parameters
    ----------
    image : Tensor
        What the parts were computed of.
    gradient : Tensor
        Of their sum, by the image. Going back from the parts otherwise raises a `ValueError`.
    parts : dict of str to Tensor
        Scalars.
    """
    values = _Known.apply(image, gradient, torch.stack(list(parts.values())))
    return dict(zip(parts, values.unbind(), strict=True))


class _OnceAsked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, slope: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(values)
        ctx.slope = slope
        return torch.zeros((), device=values.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (values,) = ctx.saved_tensors
        return ctx.slope(values), None


class _Known(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, gradient: Tensor, values: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return values.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        if not torch.equal(upstream, upstream[:1].expand_as(upstream)):
            raise ValueError(
                "The parts of a tiled objective have no gradients of their own; add them up first."
            )
        (gradient,) = ctx.saved_tensors
        # Of a large image another copy is worth avoiding.
        return gradient if upstream[0] == 1 else gradient * upstream[0], None, None
