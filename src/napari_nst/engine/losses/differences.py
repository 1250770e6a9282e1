"""Powers of the differences between neighbouring pixels, summed without a copy of the image.

Torch's own graph of them keeps some ten copies, which at large sizes is more than all else that a
run holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from napari_nst.engine.cancel import Pulse, go_on
from napari_nst.engine.run.shelf import MEMORY, Shelf
from napari_nst.engine.tiling.spans import Span, length_of

BAND = 1 << 16
"""About how many pixels are computed at a time."""

Window = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True)
class Differences:
    """Of some pixels to as many others.

    Attributes
    ----------
    near, far : tuple of slice
        Rows and columns that are subtracted, and that they are subtracted from; with a start and
        a stop that are not negative.
    factor : float
        What each power of these differences counts in the sum.
    """

    near: Window
    far: Window
    factor: float = 1.0

    @property
    def count(self) -> int:
        """How many there are, in one channel."""
        return length_of(self.near[0]) * length_of(self.near[1])


def neighbours(
    shape: tuple[int, int], down: int, across: int, *, circular: bool = False
) -> list[Differences]:
    """Return the differences of all pixels to those beside them.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image.
    down, across : int
        Where the other pixel is: 0, 1 or −1 rows below, and columns to the right.
    circular : bool
        Whether pixels at a border have those of the opposite one beside them.
    """
    rows = _shifted(shape[0], down, circular)
    columns = _shifted(shape[1], across, circular)
    return [
        Differences((row[0], column[0]), (row[1], column[1]))
        for row, column in product(rows, columns)
    ]


def weighted(differences: Sequence[Differences], factor: float) -> list[Differences]:
    """Return the same differences with another factor."""
    return [replace(some, factor=factor) for some in differences]


def within(differences: Sequence[Differences], rows: Span) -> list[Differences]:
    """Return those whose near pixels are in the core of some rows, counted in their reach."""
    found = []
    for some in differences:
        (near, across), (far, far_across) = some.near, some.far
        start, stop = max(near.start, rows.core.start), min(near.stop, rows.core.stop)
        if start < stop:
            down = far.start - near.start
            found.append(
                replace(
                    some,
                    near=(rows.at(slice(start, stop)), across),
                    far=(rows.at(slice(start + down, stop + down)), far_across),
                )
            )
    return found


def sum_of_powers(
    image: Tensor,
    differences: Sequence[Differences],
    exponent: float,
    pulse: Pulse = go_on,
    shelf: Shelf = MEMORY,
) -> Tensor:
    """Return Σ factor · |far − near|ᵝ over an image (N, C, H, W); differentiable once.

    Where there is no difference there is no slope, even if the exponent β is less than 1. `pulse`
    is called again and again, both ways: what it raises ends the computation. The gradient lies on
    the shelf.
    """
    banded = _Banded(differences, pulse, shelf)
    total: Tensor = _SumOfPowers.apply(image, banded, exponent)
    return total


class _SumOfPowers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, differences: _Banded, exponent: float) -> Tensor:
        ctx.save_for_backward(image)
        ctx.differences, ctx.exponent = differences, exponent
        total = image.new_zeros(())
        for some in differences:
            sizes = (image[(..., *some.far)] - image[(..., *some.near)]).abs_()
            total += sizes.pow_(exponent).sum() * some.factor
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (image,) = ctx.saved_tensors
        gradient = ctx.differences.shelf.zeros(tuple(image.shape), image.dtype, image.device)
        for some in ctx.differences:
            difference = image[(..., *some.far)] - image[(..., *some.near)]
            slope = _slope(difference, ctx.exponent).mul_(upstream * some.factor)
            gradient[(..., *some.far)] += slope
            gradient[(..., *some.near)] -= slope
        return gradient, None, None


def _slope(difference: Tensor, exponent: float) -> Tensor:
    """Return the derivative of |d|ᵝ by d."""
    sizes = difference.abs()
    if exponent < 1:
        sizes.masked_fill_(difference == 0, 1)
    return sizes.pow_(exponent - 1).mul_(difference.sign()).mul_(exponent)


@dataclass(frozen=True)
class _Banded:
    """Differences, divided into some of few rows each."""

    differences: Sequence[Differences]
    pulse: Pulse
    shelf: Shelf

    def __iter__(self) -> Iterator[Differences]:
        for some in self.differences:
            height, width = length_of(some.near[0]), length_of(some.near[1])
            rows = max(1, BAND // max(1, width))
            for top in range(0, height, rows):
                self.pulse()
                stop = min(top + rows, height)
                near, far = (
                    (slice(down.start + top, down.start + stop), across)
                    for down, across in (some.near, some.far)
                )
                yield Differences(near, far, some.factor)


def _shifted(length: int, by: int, circular: bool) -> list[tuple[slice, slice]]:
    """Pair positions along an axis with those `by` farther, each in one or two pieces."""
    if by == 0:
        return [(slice(0, length), slice(0, length))]
    first, last = slice(0, length - 1), slice(1, length)
    pieces = [(first, last), *([(slice(length - 1, length), slice(0, 1))] if circular else [])]
    return pieces if by > 0 else [(far, near) for near, far in pieces]
