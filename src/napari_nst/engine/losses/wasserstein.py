"""The distance between normal distributions fitted to features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_nst.engine.losses.base import AnyExemplar, MomentLoss, blended_moments
from napari_nst.engine.losses.matrix_sqrt import square_root, trace_of_square_root
from napari_nst.engine.losses.moments import Moments, covariance_matrix

LEAST_VARIANCE = 1e-4
"""Added to every variance: the covariance of few positions is singular and has no inverse root.

As in crowsonkb/style-transfer-pytorch, commit e7e2c71.
"""


class WassersteinLoss(MomentLoss):
    """Squared 2-Wasserstein distance between normal distributions, per channel.

    With mean μ and covariance Σ of the image's features and μₛ, Σₛ of the styles', it is
    mean (μ − μₛ)² + tr(Σₛ + Σ − 2 (√Σₛ Σ √Σₛ)^½)/C (Gelbrich 1990; used as a style loss by
    crowsonkb/style-transfer-pytorch). As in that program, roots are computed by a fixed number of
    Newton–Schulz steps, so the loss of the style's own features is small but not 0.

    Parameters
    ----------
    exemplars : sequence of Exemplar or MeasuredExemplar
        The styles. Their means and raw second moments are averaged by their shares, like those of
        one image made of all styles.
    norm : {"mean", "relative"}
        The formula above, or that divided by the styles' mean square, mean μₛ² + tr Σₛ/C.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], weights of the image's positions.
    """

    mean: Tensor
    covariance: Tensor
    root: Tensor

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        mean, second = blended_moments(exemplars)
        covariance = _regular(covariance_matrix(mean, second))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("covariance", covariance, persistent=False)
        self.register_buffer("root", square_root(covariance)[0], persistent=False)
        # The features of a black image have no energy; then "relative" is the same as "mean".
        self.energy = (float(_mean_diagonal(second)) or 1.0) if norm == "relative" else 1.0

    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, computed with the mask, with the styles'."""
        covariance = _regular(moments.covariance)
        channels = covariance.shape[-1]
        shared = trace_of_square_root(self.root @ covariance @ self.root) / channels
        of_means = (moments.mean - self.mean).square().mean()
        of_covariances = _mean_diagonal(self.covariance + covariance) - 2 * shared
        return (of_means + of_covariances).squeeze() / self.energy


def _regular(covariance: Tensor) -> Tensor:
    identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    return covariance + LEAST_VARIANCE * identity


def _mean_diagonal(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
