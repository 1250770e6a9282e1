"""What all losses of features have in common: exemplars, a norm and a mask."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_nst.engine.losses.moments import Moments
from napari_nst.engine.losses.statistics import refuse_other_size


@dataclass(frozen=True, eq=False)
class Exemplar:
    """The features of one style at one layer.

    Parameters
    ----------
    features : Tensor
        (1, C, H, W), of any size.
    share : float
        How much this style counts; the shares of all exemplars of a loss sum to 1.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], how much each position counts; without it, all alike.

    Raises
    ------
    ValueError
        If the mask has another size than the features, or counts none of them.
    """

    features: Tensor
    share: float = 1.0
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        if self.mask is not None:
            refuse_other_size(self.mask, self.features)
        refuse_empty(self.mask)

    @cached_property
    def moments(self) -> Moments:
        """What the features add up to, constants."""
        return Moments.of(self.features.detach(), self.mask)


@dataclass(frozen=True, eq=False)
class MeasuredExemplar:
    """What the features of one style at one layer add up to, which is all that some losses need.

    Parameters
    ----------
    moments : Moments
        Of one image.
    share : float
        As of an `Exemplar`.

    Raises
    ------
    ValueError
        If the moments are of no position.
    """

    moments: Moments
    share: float = 1.0

    def __post_init__(self) -> None:
        if not self.moments.weight > 0:
            raise ValueError("moments are of no position of the features; mark a larger region.")


AnyExemplar = Exemplar | MeasuredExemplar
"""A style at one layer, as a loss that compares moments takes it."""


@torch.no_grad()
def blended(exemplars: Sequence[AnyExemplar], statistic: Callable[[Moments], Tensor]) -> Tensor:
    """Return a statistic, averaged over exemplars by their shares."""
    return torch.stack([statistic(e.moments) * e.share for e in exemplars]).sum(dim=0)


def blended_moments(exemplars: Sequence[AnyExemplar]) -> tuple[Tensor, Tensor]:
    """Return the mean (1, C) and second moment (1, C, C) of one image that holds all exemplars."""
    return blended(exemplars, lambda m: m.mean), blended(exemplars, lambda m: m.second_moment)


class FeatureLoss(nn.Module):
    """A loss of one layer's features.

    Parameters
    ----------
    norm : str
        How the error is scaled: one of the class's `norms`.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], how much each position of the image's features counts; without it,
        all alike.

    Raises
    ------
    ValueError
        If the loss has no such norm, or the mask counts no position.
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
        """Say the norm, and whether some positions count less."""
        return f"norm={self.norm!r}" + (", masked" if self.mask is not None else "")


class StyleLoss(FeatureLoss):
    """A loss that compares features (1, C, H, W) of an image with those of exemplars.

    Parameters
    ----------
    exemplars : sequence of Exemplar or MeasuredExemplar
        At least one; their sizes may differ, their channels may not.
    norm, mask
        As of every `FeatureLoss`.

    Raises
    ------
    ValueError
        If there are no exemplars, or their shares do not sum to 1.
    """

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(norm, mask)
        if not exemplars:
            raise ValueError("exemplars is empty; give at least one.")
        total = sum(exemplar.share for exemplar in exemplars)
        if not math.isclose(total, 1.0, rel_tol=1e-6):
            raise ValueError(f"The shares of the exemplars must sum to 1, not {total:g}.")


class MomentLoss(StyleLoss):
    """A style loss that knows of features no more than their moments.

    So it can be computed of features that are seen part by part. Parameters are those of every
    `StyleLoss`; the exemplars may be measured ones.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the styles'."""
        return self.compare(Moments.of(features, self.mask, self._weight))

    @cached_property
    def _weight(self) -> float | None:
        """What the positions of the mask count together."""
        return None if self.mask is None else float(self.mask.sum())

    @abstractmethod
    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, taken with the mask, with the styles'."""


def refuse_empty(mask: Tensor | None) -> None:
    """Raise a ValueError if a mask counts no position."""
    if mask is not None and not bool((mask > 0).any()):
        raise ValueError("mask counts no position of the features; mark a larger region.")
