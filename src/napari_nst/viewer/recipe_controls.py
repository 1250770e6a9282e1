"""A recipe as controls: made from the recipe's own fields, bounds and explanations."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    FloatSpinBox,
    LineEdit,
    SpinBox,
)
from magicgui.widgets.bases import ValueWidget

from napari_nst.recipe import CONTROLS, Recipe, preset, preset_names, preset_summary
from napari_nst.recipe.controls import Control
from napari_nst.viewer.settings import preferred

DEVICES = ("auto", "cpu", "cuda", "mps")
"""What the drop-down offers; the terminal takes any, such as ``cuda:1``."""

FROM_PREFERENCES = ("device", "precision")
"""Fields that belong to the machine, not to the picture: choosing a preset leaves them alone."""

NARROWEST = 90
"""Least width of a number's spin box in pixels."""

_LABELS = {
    "tv_weight": "TV weight",
    "init": "Start from",
    "init_noise": "Noise in mix",
    "first_scale_share": "Coarse share",
}


class RecipeControls:
    """The controls of a recipe, kept in step with each other.

    Attributes
    ----------
    preset : ComboBox
        Which published recipe the controls started from.
    fields : dict of str to Widget
        Field of `Recipe` → its control.
    """

    def __init__(self) -> None:
        self.preset = ComboBox(
            name="preset",
            label="Preset",
            choices=preset_names(),
            tooltip="A published recipe; choosing one sets all controls to its values.\n"
            + "\n".join(f"{name}: {preset_summary(name)}" for name in preset_names()),
        )
        self.fields = {name: _widget(name, control) for name, control in CONTROLS.items()}
        self.preset.changed.connect(self._apply_preset)
        self.fields["init"].changed.connect(self._enable_noise)
        self.recipe = preset(**{n: preferred(n, getattr(Recipe, n)) for n in FROM_PREFERENCES})

    @property
    def recipe(self) -> Recipe:
        """The recipe that the controls say; raises `ValueError` where they contradict."""
        values = {name: widget.value for name, widget in self.fields.items()}
        return preset(self.preset.value, **values)

    @recipe.setter
    def recipe(self, recipe: Recipe) -> None:
        for name, widget in self.fields.items():
            _show(widget, getattr(recipe, name))
        self._enable_noise()

    def _apply_preset(self, name: str) -> None:
        kept = {field: self.fields[field].value for field in FROM_PREFERENCES}
        self.recipe = preset(name, **kept)

    def _enable_noise(self) -> None:
        self.fields["init_noise"].enabled = self.fields["init"].value == "mix"


def _widget(name: str, control: Control) -> ValueWidget[Any]:
    """Make the control of a recipe's field."""
    common: dict[str, Any] = {
        "name": name,
        "label": _LABELS.get(name, name.replace("_", " ").capitalize()),
        "tooltip": control.help,
    }
    if control.kind is bool:
        # A check box carries its label itself.
        return CheckBox(text=common.pop("label"), **common)
    if control.kind in (int, float):
        most = control.most if math.isfinite(control.most) else 1e15
        box = SpinBox if control.kind is int else FloatSpinBox
        number = box(min=control.least, max=most, step=control.step, **common)
        # Left to itself a spin box is as wide as its largest number, and the dock scrolls sideways.
        number.native.setMinimumWidth(NARROWEST)
        return number
    choices = DEVICES if name == "device" else control.choices
    return ComboBox(choices=choices, **common) if choices else LineEdit(**common)


def _show(widget: ValueWidget[Any], value: Any) -> None:
    if isinstance(widget, FloatSpinBox):
        # A spin box rounds to its decimals without a word: 0.001 would become 0.0.
        exponents = [
            Decimal(str(number)).normalize().as_tuple().exponent for number in (value, widget.step)
        ]
        widget.native.setDecimals(max(0, *(-int(exponent) for exponent in exponents)))
    widget.value = value
