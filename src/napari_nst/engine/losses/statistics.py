"""What statistics of features are computed and measured with."""

from __future__ import annotations

import torch
from torch import Tensor

FLAT = 1e-4
"""A covariance below this share of the second moment, in mean squares, is a flat style's.

It is rounding errors then, and nothing should be divided by those. Photographs and paintings
measure 0.04–0.6, dim micrographs 2e-4.
"""


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
