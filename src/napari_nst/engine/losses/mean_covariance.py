"""The loss that compares means and covariances of features separately."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from napari_nst.engine.losses.base import AnyExemplar, MomentLoss, blended_moments
from napari_nst.engine.losses.moments import (
    Moments,
    covariance_energy,
    covariance_matrix,
    energy,
)


class MeanCovarianceLoss(MomentLoss):
    """Half the mean squared differences of means and of covariances: (|μ − μₛ|² + |Σ − Σₛ|²)/2.

    A Gram matrix is the sum of both, and covariances dominate it. Compared separately, the means,
    which carry the palette, keep their weight (Li et al. 2017, "Demystifying Neural Style
    Transfer", compare both).

    Parameters
    ----------
    exemplars : sequence of Exemplar or MeasuredExemplar
        The styles. Their means and raw second moments are averaged by their shares, like those of
        one image made of all styles.
    norm : {"mean", "relative"}
        "relative" divides each of the two differences by its target's mean square.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], weights of the image's positions.
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
