"""How a network halves its features, and how large that leaves them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class L2Pool2d(nn.Module):
    """Root mean square of each 2 × 2 window, after Hénaff & Simoncelli 2015.

    Departs from `torch.nn.LPPool2d`, which sums: a mean keeps features at the size they have.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Pool (N, C, H, W) to (N, C, H // 2, W // 2)."""
        # float16 has no square of 256, nor the least number below.
        wide = features.float() if features.dtype == torch.float16 else features
        # A rectifier leaves windows that are all zero, where the root has no slope.
        return functional.avg_pool2d(wide.square(), 2).clamp_min(1e-12).sqrt().to(features.dtype)


POOLINGS: dict[str, Callable[[], nn.Module]] = {
    "max": lambda: nn.MaxPool2d(2),
    "average": lambda: nn.AvgPool2d(2),
    "l2": L2Pool2d,
}

SIZE_OF_MAX = {
    "max": (1.0, 1.0, 1.0, 1.0, 1.0),
    "average": (1.4, 1.6, 1.35, 1.85, 1.85),
    "l2": (1.25, 1.35, 1.25, 1.5, 1.5),
}
"""How much larger the mean of max-pooled features is than that of otherwise pooled ones.

For each of the five poolings, given those before it: over four photographs and textures of
scikit-image and two paintings, on the normalised network; the fifth is taken to be like the fourth.
crowsonkb/style-transfer-pytorch has 2 for average pooling everywhere, and for the l2 norm, which is
twice our mean, 0.78.
"""


class Scaled(nn.Module):
    """What another module returns, times a factor."""

    def __init__(self, module: nn.Module, factor: float) -> None:
        super().__init__()
        self.module = module
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """Scale (N, C, H, W)."""
        scaled: Tensor = self.module(features) * self.factor
        return scaled

    def extra_repr(self) -> str:
        """Say the factor."""
        return f"× {self.factor:g}"


def pooling(name: str, index: int, *, rescale: bool) -> nn.Module:
    """Return the pooling that ends block `index`, counted from 1.

    Parameters
    ----------
    name : {"max", "average", "l2"}
        Of the kind.
    rescale : bool
        Whether to scale what it returns by `SIZE_OF_MAX`.
    """
    factor = SIZE_OF_MAX[name][index - 1] if rescale else 1.0
    return POOLINGS[name]() if factor == 1 else Scaled(POOLINGS[name](), factor)
