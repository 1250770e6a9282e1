"""Keeping the features of the content, position by position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from napari_nst.engine.losses.base import FeatureLoss
from napari_nst.engine.losses.statistics import full_precision, refuse_other_size


@dataclass(frozen=True)
class Part:
    """What a target has of a layer, where others have the rest.

    Attributes
    ----------
    rows : slice
        Of the layer's positions.
    total : callable
        Adds a number up over all parts.
    """

    rows: slice
    total: Callable[[float], float]


class ContentLoss(FeatureLoss):
    """Squared difference F − P from the features of the content (Gatys et al. 2016, eq. 1).

    Parameters
    ----------
    target : Tensor
        P, the features of the content at one layer, (1, C, H, W).
    norm : {"mean", "relative", "sum"}
        mean (F − P)²; that divided by the target's energy, mean P²; or Σ (F − P)². The half that
        published sums have before them belongs into the weight.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], weights of the positions in all of these means and sums.
    part : Part, optional
        What the target has of all that the mask and the norm are of.

    Raises
    ------
    ValueError
        If there is no such norm, or the mask counts no position or has another size.
    """

    norms: ClassVar = ("relative", "mean", "sum")
    target: Tensor

    def __init__(
        self,
        target: Tensor,
        *,
        norm: str = "mean",
        mask: Tensor | None = None,
        part: Part | None = None,
    ) -> None:
        super().__init__(norm, mask)
        if mask is not None:
            own = mask if part is None else mask[:, :, part.rows].clone()  # the others' can go
            refuse_other_size(own, target)
            self.mask = own.to(target.device)
        self._total: Callable[[float], float] = float if part is None else part.total
        self.register_buffer("target", target.detach(), persistent=False)
        self.divisor = self._divisor()

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the target's."""
        return self.of_part(features, (slice(None), slice(None)))

    def of_part(self, features: Tensor, window: tuple[slice, slice]) -> Tensor:
        """Return what some positions have of the loss; parts that make the whole add up to it.

        Parameters
        ----------
        features : Tensor
            (1, C, h, w), of these positions; the target may lie on another device.
        window : tuple of slice
            Rows and columns of the target that they are.
        """
        part = (..., *window)
        target = self.target[part].to(features.device)
        difference = full_precision(features) - full_precision(target)
        mask = None if self.mask is None else self.mask[part].to(features.device)
        return _sum_of_squares(difference, mask) / self.divisor

    def _divisor(self) -> float:
        if self.norm == "sum":
            return 1.0
        if self.norm == "relative":
            # A black target leaves its error as it is.
            # Some channels at a time: of a large picture all of them in float32 take a gigabyte.
            parts = self.target.chunk(8, dim=1)
            energy = sum(_sum_of_squares(full_precision(part), self.mask) for part in parts)
            if of_all := self._total(float(energy)):
                return of_all
        count = self.target[0, 0].numel() if self.mask is None else float(self.mask.sum())
        return self.target.shape[1] * self._total(count)


def _sum_of_squares(values: Tensor, mask: Tensor | None) -> Tensor:
    squares = values.square()
    return (squares if mask is None else squares * mask).sum()
