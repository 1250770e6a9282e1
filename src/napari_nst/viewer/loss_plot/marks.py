"""What the loss plot marks: where something changed on the way, and the iteration that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF

ROWS = 2
"""Words of marks close together stand in so many rows; what is left over is not said."""

CLOSEST = 4.0
"""Pixels between two dashed lines, at least."""

MARGIN = 2.0
"""Pixels around words."""


class _Place(NamedTuple):
    """Where words stand: at which iteration, before or behind its line, in which row."""

    step: int
    words: str
    before: bool
    row: int


class Marks:
    """Where something changed: dashed lines, and words at the top where they fit."""

    def __init__(self, view: Any) -> None:
        self._view = view
        self._lines = pg.PlotCurveItem(connect="pairs")
        view.addItem(self._lines, ignoreBounds=True)
        self._words: list[Any] = []
        self._steps: list[int] = []
        self._places: list[_Place] = []
        self._font, self._text, self._ground = QFont(), "", ""

    def wear(self, font: QFont, text: str, ground: str) -> None:
        """Take on a font and colours; seen from the next `arrange` on."""
        self._font, self._text, self._ground = font, text, ground
        faint = QColor(text)
        faint.setAlphaF(0.55)
        self._lines.setPen(pg.mkPen(faint, width=1, style=Qt.PenStyle.DashLine))
        for item in self._words:
            _dress(item, font, text, ground)

    def arrange(self, marks: Sequence[tuple[int, str]]) -> float:
        """Find places for marks in the iterations that the view now shows.

        Returns
        -------
        float
            How many pixels their words take above the curves.
        """
        low, high = self._view.viewRange()[0]
        seen = [(step, words) for step, words in marks if low <= step <= high]
        self._steps = _apart(sorted({step for step, _ in seen}), self._per_pixel())
        self._places = self._find_places(seen)
        rows = {place.row for place in self._places}
        return len(rows) * self._row_height()

    def draw(self) -> None:
        """Draw what is arranged, from the top of the view to its bottom."""
        bottom, top = self._view.viewRange()[1]
        self._lines.setData(
            np.repeat(self._steps, 2).astype(float), np.tile([bottom, top], len(self._steps))
        )
        pixel = (top - bottom) / max(1.0, self._view.height())
        row_height = self._row_height() * pixel
        while len(self._words) < len(self._places):
            self._words.append(_words(self._view))
            _dress(self._words[-1], self._font, self._text, self._ground)
        for item in self._words[len(self._places) :]:
            item.hide()
        for item, place in zip(self._words, self._places, strict=False):
            item.setText(place.words)
            item.setAnchor((1.0 if place.before else 0.0, 0.0))
            item.setPos(place.step, top - place.row * row_height)
            item.show()

    def _find_places(self, marks: Sequence[tuple[int, str]]) -> list[_Place]:
        """Give each mark's words a row where they fit; the newest come first."""
        metrics, edge = QFontMetricsF(self._font), self._view.width()
        low, per_pixel = self._view.viewRange()[0][0], self._per_pixel()
        free = [edge] * ROWS
        places = []
        for step, words in sorted(marks, key=itemgetter(0), reverse=True):
            left = (step - low) / per_pixel
            if not words or left > max(free):
                continue
            width = metrics.horizontalAdvance(words) + 2 * MARGIN
            if before := left + width > edge:
                left -= width
            row = next((row for row in range(ROWS) if left + width <= free[row]), None)
            if row is not None and left >= 0:
                places.append(_Place(step, words, before, row))
                free[row] = left
        return places

    def _row_height(self) -> float:
        return QFontMetricsF(self._font).height() + 2 * MARGIN

    def _per_pixel(self) -> float:
        low, high = self._view.viewRange()[0]
        return float((high - low) / max(1.0, self._view.width()))


class Pointer:
    """The iteration that is shown: a line, and its number at the foot."""

    def __init__(self, view: Any) -> None:
        self.step: int | None = None
        self._view = view
        self._line = pg.InfiniteLine(angle=90)
        view.addItem(self._line, ignoreBounds=True)
        self._number = _words(view)
        self.draw()

    def wear(self, font: QFont, text: str, ground: str) -> None:
        """Take on a font and colours."""
        self._line.setPen(pg.mkPen(text, width=1))
        _dress(self._number, font, text, ground)

    def draw(self) -> None:
        """Draw it where it now belongs."""
        (low, high), (bottom, _) = self._view.viewRange()
        seen = self.step is not None and low <= self.step <= high
        self._line.setVisible(seen)
        self._number.setVisible(seen)
        if self.step is not None:
            self._line.setValue(self.step)
            self._number.setText(str(self.step))
            self._number.setAnchor((0.0 if self.step < (low + high) / 2 else 1.0, 1.0))
            self._number.setPos(self.step, bottom)


def _words(view: Any) -> Any:
    item = pg.TextItem()
    item.textItem.document().setDocumentMargin(MARGIN)
    view.addItem(item, ignoreBounds=True)
    return item


def _dress(item: Any, font: QFont, text: str, ground: str) -> None:
    item.setFont(font)
    item.setColor(text)
    item.fill = pg.mkBrush(ground)


def _apart(steps: Sequence[int], per_pixel: float) -> list[int]:
    """Leave out what would stand closer to its predecessor than can be seen."""
    kept: list[int] = []
    for step in steps:
        if not kept or step - kept[-1] >= CLOSEST * per_pixel:
            kept.append(step)
    return kept
