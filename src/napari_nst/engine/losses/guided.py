"""A style loss for each region of an image."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from napari_nst.engine.losses.base import StyleLoss

_GROWTH = {"raw": 2, "per_element": 1, "sum": 1}
"""With which power of the number of positions a norm's losses grow; the others are means."""


class GuidedLoss(nn.Module):
    """Style losses of the regions of one layer, each masked to its region (Gatys et al. 2017).

    Every region's statistics are means over its own positions, so that of a region with a tenth of
    the image and an exemplar with nine tenths of a style the same is asked as of two of one size.
    Programs that multiply features by a guide and divide by all positions ask for a ninth there.

    A region counts by its share of the image, where Gatys et al. give each 1/n. The gradient of a
    mean goes by one over the region's size, so that with equal weights each pixel of a small
    region is pulled harder than each of a large one, and all harder or less hard as regions are
    drawn. By their shares every pixel is pulled as it is without guides, and what a recipe's style
    weight is beside its content weight stays so. Sums over positions are weighted to the same end.

    Parameters
    ----------
    losses : mapping of int to StyleLoss
        Label → its loss, with the region as its mask; there may be none.
    shares : mapping of int to float
        Label → the share of the image that is its region, of 1.
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
        """Each region's loss, with the factor before it."""
        return [(self.factors[label], loss) for label, loss in self.regions.items()]

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with each region's exemplars."""
        loss = features[:0].sum().float()  # 0, with a gradient, where every region is left out
        for factor, of_region in self.summands:
            loss = loss + factor * of_region(features)
        return loss

    def extra_repr(self) -> str:
        """Say what each region counts."""
        return ", ".join(f"{label} × {factor:.3g}" for label, factor in self.factors.items())
