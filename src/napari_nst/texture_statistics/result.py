"""What `statistics` returns: a table, curves, and both as CSV."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from napari_nst.io.atomic_write import write_atomically

Values = np.ndarray[Any, Any]

COPIED_SQUARE, LAYOUT = "largest copied square", "layout correlation"
"""The names of what an image has in common with its exemplar, if it is asked for."""


@dataclass(frozen=True)
class Row:
    """One statistic; NaN where it does not exist.

    Attributes
    ----------
    name, unit : str
        Such as ``correlation length`` and ``µm``; "" for a number without a unit.
    image, exemplar : float
        The value of the image and that of its exemplar; NaN for a statistic that is a curve.
    distance : float
        Their difference; of a curve, the median distance of crops of the image from crops of the
        exemplar, which are as large.
    between_crops : float
        The yardstick: the standard deviation of the value between crops of the exemplar; of a
        curve, the median distance between two crops of the exemplar.
    """

    name: str
    unit: str
    image: float
    exemplar: float
    distance: float
    between_crops: float

    @property
    def ratio(self) -> float:
        """`distance` over `between_crops`: about 1 or less where image and exemplar are alike."""
        if not self.between_crops:
            return self.distance * math.inf if self.distance else 0.0
        return self.distance / self.between_crops


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of the image and of its exemplar.

    Attributes
    ----------
    name : str
        Such as ``S2``, or ``lineal path x`` along an axis.
    x_label, y_label : str
        What the axes show, with units.
    x : ndarray
        (n,) positions.
    image, exemplar, low, high : ndarray
        (n,) values; `low` and `high` are the least and the greatest value of the crops of the
        exemplar. NaN where there is none.
    """

    name: str
    x_label: str
    y_label: str
    x: Values
    image: Values
    exemplar: Values
    low: Values
    high: Values

    @property
    def lines(self) -> dict[str, Values]:
        """The lines by name, without those that do not exist."""
        every = {
            "image": self.image, "exemplar": self.exemplar,
            "lowest crop": self.low, "highest crop": self.high,
        }  # fmt: skip
        return {name: line for name, line in every.items() if np.isfinite(line).any()}


@dataclass(frozen=True, eq=False)
class TextureStatistics:
    """The statistics of an image, and those of its exemplar.

    Attributes
    ----------
    rows : tuple of Row
        The table.
    curves : tuple of Curve
        The curves.
    crop : tuple of int
        The shape, in pixels, of the crops that are compared.
    threshold : float or None
        The lightness in [0, 1] from which a pixel is bright; None for the bright half.
    has_exemplar : bool
        Whether there is an exemplar; the crops are otherwise those of the image.
    """

    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    crop: tuple[int, ...]
    threshold: float | None
    has_exemplar: bool

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        listed = ", ".join(row.name for row in self.rows)
        raise KeyError(f"There is no statistic {name!r}; there are {listed}.")

    def curve(self, name: str) -> Curve:
        """Return a curve by name; raise `KeyError` if there is none."""
        for curve in self.curves:
            if curve.name == name:
                return curve
        raise KeyError(f"There is no curve {name!r}; there are {', '.join(self.curve_names)}.")

    @property
    def curve_names(self) -> tuple[str, ...]:
        """The names of all curves."""
        return tuple(curve.name for curve in self.curves)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV in UTF-8, a line for each statistic; OSError if it cannot."""
        lines = [[*astuple(row), row.ratio] for row in self.rows]
        write_csv(path, [*(field.name for field in fields(Row)), "ratio"], lines)

    def curves_to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write all curves as CSV in UTF-8, a line for each point; OSError if it cannot."""
        heading = ["curve", "x_label", "y_label", "x", "image", "exemplar", "low", "high"]
        write_csv(path, heading, self._points())

    def _points(self) -> Iterator[list[Any]]:
        for one in self.curves:
            columns = (one.x, one.image, one.exemplar, one.low, one.high)
            for numbers in zip(*(column.tolist() for column in columns), strict=True):
                yield [one.name, one.x_label, one.y_label, *numbers]

    @property
    def table(self) -> list[list[str]]:
        """The table as text, its heading first; columns that hold nothing are left out."""
        heading = ["statistic", "image", "exemplar", "distance", "between crops", "ratio", "unit"]
        lines = [
            [
                row.name,
                *map(number_text, (row.image, row.exemplar, row.distance, row.between_crops)),
                "" if math.isnan(row.ratio) else f"{row.ratio:.2f}",
                row.unit,
            ]
            for row in self.rows
        ]
        used = [
            column
            for column, title in enumerate(heading)
            if title in ("statistic", "image") or any(line[column] for line in lines)
        ]
        return [[line[column] for column in used] for line in [heading, *lines]]

    def __repr__(self) -> str:
        table = self.table
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if column in (0, len(widths) - 1) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        ]
        return "\n".join([*lines, "", self.crops_text])

    @property
    def crops_text(self) -> str:
        """A sentence that says what the crops are."""
        of = "the exemplar" if self.has_exemplar else "the image"
        shape = " × ".join(map(str, self.crop))
        return f"Crops are those of {shape} pixels at the corners of {of}."


def number_text(value: float) -> str:
    """Return a number with four digits, nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.4g}"


def write_csv(path: str | os.PathLike[str], heading: Sequence[str], lines: Any) -> None:
    """Write lines as CSV in UTF-8; NaN becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    for line in lines:
        writer.writerow("" if isinstance(one, float) and math.isnan(one) else one for one in line)
    write_atomically(Path(path), text.getvalue().encode())
