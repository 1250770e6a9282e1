"""Means, Gram matrices and covariances of features, and the gradients by the features.

Style losses do nearly all their work here. So where the hardware multiplies bfloat16, features in
bfloat16 are multiplied without a copy in float32, in the forward and in the backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from napari_nst.engine.device import multiplies_bfloat16

FLAT = 1e-4
"""A covariance whose mean square is below this share of the second moment's is a flat style's.

Such a covariance is rounding errors, and a loss divided by it would explode. Photographs and
paintings measure 0.04–0.6, dim micrographs 2e-4.
"""

FEWEST_CHANNELS = 64
"""With fewer channels, float32 products cost little, and bfloat16 ones may be less exact."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over positions of features and of the products of their channels.

    The moments of an image are the sum of the moments of its parts.

    Attributes
    ----------
    weight : float
        Σ w over positions; the number of positions if there is no mask.
    first : Tensor
        Σ w f, (N, C).
    second : Tensor
        Σ w f fᵀ, (N, C, C).
    """

    weight: float
    first: Tensor
    second: Tensor

    @classmethod
    def of(
        cls, features: Tensor, mask: Tensor | None = None, weight: float | None = None
    ) -> Moments:
        """Sum features over their positions; the result can be differentiated once.

        Features and mask are as for `gram_matrix`; channels last is fastest. `weight` is the sum of
        the mask, if the caller knows it: to compute it, the CPU waits for the GPU.
        """
        if mask is None:
            weight = features.shape[2] * features.shape[3]
        else:
            refuse_other_size(mask, features.shape[2:])
            mask = mask.to(features.device)
            weight = float(mask.sum()) if weight is None else weight
        first, second = _Sums.apply(features, mask)
        return cls(weight, first, second)

    @classmethod
    def nothing(cls, features: Tensor) -> Moments:
        """Return the moments of features (N, C, H, W) whose mask is 0 everywhere."""
        number, channels = features.shape[:2]
        zeros = full_precision(features[:0]).new_zeros
        return cls(0.0, zeros((number, channels)), zeros((number, channels, channels)))

    @property
    def mean(self) -> Tensor:
        """The mean over positions, (N, C)."""
        return self.first / self.weight

    @property
    def second_moment(self) -> Tensor:
        """The mean over positions of the products of channels, (N, C, C): the Gram matrix."""
        return self.second / self.weight

    @property
    def covariance(self) -> Tensor:
        """The second moment of features minus their means, (N, C, C)."""
        return covariance_matrix(self.mean, self.second_moment)

    def less(self, shift: float) -> Moments:
        """Return the moments of the features minus a constant, the same for all channels."""
        sums = self.first[:, :, None] + self.first[:, None, :]
        second = self.second - shift * sums + shift**2 * self.weight
        return Moments(self.weight, self.first - shift * self.weight, second)

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both sets of positions together."""
        weight = self.weight + other.weight
        return Moments(weight, self.first + other.first, self.second + other.second)


