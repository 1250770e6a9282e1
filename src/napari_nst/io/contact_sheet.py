"""Draw a grid of pictures, with headings and captions, as one picture."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.recipe.grid import Grid

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Pixels = np.ndarray[Any, Any]

# The colours of a sheet: background, text, and cells that have no picture yet.
LIGHT, DARK = ("white", "#202020", "#e8e8e8"), ("#1c1e22", "#e0e0e0", "#2c2f36")


class Sheet:
    """A grid drawn as one picture, whose cells of height and width `shape` are filled by `put`."""

    def __init__(
        self,
        grid: Grid,
        shape: tuple[int, int],
        theme: tuple[str, str, str] = LIGHT,
        *,
        is_grey: bool = False,
        font_size: int | None = None,
    ) -> None:
        from PIL import Image, ImageDraw, ImageFont

        height, width = shape
        background, foreground, empty = theme
        size = font_size or max(14, width // 24)
        font: FreeTypeFont = ImageFont.load_default(size)  # type: ignore[assignment]
        gap, line = size // 2, 2 * size
        captions = [cell.caption for cell in grid.cells]
        # Captions are not cut off, since their ends may be what distinguishes them.
        column_width = gap + max(width, _widest(captions, font), _heading_width(grid, font, size))
        caption_height = line if any(captions) else 0
        row_height = height + (caption_height or gap)
        left = gap + (_widest(grid.rows, font) + gap if any(grid.rows) else 0)
        top = line if any(grid.columns) else (0 if caption_height else gap)
        bottom = top + len(grid.rows) * row_height + (gap if caption_height else 0)
        sheet_size = (left + len(grid.columns) * column_width, bottom)
        sheet = Image.new("L" if is_grey else "RGB", sheet_size, background)
        draw = ImageDraw.Draw(sheet)

        def write(x: int, middle: int, text: str) -> None:
            draw.text((x, middle), _printable(text), foreground, font, anchor="lm")

        for index, heading in enumerate(grid.columns):
            write(left + index * column_width, size, heading)
        for index, heading in enumerate(grid.rows):
            write(gap, top + index * row_height + caption_height + height // 2, heading)
        self.rectangles: list[tuple[int, int, int, int]] = []  # top, left, bottom and right
        for cell in grid.cells:
            x = left + cell.column * column_width
            y = top + cell.row * row_height + caption_height
            write(x, y - size, cell.caption)
            draw.rectangle((x, y, x + width - 1, y + height - 1), empty)
            self.rectangles.append((y, x, y + height, x + width))
        self.pixels: Pixels = np.array(sheet)  # uint8 (H, W, 3), or (H, W) if grey

    def put(self, index: int, picture: Pixels) -> None:
        """Draw a uint8 picture into a cell, resized to the cell; an alpha channel is ignored."""
        top, left, bottom, right = self.rectangles[index]
        fitted = resized(picture, (bottom - top, right - left))
        if fitted.ndim < self.pixels.ndim:
            fitted = fitted[..., None]
        self.pixels[top:bottom, left:right] = fitted


def sheet_of(grid: Grid, pictures: Mapping[int, Pixels]) -> Pixels:
    """Return a light sheet with uint8 pictures by cell index, resized to the largest one."""
    shape = max(picture.shape[:2] for picture in pictures.values())
    sheet = Sheet(grid, shape, is_grey=all(picture.ndim == 2 for picture in pictures.values()))
    for index, picture in pictures.items():
        sheet.put(index, picture)
    return sheet.pixels


def resized(picture: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return a uint8 picture at another height and width (Lanczos), without alpha channel."""
    from PIL import Image

    opaque = picture if picture.ndim == 2 else picture[..., :3]
    if opaque.shape[:2] == shape:
        return opaque
    image = Image.fromarray(np.ascontiguousarray(opaque))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.LANCZOS))


def _widest(texts: Iterable[str], font: FreeTypeFont) -> int:
    return max(math.ceil(font.getlength(_printable(text))) for text in texts)


def _heading_width(grid: Grid, font: FreeTypeFont, gap: int) -> int:
    """Return the column width at which the headings of columns do not touch each other."""
    starts = [index for index, heading in enumerate(grid.columns) if heading]
    spans = np.diff([*starts, len(grid.columns)])
    lengths = [_widest([grid.columns[start]], font) + gap for start in starts]
    return max(
        (math.ceil(length / span) for length, span in zip(lengths, spans, strict=True)), default=0
    )


def _printable(text: str) -> str:
    """Return a text on one line and without accents, which Pillow's own font does not have."""
    parts = unicodedata.normalize("NFKD", " ".join(text.split()))
    return "".join(part for part in parts if not unicodedata.combining(part))
