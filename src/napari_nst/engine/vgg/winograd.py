"""3 × 3 convolutions with a quarter of the multiplications.

Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", after Winograd: tiles of
4 × 4 outputs from 6 × 6 inputs. Input tiles and kernels are transformed, multiplied at each of the
36 positions as matrices over channels, and the products transformed to outputs. The backward pass
is the transpose of each step in reverse, so it is the exact gradient and uses the same kernels.

In float32 the relative error is 2e-6, about five times that of torch's convolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.device import cpu_has

OUTPUT, INPUT = 4, 6
"""Sides of output and input tiles. Input tiles are `OUTPUT` apart and overlap."""

MIN_CHANNELS = 128
"""With fewer channels, the transforms take as much time as is saved."""

MIN_TILES = 32
"""With fewer tiles, each transformed kernel is read for too few products."""

TILES_PER_BLOCK = 160
"""Enough tiles for fast matrix products, few enough for the CPU's cache."""

# For the points 0, 1, -1, 2, -2 and infinity, as in the article.
_INPUT_TRANSFORM = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_KERNEL_TRANSFORM = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OUTPUT_TRANSFORM = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


class Winograd:
    """The convolution of one float32 image with fixed kernels (out, in, 3, 3) on the CPU."""

    def __init__(self, kernels: Tensor) -> None:
        transform = torch.tensor(_KERNEL_TRANSFORM, dtype=torch.float64)
        transformed = torch.einsum(
            "ai,bj,ocij->abco", transform, transform, kernels.detach().double()
        )
        self.kernels = transformed.flatten(0, 1).to(kernels.dtype).contiguous()
        self.input_transform = _on_both_axes(_INPUT_TRANSFORM)
        self.output_transform = _on_both_axes(_OUTPUT_TRANSFORM)

    @staticmethod
    def suits(kernels: Tensor, pixels: int) -> bool:
        """Whether this is faster for kernels (out, in, 3, 3) and features of so many pixels."""
        is_supported = kernels.is_cpu and kernels.dtype == torch.float32 and cpu_has("avx2")
        has_channels = min(kernels.shape[:2]) >= MIN_CHANNELS
        return is_supported and has_channels and pixels >= MIN_TILES * OUTPUT**2

    def forward(self, padded: Tensor) -> Tensor:
        """Return (1, out, H, W) for padded features (1, in, H + 2, W + 2)."""
        height, width = padded.shape[2] - 2, padded.shape[3] - 2
        tiles = _Tiles.covering(height, width)
        image = tiles.filled(padded, INPUT - OUTPUT)
        shape = tiles.rows * OUTPUT, tiles.columns * OUTPUT, self.kernels.shape[2]
        output = image.new_empty(shape)
        buffer = self._buffer(tiles)
        for block in tiles.blocks():
            inputs = _copied(block.view(image, 0, 0, INPUT, INPUT), buffer[0])
            inputs = _product(self.input_transform, inputs, buffer[1])
            products = _product(block.by_position(inputs), self.kernels, buffer[0])
            outputs = _product(self.output_transform, products.flatten(1), buffer[1])
            target = block.view(output, 0, 0, OUTPUT, OUTPUT)
            target.copy_(outputs.view_as(target))
        return _channels_first(output[:height, :width])

    def backward(self, gradient: Tensor) -> Tensor:
        """Return the gradient (1, in, H + 2, W + 2) of the padded features."""
        height, width = gradient.shape[2:]
        tiles = _Tiles.covering(height, width)
        outputs = tiles.filled(gradient, 0)
        shape = tiles.rows * OUTPUT + 2, tiles.columns * OUTPUT + 2, self.kernels.shape[1]
        image = outputs.new_zeros(shape)
        buffer = self._buffer(tiles)
        for block in tiles.blocks():
            given = _copied(block.view(outputs, 0, 0, OUTPUT, OUTPUT), buffer[0])
            given = _product(self.output_transform.mT, given, buffer[1])
            products = _product(block.by_position(given), self.kernels.mT, buffer[0])
            inputs = _product(self.input_transform.mT, products.flatten(1), buffer[1])
            _add_tiles(inputs.view(INPUT, INPUT, block.count, tiles.columns, -1), image, block)
        return _channels_first(image[: height + 2, : width + 2])

    def _buffer(self, tiles: _Tiles) -> Tensor:
        """Return memory for the tiles of a block, twice: each step reads one half, writes one."""
        # New memory for each block would cost as much in page faults as some of the products.
        largest = next(tiles.blocks()).count * tiles.columns
        elements = INPUT**2 * largest * max(self.kernels.shape[1:])
        return torch.empty(2, elements, dtype=self.kernels.dtype)


