"""The distance between whole distributions of features, along random directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.losses.base import Exemplar, StyleLoss
from napari_nst.engine.losses.moments import full_precision, mean_square, refuse_other_size


class SlicedWassersteinLoss(StyleLoss):
    """Mean squared difference of sorted projections of features onto random directions.

    Heitz et al. 2021, "A Sliced Wasserstein Loss for Neural Texture Synthesis". It is 0 for every
    direction only if the distributions are the same; equal moments are not enough. The paper draws
    new directions for every evaluation. Here the caller draws them with `redraw`, because a line
    search has to evaluate the same function several times.

    Parameters
    ----------
    exemplars : sequence of Exemplar
        The styles. The sorted projections of several styles are averaged by their shares, which is
        the Wasserstein barycentre along each direction. Positions with a mask above 0.5 count.
    norm : {"mean", "relative"}
        Mean over directions and positions, or that divided by the styles' mean square.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1]; positions of the image with a mask above 0.5 count.
    projections : int
        Number of directions; 0 means one per channel, as in the paper.
    seed : int
        Seed of the directions, which are the same on every device.

    Raises
    ------
    ValueError
        If a mask is nowhere above 0.5.
    """

    styles: Tensor
    selected: Tensor | None
    directions: Tensor
    ordered: Tensor

    def __init__(
        self,
        exemplars: Sequence[Exemplar],
        *,
        norm: str = "mean",
        mask: Tensor | None = None,
        projections: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        styles = [_vectors(e.features.detach(), _indices(e.mask)) for e in exemplars]
        self.shares = [exemplar.share for exemplar in exemplars]
        self.sizes = [style.shape[1] for style in styles]
        self.projections = projections or styles[0].shape[0]
        self.seed = seed
        squares = sum(
            share * mean_square(style) for share, style in zip(self.shares, styles, strict=True)
        )
        self.energy = (squares or 1.0) if norm == "relative" else 1.0
        self.register_buffer("styles", torch.cat(styles, dim=1), persistent=False)
        self.register_buffer("selected", _indices(mask), persistent=False)
        self.register_buffer("directions", None, persistent=False)
        self.register_buffer("ordered", None, persistent=False)
        # Random numbers of the CPU are the same everywhere; every GPU has its own.
        self._generator = torch.Generator().manual_seed(seed)
        self.redraw()

    @torch.no_grad()
    def redraw(self) -> None:
        """Draw the directions of all evaluations until the next call."""
        shape = (self.projections, self.styles.shape[0])
        directions = torch.randn(shape, generator=self._generator)
        self.directions = functional.normalize(directions, dim=1).to(self.styles)
        projected = torch.split(self.directions @ self.styles, self.sizes, dim=1)
        self.ordered = torch.cat([_sorted(style) for style in projected], dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the styles' along the current directions."""
        if self.mask is not None:
            refuse_other_size(self.mask, features)
        projected = self.directions @ _vectors(features, self.selected)
        return (projected - self._target(projected.detach())).square().mean() / self.energy

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{super().extra_repr()}, projections={self.projections}, seed={self.seed}"

    @torch.no_grad()
    def _target(self, projected: Tensor) -> Tensor:
        """Return, for each projection (P, M), the styles' projection with the same rank."""
        styles = torch.split(self.ordered, self.sizes, dim=1)
        resampled = [
            share * _at_quantiles(style, projected.shape[1])
            for share, style in zip(self.shares, styles, strict=True)
        ]
        ordered = torch.stack(resampled).sum(dim=0)
        return torch.empty_like(projected).scatter_(1, _order(projected), ordered)


def _at_quantiles(ordered: Tensor, number: int) -> Tensor:
    """Interpolate the n sorted values of each row at the quantiles (i + ½)/number.

    The j-th value is the (j + ½)/n quantile, and values are constant beyond the first and the last
    one; `interpolate` aligns samples in this way. The paper repeats values instead, and so needs
    sizes that divide each other.
    """
    if ordered.shape[1] == number:
        return ordered
    return functional.interpolate(ordered[None], size=number, mode="linear")[0]


# On CPUs, NumPy's vectorised sorting takes a seventh of torch's time with indices, and a fiftieth
# without.


def _sorted(rows: Tensor) -> Tensor:
    if rows.device.type == "cpu":
        return torch.from_numpy(np.sort(rows.numpy(), axis=1))
    return rows.sort(dim=1).values


def _order(rows: Tensor) -> Tensor:
    """Return the indices that sort each row."""
    if rows.device.type == "cpu":
        return torch.from_numpy(np.argsort(rows.numpy(), axis=1))
    return rows.argsort(dim=1)


def _indices(mask: Tensor | None) -> Tensor | None:
    """Return the indices of the positions with a mask above 0.5."""
    if mask is None:
        return None
    selected = (mask.flatten() > 0.5).nonzero().squeeze(1)
    if not len(selected):
        raise ValueError(
            "mask is above 0.5 at no position of the features, and SlicedWassersteinLoss compares "
            "only such positions; mark a larger region."
        )
    return selected


def _vectors(features: Tensor, selected: Tensor | None) -> Tensor:
    """Return the positions of features (1, C, H, W) that count, as (C, M)."""
    vectors = full_precision(features)[0].flatten(1)
    return vectors if selected is None else vectors.index_select(1, selected)
