"""Means and covariances of vectors at random positions, of one layer or of several joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from napari_nst.engine.losses.base import Exemplar, SampledExemplar
from napari_nst.engine.losses.sampled import SampledStyleLoss


class SampledMomentsLoss(SampledStyleLoss):
    """Absolute differences of means and covariances (Kolkin et al. 2019, "STROTSS", eq. 6).

    mean |μ − μₛ| + mean |Σ − Σₛ| of vectors at random positions. `MeanCovarianceLoss` compares all
    positions of one layer by squares; this one can compare several layers joined, and weighs a
    few large differences less.

    Parameters
    ----------
    exemplars, mask, samples, style_samples, layers, seed
        As for every `SampledStyleLoss`.
    norm : {"relative", "mean"}
        "mean" is the formula above; "relative" is half of the sum of both means, each divided by
        that of the style's absolute values.
    """

    def __init__(self, exemplars: Sequence[Exemplar | SampledExemplar], **settings: Any) -> None:
        super().__init__(exemplars, **settings)
        self.mean, self.covariance = _moments(self.styles, self.weights)
        self.divisors = (1.0, 1.0)
        if self.norm == "relative":
            sizes = [float(one.abs().mean()) or 1.0 for one in (self.mean, self.covariance)]
            self.divisors = (2 * sizes[0], 2 * sizes[1])

    def compare(self, vectors: Tensor) -> Tensor:
        """Compare vectors (K, C) of the image with the styles'."""
        weights = vectors.new_full((len(vectors),), 1 / len(vectors))
        mean, covariance = _moments(vectors, weights)
        of_means = (mean - self.mean).abs().mean() / self.divisors[0]
        return of_means + (covariance - self.covariance).abs().mean() / self.divisors[1]


def _moments(vectors: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    mean = weights @ vectors
    centred = vectors - mean
    return mean, centred.mT @ (centred * weights[:, None])
