"""Resampling of some rows of an image: they get the very values that `resize` gives them.

So each of several processes can make its own rows of a larger image from a few of a smaller one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from napari_nst.engine.images.convert import resize
from napari_nst.engine.run.shelf import MEMORY, Shelf
from napari_nst.engine.tiling.spans import length_of

STRIP = 64
"""Columns that are resampled at a time."""


@dataclass(frozen=True)
class Resampling:
    """How an image goes over to another size, row by row.

    Attributes
    ----------
    height : int
        Rows that it has.
    shape : tuple of int
        Height and width that it gets.
    smooth, periodic : bool
        As for `resize`.
    """

    height: int
    shape: tuple[int, int]
    smooth: bool = True
    periodic: bool = False

    def needs(self, rows: slice) -> tuple[slice, ...]:
        """Return which rows of the image some rows of the resampled one depend on.

        Returns
        -------
        tuple of slice
            In order: the end of the image and its beginning, where they go around the border of a
            periodic one.
        """
        everything = slice(0, self.height)
        if self._are_all(rows):
            return (everything,)
        if self.height == self.shape[0]:
            return (rows,)
        scale = self.height / self.shape[0]
        # Of the filter, and a pixel for what torch rounds.
        support = (2 if self.smooth else 1) * max(1.0, scale) + 1
        start = math.floor(scale * (rows.start + 0.5) - support)
        stop = math.ceil(scale * (rows.stop - 0.5) + support)
        if not self.periodic:
            return (slice(max(0, start), min(stop, self.height)),)
        if stop - start >= self.height:
            return (everything,)
        start, stop = start % self.height, (stop - 1) % self.height + 1
        if start < stop:
            return (slice(start, stop),)
        return slice(start, self.height), slice(0, stop)

    def of(self, seen: Tensor, rows: slice, shelf: Shelf = MEMORY) -> Tensor:
        """Return some rows of the resampled image.

        Parameters
        ----------
        seen : Tensor
            (N, C, h, W), float32: the rows of the image that these need.
        rows : slice
            Which.
        shelf : Shelf
            Where they lie, if they are all.
        """
        if self._are_all(rows):
            return shelf.resized(seen, self.shape, smooth=self.smooth, periodic=self.periodic)
        across = self._across(seen)
        if self.height == self.shape[0]:
            return across
        resampled = across.new_empty((*across.shape[:2], length_of(rows), across.shape[3]))
        for left in range(0, across.shape[3], STRIP):
            columns = slice(left, left + STRIP)
            resampled[..., columns] = self._down(across[..., columns], rows)
        return resampled

    def _are_all(self, rows: slice) -> bool:
        return rows == slice(0, self.shape[0])

    def _across(self, seen: Tensor) -> Tensor:
        """Return rows of the image with as many columns as the resampled one has."""
        height, width = seen.shape[2], self.shape[1]
        if not self.periodic or seen.shape[3] == width:
            return resize(seen, (height, width), smooth=self.smooth)
        tiles = resize(seen.repeat(1, 1, 1, 3), (height, 3 * width), smooth=self.smooth)
        return tiles[..., width : 2 * width]

    def _down(self, seen: Tensor, rows: slice) -> Tensor:
        """Return some rows of a few columns, of which the others are not there and left black.

        As a whole, so that torch computes for these what it does for an image's.
        """
        strip = seen.new_zeros((*seen.shape[:2], self.height, seen.shape[3]))
        top = 0
        for piece in self.needs(rows):
            strip[:, :, piece] = seen[:, :, top : top + length_of(piece)]
            top += length_of(piece)
        height, before = self.shape[0], 0
        if self.periodic:
            strip, height, before = strip.repeat(1, 1, 3, 1), 3 * height, height
        resampled = resize(strip, (height, strip.shape[3]), smooth=self.smooth)
        return resampled[:, :, before + rows.start : before + rows.stop]


def resized_rows(
    image: Tensor,
    shape: tuple[int, int],
    rows: slice,
    shelf: Shelf = MEMORY,
    *,
    smooth: bool = True,
) -> Tensor:
    """Return some rows of what an image (N, C, H, W) is when it is resampled to `shape`."""
    resampling = Resampling(image.shape[2], shape, smooth)
    (needed,) = resampling.needs(rows)
    return resampling.of(image[:, :, needed], rows, shelf)
