"""An image as tiles: what each is alone to count, and what the network must see to do so.

After Galerne et al. 2024, "Scaling Painting Style Transfer", where tiles overlap likewise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.distributed import ALONE, Processes
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.tiling.spans import Axis, Span, length_of
from napari_nst.recipe.layer_names import poolings_before


@dataclass(frozen=True)
class Tile:
    """A part of an image that can be computed alone.

    Attributes
    ----------
    rows, columns : Span
        Where it is.
    band : Span
        The rows that this process has: pixels of its reach, positions and targets of its core.
    """

    rows: Span
    columns: Span
    band: Span

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows, among the band's own, and columns of the core: those of all tiles cover it."""
        top = self.band.core.start
        return slice(self.rows.core.start - top, self.rows.core.stop - top), self.columns.core

    @property
    def joins(self) -> tuple[int | None, int | None]:
        """The row and the column of the reach where a periodic image begins anew, as `VGG19`."""
        return self.rows.join, self.columns.join

    def cut(self, image: Tensor) -> Tensor:
        """Return the reach's pixels, of those (1, C, H, W) that the band reaches."""
        rows = _joined([image[:, :, self.band.at(piece)] for piece in self.rows.reach], dim=2)
        return _joined([rows[..., piece] for piece in self.columns.reach], dim=3)

    def add(self, values: Tensor, image: Tensor) -> None:
        """Add values of the reach's pixels to those that the band reaches, in place."""
        top = 0
        for rows in self.rows.reach:
            left = 0
            for columns in self.columns.reach:
                piece = values[:, :, top : top + length_of(rows), left : left + length_of(columns)]
                image[:, :, self.band.at(rows), columns] += piece
                left += length_of(columns)
            top += length_of(rows)

    def positions(self, layer: str) -> tuple[slice, slice]:
        """Return the core's positions among those that a layer has of the band's own rows."""
        side = 1 << poolings_before(layer)
        rows, top = self.rows.positions(side), self.band.core.start // side
        return slice(rows.start - top, rows.stop - top), self.columns.positions(side)

    def within_reach(self, layer: str) -> tuple[slice, slice]:
        """Return the core's positions among those that a layer has of the reach."""
        side = 1 << poolings_before(layer)
        return self.rows.within_reach(side), self.columns.within_reach(side)


@dataclass(frozen=True)
class Grid:
    """The tiles that a process computes of an image, row by row.

    Attributes
    ----------
    tiles : tuple of Tile
        All, where the process is alone.
    bands : Bands
        The rows that belong to each process.
    """

    tiles: tuple[Tile, ...]
    bands: Bands

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        tile: int,
        layers: Iterable[str],
        padding: str,
        processes: Processes = ALONE,
    ) -> Grid:
        """Divide an image into tiles of about one size.

        Parameters
        ----------
        shape : tuple of int
            Height and width of the image.
        tile : int
            Longest side of a core in pixels. It is at least a position of the deepest layer, and
            the last one of an axis has what such positions leave over; 0 for as few as possible.
        layers : iterable of str
            The layers whose features are wanted.
        padding : str
            What the network sees beyond the border of the image. Reaches end there, where the
            network pads as it does on the whole; with ``circular`` they go on around it.
        processes : Processes
            Who divides the rows, so that each has tiles of its own.
        """
        names = list(layers)
        down, across = (Axis.of(length, names, padding) for length in shape)
        bands = Bands.of(down, processes)
        band = bands.own
        rows = down.divided(_count(length_of(band.core), tile, down.cell), band)
        columns = across.divided(_count(shape[1], tile, across.cell))
        return cls(tuple(Tile(row, column, band) for row in rows for column in columns), bands)

    def __len__(self) -> int:
        return len(self.tiles)

    def __iter__(self) -> Iterator[Tile]:
        return iter(self.tiles)


def _count(length: int, tile: int, cell: int) -> int:
    """Return into how many tiles a length is divided."""
    return -(-(length // cell) // max(1, tile // cell)) if tile else 1


def _joined(pieces: list[Tensor], dim: int) -> Tensor:
    return torch.cat(pieces, dim) if len(pieces) > 1 else pieces[0]
