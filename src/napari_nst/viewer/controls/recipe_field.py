"""The widget of one field of a recipe, made from the field's bounds, choices and help."""

from __future__ import annotations

import math
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget

from napari_nst.recipe.fields import Control, LayerWeights
from napari_nst.viewer.controls.form import LongText
from napari_nst.viewer.controls.number_box import NumberBox

DEVICES = ("auto", "cpu", "cuda", "mps")
"""Choices of the drop-down; the terminal accepts others too, such as ``cuda:1``."""

LABELS = {
    "min_size": "Coarsest size",
    "first_scale_share": "Coarse share",
    "tv_weight": "TV weight",
    "tv_loss": "TV loss",
    "tv_exponent": "TV exponent",
    "init": "Start from",
    "init_noise": "Noise in mix",
    "color": "Colours",
    "image_range": "Value range",
    "weights": "Network",
    "network_input": "Input range",
    "optimizer": "Optimiser",
    "history": "L-BFGS history",
    "line_search": "L-BFGS line search",
    "beta1": "Adam beta 1",
    "beta2": "Adam beta 2",
    "epsilon": "Adam epsilon",
    "ema": "Moving average",
}
"""Field → label, if the field's own name reads badly."""


def label_of(name: str) -> str:
    """Return the label of a recipe's field."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def widget_for(name: str, control: Control) -> ValueWidget[Any]:
    """Make the widget of a recipe's field."""
    common: dict[str, Any] = {"name": name, "label": label_of(name), "tooltip": control.help}
    if control.kind is bool:
        # A check box has its label on itself.
        return CheckBox(text=common.pop("label"), **common)
    if control.kind in (int, float):
        most = control.maximum if math.isfinite(control.maximum) else 1e15
        box = SpinBox if control.kind is int else NumberBox
        return box(min=control.minimum, max=most, step=control.step, **common)
    if control.kind is LayerWeights:
        return LongText(**common)
    choices = DEVICES if name == "device" else control.choices
    return ComboBox(choices=choices, **common) if choices else LineEdit(**common)


def show_value(widget: ValueWidget[Any], control: Control, value: Any) -> None:
    """Put a recipe's value into its widget."""
    if control.kind in (tuple, LayerWeights):
        widget.value = control.text(value)
        widget.native.setCursorPosition(0)  # show the beginning of a long text
    else:
        widget.value = value
