"""What a sweep varies: one or two of the recipe's controls, and the values of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import ComboBox, LineEdit
from magicgui.widgets.bases import ValueWidget

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.sweep_axes import SMALL, parse_values, swept, value_words
from napari_nst.viewer.controls.recipe_field import label_of, widget_for
from napari_nst.viewer.controls.recipe_form import FROM_PREFERENCES, RecipeControls

NONE = "none"
"""What the second drop-down says where one control is varied alone."""

_FACTORS = (0.25, 0.5, 1, 2, 4)

_SUGGESTED = {
    "size": "96, 128, 192",
    "min_size": "0, 48, 96",
    "steps": "20, 40, 80",
    "seed": "0, 1, 2, 3",
}
"""Field → values to begin with, where multiples of the present one make no sense."""


class SweepChoice:
    """The controls that say what to vary, and how small and short the pictures are.

    Parameters
    ----------
    recipe_controls : RecipeControls
        Whose controls can be varied. Values are suggested around what they say.

    Attributes
    ----------
    rows, columns : ComboBox
        Which control goes down the grid, and which along it.
    row_values, column_values : LineEdit
        Their values.
    size, steps : SpinBox
        Of each picture, unless they are varied.
    widgets : list of Widget
        All of them, in their order.
    """

    def __init__(self, recipe_controls: RecipeControls) -> None:
        self._recipe_controls = recipe_controls
        fields = _sweepable(recipe_controls)
        self.rows = ComboBox(
            name="sweep_rows",
            label="Sweep",
            choices=[(label_of(name), name) for name in fields],
            value="style_weight" if "style_weight" in fields else "tv_weight",
            tooltip="The control whose values go down the rows of the grid.",
        )
        self.row_values = _values_text("row_values", "the control above")
        self.columns = ComboBox(
            name="sweep_columns",
            label="And",
            choices=[(NONE, NONE), *((label_of(name), name) for name in fields)],
            value="size",
            tooltip="The control whose values go along each row; none varies the first alone.",
        )
        self.column_values = _values_text("column_values", "the second control")
        self.size, self.steps = _small("size"), _small("steps")
        self.widgets: list[ValueWidget[Any]] = [
            *(self.rows, self.row_values, self.columns, self.column_values),
            *(self.size, self.steps),
        ]
        for chooser, values in self._pairs():
            self._follow(chooser, values)
        self._enable_what_matters()

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return a recipe as small and short as the pictures shall be."""
        return recipe.replace(size=self.size.value, steps=self.steps.value)

    def axes(self, recipe: Recipe) -> dict[str, list[Any]]:
        """Read which fields are varied, and their values, for `sweep`.

        Parameters
        ----------
        recipe : Recipe
            What all pictures have in common.

        Raises
        ------
        TypeError, ValueError
            If both are the same field, or the values make no sweep of this recipe.
        """
        if self.rows.value == self.columns.value:
            raise ValueError(
                f"Both controls to sweep are {self.rows.value}; choose another, or none."
            )
        axes = {
            chooser.value: parse_values(chooser.value, values.value)
            for chooser, values in self._pairs()
            if chooser.value != NONE
        }
        swept(recipe, axes)
        return axes

    def _pairs(self) -> list[tuple[ComboBox, LineEdit]]:
        return [(self.rows, self.row_values), (self.columns, self.column_values)]

    def _follow(self, chooser: ComboBox, values: LineEdit) -> None:
        """Suggest values whenever a control is chosen."""

        def suggest(name: str) -> None:
            values.value = "" if name == NONE else self._suggested(name)
            self._enable_what_matters()

        chooser.changed.connect(suggest)
        suggest(chooser.value)

    def _suggested(self, name: str) -> str:
        control, field = CONTROLS[name], self._recipe_controls.fields[name]
        if name in _SUGGESTED:
            return _SUGGESTED[name]
        if control.choices:
            return ", ".join(one for one in field.choices if one != "image")
        if control.kind is bool:
            return "off, on"
        around = [field.value * factor for factor in _FACTORS]
        if not field.value:
            around = [control.step * factor for factor in (0, *_FACTORS[2:])]
        inside = [min(max(number, control.least), control.most) for number in around]
        return ", ".join(dict.fromkeys(value_words(control.kind(number)) for number in inside))

    def _enable_what_matters(self) -> None:
        chosen: Sequence[Any] = (self.rows.value, self.columns.value)
        self.column_values.enabled = self.columns.value != NONE
        self.size.enabled = "size" not in chosen
        self.steps.enabled = "steps" not in chosen


def _sweepable(controls: RecipeControls) -> list[str]:
    """Return the fields whose values are single numbers or words, and make a difference."""
    return [
        name
        for name in controls.used
        if (CONTROLS[name].choices or CONTROLS[name].kind in (int, float, bool))
        and name not in (*FROM_PREFERENCES, "tile")
    ]


def _values_text(name: str, whose: str) -> LineEdit:
    return LineEdit(
        name=name,
        label="Values",
        tooltip=f"What {whose} takes in turn, with commas between.",
    )


def _small(name: str) -> ValueWidget[Any]:
    box = widget_for(name, CONTROLS[name])
    box.name, box.label, box.value = f"sweep_{name}", f"Sweep {name}", SMALL[name]
    return box
