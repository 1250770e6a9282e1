"""Statistics of features over positions, each position counting as a mask says."""

from __future__ import annotations

import torch
from torch import Tensor

FLAT = 1e-4
"""A covariance below this share of the second moment, in mean squares, is a flat style's.

It is rounding errors then, and nothing should be divided by those. Photographs and paintings
measure 0.04–0.6, dim micrographs 2e-4.
"""


def gram_matrix(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the Gram matrix of features, divided by the number of positions.

    Parameters
    ----------
    features : Tensor
        (N, C, H, W).
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], how much each position counts; without it, all alike.

    Returns
    -------
    Tensor
        (N, C, C), float32: mean over positions of the products of channels. Gatys et al. 2016,
        eq. 3, with the division by H·W of their published programs. Masked, it is Σ w f fᵀ / Σ w,
        whatever the mask's area, as the guided Gram matrix of Gatys et al. 2017.

    Raises
    ------
    ValueError
        If the mask has another size than the features.
    """
    vectors = _vectors(features)
    if mask is None:
        return vectors.mT @ vectors / vectors.shape[1]
    return (vectors * _shares(mask, features)).mT @ vectors


def channel_means(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean (N, C) of features over positions. Parameters are those of `gram_matrix`."""
    vectors = _vectors(features)
    if mask is None:
        return vectors.mean(dim=1)
    return (_shares(mask, features).mT @ vectors).squeeze(1)


def mean_and_second_moment(features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the mean (N, C) and the raw second moment (N, C, C) of features over positions.

    Parameters are those of `gram_matrix`, which is the second moment.
    """
    features = full_precision(features)  # once, not in each of the two
    return channel_means(features, mask), gram_matrix(features, mask)


def covariance_matrix(mean: Tensor, second_moment: Tensor) -> Tensor:
    """Return the covariance (N, C, C) that belongs to a mean and a raw second moment."""
    return second_moment - mean[:, :, None] * mean[:, None, :]


def full_precision(features: Tensor) -> Tensor:
    """Return features as float32, or as the float64 that they are."""
    return features if features.dtype == torch.float64 else features.float()


def mean_square(values: Tensor) -> float:
    """Return the mean of the squares as a number."""
    return float(full_precision(values.detach()).square().mean())


def energy(target: Tensor) -> float:
    """Return what a relative error from `target` is divided by: its mean square.

    A target without any energy, a black image's, leaves the error as it is: 1.
    """
    return mean_square(target) or 1.0


def covariance_energy(covariance: Tensor, second_moment: Tensor) -> float:
    """Return `energy` of a covariance, but no less than a flat style's: see `FLAT`."""
    return max(mean_square(covariance), FLAT * mean_square(second_moment)) or 1.0


def refuse_other_size(mask: Tensor, features: Tensor) -> None:
    """Raise a ValueError if a mask is not (1, 1, H, W) of the size of features (N, C, H, W)."""
    if mask.shape != (1, 1, *features.shape[2:]):
        raise ValueError(
            f"mask must be (1, 1, H, W) and as large as the features, {_size(features)}; "
            f"it is {tuple(mask.shape)}."
        )


def _size(features: Tensor) -> str:
    height, width = features.shape[2:]
    return f"{height} × {width}"


def _vectors(features: Tensor) -> Tensor:
    """Return features (N, C, H, W) as H·W vectors (N, H·W, C); a view where channels are last."""
    return full_precision(features).permute(0, 2, 3, 1).flatten(1, 2)


def _shares(mask: Tensor, features: Tensor) -> Tensor:
    """Return the share (1, H·W, 1) of each position; they sum to 1."""
    refuse_other_size(mask, features)
    weights = full_precision(mask).reshape(1, -1, 1)
    return weights / weights.sum()
