"""Rows of measurements, their report, and its table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from tabulate import tabulate

HEADERS = ("what", "px", "device", "format", "ours", "other", "ratio", "goal", "met", "limit")


class NotMeasured(Exception):
    """The reason why a row has no figure."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured ratio, and what it should be.

    Attributes
    ----------
    what : str
        What is measured, and against what.
    size : int or None
        Side of the square images, in pixels.
    device, precision : str
        Where ours computed, and in which number format; empty where it does not matter.
    unit : str
        Of `ours` and `other`.
    ours, other : float or None
        Medians. Without `other`, the goal is for `ours` itself.
    at_most, at_least : float or None
        The goal, if there is one; between the two where there are both.
    limit : float or None
        What the machine itself would allow in the place of the ratio.
    remark : str
        Why there is no figure, or what to know about it.
    """

    what: str
    size: int | None = None
    device: str = ""
    precision: str = ""
    unit: str = "s"
    ours: float | None = None
    other: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    limit: float | None = None
    remark: str = ""

    @property
    def ratio(self) -> float | None:
        """`ours` ÷ `other`, if there are both."""
        return None if self.ours is None or not self.other else self.ours / self.other

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or no figure."""
        value = self.ratio if self.other is not None else self.ours
        if value is None:
            return None
        if self.at_most is None and self.at_least is None:
            return None
        low, high = self.at_least or 0.0, math.inf if self.at_most is None else self.at_most
        return low <= value <= high

    @property
    def cells(self) -> list[str]:
        """What the table shows, a text for each of `HEADERS`."""
        return [
            self.what + (f" ({self.remark})" if self.remark and self.ours is not None else ""),
            str(self.size or ""),
            self.device,
            self.precision,
            "not measured: " + self.remark if self.ours is None else self._figure(self.ours),
            "" if self.other is None else self._figure(self.other),
            "" if self.ratio is None else f"{self.ratio:.3g}",
            self._goal(),
            {None: "", True: "yes", False: "no"}[self.met],
            "" if self.limit is None else f"{self.limit:.2f}",
        ]

    def _figure(self, value: float) -> str:
        return f"{value:.3g} {self.unit}" if value < 1000 else f"{value:,.0f} {self.unit}"

    def _goal(self) -> str:
        if self.at_most is not None and self.at_least is not None:
            return f"{self.at_least:.3g}–{self.at_most:.3g}"
        if self.at_most is not None:
            return f"≤ {self.at_most:.3g}"
        return "" if self.at_least is None else f"≥ {self.at_least:.3g}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """All rows of one run of the benchmark, and where and when that was.

    Attributes
    ----------
    date : str
        When it began, ISO 8601, with the time zone.
    machine, versions : mapping of str to str
        What the rows were measured on and with.
    command : str
        How to measure them again.
    seconds : float
        How long it took.
    rows : sequence of Row
        In the order of the table.
    """

    date: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    command: str
    seconds: float
    rows: Sequence[Row]

    def table(self, style: str = "rounded_outline") -> str:
        """Return the rows as a table, in one of tabulate's styles."""
        # In a terminal a reason is folded; in Markdown a cell is one line.
        widths = None if style == "github" else [46, 4, 6, 8, 26, 13, 5, 7, 3, 5]
        rows = [row.cells for row in self.rows]
        return tabulate(rows, HEADERS, style, disable_numparse=True, maxcolwidths=widths)

    def heading(self) -> str:
        """Say where, when, with what, and how long it took."""
        machine = "; ".join(f"{name} {fact}" for name, fact in self.machine.items())
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        took = f"{self.command}, {self.date}, {self.seconds / 60:.1f} min"
        return f"{took}.\n{machine}.\n{versions}."

    def to_json(self) -> str:
        """Return the report as JSON text; each row also has its ratio and whether it is met."""
        plain = {**asdict(self), "rows": [_with_outcome(row) for row in self.rows]}
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report that `to_json` wrote."""
        plain = json.loads(text)
        known = {field.name for field in fields(Row)}
        rows = plain.pop("rows")
        own = ({name: value for name, value in row.items() if name in known} for row in rows)
        return cls(**plain, rows=tuple(Row(**row) for row in own))


def _with_outcome(row: Row) -> dict[str, Any]:
    return {**asdict(row), "ratio": row.ratio, "met": row.met}
