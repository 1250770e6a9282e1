"""The content loss: squared difference of features, position by position."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from napari_nst.engine.losses.base import FeatureLoss
from napari_nst.engine.losses.moments import full_precision, refuse_other_size


class ContentLoss(FeatureLoss):
    """Squared difference F − P from the features of the content (Gatys et al. 2016, eq. 1).

    Parameters
    ----------
    target : Tensor
        P, the features of the content at one layer, (1, C, H, W).
    norm : {"mean", "relative", "sum"}
        mean (F − P)²; that divided by the target's energy, mean P²; or Σ (F − P)². Published sums
        have a factor ½, which here is part of the weight.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], weights of the positions in all of these means and sums. ValueError
        if it has another size than the target.
    """

    norms: ClassVar = ("relative", "mean", "sum")
    target: Tensor

    def __init__(self, target: Tensor, *, norm: str = "mean", mask: Tensor | None = None) -> None:
        super().__init__(norm, mask)
        if mask is not None:
            refuse_other_size(mask, target.shape[2:])
            self.mask = mask.to(target.device)
        self.register_buffer("target", target.detach(), persistent=False)
        self.divisor = self._divisor()

    def aim(self, target: Tensor) -> None:
        """Take another target of the same size, whose differences are scaled as before."""
        self.target = target.detach()

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the target's."""
        return self.in_window(features, (slice(None), slice(None)))

    def in_window(self, features: Tensor, window: tuple[slice, slice]) -> Tensor:
        """Return the loss of features (1, C, h, w) in a window: rows and columns of the target."""
        target = self.target[(..., *window)].to(features.device)
        difference = full_precision(features) - full_precision(target)
        mask = None if self.mask is None else self.mask[(..., *window)].to(features.device)
        return _sum_of_squares(difference, mask) / self.divisor

    def _divisor(self) -> float:
        if self.norm == "sum":
            return 1.0
        if self.norm == "relative":
            # Some channels at a time: of a large image all of them in float32 take a gigabyte.
            parts = self.target.chunk(8, dim=1)
            energy = sum(_sum_of_squares(full_precision(part), self.mask) for part in parts)
            if float(energy):
                return float(energy)
            # The target is black, and "relative" is the same as "mean".
        count = self.target[0, 0].numel() if self.mask is None else float(self.mask.sum())
        return self.target.shape[1] * count


def _sum_of_squares(values: Tensor, mask: Tensor | None) -> Tensor:
    squares = values.square()
    return (squares if mask is None else squares * mask).sum()
