"""Draw the curves of texture statistics as one picture, without Qt or matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.io.image_files.write_image import write_image
from napari_nst.texture_statistics.result import Curve, TextureStatistics

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Values = np.ndarray[Any, Any]
Point = tuple[float, float]

# Okabe and Ito's colours (Color Universal Design, 2008), darkened for a white background.
IMAGE, EXEMPLAR, BAND, AXES, TEXT = "#c85400", "#0072b2", "#cfe3f1", "#808080", "#202020"
COLUMNS, WIDTH, HEIGHT = 3, 340, 220  # panels, and the size of one in pixels
MARGINS = (54, 26, 14, 40)  # of a panel: left, top, right, bottom
LEGEND = 34  # height in pixels
SHARPER = 3  # drawn so many times as large, and then reduced
FONT = 12


def save_plot(statistics: TextureStatistics, path: Path) -> None:
    """Write all curves as a PNG, JPEG or TIFF; OSError if it cannot be written."""
    write_image(path, drawn(statistics), 8)


def drawn(statistics: TextureStatistics) -> Values:
    """Return a picture (H, W, 3) of uint8 with a panel for each curve."""
    from PIL import Image, ImageDraw, ImageFont

    curves = statistics.curves
    columns = min(COLUMNS, len(curves))
    size = columns * WIDTH, math.ceil(len(curves) / columns) * HEIGHT + LEGEND
    sheet = Image.new("RGB", (size[0] * SHARPER, size[1] * SHARPER), "white")
    draw = ImageDraw.Draw(sheet)
    font: Any = ImageFont.load_default(FONT * SHARPER)
    _legend(draw, font, statistics.has_exemplar)
    for index, curve in enumerate(curves):
        left, top = index % columns * WIDTH, index // columns * HEIGHT + LEGEND
        _Panel(draw, font, left, top, curve).draw()
    return np.asarray(sheet.resize(size, Image.Resampling.LANCZOS))


def _legend(draw: ImageDraw, font: Any, has_exemplar: bool) -> None:
    entries = [("image", IMAGE, 3)]
    of = "image"
    if has_exemplar:
        entries.append(("exemplar", EXEMPLAR, 3))
        of = "exemplar"
    entries.append((f"from the lowest to the highest crop of the {of}", BAND, 12))
    x, y = MARGINS[0] * SHARPER, LEGEND // 2 * SHARPER
    for text, colour, width in entries:
        draw.line([(x, y), (x + 24 * SHARPER, y)], colour, width * SHARPER)
        x += 30 * SHARPER
        draw.text((x, y), text, TEXT, font, anchor="lm")
        x += int(font.getlength(text)) + 24 * SHARPER


class _Panel:
    """One curve with its axes."""

    def __init__(self, draw: ImageDraw, font: Any, left: int, top: int, curve: Curve) -> None:
        self._draw, self._font, self._curve = draw, font, curve
        before, above, after, below = MARGINS
        self._x = (left + before) * SHARPER, (left + WIDTH - after) * SHARPER
        self._y = (top + HEIGHT - below) * SHARPER, (top + above) * SHARPER
        known = [line[np.isfinite(line)] for line in curve.lines.values()]
        every = np.concatenate(known) if known else np.zeros(1)
        self._spans = _span(curve.x), _span(every)

    def draw(self) -> None:
        """Draw axes, band and lines."""
        curve = self._curve
        for position, text in _ticks(*self._spans[0], 5):
            at = self._place(position, self._spans[1][0])
            self._text((at[0], at[1] + 4 * SHARPER), text, "mt")
            self._mark(at, (at[0], at[1] + 3 * SHARPER))
        for position, text in _ticks(*self._spans[1], 4):
            at = self._place(self._spans[0][0], position)
            self._text((at[0] - 6 * SHARPER, at[1]), text, "rm")
            self._mark((at[0] - 3 * SHARPER, at[1]), at)
        both = np.isfinite(curve.low) & np.isfinite(curve.high)
        if both.sum() > 1:
            x = curve.x[both]
            edge = [*self._points(x, curve.low[both]), *self._points(x, curve.high[both])[::-1]]
            self._draw.polygon(edge, BAND)
        for line, colour in ((curve.exemplar, EXEMPLAR), (curve.image, IMAGE)):
            known = np.isfinite(line)
            if known.sum() > 1:
                points = self._points(curve.x[known], line[known])
                self._draw.line(points, colour, 2 * SHARPER, joint="curve")
        (left, right), (bottom, top) = self._x, self._y
        self._draw.line([(left, top), (left, bottom), (right, bottom)], AXES, SHARPER)
        self._text((left, top - 10 * SHARPER), f"{curve.name}: {curve.y_label}", "lm")
        self._text(((left + right) / 2, bottom + 26 * SHARPER), curve.x_label, "mm")

    def _place(self, x: float, y: float) -> Point:
        found = []
        for value, (low, high), (first, last) in zip(
            (x, y), self._spans, (self._x, self._y), strict=True
        ):
            found.append(first + (value - low) / (high - low) * (last - first))
        return found[0], found[1]

    def _points(self, x: Values, y: Values) -> list[Point]:
        return [self._place(float(one), float(other)) for one, other in zip(x, y, strict=True)]

    def _text(self, at: Point, text: str, anchor: str) -> None:
        # Pillow's own font has no µ.
        self._draw.text(at, text.replace("µ", "u"), TEXT, self._font, anchor=anchor)

    def _mark(self, start: Point, end: Point) -> None:
        self._draw.line([start, end], AXES, SHARPER)


def _span(values: Values) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _ticks(low: float, high: float, most: int) -> Sequence[tuple[float, str]]:
    """Return at most `most` round positions between two values, and their texts."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * one for one in (1, 2, 5, 10) if power * one * most >= high - low)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [(one * step, f"{one * step:.6g}") for one in range(first, last + 1)]