@dataclass(frozen=True)
class _Tiles:
    """A grid of tiles that covers an image; its last row and column may extend beyond it."""

    rows: int
    columns: int

    @classmethod
    def covering(cls, height: int, width: int) -> _Tiles:
        return cls(-(-height // OUTPUT), -(-width // OUTPUT))

    def filled(self, image: Tensor, border: int) -> Tensor:
        """Return (1, C, H, W) as (H', W', C), with zeros where the tiles extend beyond it."""
        below = self.rows * OUTPUT + border - image.shape[2]
        right = self.columns * OUTPUT + border - image.shape[3]
        if below or right:
            image = functional.pad(image, (0, right, 0, below))
        if image.stride(1) != 1:
            image = image.contiguous(memory_format=torch.channels_last)
        return image[0].permute(1, 2, 0)

    def blocks(self) -> Iterator[_Block]:
        """Yield blocks of rows of tiles, the first one the largest."""
        count = max(1, TILES_PER_BLOCK // self.columns)
        for row in range(0, self.rows, count):
            yield _Block(self, row, min(count, self.rows - row))


@dataclass(frozen=True)
class _Block:
    """Some rows of tiles."""

    tiles: _Tiles
    row: int
    count: int

    def by_position(self, values: Tensor) -> Tensor:
        """Return the values at each of the 36 positions of a tile, (36, tiles, channels)."""
        return values.view(INPUT**2, self.count * self.tiles.columns, -1)

    def view(self, image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
        """Return the same rectangle of every tile: a view (height, width, rows, columns, C)."""
        down, right, channel = image.stride()
        return image.as_strided(
            (height, width, self.count, self.tiles.columns, image.shape[2]),
            (down, right, OUTPUT * down, OUTPUT * right, channel),
            image.storage_offset() + (self.row * OUTPUT + top) * down + left * right,
        )


def _add_tiles(values: Tensor, image: Tensor, block: _Block) -> None:
    """Add overlapping tiles to an image, in four parts within which tiles do not overlap."""
    for top, height in ((0, OUTPUT), (OUTPUT, INPUT - OUTPUT)):
        for left, width in ((0, OUTPUT), (OUTPUT, INPUT - OUTPUT)):
            part = values[top : top + height, left : left + width]
            block.view(image, top, left, height, width).add_(part)


def _copied(rectangles: Tensor, buffer: Tensor) -> Tensor:
    """Copy rectangles of tiles into a buffer, as (positions, tiles · channels)."""
    copy = buffer[: rectangles.numel()].view(rectangles.shape)
    return copy.copy_(rectangles).view(rectangles.shape[0] * rectangles.shape[1], -1)


def _product(left: Tensor, right: Tensor, buffer: Tensor) -> Tensor:
    """Multiply matrices, or batches of matrices, into a buffer."""
    shape = (*left.shape[:-1], right.shape[-1])
    return torch.matmul(left, right, out=buffer[: math.prod(shape)].view(shape))


def _on_both_axes(transform: tuple[tuple[float, ...], ...]) -> Tensor:
    one = torch.tensor(transform, dtype=torch.float32)
    return torch.kron(one, one)


def _channels_first(values: Tensor) -> Tensor:
    """Return (H, W, C) as (1, C, H, W)."""
    return values.permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
