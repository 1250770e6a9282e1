"""Parts of an axis of an image: what each counts, and what the network must see to do so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before


@dataclass(frozen=True)
class Span:
    """A part of one axis: of a tile, or the rows of a band of tiles.

    Attributes
    ----------
    core : slice
        The pixels whose features the part counts. They start where a position of the deepest
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
        return length_of(self.reach[0]) if len(self.reach) > 1 else None

    @property
    def length(self) -> int:
        """How many pixels the reach has."""
        return sum(map(length_of, self.reach))

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
            start = length_of(first) // side + (self.core.start - second[0].start) // side
        return slice(start, start + length_of(self.positions(side)))

    def at(self, pixels: slice) -> slice:
        """Return where some of the reach's pixels, of one piece, are within it.

        Raises
        ------
        ValueError
            If they are not in one piece of it.
        """
        before = 0
        for piece in self.reach:
            if piece.start <= pixels.start and pixels.stop <= piece.stop:
                start = before + pixels.start - piece.start
                return slice(start, start + length_of(pixels))
            before += length_of(piece)
        raise ValueError(f"{pixels} is in no one piece of {self.reach}.")


@dataclass(frozen=True)
class Axis:
    """The rows or the columns of an image, in cells: each a position of the deepest layer.

    The last cell has the pixels, fewer than a cell, that poolings leave out. So cells before a
    join are as many as the deepest layer has positions there, and shallower layers have no fewer.

    Attributes
    ----------
    length : int
        Pixels.
    cell : int
        Pixels of a cell.
    margin : int
        How many cells a position sees beyond its own, on each side.
    circular : bool
        Whether what is beyond a border is at the opposite one.
    """

    length: int
    cell: int
    margin: int
    circular: bool

    @classmethod
    def of(cls, length: int, layers: Iterable[str], padding: str) -> Axis:
        """Return an axis as the deepest of some layers sees it; `padding` as for `Grid.of`."""
        names = [canonical_layer(layer) for layer in layers]
        deepest = max(names, key=LAYER_NAMES.index)
        cell = 1 << poolings_before(deepest)
        return cls(length, cell, -(-receptive_field(deepest) // cell), padding == "circular")

    @property
    def cells(self) -> int:
        """How many cells it has."""
        return self.length // self.cell

    def divided(self, count: int, part: Span | None = None, *, unit: int = 1) -> list[Span]:
        """Divide it, or a part of it, into spans of about one length.

        Parameters
        ----------
        count : int
            How many.
        part : Span, optional
            One that another division has made.
        unit : int
            Cells that stay together; at the end there may be fewer.
        """
        first, last = 0, self.cells
        if part is not None:
            first = part.core.start // self.cell
            last = self.cells if part.core.stop == self.length else part.core.stop // self.cell
        units = (last - first) // unit
        starts = [first + i * units // count * unit for i in range(count)]
        return [self._span(start, stop) for start, stop in pairwise([*starts, last])]

    def _span(self, start: int, stop: int) -> Span:
        return Span(self._pixels(start, stop), self._reach(start - self.margin, stop + self.margin))

    def _reach(self, start: int, stop: int) -> tuple[slice, ...]:
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


def receptive_field(layer: str) -> int:
    """Return how many pixels a layer's position sees beyond those that it pools, on each side."""
    field = 0
    for name in reversed(LAYER_NAMES[: LAYER_NAMES.index(layer) + 1]):
        if name.startswith("pool"):
            field *= 2
        elif name.startswith("conv"):
            field += 1
    return field


def length_of(piece: slice) -> int:
    """Return how many a slice takes."""
    return int(piece.stop - piece.start)
