"""An image as tiles: what each is alone to count, and what the network must see to do so.

After Galerne et al. 2024, "Scaling Painting Style Transfer", where tiles overlap likewise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before


@dataclass(frozen=True)
class Span:
    """A tile along one axis.

    Attributes
    ----------
    core : slice
        The pixels whose features the tile counts. They start where a position of the deepest
        layer does.
    reach : tuple of slice
        The pixels that these features depend on, in order: two pieces, the end of the image and
        its beginning, where the reach goes on around the border of a periodic image.
    """

    core: slice
    reach: tuple[slice, ...]

    @property
    def join(self) -> int | None:
        """Where, counted within the reach, the image begins anew; None where it does not."""
        return _length(self.reach[0]) if len(self.reach) > 1 else None

    def positions(self, side: int) -> slice:
        """Return the core's positions among the whole image's, of a layer `side` pixels apart."""
        # The whole image's poolings leave out odd last rows, as these divisions do.
        return slice(self.core.start // side, self.core.stop // side)

    def within_reach(self, side: int) -> slice:
        """Return the same positions counted among those of the reach."""
        first, *second = self.reach
        if self.core.start >= first.start:
            start = (self.core.start - first.start) // side
        else:
            start = _length(first) // side + (self.core.start - second[0].start) // side
        positions = self.positions(side)
        return slice(start, start + _length(positions))


@dataclass(frozen=True)
class Tile:
    """A part of an image that can be computed alone."""

    rows: Span
    columns: Span

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of the core: those of all tiles cover the image once."""
        return self.rows.core, self.columns.core

    @property
    def joins(self) -> tuple[int | None, int | None]:
        """The row and the column of the reach where a periodic image begins anew, as `VGG19`."""
        return self.rows.join, self.columns.join

    def cut(self, image: Tensor) -> Tensor:
        """Return the reach's pixels of an image (1, C, H, W)."""
        rows = _joined([image[:, :, piece] for piece in self.rows.reach], dim=2)
        return _joined([rows[..., piece] for piece in self.columns.reach], dim=3)

    def add(self, values: Tensor, image: Tensor) -> None:
        """Add values of the reach's pixels to an image (1, C, H, W), in place."""
        top = 0
        for rows in self.rows.reach:
            left = 0
            for columns in self.columns.reach:
                piece = values[:, :, top : top + _length(rows), left : left + _length(columns)]
                image[:, :, rows, columns] += piece
                left += _length(columns)
            top += _length(rows)

    def positions(self, layer: str) -> tuple[slice, slice]:
        """Return the core's positions among those that a layer has of the whole image."""
        side = 1 << poolings_before(layer)
        return self.rows.positions(side), self.columns.positions(side)

    def within_reach(self, layer: str) -> tuple[slice, slice]:
        """Return the core's positions among those that a layer has of the reach."""
        side = 1 << poolings_before(layer)
        return self.rows.within_reach(side), self.columns.within_reach(side)


@dataclass(frozen=True)
class Grid:
    """The tiles of an image, row by row."""

    tiles: tuple[Tile, ...]

    @classmethod
    def of(cls, shape: tuple[int, int], tile: int, layers: Iterable[str], padding: str) -> Grid:
        """Divide an image into tiles of about one size.

        Parameters
        ----------
        shape : tuple of int
            Height and width of the image.
        tile : int
            Longest side of a core in pixels. It is at least a position of the deepest layer, and
            the last one of an axis has what such positions leave over; 0 makes one tile of all.
        layers : iterable of str
            The layers whose features are wanted.
        padding : str
            What the network sees beyond the border of the image. Reaches end there, where the
            network pads as it does on the whole; with ``circular`` they go on around it.
        """
        names = [canonical_layer(layer) for layer in layers]
        deepest = max(names, key=LAYER_NAMES.index)
        cell = 1 << poolings_before(deepest)
        overlap = receptive_field(deepest)
        rows, columns = (
            _spans(length, tile or length, cell, overlap, padding == "circular") for length in shape
        )
        return cls(tuple(Tile(row, column) for row in rows for column in columns))

    def __len__(self) -> int:
        return len(self.tiles)

    def __iter__(self) -> Iterator[Tile]:
        return iter(self.tiles)


def receptive_field(layer: str) -> int:
    """Return how many pixels a layer's position sees beyond those that it pools, on each side."""
    field = 0
    for name in reversed(LAYER_NAMES[: LAYER_NAMES.index(layer) + 1]):
        if name.startswith("pool"):
            field *= 2
        elif name.startswith("conv"):
            field += 1
    return field


def _spans(length: int, tile: int, cell: int, overlap: int, circular: bool) -> list[Span]:
    """Divide an axis; everything is counted in cells, each a position of the deepest layer.

    The last cell has the pixels, fewer than a cell, that poolings leave out. So cells before a
    join are as many as the deepest layer has positions there, and shallower layers have no fewer.
    """
    cells = length // cell
    count = -(-cells // max(1, tile // cell))
    margin = -(-overlap // cell)
    starts = [i * cells // count for i in range(count + 1)]

    def pixels(start: int, stop: int) -> slice:
        return slice(start * cell, length if stop == cells else stop * cell)

    def reach(start: int, stop: int) -> tuple[slice, ...]:
        if not circular:
            return (pixels(max(0, start), min(stop, cells)),)
        if stop - start >= cells:
            return (slice(0, length),)
        if start < 0:
            return pixels(start + cells, cells), pixels(0, stop)
        if stop > cells:
            return pixels(start, cells), pixels(0, stop - cells)
        return (pixels(start, stop),)

    return [
        Span(pixels(start, stop), reach(start - margin, stop + margin))
        for start, stop in pairwise(starts)
    ]


def _joined(pieces: list[Tensor], dim: int) -> Tensor:
    return torch.cat(pieces, dim) if len(pieces) > 1 else pieces[0]


def _length(piece: slice) -> int:
    return int(piece.stop - piece.start)
