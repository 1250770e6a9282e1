"""An image as tiles: each tile has a core, and a halo that the network needs to compute the core.

After Galerne et al. 2024, "Scaling Painting Style Transfer", whose tiles overlap likewise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before

Window = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True)
class Span:
    """The rows or the columns of a tile."""

    core: slice
    """The pixels whose features the tile contributes. It starts at a cell of the deepest layer."""

    extent: tuple[slice, ...]
    """Core and halo. Two pieces, the end of the image and its beginning, if the halo of a periodic
    image crosses the border."""

    @property
    def wrap_around(self) -> int | None:
        """Index in the extent at which a periodic image starts again; None if it does not."""
        return length_of(self.extent[0]) if len(self.extent) > 1 else None

    @property
    def length(self) -> int:
        """Number of pixels of the extent."""
        return sum(map(length_of, self.extent))

    def positions(self, stride: int) -> slice:
        """Return the core's positions at a layer with this stride, counted in the whole image."""
        # Pooling drops an odd last row of the whole image; floor division does the same.
        return slice(self.core.start // stride, self.core.stop // stride)

    def positions_in_extent(self, stride: int) -> slice:
        """Return the same positions, counted in the extent."""
        first, *second = self.extent
        if self.core.start >= first.start:
            start = (self.core.start - first.start) // stride
        else:
            start = length_of(first) // stride + (self.core.start - second[0].start) // stride
        return slice(start, start + length_of(self.positions(stride)))


@dataclass(frozen=True)
class Tile:
    """A part of an image whose features can be computed alone."""

    rows: Span
    columns: Span

    @property
    def window(self) -> Window:
        """Rows and columns of the core; the cores of all tiles cover the image."""
        return self.rows.core, self.columns.core

    @property
    def wrap_around(self) -> tuple[int | None, int | None]:
        """Row and column of the extent at which a periodic image starts again, for `VGG19`."""
        return self.rows.wrap_around, self.columns.wrap_around

    @property
    def pixels(self) -> int:
        """Number of pixels that the network reads."""
        return self.rows.length * self.columns.length

    def cut(self, image: Tensor) -> Tensor:
        """Return the pixels of the extent of an image (1, C, H, W)."""
        rows = _concatenated([image[:, :, piece] for piece in self.rows.extent], dim=2)
        return _concatenated([rows[..., piece] for piece in self.columns.extent], dim=3)

    def add(self, values: Tensor, image: Tensor) -> None:
        """Add values of the extent to the same pixels of an image, in place."""
        top = 0
        for rows in self.rows.extent:
            left = 0
            for columns in self.columns.extent:
                bottom, right = top + length_of(rows), left + length_of(columns)
                image[:, :, rows, columns] += values[:, :, top:bottom, left:right]
                left = right
            top += length_of(rows)

    def positions(self, layer: str) -> Window:
        """Return the core's positions at a layer, counted in the whole image."""
        stride = 1 << poolings_before(layer)
        return self.rows.positions(stride), self.columns.positions(stride)

    def positions_in_extent(self, layer: str) -> Window:
        """Return the core's positions at a layer, counted in the extent."""
        stride = 1 << poolings_before(layer)
        return self.rows.positions_in_extent(stride), self.columns.positions_in_extent(stride)

    def crop(self, mask: Tensor | None, layer: str) -> Tensor | None:
        """Return the core of a mask (1, 1, H', W') of a layer's positions."""
        return None if mask is None else mask[(..., *self.positions(layer))]


def make_grid(
    shape: tuple[int, int], tile: int, layers: Iterable[str], padding: str, at_least: int = 1
) -> list[Tile]:
    """Divide an image into tiles of about equal size, row by row.

    `tile` is the longest side of a core in pixels, rounded to cells of the deepest layer; 0 means
    as few tiles as possible, but `at_least` so many. Halos end at the border of the image, where
    the network pads as it does on the whole image; with circular padding they wrap around.
    """
    names = list(layers)
    down, across = (_Axis.of(length, names, padding) for length in shape)
    columns = across.divide(across.count(tile))
    rows = down.divide(max(down.count(tile), -(-at_least // len(columns))))
    return [Tile(row, column) for row in rows for column in columns]


@dataclass(frozen=True)
class _Axis:
    """The rows or the columns of an image, divided into cells: positions of the deepest layer.

    The last cell includes the pixels that pooling drops.
    """

    length: int
    cell: int
    margin: int  # of the halo, in cells
    circular: bool

    @classmethod
    def of(cls, length: int, layers: Iterable[str], padding: str) -> _Axis:
        deepest = max(map(canonical_layer, layers), key=LAYER_NAMES.index)
        cell = 1 << poolings_before(deepest)
        return cls(length, cell, -(-halo_of(deepest) // cell), padding == "circular")

    @property
    def cells(self) -> int:
        return self.length // self.cell

    def count(self, tile: int) -> int:
        """Return the number of tiles with cores of at most `tile` pixels."""
        return -(-self.cells // max(1, tile // self.cell)) if tile else 1

    def divide(self, count: int) -> list[Span]:
        count = min(count, self.cells)
        starts = [i * self.cells // count for i in range(count)]
        return [self._span(start, stop) for start, stop in pairwise([*starts, self.cells])]

    def _span(self, start: int, stop: int) -> Span:
        return Span(
            self._pixels(start, stop), self._extent(start - self.margin, stop + self.margin)
        )

    def _extent(self, start: int, stop: int) -> tuple[slice, ...]:
        cells = self.cells
        if not self.circular:
            return (self._pixels(max(0, start), min(stop, cells)),)
        if stop - start >= cells:
            return (slice(0, self.length),)
        if start < 0:
            return self._pixels(start + cells, cells), self._pixels(0, stop)
        if stop > cells:
            return self._pixels(start, cells), self._pixels(0, stop - cells)
        return (self._pixels(start, stop),)

    def _pixels(self, start: int, stop: int) -> slice:
        return slice(start * self.cell, self.length if stop == self.cells else stop * self.cell)


def halo_of(layer: str) -> int:
    """Return how many pixels the receptive field of a layer extends beyond its pooling window."""
    halo = 0
    for name in reversed(LAYER_NAMES[: LAYER_NAMES.index(layer) + 1]):
        if name.startswith("pool"):
            halo *= 2
        elif name.startswith("conv"):
            halo += 1
    return halo


def length_of(piece: slice) -> int:
    """Return the number of indices of a slice."""
    return int(piece.stop - piece.start)


def _concatenated(pieces: list[Tensor], dim: int) -> Tensor:
    return torch.cat(pieces, dim) if len(pieces) > 1 else pieces[0]
