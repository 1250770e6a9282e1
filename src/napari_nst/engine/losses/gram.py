"""Gram matrices: of features as they are, less a constant, or less their own means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from napari_nst.engine.losses.base import (
    AnyExemplar,
    MeasuredExemplar,
    MomentLoss,
    blended,
    blended_moments,
)
from napari_nst.engine.losses.moments import Moments
from napari_nst.engine.losses.statistics import covariance_energy, energy


class GramLoss(MomentLoss):
    """Squared difference of Gram matrices (Gatys et al. 2016, eq. 4), the classic of 2015.

    With G the sum over the M positions of an image of the products of its C channels, and A/Mₛ
    the mean of the styles' by their shares:

    ============= ======================================= =========================
    norm          mean over the C² entries of             as in
    ============= ======================================= =========================
    "mean"        (G/M − A/Mₛ)²                           Gatys's own programs
    "relative"    that, divided by the mean of (A/Mₛ)²    here
    "per_channel" (G/CM − A/CMₛ)²                         jcjohnson/neural-style
    "raw"         (G − A·M/Mₛ)²                           the papers, times 1/4C²M²
    "per_element" "raw", divided by C·M                   Udacity's course
    ============= ======================================= =========================

    Published programs whose matrices are sums make style and image of one size. Here a style
    counts in sums as if it had as many positions as the image, so that its size does not matter.

    Parameters
    ----------
    exemplars : sequence of Exemplar or MeasuredExemplar
        The styles.
    norm : {"mean", "relative", "per_channel", "raw", "per_element"}
        As above.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], weights of the image's positions; M is their sum.
    """

    norms: ClassVar = ("relative", "mean", "per_channel", "per_element", "raw")
    target: Tensor

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        self.register_buffer("target", blended(exemplars, self.matrix), persistent=False)
        self.energy = energy(self.target)

    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, taken with the mask, with the styles'."""
        difference = self.matrix(moments) - self.target
        return difference.square().mean() * self._factor(moments)

    @staticmethod
    def matrix(moments: Moments) -> Tensor:
        """Return the matrix (1, C, C) that is compared."""
        return moments.second_moment

    def _factor(self, moments: Moments) -> float:
        """Return what the norm makes of "mean"."""
        channels, positions = moments.first.shape[1], moments.weight
        return {
            "mean": 1.0,
            "relative": 1 / self.energy,
            "per_channel": channels**-2,
            "raw": positions**2,
            "per_element": positions / channels,
        }[self.norm]


class ShiftedGramLoss(GramLoss):
    """`GramLoss` of features less the styles' mean activation, one number for all channels.

    Features are rectified, so Gram matrices are mostly the products of their means; less a
    constant near those, the entries say which channels go together, above or below it (Novak &
    Nikulin 2016, "Improving the Neural Algorithm of Artistic Style", activation shift). Their
    shift is −1 in every layer. That is about the mean activation of each layer of the normalised
    network; here it is that mean, so that the loss suits every network.

    Parameters
    ----------
    exemplars, norm, mask
        As of `GramLoss`. The mean is over channels and, by mask and share, positions and styles.
    """

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        shift = float(blended_moments(exemplars)[0].mean()) if exemplars else 0.0
        shifted = [MeasuredExemplar(e.moments.less(shift), e.share) for e in exemplars]
        super().__init__(shifted, norm=norm, mask=mask)
        self.shift = shift

    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, taken with the mask, with the styles'."""
        return super().compare(moments.less(self.shift))


class CentredGramLoss(GramLoss):
    """`GramLoss` of features less their own channel means: the covariance.

    It leaves the means free, and with them most of the palette. Of several styles each is less
    its own means, so that what they differ by in these is no texture; `MeanCovarianceLoss`, which
    compares the means too, takes several styles for one image that holds them all.

    Parameters
    ----------
    exemplars, norm, mask
        As of `GramLoss`. "relative" divides by no less than what a flat style could have.
    """

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        self.energy = covariance_energy(self.target, blended_moments(exemplars)[1])

    @staticmethod
    def matrix(moments: Moments) -> Tensor:
        """Return the covariance (1, C, C)."""
        return moments.covariance
