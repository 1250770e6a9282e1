"""Which recipe fields a sweep varies, over which values, and the size of its images."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, LineEdit
from magicgui.widgets.bases import ValueWidget

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.grid import SMALL, parse_values, swept, value_words
from napari_nst.viewer.controls.recipe_form import (
    FROM_PREFERENCES,
    RecipeControls,
    label_of,
    widget_for,
)

NONE = "none"
"""The entry of the second drop-down for a sweep over one field."""

_FACTORS = (0.25, 0.5, 1, 2, 4)

_SUGGESTED = {
    "size": "96, 128, 192",
    "min_size": "0, 48, 96",
    "steps": "20, 40, 80",
    "seed": "0, 1, 2, 3",
}
"""Field → suggested values, where multiples of the current value are not useful."""


class SweepChoice:
    """Drop-downs for one or two fields, text boxes for their values, and size and steps."""

    def __init__(self, recipe_controls: RecipeControls) -> None:
        self._recipe_controls = recipe_controls
        fields = _sweepable(recipe_controls)
        self.rows = ComboBox(
            name="sweep_rows",
            label="Sweep",
            choices=[(label_of(name), name) for name in fields],
            value="style_weight" if "style_weight" in fields else "tv_weight",
            tooltip="The control that varies from row to row of the contact sheet.",
        )
        self.row_values = _values_box("row_values", "the control above")
        self.columns = ComboBox(
            name="sweep_columns",
            label="And",
            choices=[(NONE, NONE), *((label_of(name), name) for name in fields)],
            value="size",
            tooltip="The control that varies from column to column; none varies only the first.",
        )
        self.column_values = _values_box("column_values", "the second control")
        self.size, self.steps = _small_box("size"), _small_box("steps")
        self._axes = [(self.rows, self.row_values), (self.columns, self.column_values)]
        self.widgets: list[ValueWidget[Any]] = [
            *(widget for axis in self._axes for widget in axis),
            self.size,
            self.steps,
        ]
        for field, values in self._axes:
            self._suggest_values(field, values)

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the size and steps of a sweep's images."""
        return recipe.replace(size=self.size.value, steps=self.steps.value)

    def axes(self, recipe: Recipe) -> dict[str, list[Any]]:
        """Return the fields to vary and their values, for `sweep`.

        Raises `TypeError` or `ValueError` if they make no sweep of this recipe.
        """
        if self.rows.value == self.columns.value:
            raise ValueError(
                f"Sweep and And both say {label_of(self.rows.value)}; choose another control in "
                f"And, or {NONE}."
            )
        axes = {
            field.value: parse_values(field.value, values.value)
            for field, values in self._axes
            if field.value != NONE
        }
        swept(recipe, axes)  # raises if the combinations are not valid
        return axes

    def _suggest_values(self, field: ComboBox, values: LineEdit) -> None:
        """Fill in values now and whenever another field is chosen."""

        def suggest(name: str) -> None:
            values.value = "" if name == NONE else self._suggested(name)
            self._enable()

        field.changed.connect(suggest)
        suggest(field.value)

    def _suggested(self, name: str) -> str:
        control, field = CONTROLS[name], self._recipe_controls.fields[name]
        if name in _SUGGESTED:
            return _SUGGESTED[name]
        if control.choices:
            return ", ".join(choice for choice in field.choices if choice != "image")
        if control.kind is bool:
            return "off, on"
        around = [field.value * factor for factor in _FACTORS]
        if not field.value:
            around = [control.step * factor for factor in (0, *_FACTORS[2:])]
        allowed = [min(max(number, control.minimum), control.maximum) for number in around]
        return ", ".join(dict.fromkeys(value_words(control.kind(number)) for number in allowed))

    def _enable(self) -> None:
        varied = (self.rows.value, self.columns.value)
        self.column_values.enabled = self.columns.value != NONE
        self.size.enabled = "size" not in varied
        self.steps.enabled = "steps" not in varied


def _sweepable(controls: RecipeControls) -> list[str]:
    """Return the fields of this job that hold one number or word and change the image."""
    return [
        name
        for name in controls.used
        if (CONTROLS[name].choices or CONTROLS[name].kind in (int, float, bool))
        and name not in (*FROM_PREFERENCES, "tile")
    ]


def _values_box(name: str, control: str) -> LineEdit:
    return LineEdit(name=name, label="Values", tooltip=f"Values of {control}, separated by commas.")


def _small_box(name: str) -> ValueWidget[Any]:
    box = widget_for(name, CONTROLS[name])
    box.name, box.label, box.value = f"sweep_{name}", f"Sweep {name}", SMALL[name]
    return box
