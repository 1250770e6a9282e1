"""Base classes: losses of features, with exemplars, a norm and a mask; and losses of the image."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_nst.engine.losses.moments import Moments, refuse_other_size


@dataclass(frozen=True, eq=False)
class Exemplar:
    """The features of one style at one layer.

    Parameters
    ----------
    features : Tensor
        (1, C, H, W), of any size.
    share : float
        Weight of this style; the shares of all exemplars of a loss sum to 1.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], the weight of each position; 1 everywhere by default. ValueError if
        it has another size than the features, or is 0 everywhere.
    """

    features: Tensor
    share: float = 1.0
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        if self.mask is not None:
            refuse_other_size(self.mask, self.features.shape[2:])
        refuse_empty(self.mask)

    @cached_property
    def moments(self) -> Moments:
        """The moments of the features, without gradients."""
        return Moments.of(self.features.detach(), self.mask)


@dataclass(frozen=True, eq=False)
class MeasuredExemplar:
    """The moments of one style's features at one layer; a `MomentLoss` needs nothing else.

    `share` is as for `Exemplar`; moments of weight 0 raise a ValueError.
    """

    moments: Moments
    share: float = 1.0

    def __post_init__(self) -> None:
        if not self.moments.weight > 0:
            raise ValueError("moments have weight 0, as of an empty mask; mark a larger region.")


@dataclass(frozen=True, eq=False)
class SampledExemplar:
    """Vectors (n, C) of one style at some positions; a `Sampled` loss needs nothing else.

    `share` is as for `Exemplar`; `exact` says that the network computes in full precision.
    """

    vectors: Tensor
    share: float = 1.0
    exact: bool = True


AnyExemplar = Exemplar | MeasuredExemplar
"""What a `MomentLoss` accepts for a style at one layer."""


@torch.no_grad()
def blended(exemplars: Sequence[AnyExemplar], statistic: Callable[[Moments], Tensor]) -> Tensor:
    """Return the mean of a statistic over exemplars, weighted by their shares."""
    return torch.stack([statistic(e.moments) * e.share for e in exemplars]).sum(dim=0)


def blended_moments(exemplars: Sequence[AnyExemplar]) -> tuple[Tensor, Tensor]:
    """Return the mean (1, C) and second moment (1, C, C) of one image made of all exemplars."""
    return blended(exemplars, lambda m: m.mean), blended(exemplars, lambda m: m.second_moment)


class FeatureLoss(nn.Module):
    """A loss of one layer's features.

    Parameters
    ----------
    norm : str
        How the error is scaled: one of the class's `norms`; ValueError for any other.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], the weight of each position of the image's features; 1 everywhere
        by default. ValueError if it is 0 everywhere.
    """

    norms: ClassVar[tuple[str, ...]] = ("relative", "mean")
    mask: Tensor | None

    def __init__(self, norm: str, mask: Tensor | None) -> None:
        super().__init__()
        if norm not in self.norms:
            raise ValueError(
                f"norm of {type(self).__name__} must be one of {', '.join(self.norms)}; "
                f"not {norm!r}."
            )
        refuse_empty(mask)
        self.norm = norm
        self.register_buffer("mask", mask, persistent=False)

    def extra_repr(self) -> str:
        """Return the norm, and whether there is a mask."""
        return f"norm={self.norm!r}" + (", masked" if self.mask is not None else "")


class StyleLoss(FeatureLoss):
    """A loss that compares features (1, C, H, W) of an image with those of exemplars.

    Parameters
    ----------
    exemplars : sequence of Exemplar, MeasuredExemplar or SampledExemplar
        At least one; their sizes may differ, their channels may not. ValueError if there are none,
        or if their shares do not sum to 1.
    norm, mask
        As for every `FeatureLoss`.
    """

    def __init__(
        self,
        exemplars: Sequence[AnyExemplar | SampledExemplar],
        *,
        norm: str = "mean",
        mask: Tensor | None = None,
    ) -> None:
        super().__init__(norm, mask)
        if not exemplars:
            raise ValueError("exemplars is empty; give at least one.")
        total = sum(exemplar.share for exemplar in exemplars)
        if not math.isclose(total, 1.0, rel_tol=1e-6):
            raise ValueError(f"The shares of the exemplars must sum to 1, not {total:g}.")


class MomentLoss(StyleLoss):
    """A style loss that depends on features only through their moments.

    It can therefore be computed tile by tile, and exemplars may be measured ones. The parameters
    are those of every `StyleLoss`.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the exemplars'."""
        return self.compare(Moments.of(features, self.mask, self._weight))

    @cached_property
    def _weight(self) -> float | None:
        return None if self.mask is None else float(self.mask.sum())

    @abstractmethod
    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, computed with the mask, with the exemplars'."""


class ImageLoss(nn.Module):
    """A loss of the image itself, (1, 3, H, W)."""

    def value_and_grad(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of an image (1, 3, H, W) and its gradient, both without a graph."""
        leaf = image.detach().requires_grad_()
        with torch.enable_grad():
            value = self(leaf)
        (gradient,) = torch.autograd.grad(value, leaf)
        return value.detach(), gradient


def refuse_empty(mask: Tensor | None) -> None:
    """Raise a ValueError if a mask is 0 everywhere."""
    if mask is not None and not bool((mask > 0).any()):
        raise ValueError("mask is 0 at every position of the features; mark a larger region.")


def selected_positions(mask: Tensor | None) -> Tensor | None:
    """Return the indices of the positions with a mask above 0.5; None without a mask."""
    if mask is None:
        return None
    selected = (mask.flatten() > 0.5).nonzero().squeeze(1)
    if not len(selected):
        raise ValueError(
            "mask is above 0.5 at no position of the features, and this loss compares only such "
            "positions; mark a larger region."
        )
    return selected
