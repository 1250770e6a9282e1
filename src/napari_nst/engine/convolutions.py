"""A convolution of fixed kernels, and its way back."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Convolution:
    """A 3 × 3 convolution whose kernels stay as they are.

    Parameters
    ----------
    module : torch.nn.Conv2d
        With kernels (out, in, 3, 3), a padding of 1 and any padding mode.
    """

    def __init__(self, module: nn.Conv2d) -> None:
        self.module = module
        self._turned: Tensor | None = None

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, out, H, W) for features (N, in, H, W)."""
        weight, bias, mode = self.module.weight, self.module.bias, self.module.padding_mode
        if mode == "zeros":
            return functional.conv2d(features, weight, bias, padding=1)
        return functional.conv2d(functional.pad(features, (1, 1, 1, 1), mode), weight, bias)

    def backward(self, gradient: Tensor) -> Tensor:
        """Return the gradient by the features, given that by the result."""
        mode = self.module.padding_mode
        if mode == "zeros":
            return functional.conv2d(gradient, self.turned, padding=1)
        return _folded(functional.conv2d(gradient, self.turned, padding=2), mode)

    @property
    def turned(self) -> Tensor:
        """The kernels of the way back, (in, out, 3, 3): a convolution's adjoint is one, too."""
        weight = self.module.weight
        if self._turned is None or self._turned.device != weight.device:
            turned = weight.detach().flip(2, 3).transpose(0, 1)
            self._turned = turned.contiguous(memory_format=torch.channels_last)
        return self._turned


def _folded(padded: Tensor, mode: str) -> Tensor:
    """Return the gradient by features, given that by the same with a border of one around."""
    # Which row or column the border is a copy of, from the near end and from the far one.
    near, far = {"replicate": (1, -2), "reflect": (2, -3), "circular": (-2, 1)}[mode]
    for dim in (2, 3):
        padded.select(dim, near).add_(padded.select(dim, 0))
        padded.select(dim, far).add_(padded.select(dim, -1))
    return padded[..., 1:-1, 1:-1]
