"""Gram losses, of features minus a constant or their own means; and losses of means and spreads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from napari_nst.engine.losses.base import (
    AnyExemplar,
    MeasuredExemplar,
    MomentLoss,
    blended,
    blended_moments,
)
from napari_nst.engine.losses.moments import (
    FLAT,
    Moments,
    covariance_energy,
    covariance_matrix,
    energy,
    mean_square,
)

ROUNDING = 1e-6
"""A variance below this share of the second moment is that of a constant channel.

In float32, the difference of second moment and squared mean has errors up to 4e-7 of either.
"""


class GramLoss(MomentLoss):
    """Squared difference of Gram matrices (Gatys et al. 2016, eq. 4), the style loss of 2015.

    G is the sum over the M positions of an image of the products of its C channels. A/Mₛ is the
    same sum of a style divided by its Mₛ positions, averaged over styles by their shares.

    ============= ======================================= =========================
    norm          mean over the C² entries of             as in
    ============= ======================================= =========================
    "mean"        (G/M − A/Mₛ)²                           Gatys's own programs
    "relative"    that, divided by the mean of (A/Mₛ)²    napari-nst
    "per_channel" (G/CM − A/CMₛ)²                         jcjohnson/neural-style
    "raw"         (G − A·M/Mₛ)²                           the papers, times 1/4C²M²
    "per_element" "raw", divided by C·M                   Udacity's course
    ============= ======================================= =========================

    Published programs that compare sums resize style and image to one size. Here the sums of a
    style are scaled to the image's number of positions, so that the style's size does not matter.

    Parameters
    ----------
    exemplars, mask
        As for every `MomentLoss`. With a mask, M is its sum.
    norm : {"mean", "relative", "per_channel", "raw", "per_element"}
        A row of the table above.
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
        """Compare the moments of features, computed with the mask, with the styles'."""
        channels, positions = moments.first.shape[1], moments.weight
        factor = {
            "mean": 1.0,
            "relative": 1 / self.energy,
            "per_channel": channels**-2,
            "raw": positions**2,
            "per_element": positions / channels,
        }[self.norm]
        return (self.matrix(moments) - self.target).square().mean() * factor

    @staticmethod
    def matrix(moments: Moments) -> Tensor:
        """Return the matrix (1, C, C) that is compared."""
        return moments.second_moment


class ShiftedGramLoss(GramLoss):
    """`GramLoss` of features minus the styles' mean activation, one constant for all channels.

    Activations after a ReLU are positive, so a Gram matrix mostly contains products of means. With
    a constant near the means subtracted, an entry says whether two channels are above or below it
    together (Novak & Nikulin 2016, "Improving the Neural Algorithm of Artistic Style", activation
    shift). The article shifts every layer by −1, about the mean activation of each layer of the
    normalised network. Here the shift is the measured mean, so that the loss suits every network.

    Parameters
    ----------
    exemplars, norm, mask
        As for `GramLoss`. The mean is over channels, over positions weighted by the mask, and over
        styles weighted by their shares.
    """

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        shift = float(blended_moments(exemplars)[0].mean()) if exemplars else 0.0
        shifted = [MeasuredExemplar(e.moments.less(shift), e.share) for e in exemplars]
        super().__init__(shifted, norm=norm, mask=mask)
        self.shift = shift

    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, computed with the mask, with the styles'."""
        return super().compare(moments.less(self.shift))


class CentredGramLoss(GramLoss):
    """`GramLoss` of features minus their own channel means: of covariances.

    The means are not compared, so most of the palette is left free. With several styles, each has
    its own means subtracted, so that a difference between their means is not taken for texture.
    `MeanCovarianceLoss` compares the means too, and treats several styles as one image.

    Parameters
    ----------
    exemplars, norm, mask
        As for `GramLoss`. "relative" divides by the covariance's mean square, or by 1e-4 of the
        second moment's mean square if that is larger, as it is for a flat style.
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


class MeanCovarianceLoss(MomentLoss):
    """Half the mean squared differences of means and of covariances: (|μ − μₛ|² + |Σ − Σₛ|²)/2.

    A Gram matrix is the sum of both, and covariances dominate it. Compared separately, the means,
    which carry the palette, keep their weight (Li et al. 2017, "Demystifying Neural Style
    Transfer", compare both).

    Parameters
    ----------
    exemplars, mask
        As for every `MomentLoss`. The styles' means and raw second moments are averaged by their
        shares, like those of one image made of all styles.
    norm : {"mean", "relative"}
        "relative" divides each of the two differences by its target's mean square.
    """

    mean: Tensor
    covariance: Tensor

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        mean, second = blended_moments(exemplars)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("covariance", covariance_matrix(mean, second), persistent=False)
        relative = norm == "relative"
        self.mean_energy = energy(mean) if relative else 1.0
        self.covariance_energy = covariance_energy(self.covariance, second) if relative else 1.0

    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, computed with the mask, with the styles'."""
        of_means = (moments.mean - self.mean).square().mean()
        of_covariances = (moments.covariance - self.covariance).square().mean()
        return (of_means / self.mean_energy + of_covariances / self.covariance_energy) / 2


class MeanStdLoss(MomentLoss):
    """Half the mean squared differences of means and deviations: (|μ − μₛ|² + |σ − σₛ|²)/2.

    Galerne et al. 2024, "Scaling Painting Style Transfer", add both to the Gram loss, which alone
    leaves false colours in large pictures.

    Parameters
    ----------
    exemplars, mask
        As for every `MomentLoss`. The styles' means and raw second moments are averaged by their
        shares, like those of one image made of all styles.
    norm : {"mean", "relative"}
        The formula above, or each of its two terms divided by the mean square of the styles' means
        or of their standard deviations. A flat style's standard deviations are divided by 1 % of
        the root mean square of its features.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        mean, second = blended_moments(exemplars)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", standard_deviation(mean, second), persistent=False)
        relative = norm == "relative"
        self.mean_energy = energy(mean) if relative else 1.0
        squares = float(second.diagonal(dim1=-2, dim2=-1).mean())
        least = max(mean_square(self.deviation), FLAT * squares)
        self.deviation_energy = (least or 1.0) if relative else 1.0

    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, computed with the mask, with the styles'."""
        of_means = (moments.mean - self.mean).square().mean()
        deviation = standard_deviation(moments.mean, moments.second_moment)
        of_deviations = (deviation - self.deviation).square().mean()
        return (of_means / self.mean_energy + of_deviations / self.deviation_energy) / 2


def standard_deviation(mean: Tensor, second_moment: Tensor) -> Tensor:
    """Return the standard deviations (N, C) for a mean (N, C) and a second moment (N, C, C)."""
    squares = second_moment.diagonal(dim1=-2, dim2=-1)
    variance = squares - mean.square()
    # The root of a constant channel's variance, which is a rounding error, has no gradient.
    constant = variance <= ROUNDING * squares
    return (
        torch.where(constant, torch.ones_like(variance), variance).sqrt().masked_fill(constant, 0)
    )
