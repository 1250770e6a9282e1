"""Rectifiers and poolings, and what each keeps for the way back.

A rectifier has to know there where its result is above 0: from the result itself where somebody
looks at that anyway, otherwise from one byte per number. Of an average only the shape matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_nst.engine.vgg.pooling import Scaled

Joins = tuple[int | None, int | None]
"""Row and column of an image, cut out of a periodic one across its border, where that begins."""

NO_JOINS: Joins = (None, None)

BAND, BAND_ELSEWHERE = 2**18, 2**22
"""Numbers that are handled at a time, with all that this takes a few MB on processors, and on other
devices, which are told of large parts as soon as of small ones."""


class Rectifier:
    """A rectifier whose result somebody looks at."""

    def forward(self, features: Tensor, joins: Joins, *, is_own: bool) -> tuple[Tensor, Tensor]:
        """Return what is above 0 of (N, C, H, W), and what is kept: the same.

        Features that nobody else has, being `own`, go under.
        """
        result = features.relu_() if is_own else features.relu()
        return result, result.detach()  # else what is returned would keep itself

    def backward(self, gradient: Tensor, kept: Tensor, joins: Joins, *, is_own: bool) -> Tensor:
        """Return the gradient by the features, given that by the result, which goes under if own.

        It is that where the result is above 0, and 0 elsewhere.
        """
        back = torch.ops.aten.threshold_backward
        into = gradient if is_own else torch.empty_like(gradient)
        found: Tensor = back.grad_input(gradient, kept, 0, grad_input=into)
        return found


class UnseenRectifier:
    """A rectifier whose result is the next layer's alone: as `Rectifier`, but it keeps signs."""

    WHOLE: ClassVar = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    """Bytes of a number → whole numbers of as many."""

    def forward(self, features: Tensor, joins: Joins, *, is_own: bool) -> tuple[Tensor, Tensor]:
        """Return what is above 0, and bytes: -1 there and 0 elsewhere."""
        result = features.relu_() if is_own else features.relu()
        return result, result.gt(0).view(torch.int8).neg_()

    def backward(self, gradient: Tensor, kept: Tensor, joins: Joins, *, is_own: bool) -> Tensor:
        """Return the gradient by the features, given that by the result."""
        gradient = gradient if is_own else gradient.clone()
        # -1 has all its bits set, however wide: as fast as from features, where torch's `where`
        # with a mask takes five times as long.
        whole = self.WHOLE[gradient.element_size()]
        for rows in bands_of(gradient):
            gradient[:, :, rows].view(whole).bitwise_and_(kept[:, :, rows].to(whole))
        return gradient


class Pooling:
    """A network's pooling, of images that may lie across a join."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    @property
    def kind(self) -> type[nn.Module]:
        """Of which class the pooling is."""
        return type(self.module.module if isinstance(self.module, Scaled) else self.module)

    def forward(self, features: Tensor, joins: Joins, *, is_own: bool) -> tuple[Tensor, Tensor]:
        """Return (N, C, H, W) halved, and what is kept; before a join an odd last row is left out.

        An average keeps a single 0 in the shape of its features.
        """
        is_average = self.kind is nn.AvgPool2d
        kept = features.new_zeros(()).expand(features.shape) if is_average else features.detach()
        return self._pooled(features, joins), kept

    def backward(self, gradient: Tensor, kept: Tensor, joins: Joins, *, is_own: bool) -> Tensor:
        """Return the gradient by the features, given that by what they were halved to."""
        if joins != NO_JOINS:
            return self._by(gradient, kept, joins)
        by_features = torch.empty_like(kept, memory_format=torch.channels_last)
        for halved in bands_of(gradient):
            # The last one has the odd row, too, that is left out.
            last = halved.stop == gradient.shape[2]
            rows = slice(2 * halved.start, kept.shape[2] if last else 2 * halved.stop)
            by_features[:, :, rows] = self._by(gradient[:, :, halved], kept[:, :, rows], joins)
        return by_features

    @staticmethod
    def halved(joins: Joins) -> Joins:
        """Return where a periodic image begins anew in what is halved."""
        row, column = joins
        return (None if row is None else row // 2, None if column is None else column // 2)

    def _pooled(self, features: Tensor, joins: Joins) -> Tensor:
        pooled: Tensor = self.module(_without_odd(features, joins))
        return pooled

    def _by(self, gradient: Tensor, features: Tensor, joins: Joins) -> Tensor:
        # Pooling once more takes less time than windows would take memory.
        with torch.enable_grad():
            entire = features.detach().contiguous(memory_format=torch.channels_last)
            pooled = self._pooled(entire.requires_grad_(), joins)
        (by_features,) = torch.autograd.grad(pooled, entire, gradient)
        return by_features


def bands_of(features: Tensor) -> Iterator[slice]:
    """Yield rows of (N, C, H, W) that take little memory together, all in turn."""
    height = features.shape[2]
    numbers = BAND if features.is_cpu else BAND_ELSEWHERE
    count = max(1, numbers // max(1, features[:, :, :1].numel()))
    for start in range(0, height, count):
        yield slice(start, min(start + count, height))


def room_like(features: Tensor, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> Tensor:
    """Return an empty tensor for features (N, *shape), channels last, of the same kind or format.

    Parameters
    ----------
    features : Tensor
        (N, C, H, W).
    shape : tuple of int
        Channels, height and width.
    dtype : torch.dtype, optional
        Another number format.
    """
    return torch.empty(
        (features.shape[0], *shape),
        dtype=dtype or features.dtype,
        device=features.device,
        memory_format=torch.channels_last,
    )


def _without_odd(features: Tensor, joins: Joins) -> Tensor:
    for dim, join in zip((2, 3), joins, strict=True):
        if join is not None and join % 2:
            before = features.narrow(dim, 0, join - 1)
            after = features.narrow(dim, join, features.shape[dim] - join)
            features = torch.cat([before, after], dim)
    return features
