"""Sliced Wasserstein distance of features at random positions, along new random directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.losses.base import Exemplar, SampledExemplar, StyleLoss
from napari_nst.engine.losses.sampled import ONE_LAYER, Sampled, pooled
from napari_nst.engine.losses.wasserstein import order_of, sorted_rows


class SampledWassersteinLoss(Sampled, StyleLoss):
    """`SlicedWassersteinLoss` (Heitz et al. 2021) of some positions, drawn anew at each `redraw`.

    With so many samples that their sorted projections hardly vary, it is the same loss in less
    time, and it can be computed in tiles. Several styles are compared with as one image made of
    all of them, in which each has its share; `SlicedWassersteinLoss` averages sorted projections.

    Parameters
    ----------
    exemplars : sequence of Exemplar or SampledExemplar
        The styles.
    norm : {"relative", "mean"}
        "mean": squared difference of sorted projections, averaged over directions and positions.
        "relative": that, divided by the styles' mean square.
    mask : Tensor, optional
        (1, 1, H, W). Of the image as of the styles, positions with a mask above 0.5 count.
    projections : int
        Number of directions; 0 means one for each channel, as in the paper.
    samples, style_samples, layers, seed
        As for `RelaxedEMDLoss`.
    """

    norms: ClassVar = ("relative", "mean")
    styles: Tensor
    weights: Tensor

    def __init__(
        self,
        exemplars: Sequence[Exemplar | SampledExemplar],
        *,
        norm: str = "relative",
        mask: Tensor | None = None,
        projections: int = 0,
        samples: int = 1024,
        style_samples: int = 4096,
        layers: Mapping[str, float] = ONE_LAYER,
        seed: int = 0,
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        self.layers, self.projections = layers, projections
        pool, weights = pooled(exemplars, style_samples, seed)
        self.register_buffer("styles", pool.vectors, persistent=False)
        self.register_buffer("weights", weights, persistent=False)
        squares = pool.vectors.square().mean(dim=1)
        energy = float((squares * weights).sum()) or 1.0
        self.energy = energy if norm == "relative" else 1.0
        self._seeded(samples, seed)

    def compare(self, vectors: Tensor) -> Tensor:
        """Compare vectors (K, C) of the image with the styles' along the current directions."""
        directions = self._directions(vectors)
        projected = directions @ vectors.mT
        with torch.no_grad():
            ordered = self._at_ranks(directions @ self.styles.to(vectors).mT, len(vectors))
            target = torch.empty_like(projected).scatter_(1, order_of(projected.detach()), ordered)
        return (projected - target).square().mean() / self.energy

    def extra_repr(self) -> str:
        """Return the settings."""
        sizes = f"samples={self.samples}, style_samples={len(self.styles)}"
        return f"{super().extra_repr()}, projections={self.projections}, {sizes}"

    def _directions(self, vectors: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(self._seed)
        shape = (self.projections or vectors.shape[1], vectors.shape[1])
        return functional.normalize(torch.randn(shape, generator=generator), dim=1).to(vectors)

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
