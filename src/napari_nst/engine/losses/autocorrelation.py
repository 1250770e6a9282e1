"""Autocorrelation of features: how a texture repeats over long distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from napari_nst.engine.losses.base import Exemplar, StyleLoss
from napari_nst.engine.losses.moments import full_precision, refuse_other_size

CHANNELS_AT_A_TIME = 16
"""How many channels are transformed at a time: at 1024 px a few hundred megabytes."""

LEAST_PAIRS = 0.5
"""Fewer pairs of positions than this are a rounding error of their number, 0."""

Size = tuple[int, int]
"""Height and width."""

Lags = tuple[int, int] | None
"""The largest distances down and across, both ways; None: all distances of a periodic image."""


class AutocorrelationLoss(StyleLoss):
    """Squared difference of each channel's autocorrelation from the style's.

    The autocorrelation of a channel f is the mean of f(p) f(p + t) over all positions p, for each
    distance t (rows and columns). A Gram matrix has only t = 0, so it does not know that bricks
    follow each other. Gonthier et al. 2022, "High-Resolution Neural Texture Synthesis with
    Long-Range Constraints", compare |FFT f|²/M², whose sum of squares is the mean of squares here.

    As in their program, an image and a style of equal size are taken as periodic. For other sizes,
    where the program fails, and for masks, only pairs of positions inside are averaged, up to half
    of the smallest height and width; each distance is then weighted by its share of such pairs.

    Parameters
    ----------
    exemplars : sequence of Exemplar
        The styles. Their autocorrelations are averaged by their shares.
    norm : {"mean", "relative", "per_channel"}
        Mean over channels and distances; that divided by the mean square of the styles'
        autocorrelations; or the mean divided by the number of channels, as in Gonthier's program.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], the weight of each position of the image's features.
    """

    norms: ClassVar = ("relative", "mean", "per_channel")

    def __init__(
        self, exemplars: Sequence[Exemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        self._box = _Box.of(mask)
        self._styles = [
            (exemplar.share, box.crop(exemplar.features.detach()), box.mask)
            for exemplar in exemplars
            for box in [_Box.of(exemplar.mask)]
        ]
        self._target: _Target | None = None  # for the size of the last features

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the styles'."""
        if self.mask is not None:
            refuse_other_size(self.mask, features.shape[2:])
        features = self._box.crop(features)
        target = self._target_for((features.shape[2], features.shape[3]), features.device)
        parts = torch.split(features, CHANNELS_AT_A_TIME, dim=1)
        targets = torch.split(target.correlation, CHANNELS_AT_A_TIME, dim=1)
        # The transforms are computed again in the backward pass: to keep those of all channels
        # would take several times the memory of the features.
        errors = [
            checkpoint(self._error, *pair, target, use_reentrant=False, preserve_rng_state=False)
            for pair in zip(parts, targets, strict=True)
        ]
        mean: Tensor = torch.stack(errors).sum() / (features.shape[1] * target.weights.sum())
        divisor = {"mean": 1, "relative": target.energy, "per_channel": features.shape[1]}
        return mean / divisor[self.norm]

    def _error(self, features: Tensor, of_style: Tensor, target: _Target) -> Tensor:
        found = _correlation(features, self._box.mask, target.lags)
        return ((found - of_style).square() * target.weights).sum()

    @torch.no_grad()
    def _target_for(self, size: Size, device: torch.device) -> _Target:
        if self._target is not None and self._target.size == size:
            return self._target
        sizes = [size, *((one.shape[2], one.shape[3]) for _, one, _ in self._styles)]
        masks = [self._box.mask, *(mask for *_, mask in self._styles)]
        lags: Lags = None
        if len(set(sizes)) > 1 or any(mask is not None for mask in masks):
            heights, widths = zip(*sizes, strict=True)
            lags = (min(heights) - 1) // 2, (min(widths) - 1) // 2
        shares = [
            _share_of_pairs(one, mask, lags).to(device)
            for one, mask in zip(sizes, masks, strict=True)
        ]
        correlations = [
            share * _correlation(one, mask, lags).to(device) for share, one, mask in self._styles
        ]
        weights = torch.stack(shares).amin(dim=0)
        correlation = torch.stack(correlations).sum(dim=0)
        squares = (correlation.square() * weights).sum() / (correlation.shape[1] * weights.sum())
        self._target = _Target(size, lags, correlation, weights, float(squares) or 1.0)
        return self._target


@dataclass(frozen=True, eq=False)
class _Target:
    size: Size  # of the features that are compared with it
    lags: Lags
    correlation: Tensor  # (1, C, distances down, distances across)
    weights: Tensor  # (1, 1, distances down, distances across)
    energy: float


@dataclass(frozen=True, eq=False)
class _Box:
    """The smallest rectangle that has all of a mask, and the mask in it; None where all is 1."""

    rows: slice
    columns: slice
    mask: Tensor | None

    @classmethod
    def of(cls, mask: Tensor | None) -> _Box:
        if mask is None:
            return cls(slice(None), slice(None), None)
        inside = mask[0, 0] > 0
        rows, columns = (_extent(inside.any(dim=dim)) for dim in (1, 0))
        cropped = mask[..., rows, columns]
        return cls(rows, columns, None if bool((cropped == 1).all()) else cropped)

    def crop(self, features: Tensor) -> Tensor:
        return features[..., self.rows, self.columns]


def _extent(inside: Tensor) -> slice:
    """Return the slice from the first to the last True."""
    (found,) = inside.nonzero(as_tuple=True)
    return slice(int(found[0]), int(found[-1]) + 1)


def _correlation(features: Tensor, mask: Tensor | None, lags: Lags) -> Tensor:
    """Return the autocorrelation of features (1, C, H, W): means over pairs of positions."""
    features = full_precision(features)
    if mask is None:
        mask = features.new_ones(1, 1, *features.shape[2:])
    mask = mask.to(features)
    return _sums(features * mask, lags) / _sums(mask, lags).clamp_min(LEAST_PAIRS)


def _share_of_pairs(size: Size, mask: Tensor | None, lags: Lags) -> Tensor:
    """Return the pairs at each distance over those at distance 0."""
    mask = torch.ones(1, 1, *size) if mask is None else full_precision(mask)
    pairs = _sums(mask, lags)
    return pairs.masked_fill(pairs < LEAST_PAIRS, 0) / mask.square().sum()


def _sums(values: Tensor, lags: Lags) -> Tensor:
    """Return the sums over pairs of positions of products of values (1, C, H, W)."""
    most = lags or (0, 0)  # as many zeros beyond the borders let no pair wrap around
    size = [side + one for side, one in zip(values.shape[2:], most, strict=True)]
    spectrum = torch.fft.rfft2(values, s=size)
    sums: Tensor = torch.fft.irfft2(spectrum.real.square() + spectrum.imag.square(), s=size)
    if lags is not None:
        for dim, one in zip((2, 3), lags, strict=True):
            distances = torch.arange(-one, one + 1, device=values.device) % size[dim - 2]
            sums = sums.index_select(dim, distances)
    return sums
