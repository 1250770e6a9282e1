"""The controls of a sweep and of the layer explorer, and the settings of a clicked image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from magicgui.widgets import ComboBox, LineEdit, PushButton
from magicgui.widgets.bases import ValueWidget

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.grid import SMALL, parse_values, swept, value_words
from napari_nst.recipe.layer_names import EXPLORED_SIZE
from napari_nst.viewer.controls.layer_box import LayerBox, chosen_layer
from napari_nst.viewer.controls.recipe_form import (
    FROM_PREFERENCES,
    RecipeControls,
    label_of,
    show_value,
    widget_for,
)
from napari_nst.viewer.layers.read import LayerSlice
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.sweep.sheet_layer import SheetLayer

NONE = "none"  # the entry of the second drop-down for a sweep over one field
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
        fields, self._job = _sweepable(recipe_controls), recipe_controls.job
        labels = [(label_of(name, self._job), name) for name in fields]
        self.rows = ComboBox(
            name="sweep_rows",
            label="Sweep",
            choices=labels,
            value="style_weight" if "style_weight" in fields else "tv_weight",
            tooltip="The control that varies from row to row of the contact sheet.",
        )
        self.row_values = _values_box("row_values", "the control above")
        self.columns = ComboBox(
            name="sweep_columns",
            label="And",
            choices=[(NONE, NONE), *labels],
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
        """Return the fields to vary and their values, checked for this recipe."""
        if self.rows.value == self.columns.value:
            both = label_of(self.rows.value, self._job)
            raise ValueError(
                f"Sweep and And both say {both}. Choose another control in And, or {NONE}."
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


class SweepControls:
    """The choice of a sweep, and buttons for it and for the explorer of the layer in `explored`."""

    def __init__(
        self,
        recipe_controls: RecipeControls,
        explored: LayerBox,
        *,
        read_recipe: Callable[[], Recipe],
        build_request: Callable[[Recipe], RunRequest],
        read_layer: Callable[[Any, int], LayerSlice],
        begin: Callable[[Callable[[], RunRequest]], None],
        say: Callable[[str], None],
    ) -> None:
        self._fields, self._job = recipe_controls.fields, recipe_controls.job
        self._explored = explored
        self._read_recipe = read_recipe
        self._build_request = build_request
        self._read_layer = read_layer
        self._say = say
        self.choice = SweepChoice(recipe_controls)
        self.run = PushButton(
            name="run_sweep",
            text="Run sweep",
            tooltip="Make a small image for every combination of values, on one contact sheet. "
            "Click an image to apply its settings.",
        )
        self.explore = PushButton(
            name="explore_layers",
            text=f"Explore layers of the {explored.label.lower()}",
            tooltip="For every layer of the network, a small image with the same features and one "
            "with the same texture: what the layer keeps. Takes minutes on a CPU.",
        )
        self.run.clicked.connect(lambda: begin(self._sweep_request))
        self.explore.clicked.connect(lambda: begin(self._explorer_request))

    @property
    def controls(self) -> list[Any]:
        """The controls of the Sweep section."""
        return [*self.choice.widgets, self.run]

    def apply(self, settings: dict[str, Any]) -> None:
        """Set the recipe's controls to the settings of an image, and say so."""
        for name, value in settings.items():
            control = CONTROLS[name]
            show_value(self._fields[name], control, control.checked(name, value))
        applied = ", ".join(
            f"{label_of(name, self._job).lower()} {CONTROLS[name].text(self._fields[name].value)}"
            for name in settings
        )
        self._say(f"Applied: {applied}.")

    def _sweep_request(self) -> RunRequest:
        recipe = self.choice.recipe(self._read_recipe())
        axes = self.choice.axes(recipe)
        single = self._build_request(recipe)
        if not single.is_single:
            raise ValueError(
                "A sweep varies runs of a single image; switch off Compare layers, and take "
                "another entry than 'each channel in turn' in Content as."
            )
        varied = " × ".join(label_of(name, self._job).lower() for name in axes)
        return replace(
            single,
            name=f"{single.name} · {varied}",
            axes=axes,
            after_run=None,
            make_layer=self._sheet_layer,
        )

    def _explorer_request(self) -> RunRequest:
        layer = chosen_layer(self._explored)
        image, recipe = self._read_layer(layer, EXPLORED_SIZE), self._read_recipe()
        network = {name: getattr(recipe, name) for name in ("weights", "network_input", "device")}
        return RunRequest(
            name=f"{image.name} · layers explored",
            position=image.position,
            intensity=image.intensity,
            recipe=recipe,
            function="explore_layers",
            read=lambda: {"image": image.read(), **network},
            make_layer=self._sheet_layer,
        )

    def _sheet_layer(self, viewer: Any, request: RunRequest) -> SheetLayer:
        return SheetLayer(viewer, request.name, request.position, clicked=self.apply)


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
