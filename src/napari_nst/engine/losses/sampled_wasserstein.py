"""Sliced Wasserstein distance of features at random positions, along new random directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from napari_nst.engine.losses.base import Exemplar, SampledExemplar
from napari_nst.engine.losses.sampled import SampledStyleLoss
from napari_nst.engine.losses.wasserstein import order_of, random_directions, sorted_rows


class SampledWassersteinLoss(SampledStyleLoss):
    """`SlicedWassersteinLoss` (Heitz et al. 2021) of some positions, drawn anew at each `redraw`.

    With so many samples that their sorted projections hardly vary, it is the same loss in less
    time, and it can be computed in tiles. Several styles are compared with as one image made of
    all of them, in which each has its share; `SlicedWassersteinLoss` averages sorted projections.

    Parameters
    ----------
    exemplars, mask, samples, style_samples, layers, seed
        As for every `SampledStyleLoss`.
    norm : {"relative", "mean"}
        "mean": squared difference of sorted projections, averaged over directions and positions.
        "relative": that, divided by the styles' mean square.
    projections : int
        Number of directions, drawn with the positions; 0 means one for each channel, as in the
        paper.
    """

    def __init__(
        self,
        exemplars: Sequence[Exemplar | SampledExemplar],
        *,
        projections: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(exemplars, **settings)
        self.projections = projections
        energy = float((self.styles.square().mean(dim=1) * self.weights).sum()) or 1.0
        self.energy = energy if self.norm == "relative" else 1.0

    def compare(self, vectors: Tensor) -> Tensor:
        """Compare vectors (K, C) of the image with the styles' along the current directions."""
        generator = torch.Generator().manual_seed(self._seed)
        directions = random_directions(self.projections, vectors.shape[1], generator).to(vectors)
        projected = directions @ vectors.mT
        with torch.no_grad():
            ordered = self._at_ranks(directions @ self.styles.to(vectors).mT, len(vectors))
            target = torch.empty_like(projected).scatter_(1, order_of(projected.detach()), ordered)
        return (projected - target).square().mean() / self.energy

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{super().extra_repr()}, projections={self.projections}"

    def _at_ranks(self, projected: Tensor, number: int) -> Tensor:
        """Return sorted projections (P, n) of the styles at the quantiles (i + ½)/number."""
        quantiles = (torch.arange(number, device=projected.device) + 0.5) / number
        if bool((self.weights == self.weights[0]).all()):
            ordered = sorted_rows(projected)
            return ordered[:, (quantiles * ordered.shape[1]).long()]
        order = order_of(projected)
        shares = self.weights[order].cumsum(dim=1)
        at = torch.searchsorted(shares, quantiles.to(shares).expand(len(shares), -1).contiguous())
        at = at.clamp_max(projected.shape[1] - 1)
        return projected.gather(1, order.gather(1, at))