def gram_matrix(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the Gram matrix of features, divided by the number of positions.

    Parameters
    ----------
    features : Tensor
        (N, C, H, W).
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], the weight of each position; 1 everywhere by default. ValueError if
        it has another size than the features.

    Returns
    -------
    Tensor
        (N, C, C), float32: mean over positions of the products of channels. Gatys et al. 2016,
        eq. 3, with the division by H·W of their published programs. With a mask it is
        Σ w f fᵀ / Σ w whatever the mask's area, like the guided Gram matrix of Gatys et al. 2017.
    """
    return Moments.of(features, mask).second_moment


def gradient_by_features(
    features: Tensor, mask: Tensor | None, by_first: Tensor | None, by_second: Tensor
) -> Tensor:
    """Return a loss's gradient by features (N, C, H, W), from its gradients by their moments.

    It is w (a + (B + Bᵀ) f) at each position, channels last, with the mask's weight w, the gradient
    a (N, C) by `Moments.first` (None for 0) and B (N, C, C) by `Moments.second`. In bfloat16 it is
    a single product whose matrix is rounded to bfloat16. That changes gradients by pixels by 0.3 %
    (photographs, all losses); the rounding inside the network changes them by 5–11 %.
    """
    vectors = _vectors(features)
    if not _multiplies(features):
        vectors = full_precision(vectors)
    matrix = (by_second + by_second.mT).to(vectors.dtype)
    if by_first is None:
        gradient = vectors @ matrix
    else:
        gradient = torch.baddbmm(by_first[:, None].to(vectors.dtype), vectors, matrix)
    if mask is not None:
        gradient *= mask.reshape(-1, 1).to(gradient)
    number, channels, height, width = features.shape
    gradient = gradient.view(number, height, width, channels).to(features.dtype)
    return gradient.permute(0, 3, 1, 2)


def covariance_matrix(mean: Tensor, second_moment: Tensor) -> Tensor:
    """Return the covariance (N, C, C) for a mean (N, C) and a second moment (N, C, C)."""
    return second_moment - mean[:, :, None] * mean[:, None, :]


def full_precision(features: Tensor) -> Tensor:
    """Return features as float32, or unchanged if they are float64."""
    return features if features.dtype == torch.float64 else features.float()


def mean_square(values: Tensor) -> float:
    """Return the mean of the squares."""
    return float(full_precision(values.detach()).square().mean())


def energy(target: Tensor) -> float:
    """Return the mean square of a target, or 1 for a target of zeros: the divisor of "relative"."""
    return mean_square(target) or 1.0


def covariance_energy(covariance: Tensor, second_moment: Tensor) -> float:
    """Return `energy` of a covariance, but at least the `FLAT` share of the second moment's."""
    return max(mean_square(covariance), FLAT * mean_square(second_moment)) or 1.0


def refuse_other_size(mask: Tensor, size: Sequence[int]) -> None:
    """Raise a ValueError if a mask is not (1, 1, H, W) with the height and width of features."""
    height, width = size
    if mask.shape != (1, 1, height, width):
        raise ValueError(
            f"mask must be (1, 1, H, W) and as large as the features, {height} × {width}; "
            f"it is {tuple(mask.shape)}."
        )


class _Sums(torch.autograd.Function):
    """Σ w f and Σ w f fᵀ over the positions of features (N, C, H, W)."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(features, mask)
        ctx.set_materialize_grads(False)  # the Gram loss has no gradient by the means
        sums = [_sums(vectors, mask) for vectors in _vectors(features)]
        firsts, seconds = zip(*sums, strict=True)
        return torch.stack(firsts), torch.stack(seconds)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, by_first: Tensor | None, by_second: Tensor | None
    ) -> tuple[Tensor | None, None]:
        features, mask = ctx.saved_tensors
        if by_second is None:
            if by_first is None:
                return None, None
            by_second = by_first.new_zeros(1).expand(*by_first.shape, by_first.shape[-1])
        return gradient_by_features(features, mask, by_first, by_second), None


def _sums(vectors: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Sum the vectors (H·W, C) of one image, and their outer products."""
    many = vectors.shape[1] >= FEWEST_CHANNELS
    if mask is None and many and vectors.is_cpu and _multiplies(vectors):
        ones = vectors.new_ones(1, len(vectors))
        return _product(ones, vectors)[0], _product(vectors.mT, vectors)
    vectors = full_precision(vectors)
    if mask is None:
        return vectors.sum(dim=0), vectors.mT @ vectors
    weighted = vectors * mask.reshape(-1, 1).to(vectors.dtype)
    return weighted.sum(dim=0), weighted.mT @ vectors


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return the product of two bfloat16 matrices in float32, with an error of 3e-6."""
    # CPUs accumulate in float32, but torch rounds the result to bfloat16. The rounding error is a
    # second product minus the rounded one; both take less time than one product in float32.
    rounded = left @ right
    return rounded.float() + torch.addmm(rounded, left, right, beta=-1)


def _vectors(features: Tensor) -> Tensor:
    """Return features (N, C, H, W) as (N, H·W, C); a view if memory format is channels last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _multiplies(features: Tensor) -> bool:
    """Whether features are bfloat16 and their device multiplies bfloat16 in hardware."""
    return features.dtype == torch.bfloat16 and multiplies_bfloat16(features.device)
