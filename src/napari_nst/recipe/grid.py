"""Where the pictures of a sweep or comparison are placed, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self


@dataclass(frozen=True)
class Cell:
    """The place of one picture in a grid."""

    label: str
    row: int = 0  # from 0
    column: int = 0
    caption: str = ""  # above the picture; "" if the headings of row and column suffice
    settings: Mapping[str, Any] = field(default_factory=dict)  # fields of the picture's recipe


@dataclass(frozen=True)
class Grid:
    """Pictures in rows and columns, with headings."""

    rows: tuple[str, ...]  # one heading for each row, or ""
    columns: tuple[str, ...]  # a heading extends over the following columns that have none
    cells: tuple[Cell, ...]  # in the order in which the pictures are made

    @classmethod
    def wrapped(cls, cells: Sequence[Cell], columns: int) -> Self:
        """Place cells row by row, without headings."""
        placed = [
            replace(cell, row=index // columns, column=index % columns)
            for index, cell in enumerate(cells)
        ]
        rows = math.ceil(len(placed) / columns)
        return cls(("",) * rows, ("",) * columns, tuple(placed))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Make a grid from the plain data that `to_dict` returns."""
        cells = tuple(Cell(**cell) for cell in fields["cells"])
        return cls(tuple(fields["rows"]), tuple(fields["columns"]), cells)

    def to_dict(self) -> dict[str, Any]:
        """Return the grid as plain data that JSON can hold."""
        cells = [asdict(cell) for cell in self.cells]
        return {"rows": list(self.rows), "columns": list(self.columns), "cells": cells}
