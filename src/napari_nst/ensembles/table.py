"""The table of an ensemble: the statistics of each seed, and which seeds are copies."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_nst.texture_statistics.copies import SAME_LAYOUT, copy_limit
from napari_nst.texture_statistics.measure import DISTANCES
from napari_nst.texture_statistics.result import (
    COPIED_SQUARE,
    LAYOUT,
    Row,
    number_text,
    write_csv,
)

Values = np.ndarray[Any, np.dtype[np.float64]]

COPY, SAME, NEW = "copy", "same layout", "no copy"
"""The verdicts."""

_OF_COPIES = (COPIED_SQUARE, LAYOUT)

MISSED = 2.0
"""The ratio from which a statistic is missed; see docs/statistics.md."""


@dataclass(frozen=True, eq=False)
class EnsembleTable:
    """The statistics of each seed of an ensemble, as `EnsembleRun.table` returns it.

    Attributes
    ----------
    rows : dict of int to tuple of Row
        Seed → its statistics, as in `TextureStatistics.rows`; the last are the largest copied
        square, and the correlation of its layout with that of the exemplar.
    """

    rows: Mapping[int, tuple[Row, ...]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have been measured, in the order of the ensemble."""
        return tuple(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the statistics, without those of copies."""
        first = next(iter(self.rows.values()), ())
        return tuple(row.name for row in first if row.name not in _OF_COPIES)

    def values(self, name: str) -> Values:
        """Return a statistic of each seed, (N,); of a curve, its distance to the exemplar's."""
        rows = self._of(name)
        return np.array([row.distance if _is_curve(row) else row.image for row in rows])

    def ratios(self, name: str) -> Values:
        """Return the distance of each seed to the exemplar over that between crops, (N,)."""
        return np.array([row.ratio for row in self._of(name)])

    @property
    def copies(self) -> dict[int, int]:
        """Seed → side in pixels of the largest square that it took over (see `copy_score`)."""
        scores = self._of(COPIED_SQUARE)
        return {seed: int(row.image) for seed, row in zip(self.rows, scores, strict=True)}

    @property
    def layouts(self) -> dict[int, float]:
        """Seed → the correlation of its coarse structures with those at the same places.

        NaN if textures and exemplar have different shapes.
        """
        rows = self._of(LAYOUT)
        return {seed: row.image for seed, row in zip(self.rows, rows, strict=True)}

    @property
    def between_crops(self) -> float:
        """The side of the largest square that two crops of the exemplar share, in the median."""
        return self._of(COPIED_SQUARE)[0].between_crops if self.rows else math.nan

    @property
    def copied(self) -> tuple[int, ...]:
        """The seeds that have copied a part of the exemplar.

        Their largest copied square has a side of more than 16 pixels, and of more than 1.5 times
        `between_crops`.
        """
        limit = copy_limit(self.between_crops)
        return tuple(seed for seed, side in self.copies.items() if side > limit)

    @property
    def same_layout(self) -> tuple[int, ...]:
        """The seeds whose coarse structures are where the exemplar has them.

        The correlation of their layout is above 0.3. They need not have copied a square.
        """
        return tuple(seed for seed, one in self.layouts.items() if one > SAME_LAYOUT)

    @property
    def verdicts(self) -> dict[int, str]:
        """Seed → ``copy``, ``same layout`` or ``no copy``."""
        found = dict.fromkeys(self.seeds, NEW) | dict.fromkeys(self.same_layout, SAME)
        return found | dict.fromkeys(self.copied, COPY)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV in UTF-8; OSError if it cannot be written.

        It has a line for each seed, then lines for their mean, their standard deviation, the
        exemplar, and the yardstick between crops. Each statistic has its value, of a curve its
        distance, and its ratio.
        """
        write_csv(path, *self.lines)

    @property
    def lines(self) -> tuple[list[str], list[list[Any]]]:
        """The heading and the lines of the table, as `to_csv` writes it."""
        first = {row.name: row for row in next(iter(self.rows.values()), ())}
        columns = [(name, self.values(name), self.ratios(name)) for name in self.names]
        heading = ["seed", "verdict", f"{COPIED_SQUARE} (pixel)", LAYOUT]
        for name in self.names:
            unit = f" ({first[name].unit})" if first[name].unit else ""
            kind = " distance" if _is_curve(first[name]) else ""
            heading += [f"{name}{kind}{unit}", f"{name} ratio"]
        copies = self.copies
        of_all = [np.array([*one.values()], float) for one in (copies, self.layouts)]
        of_all += [one for _, *both in columns for one in both]
        lines: list[list[Any]] = [
            [seed, verdict, copies[seed], *(float(one[at]) for one in of_all[1:])]
            for at, (seed, verdict) in enumerate(self.verdicts.items())
        ]
        if lines:
            lines.append(["mean", "", *map(mean, of_all)])
            lines.append(["standard deviation", "", *map(deviation, of_all)])
            lines.append(["exemplar", "", math.nan, math.nan])
            lines.append(["between crops", "", *(first[name].between_crops for name in _OF_COPIES)])
            for name in self.names:
                lines[-2] += [first[name].exemplar, math.nan]
                lines[-1] += [first[name].between_crops, math.nan]
        return heading, lines

    @property
    def text_lines(self) -> tuple[list[str], list[list[str]]]:
        """The heading and the lines of the table as text, rounded."""
        heading, lines = self.lines
        return heading, [
            [_text(name, one) for name, one in zip(heading, line, strict=True)] for line in lines
        ]

    @property
    def table(self) -> list[list[str]]:
        """What is printed: the heading, and mean and standard deviation of each statistic."""
        heading = ["statistic", "exemplar", "mean", "standard deviation", "mean ratio",
                   "largest ratio", "unit"]  # fmt: skip
        lines = []
        for name in self.names:
            row, values, ratios = self._of(name)[0], self.values(name), self.ratios(name)
            numbers = (row.exemplar, mean(values), deviation(values))
            known = ratios[~np.isnan(ratios)]
            two = [f"{one:.2f}" for one in (known.mean(), known.max())] if len(known) else ["", ""]
            lines.append([name, *map(number_text, numbers), *two, row.unit])
        return [heading, *lines]

    def sentences(self) -> list[str]:
        """Return what to know of each seed, in words: what it copied, and what it missed."""
        found, copies, layouts = [], self.copies, self.layouts
        for seed, verdict in self.verdicts.items():
            missed = [row.name for row in self.rows[seed] if row.ratio > MISSED]
            words = f"seed {seed}: {verdict}, largest copied square {copies[seed]} px"
            if not math.isnan(layouts[seed]):
                words += f", layout correlation {layouts[seed]:.2f}"
            found.append(f"{words}; missed: {', '.join(missed)}" if missed else words)
        if found:
            found.append(f"two crops of the exemplar share {number_text(self.between_crops)} px")
        return found

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.table, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if at in (0, len(widths) - 1) else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in self.table
        ]
        return "\n".join([*lines, "", *self.sentences()])

    def _of(self, name: str) -> list[Row]:
        """Return a statistic of each seed."""
        found = [row for rows in self.rows.values() for row in rows if row.name == name]
        if self.rows and not found:
            raise KeyError(f"There is no statistic {name!r}; there are {', '.join(self.names)}.")
        return found


def deviation(values: Values) -> float:
    """Return the standard deviation of the values that exist; NaN of one."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


def mean(values: Values) -> float:
    """Return the mean of the values that exist."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _text(column: str, value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    is_ratio = column.endswith(" ratio") and not math.isnan(value)
    return f"{value:.2f}" if is_ratio else number_text(value)


def _is_curve(row: Row) -> bool:
    return row.name in DISTANCES or row.name.startswith("Gram ")


class StoredTable:
    """The file of a table, beside the pixels of its ensemble: a line of JSON for each seed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[int, tuple[Row, ...]] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines:
            with suppress(ValueError, TypeError, KeyError):  # the last may be cut: measured again
                found = json.loads(line)
                self.rows[int(found["seed"])] = tuple(_row(*one) for one in found["rows"])

    def add(self, seed: int, rows: tuple[Row, ...]) -> None:
        """Store the statistics of a seed."""
        self.rows[seed] = rows
        stored = [
            [None if isinstance(one, float) and math.isnan(one) else one for one in astuple(row)]
            for row in rows
        ]
        with self._path.open("a", encoding="utf-8") as file:
            # A line that a crash has cut ends here.
            file.write("\n" + json.dumps({"seed": seed, "rows": stored}) + "\n")


def _row(name: str, unit: str, *numbers: float | None) -> Row:
    return Row(name, unit, *(math.nan if one is None else float(one) for one in numbers))
