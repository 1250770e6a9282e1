"""A convolution of fixed kernels, and its way back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_nst.engine.vgg.strips import adjoint, correlated, with_border, without_border
from napari_nst.engine.vgg.winograd import Winograd


class Convolution:
    """A 3 × 3 convolution whose kernels stay as they are.

    Parameters
    ----------
    module : torch.nn.Conv2d
        With kernels (out, in, 3, 3), a padding of 1 and any padding mode.
    quick : bool
        Multiply as `Winograd` does where it suits, which rounds a little more.
    """

    def __init__(self, module: nn.Conv2d, *, quick: bool = False) -> None:
        self.module = module
        self.quick = quick
        self._turned: Tensor | None = None
        self._winograd: Winograd | None = None

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, out, H, W) for features (N, in, H, W)."""
        weight, bias, mode = self.module.weight, self.module.bias, self.module.padding_mode
        if (quick := self._quick_for(features)) is not None:
            result = quick.forward(with_border(features, mode))
            return result if bias is None else result.add_(bias[:, None, None])
        return correlated(features, weight, bias, mode)

    def backward(self, gradient: Tensor, *, is_own: bool = False) -> Tensor:
        """Return the gradient by the features, given that by the result.

        A gradient that nobody else has, being `own`, may go under.
        """
        mode = self.module.padding_mode
        if (quick := self._quick_for(gradient)) is not None:
            return without_border(quick.backward(gradient), mode)
        return adjoint(gradient, self.turned, mode, is_own=is_own)

    def bytes_for(self, positions: int) -> int:
        """Return what kernels take for both ways of features of so many positions."""
        weight = self.module.weight
        once = weight.numel() * weight.element_size()
        is_quick = self.quick and Winograd.suits(weight, positions)
        return once * (1 + 4 if is_quick else 2)  # of 3 × 3 kernels, places are four times as many

    def _quick_for(self, features: Tensor) -> Winograd | None:
        """Return the quick way, if an image or a gradient is to go it."""
        weight, positions = self.module.weight, features[:, 0].numel()
        if not (self.quick and len(features) == 1 and Winograd.suits(weight, positions)):
            return None
        if self._winograd is None:
            self._winograd = Winograd(weight)
        return self._winograd

    @property
    def turned(self) -> Tensor:
        """The kernels of the way back, (in, out, 3, 3): a convolution's adjoint is one, too."""
        weight = self.module.weight
        if self._turned is None or self._turned.device != weight.device:
            turned = weight.detach().flip(2, 3).transpose(0, 1)
            self._turned = turned.contiguous(memory_format=torch.channels_last)
        return self._turned
