"""A style loss for each region of an image."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from napari_nst.engine.losses.base import StyleLoss

_GROWTH = {"raw": 2, "per_element": 1, "sum": 1}
"""Norm → power of the number of positions that a loss grows with; norms not named are means."""


class GuidedLoss(nn.Module):
    """Style losses of the regions of one layer, each masked to its region (Gatys et al. 2017).

    The statistics of a region are means over its own positions, so a region may have another share
    of the image than its exemplar has of the style. Programs that multiply features by a guide and
    divide by all positions need equal shares.

    Gatys et al. weight each of n regions by 1/n; then each pixel of a small region has a larger
    gradient than each pixel of a large one. Here a region is weighted by its share of the image
    (norms that are sums over positions by a factor with the same effect). So every pixel has the
    gradient that it has without guides, and style keeps its weight relative to content.

    Parameters
    ----------
    losses : mapping of int to StyleLoss
        Label → the loss with the region as its mask; may be empty.
    shares : mapping of int to float
        Label → the region's share of the image, in [0, 1].
    """

    def __init__(self, losses: Mapping[int, StyleLoss], shares: Mapping[int, float]) -> None:
        super().__init__()
        self.regions = nn.ModuleDict({str(label): loss for label, loss in losses.items()})
        self.factors = {
            str(label): shares[label] ** (1 - _GROWTH.get(loss.norm, 0))
            for label, loss in losses.items()
        }

    @property
    def summands(self) -> list[tuple[float, nn.Module]]:
        """Each region's factor and loss."""
        return [(self.factors[label], loss) for label, loss in self.regions.items()]

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with each region's exemplars."""
        loss = features[:0].sum().float()  # 0 with a gradient of 0, even without any region
        for factor, of_region in self.summands:
            loss = loss + factor * of_region(features)
        return loss

    def extra_repr(self) -> str:
        """Return each region's factor."""
        return ", ".join(f"{label} × {factor:.3g}" for label, factor in self.factors.items())
