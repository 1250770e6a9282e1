"""Convolutions of 3 × 3 kernels with a quarter of the multiplications.

Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", after Winograd: 4 × 4
results from a window of 6 × 6. Windows and kernels are transformed, multiplied at each of the 36
places as matrices over channels, and transformed back. The way back is the adjoint, step by step,
so it is the gradient of what was computed and reads the same kernels.

In float32 a result is off by 2e-6 of its size, some five times as much as torch's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.device import has_avx2

SIDE, WINDOW = 4, 6
"""Of what comes out of a window, and of the window; windows lie `SIDE` apart."""

NARROWEST = 128
"""Channels from which on this is faster: of fewer, windows are as much work as products."""

FEWEST = 32
"""Windows below which each transformed kernel is read for too few products."""

AT_A_TIME = 160
"""Windows that are transformed together: enough for fast products, few enough for a cache."""

# At the points 0, 1, -1, 2, -2 and infinity, as in the paper.
_OF_WINDOW = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_OF_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OF_RESULT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


class Winograd:
    """A correlation with fixed kernels, and its adjoint, of single float32 images on a processor.

    Parameters
    ----------
    kernels : Tensor
        (out, in, 3, 3).
    """

    def __init__(self, kernels: Tensor) -> None:
        one = torch.tensor(_OF_KERNEL, dtype=torch.float64)
        turned = torch.einsum("ai,bj,ocij->abco", one, one, kernels.detach().double())
        self.kernels = turned.flatten(0, 1).to(kernels.dtype).contiguous()
        self.of_window = _on_both_axes(_OF_WINDOW)
        self.of_result = _on_both_axes(_OF_RESULT)

    @staticmethod
    def suits(kernels: Tensor, positions: int) -> bool:
        """Whether this is faster for kernels (out, in, 3, 3) and features of so many positions."""
        is_there = kernels.device.type == "cpu" and kernels.dtype == torch.float32 and has_avx2()
        is_wide = min(kernels.shape[:2]) >= NARROWEST
        return is_there and is_wide and positions >= FEWEST * SIDE**2

    def forward(self, padded: Tensor) -> Tensor:
        """Return (1, out, H, W) for features with a border, (1, in, H + 2, W + 2)."""
        height, width = padded.shape[2] - 2, padded.shape[3] - 2
        windows = _Windows.over(height, width)
        image = windows.filled(padded, WINDOW - SIDE)
        result = image.new_empty(windows.rows * SIDE, windows.columns * SIDE, self.kernels.shape[2])
        room = self._room(windows)
        for part in windows.parts():
            seen = _copied(part.of(image, 0, 0, WINDOW, WINDOW), room[0])
            seen = _product(self.of_window, seen, room[1])
            products = _product(part.by_place(seen), self.kernels, room[0])
            made = _product(self.of_result, products.flatten(1), room[1])
            whole = part.of(result, 0, 0, SIDE, SIDE)
            whole.copy_(made.view_as(whole))
        return _as_image(result[:height, :width])

    def backward(self, gradient: Tensor) -> Tensor:
        """Return the gradient by the features with their border, given that by the result."""
        height, width = gradient.shape[2:]
        windows = _Windows.over(height, width)
        results = windows.filled(gradient, 0)
        length = windows.rows * SIDE + 2, windows.columns * SIDE + 2
        image = results.new_zeros(*length, self.kernels.shape[1])
        room = self._room(windows)
        for part in windows.parts():
            given = _copied(part.of(results, 0, 0, SIDE, SIDE), room[0])
            given = _product(self.of_result.mT, given, room[1])
            by_place = _product(part.by_place(given), self.kernels.mT, room[0])
            by_window = _product(self.of_window.mT, by_place.flatten(1), room[1])
            self._add(by_window.view(WINDOW, WINDOW, part.count, windows.columns, -1), image, part)
        return _as_image(image[: height + 2, : width + 2])

    def _room(self, windows: _Windows) -> Tensor:
        """Return memory for what a part of the windows is and becomes, by turns, (2, numbers)."""
        # Fresh memory for each part costs as much in page faults as some of the products.
        largest = next(windows.parts()).count * windows.columns
        numbers = WINDOW**2 * largest * max(self.kernels.shape[1:])
        return torch.empty(2, numbers, dtype=self.kernels.dtype)

    @staticmethod
    def _add(values: Tensor, image: Tensor, part: _Part) -> None:
        """Add windows to an image that they overlap in: all of a quarter lie side by side."""
        for top, down in ((0, SIDE), (SIDE, WINDOW - SIDE)):
            for left, across in ((0, SIDE), (SIDE, WINDOW - SIDE)):
                quarter = values[top : top + down, left : left + across]
                part.of(image, top, left, down, across).add_(quarter)


@dataclass(frozen=True)
class _Windows:
    """How many windows an image takes, the last of a row or a column going beyond it."""

    rows: int
    columns: int

    @classmethod
    def over(cls, height: int, width: int) -> _Windows:
        return cls(-(-height // SIDE), -(-width // SIDE))

    def filled(self, image: Tensor, border: int) -> Tensor:
        """Return (1, C, H, W) as (H', W', C), with zeros where windows go beyond it."""
        down = self.rows * SIDE + border - image.shape[2]
        across = self.columns * SIDE + border - image.shape[3]
        if down or across:
            image = functional.pad(image, (0, across, 0, down))
        if image.stride(1) != 1:
            image = image.contiguous(memory_format=torch.channels_last)
        return image[0].permute(1, 2, 0)

    def parts(self) -> Iterator[_Part]:
        """Yield some rows of windows after others, the first of them the most."""
        count = max(1, AT_A_TIME // self.columns)
        for row in range(0, self.rows, count):
            yield _Part(self, row, min(count, self.rows - row))


@dataclass(frozen=True)
class _Part:
    """Some rows of windows."""

    windows: _Windows
    row: int
    count: int

    def by_place(self, values: Tensor) -> Tensor:
        """Return what there is at each of a window's 36 places, (36, windows, channels)."""
        return values.view(WINDOW**2, self.count * self.windows.columns, -1)

    def of(self, image: Tensor, top: int, left: int, down: int, across: int) -> Tensor:
        """Return a rectangle of each window: a view (down, across, rows, columns, C)."""
        rows, columns, channels = image.stride()
        first = (self.row * SIDE + top) * rows + left * columns
        return image.as_strided(
            (down, across, self.count, self.windows.columns, image.shape[2]),
            (rows, columns, SIDE * rows, SIDE * columns, channels),
            image.storage_offset() + first,
        )


def _copied(rectangles: Tensor, room: Tensor) -> Tensor:
    """Return rectangles of windows as (places, windows · channels), in a given memory."""
    copy = room[: rectangles.numel()].view(rectangles.shape)
    return copy.copy_(rectangles).view(rectangles.shape[0] * rectangles.shape[1], -1)


def _product(left: Tensor, right: Tensor, room: Tensor) -> Tensor:
    """Return a product of matrices, or of as many as there are in both, in a given memory."""
    shape = (*left.shape[:-1], right.shape[-1])
    return torch.matmul(left, right, out=room[: math.prod(shape)].view(shape))


def _on_both_axes(transform: tuple[tuple[float, ...], ...]) -> Tensor:
    one = torch.tensor(transform, dtype=torch.float32)
    return torch.kron(one, one)


def _as_image(values: Tensor) -> Tensor:
    """Return (H, W, C) as (1, C, H, W)."""
    return values.permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
