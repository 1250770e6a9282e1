"""What features add up to over positions: all that some style losses know of them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from napari_nst.engine.losses.statistics import covariance_matrix, full_precision
from napari_nst.engine.losses.sums import sums_over_positions


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over positions of features and of the products of their channels.

    They add up: those of an image are those of its parts.

    Attributes
    ----------
    weight : float
        Σ w over positions; their number where there is no mask.
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
        """Measure features (N, C, H, W); see `sums_over_positions`, which has the gradients.

        Parameters
        ----------
        features : Tensor
            (N, C, H, W).
        mask : Tensor, optional
            (1, 1, H, W) in [0, 1], how much each position counts; without it, all alike.
        weight : float, optional
            The mask's sum, from who knows it: a device has to be waited for.

        Raises
        ------
        ValueError
            If the mask has another size than the features.
        """
        first, second = sums_over_positions(features, mask)
        if mask is None:
            weight = features.shape[2] * features.shape[3]
        elif weight is None:
            weight = float(mask.sum())
        return cls(weight, first, second)

    @classmethod
    def nothing(cls, features: Tensor) -> Moments:
        """Return what features (N, C, H, W) add up to where none of them counts."""
        number, channels = features.shape[:2]
        dtype = full_precision(features[:0]).dtype
        return cls(
            0.0,
            features.new_zeros((number, channels), dtype=dtype),
            features.new_zeros((number, channels, channels), dtype=dtype),
        )

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
        """The second moment of features less their means, (N, C, C)."""
        return covariance_matrix(self.mean, self.second_moment)

    def less(self, shift: float) -> Moments:
        """Return the moments of the features less a number, the same for all channels."""
        sums = self.first[:, :, None] + self.first[:, None, :]
        second = self.second - shift * sums + shift**2 * self.weight
        return Moments(self.weight, self.first - shift * self.weight, second)

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both together."""
        return Moments(
            self.weight + other.weight, self.first + other.first, self.second + other.second
        )


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
    return Moments.of(features, mask).second_moment
