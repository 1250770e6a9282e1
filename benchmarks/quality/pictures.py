"""The contact sheet of all pictures, and the plot of content against style."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.quality.curves import Point
from napari_nst.io.contact_sheet import LIGHT, Sheet
from napari_nst.recipe.grid import Cell, Grid

COLOURS = (
    "#0b6cc4", "#d1495b", "#2e933c", "#b07aa1", "#e08e1a", "#6b4c3b", "#17a2a2", "#555555",
)  # fmt: skip


def contact_sheet(rows: Mapping[str, Mapping[str, np.ndarray[Any, Any]]], side: int) -> Image.Image:
    """Draw uint8 pictures by row and column, each fitted into a square without distortion.

    A picture that a row lacks stays empty. Columns are in the order in which they first appear.
    """
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    places = [(row, name) for row, pictures in rows.items() for name in pictures]
    headings = list(rows)
    cells = [
        Cell(name, headings.index(row), columns.index(name), caption=_plain(name))
        for row, name in places
    ]
    sheet = Sheet(
        Grid(tuple(map(_plain, headings)), ("",) * len(columns), tuple(cells)), (side, side)
    )
    for index, (row, name) in enumerate(places):
        sheet.put(index, _fitted(rows[row][name], side))
    return Image.fromarray(sheet.pixels)


def save_jpeg(image: Image.Image, path: Path, limit: int) -> None:
    """Write a JPEG of at most `limit` bytes, in the best quality for which that suffices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for quality in range(92, 20, -4):
        image.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= limit:
            return


def save_plot(curves: Mapping[str, Sequence[Point]], path: Path) -> None:
    """Draw points (content, style) of each method, joined by a line, as PNG; opens no window."""
    import pyqtgraph
    from qtpy.QtCore import Qt

    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = pyqtgraph.mkQApp()
    plot = pyqtgraph.PlotWidget(background="w")
    plot.resize(760, 560)
    plot.setLabel("bottom", "content distance")
    plot.setLabel("left", "style distance (sliced Wasserstein)")
    plot.addLegend(offset=(20, -20), labelTextColor="#202020")
    plot.showGrid(x=True, y=True, alpha=0.25)
    for side in ("bottom", "left"):
        plot.getAxis(side).setPen("#404040")
        plot.getAxis(side).setTextPen("#202020")
        plot.getAxis(side).enableAutoSIPrefix(False)
    for index, (name, points) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        plot.plot(
            [x for x, _ in points],
            [y for _, y in points],
            pen=pyqtgraph.mkPen(colour, width=2),
            symbol="o",
            symbolBrush=colour,
            symbolPen=None,
            antialias=True,
            name=name,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # The axes are laid out when the widget is shown.
    plot.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
    plot.show()
    application.processEvents()
    plot.grab().save(str(path))
    plot.close()


def _plain(text: str) -> str:
    """Return a text without the sign ×, which Pillow's own font lacks."""
    return text.replace("×", "x")


def _fitted(picture: np.ndarray[Any, Any], side: int) -> np.ndarray[Any, Any]:
    """Return a picture in the middle of a square with the sheet's background."""
    image = Image.fromarray(picture).convert("RGB")
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    square = Image.new("RGB", (side, side), LIGHT[0])
    place = ((side - size[0]) // 2, (side - size[1]) // 2)
    square.paste(image.resize(size, Image.Resampling.LANCZOS), place)
    return np.asarray(square)
