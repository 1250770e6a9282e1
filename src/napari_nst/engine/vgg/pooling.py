"""The poolings that end the blocks of VGG-19, and how large they leave the features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class L2Pool2d(nn.Module):
    """Root mean square of each 2 × 2 window, after Hénaff & Simoncelli 2015.

    `torch.nn.LPPool2d` has the sum instead of the mean, which would double the features.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Pool (N, C, H, W) to (N, C, H // 2, W // 2)."""
        # float16 holds neither 256² nor 1e-12.
        wide = features.float() if features.dtype == torch.float16 else features
        # Behind a ReLU some windows are all 0, where the square root has no finite gradient.
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
"""Ratio of the mean of max-pooled features to the mean of features pooled otherwise, by block.

Measured on the normalized network with four photographs and textures of scikit-image and two
paintings; the fifth value is a copy of the fourth. crowsonkb/style-transfer-pytorch has 2 for
average pooling in all blocks, and 0.78 for the l2 norm, which is twice our root mean square.
"""


class Scaled(nn.Module):
    """The output of another module, times a factor."""

    def __init__(self, module: nn.Module, factor: float) -> None:
        super().__init__()
        self.module = module
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """Return scaled features (N, C, H, W)."""
        scaled: Tensor = self.module(features) * self.factor
        return scaled


def pooling_module(name: str, block: int, *, rescale: bool) -> nn.Module:
    """Return the pooling that ends a block, counted from 1; `rescale` it by `SIZE_OF_MAX`."""
    factor = SIZE_OF_MAX[name][block - 1] if rescale else 1.0
    return POOLINGS[name]() if factor == 1 else Scaled(POOLINGS[name](), factor)
