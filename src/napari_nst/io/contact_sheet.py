"""Several pictures on one sheet, in rows and columns that say what they are."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Pixels = np.ndarray[Any, Any]

Rectangle = tuple[int, int, int, int]
"""Top, left, bottom and right in pixels; the last two are just outside."""


@dataclass(frozen=True)
class Cell:
    """Where one of several pictures stands.

    Attributes
    ----------
    label : str
        What it is called among all.
    row, column : int
        Counted from 0.
    caption : str
        What stands above it; "" where its row and column say enough.
    settings : mapping
        Fields of a recipe that make this picture, and their values.
    """

    label: str
    row: int = 0
    column: int = 0
    caption: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """Pictures in rows and columns.

    Attributes
    ----------
    rows, columns : tuple of str
        Headings, "" for none. One of a column goes on above those behind it that have none.
    cells : tuple of Cell
        In the order in which the pictures are made.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]

    @classmethod
    def wrapped(cls, cells: Sequence[Cell], columns: int) -> Self:
        """Return pictures that are no table, in rows of so many, without headings."""
        placed = [
            replace(cell, row=index // columns, column=index % columns)
            for index, cell in enumerate(cells)
        ]
        rows = math.ceil(len(placed) / columns)
        return cls(("",) * rows, ("",) * columns, tuple(placed))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Make a grid of what `to_dict` returns."""
        cells = tuple(Cell(**cell) for cell in fields["cells"])
        return cls(tuple(fields["rows"]), tuple(fields["columns"]), cells)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as JSON can hold it."""
        cells = [asdict(cell) for cell in self.cells]
        return {"rows": list(self.rows), "columns": list(self.columns), "cells": cells}


@dataclass(frozen=True)
class Paper:
    """The colours of a sheet.

    Attributes
    ----------
    ground, ink, empty : str
        Behind the pictures, of the letters, and of a picture's place before it is there.
    """

    ground: str
    ink: str
    empty: str


WHITE, DARK = Paper("white", "#202020", "#e8e8e8"), Paper("#1c1e22", "#e0e0e0", "#2c2f36")


class Sheet:
    """A grid as one picture, to be filled cell by cell.

    Parameters
    ----------
    grid : Grid
        What stands where.
    shape : tuple of int
        Height and width of each cell in pixels.
    paper : Paper
        The colours.
    is_grey : bool
        Whether the sheet has a single channel.
    letters : int, optional
        Height of the letters in pixels; left out, a 24th of a cell's width, and 14 at the least.

    Attributes
    ----------
    pixels : ndarray
        uint8 (H, W, 3), or (H, W) if it is grey. `put` changes it.
    rectangles : tuple of Rectangle
        Where each cell is.
    """

    def __init__(
        self,
        grid: Grid,
        shape: tuple[int, int],
        paper: Paper = WHITE,
        *,
        is_grey: bool = False,
        letters: int | None = None,
    ) -> None:
        from PIL import Image, ImageDraw

        height, width = shape
        font = _Letters(letters or max(14, width // 24))
        gap, line = font.size // 2, 2 * font.size
        captions = [cell.caption for cell in grid.cells]
        # As wide as the longest caption too: cut, it might not tell its picture from the next.
        widest = max(font.widest(captions), _column_width(grid.columns, font))
        wide = max(width, widest) + gap
        above = line if any(captions) else 0
        high = height + (above or gap)
        left = gap + (font.widest(grid.rows) + gap if any(grid.rows) else 0)
        top = line if any(grid.columns) else (0 if above else gap)
        size = (left + len(grid.columns) * wide, top + len(grid.rows) * high + (above and gap))
        sheet = Image.new("L" if is_grey else "RGB", size, paper.ground)
        draw = ImageDraw.Draw(sheet)

        def write(x: int, middle: int, text: str) -> None:
            draw.text((x, middle), _spelled(text), paper.ink, font.face, anchor="lm")

        for index, heading in enumerate(grid.columns):
            write(left + index * wide, font.size, heading)
        for index, heading in enumerate(grid.rows):
            write(gap, top + index * high + above + height // 2, heading)
        rectangles = []
        for cell in grid.cells:
            x, y = left + cell.column * wide, top + cell.row * high + above
            write(x, y - font.size, cell.caption)
            draw.rectangle((x, y, x + width - 1, y + height - 1), paper.empty)
            rectangles.append((y, x, y + height, x + width))
        self.pixels: Pixels = np.array(sheet)
        self.rectangles: tuple[Rectangle, ...] = tuple(rectangles)

    def put(self, index: int, picture: Pixels) -> None:
        """Draw a picture into its cell, resampled to the cell's size.

        Parameters
        ----------
        index : int
            Which of the grid's cells.
        picture : ndarray
            uint8 (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, whose alpha is left aside.
        """
        top, left, bottom, right = self.rectangles[index]
        fitted = resampled(picture, (bottom - top, right - left))
        if fitted.ndim < self.pixels.ndim:
            fitted = fitted[..., None]
        self.pixels[top:bottom, left:right] = fitted


def sheet_of(grid: Grid, pictures: Mapping[int, Pixels]) -> Pixels:
    """Return a white sheet with pictures of uint8, by their cells, each as large as the largest."""
    shape = max(picture.shape[:2] for picture in pictures.values())
    sheet = Sheet(grid, shape, is_grey=all(picture.ndim == 2 for picture in pictures.values()))
    for index, picture in pictures.items():
        sheet.put(index, picture)
    return sheet.pixels


def resampled(picture: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return a picture of uint8 at another height and width, without alpha."""
    from PIL import Image

    opaque = picture if picture.ndim == 2 else picture[..., :3]
    if opaque.shape[:2] == shape:
        return opaque
    image = Image.fromarray(np.ascontiguousarray(opaque))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.LANCZOS))


class _Letters:
    """Pillow's own font, at one size."""

    def __init__(self, size: int) -> None:
        from PIL import ImageFont

        self.size = size
        self.face: FreeTypeFont = ImageFont.load_default(size)  # type: ignore[assignment]

    def widest(self, texts: Sequence[str]) -> int:
        return max(math.ceil(self.face.getlength(_spelled(text))) for text in texts)


def _column_width(headings: Sequence[str], font: _Letters) -> int:
    """Return how wide the columns must be for their headings to stay apart."""
    starts = [index for index, heading in enumerate(headings) if heading]
    spans = np.diff([*starts, len(headings)])
    widths = [
        math.ceil((font.widest([headings[start]]) + font.size) / span)
        for start, span in zip(starts, spans, strict=True)
    ]
    return max(widths, default=0)


def _spelled(text: str) -> str:
    """Return a text in one line, without the accents, which Pillow's own font has not."""
    parts = unicodedata.normalize("NFKD", " ".join(text.split()))
    return "".join(part for part in parts if not unicodedata.combining(part))
