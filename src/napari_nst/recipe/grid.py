"""Sweeps and comparisons as plain data: the axes of a sweep, and the places of all pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from types import MappingProxyType
from typing import Any, Self

from napari_nst.recipe.fields import Changes, LayerWeights, plain
from napari_nst.recipe.recipe import Recipe
from napari_nst.recipe.sections import CONTROLS

Axes = Mapping[str, Sequence[Any]]  # field of a recipe → its values

SMALL: Mapping[str, int] = MappingProxyType({"size": 128, "steps": 40})
"""Default values of fields in a sweep: small images that take little time."""

MAX_PICTURES = 64  # of a sweep


def swept(recipe: Recipe, axes: Axes) -> list[Recipe]:
    """Return a recipe for each combination of values: the first field varies from row to row."""
    if not isinstance(axes, Mapping):
        raise TypeError(
            f"`axes` must map fields to their values, such as {{'size': [96, 128]}}; not {axes!r}."
        )
    if len(axes) not in (1, 2):
        raise ValueError(f"A sweep varies one or two fields of a recipe, not {len(axes)}.")
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise TypeError(f"`{name}` must be a list of values to sweep, not {values!r}.")
        if not values:
            raise ValueError(f"`{name}` has no values to sweep; give at least one.")
    count = math.prod(map(len, axes.values()))
    if count > MAX_PICTURES:
        sides = " × ".join(f"{len(values)} of `{name}`" for name, values in axes.items())
        raise ValueError(
            f"A sweep makes at most {MAX_PICTURES} pictures; {sides} would be {count}, give fewer."
        )
    recipes = [
        recipe.replace(**dict(zip(axes, values, strict=True))) for values in product(*axes.values())
    ]
    for name, values in axes.items():
        if len({getattr(one, name) for one in recipes}) < len(values):
            listed = ", ".join(map(str, values))
            raise ValueError(f"`{name}` has a value twice among {listed}; give each once.")
    return recipes


def parse_values(name: str, text: str) -> list[Any]:
    """Read a field's values from text: ``2, 4, 8`` or ``relu2_1; relu2_1, relu3_1:0.5``."""
    if name not in CONTROLS:
        Recipe.from_dict({name: text})  # raises an error that suggests the nearest field
        raise ValueError(f"`{name}` does not change the picture. Sweep another field.")
    control = CONTROLS[name]
    has_commas = control.kind in (LayerWeights, Changes, tuple)
    parts = [part.strip() for part in text.split(";" if has_commas else ",")]
    return [control.checked(name, control.parse(name, part)) for part in parts if part]


def value_words(value: Any) -> str:
    """Return a value of a field as short text for a heading."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{layer}:{weight:g}" for layer, weight in value.items())
    if isinstance(value, (tuple, list)) and any(isinstance(one, Mapping) for one in value):
        return json.dumps(plain(tuple(value)))
    if isinstance(value, (tuple, list)):
        return ", ".join(f"{number:g}" for number in value)
    return str(value)


def heading_in_words(heading: str, word: Callable[[str], str]) -> str:
    """Return a heading such as "size 96 · steps 20" with other words for the names of fields."""
    parts = [part.partition(" ") for part in heading.split(" · ")]
    return " · ".join(
        f"{word(name) if name in CONTROLS else name}{space}{value}" for name, space, value in parts
    )


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

    def in_words(self, word: Callable[[str], str]) -> Grid:
        """Return the grid with other words for the names of fields in its headings."""

        def changed(headings: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(heading_in_words(heading, word) for heading in headings)

        cells = tuple(
            replace(
                cell,
                label=heading_in_words(cell.label, word),
                caption=heading_in_words(cell.caption, word),
            )
            for cell in self.cells
        )
        return Grid(changed(self.rows), changed(self.columns), cells)

    def to_dict(self) -> dict[str, Any]:
        """Return the grid as plain data that JSON can hold."""
        cells = [asdict(cell) for cell in self.cells]
        return {"rows": list(self.rows), "columns": list(self.columns), "cells": cells}
