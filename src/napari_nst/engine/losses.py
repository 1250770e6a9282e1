"""The losses, one small module each, and the statistics of features that they compare.

Features come in the network's number format; statistics and losses are float32 (or the float64
that a gradient check hands in), because sums over all positions overflow or drown in less.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gram_matrix(features: Tensor) -> Tensor:
    """Return the Gram matrix of features, divided by the number of positions.

    Parameters
    ----------
    features : Tensor
        (N, C, H, W).

    Returns
    -------
    Tensor
        (N, C, C), float32: mean over positions of the products of channels. Gatys et al. 2016,
        eq. 3, with the division by H·W of their published programs.
    """
    vectors = _vectors(features)
    return vectors.mT @ vectors / vectors.shape[1]


def mean_and_second_moment(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (N, C) and the raw second moment (N, C, C) of features over positions."""
    vectors = _vectors(features)
    return vectors.mean(dim=1), vectors.mT @ vectors / vectors.shape[1]


def _vectors(features: Tensor) -> Tensor:
    """Return features (N, C, H, W) as H·W vectors (N, H·W, C); a view where channels are last."""
    if features.dtype != torch.float64:
        features = features.float()
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _energy(target: Tensor, *, relative: bool, floor: float = 0.0) -> float:
    """Return what an error from `target` is divided by: its mean square, or 1 if not `relative`."""
    energy = max(float(target.detach().double().square().mean()), floor) if relative else 1.0
    return energy or 1.0  # a target without any energy, a black image's, leaves the error as it is


class ContentLoss(nn.Module):
    """Mean squared difference from the features of the content: mean (F − P)².

    Parameters
    ----------
    target : Tensor
        Features of the content at one layer, (1, C, H, W).
    relative : bool
        Divide by the target's energy, mean P².
    """

    def __init__(self, target: Tensor, *, relative: bool = False) -> None:
        super().__init__()
        self.relative = relative
        self.energy = _energy(target, relative=relative)
        self.register_buffer("target", target.detach(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the target's."""
        target = self.get_buffer("target")
        if features.dtype != torch.float64:
            features, target = features.float(), target.float()
        return (features - target).square().mean() / self.energy

    def extra_repr(self) -> str:
        """Say whether the loss is relative."""
        return f"relative={self.relative}"


class GramLoss(nn.Module):
    """Mean squared difference of Gram matrices: mean (G/M − A/M)² over the C² entries.

    Parameters
    ----------
    *styles : Tensor
        Features of each style at one layer, (1, C, H, W) of any size; their matrices are averaged.
    relative : bool
        Divide by the target's energy, mean (A/M)².
    """

    def __init__(self, *styles: Tensor, relative: bool = False) -> None:
        super().__init__()
        self.relative = relative
        target = torch.stack([gram_matrix(style.detach()) for style in styles]).mean(dim=0)
        self.energy = _energy(target, relative=relative)
        self.register_buffer("target", target, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the styles'."""
        return (gram_matrix(features) - self.get_buffer("target")).square().mean() / self.energy

    def extra_repr(self) -> str:
        """Say whether the loss is relative."""
        return f"relative={self.relative}"


class MeanCovarianceLoss(nn.Module):
    """Half the mean squared differences of means and of covariances: (|μ − μₛ|² + |Σ − Σₛ|²)/2.

    Mean and covariance say apart what a Gram matrix says at once, so that the mean, which carries
    the palette, is not drowned by the covariances (Li et al. 2017, "Demystifying Neural Style
    Transfer", compare both).

    Parameters
    ----------
    *styles : Tensor
        Features of each style at one layer, (1, C, H, W) of any size. Their means and raw second
        moments are averaged, as those of one image that holds them all.
    relative : bool
        Divide each of the two differences by its target's energy.
    """

    def __init__(self, *styles: Tensor, relative: bool = False) -> None:
        super().__init__()
        self.relative = relative
        moments = [mean_and_second_moment(style.detach()) for style in styles]
        mean = torch.stack([first for first, _ in moments]).mean(dim=0)
        second = torch.stack([second for _, second in moments]).mean(dim=0)
        covariance = _covariance(mean, second)
        self.mean_energy = _energy(mean, relative=relative)
        # A flat style has no covariance but rounding errors; nothing should be divided by those.
        # Photographs and paintings measure 0.04–0.6 of their second moment, dim micrographs 2e-4.
        floor = 1e-4 * float(second.double().square().mean())
        self.covariance_energy = _energy(covariance, relative=relative, floor=floor)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("covariance", covariance, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the styles'."""
        mean, second = mean_and_second_moment(features)
        of_means = (mean - self.get_buffer("mean")).square().mean()
        of_covariances = (_covariance(mean, second) - self.get_buffer("covariance")).square().mean()
        return (of_means / self.mean_energy + of_covariances / self.covariance_energy) / 2

    def extra_repr(self) -> str:
        """Say whether the loss is relative."""
        return f"relative={self.relative}"


def _covariance(mean: Tensor, second_moment: Tensor) -> Tensor:
    return second_moment - mean[:, :, None] * mean[:, None, :]


class TotalVariationLoss(nn.Module):
    """Mean squared difference of neighbouring pixels, down plus across.

    Squared, as in Mahendran & Vedaldi 2015 with β = 2; on pixels in [0, 1].
    """

    def forward(self, image: Tensor) -> Tensor:
        """Measure an image (1, 3, H, W)."""
        down = image[:, :, 1:] - image[:, :, :-1]
        across = image[:, :, :, 1:] - image[:, :, :, :-1]
        # An image one pixel high has no neighbours down: nothing to smooth, not NaN.
        return sum((d.square().mean() for d in (down, across) if d.numel()), image.new_zeros(()))


STYLE_LOSSES: dict[str, type[GramLoss] | type[MeanCovarianceLoss]] = {
    "gram": GramLoss,
    "mean_covariance": MeanCovarianceLoss,
}
"""Recipe's `style_loss` → module."""
