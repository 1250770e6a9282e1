"""Means and covariances of vectors at random positions, of one layer or of several joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from napari_nst.engine.losses.base import Exemplar, SampledExemplar, StyleLoss
from napari_nst.engine.losses.sampled import ONE_LAYER, Sampled, pooled


class SampledMomentsLoss(Sampled, StyleLoss):
    """Absolute differences of means and covariances (Kolkin et al. 2019, "STROTSS", eq. 6).

    mean |μ − μₛ| + mean |Σ − Σₛ| of vectors at random positions. `MeanCovarianceLoss` compares all
    positions of one layer by squares; this one can compare several layers joined, and weighs a
    few large differences less.

    Parameters
    ----------
    exemplars, mask, samples, style_samples, layers, seed
        As for `RelaxedEMDLoss`.
    norm : {"relative", "mean"}
        The formula above; or half of the sum of both means, each divided by that of the style's
        absolute values.
    """

    norms: ClassVar = ("relative", "mean")
    mean: Tensor
    covariance: Tensor

    def __init__(
        self,
        exemplars: Sequence[Exemplar | SampledExemplar],
        *,
        norm: str = "relative",
        mask: Tensor | None = None,
        samples: int = 1024,
        style_samples: int = 4096,
        layers: Mapping[str, float] = ONE_LAYER,
        seed: int = 0,
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        self.layers = layers
        pool, weights = pooled(exemplars, style_samples, seed)
        mean, covariance = _moments(pool.vectors, weights)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("covariance", covariance, persistent=False)
        self.divisors = (1.0, 1.0)
        if norm == "relative":
            sizes = [float(one.abs().mean()) or 1.0 for one in (mean, covariance)]
            self.divisors = (2 * sizes[0], 2 * sizes[1])
        self._seeded(samples, seed)

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
