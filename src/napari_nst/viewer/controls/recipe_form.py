"""The controls of a recipe, made from its fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget

from napari_nst.recipe import CONTROLS, DEFAULT_PRESETS, Recipe, preset, preset_names, published
from napari_nst.recipe.fields import Changes, Control, LayerWeights
from napari_nst.recipe.sections import (
    CONTENT_NORMS,
    HYPERCOLUMN_LOSSES,
    NORMS,
    SAMPLED_LOSSES,
    UNUSED,
)  # fmt: skip
from napari_nst.viewer.controls.form import DataText, LongText, NumberBox, SizeBox
from napari_nst.viewer.controls.network_box import NetworkBox
from napari_nst.viewer.settings.preferences import preferred

DEVICES = ("auto", "cpu", "cuda", "mps")
"""Choices of the drop-down; the terminal accepts others too, such as ``cuda:1``."""

LABELS = {
    "min_size": "Start size",
    "style_scale": "Stroke size",
    "style_sizing": "Size style by",
    "first_scale_share": "Coarse share",
    "tv_weight": "Smoothness",
    "tv_loss": "Smoothness loss",
    "tv_exponent": "Smoothness exponent",
    "init": "Start from",
    "init_noise": "Noise in mix",
    "nn_targets": "Match targets",
    "color": "Colours",
    "final_color": "Final colours",
    "image_range": "Value range",
    "weights": "Network",
    "network_input": "Input range",
    "parametrization": "Optimise",
    "optimizer": "Optimiser",
    "history": "L-BFGS history",
    "line_search": "L-BFGS line search",
    "beta1": "Adam beta 1",
    "beta2": "Beta 2",
    "epsilon": "Epsilon",
    "ema": "Moving average",
}
"""Field → label, if the field's own name reads badly."""

PURPOSES: Mapping[str, tuple[str, ...]] = {
    "Strokes and shapes": (
        *("style_weight", "content_weight", "tv_weight", "style_scale", "style_sizing"),
        "min_size",
    ),
    "Colours": ("color", "final_color", "channels"),
    "Start": ("init", "init_noise", "seed"),
    "Refine": ("refine_share", "refine_strength"),
    "Speed and memory": ("device", "precision", "tile"),
    "Expert": (
        *("style_loss", "style_norm", "style_layers", "style_rotations", "samples", "patch_size"),
        *("content_loss", "content_norm", "content_layers", "terms", "phases", "scale_ratio"),
        *("weights", "pooling", "padding", "image_range"),
        *("parametrization", "optimizer", "learning_rate", "ema"),
    ),
}
"""Title of a section → the fields in it, by what a user wants. All other fields are in no section:
a preset or a recipe file sets them."""

WITHOUT_CONTROL = frozenset(CONTROLS) - {
    *("size", "steps", "style_blend"),
    *(name for names in PURPOSES.values() for name in names),
}
"""Fields that no control shows."""

FROM_PREFERENCES = ("device", "precision")
"""Fields of the machine, not of the image: a preset does not change them, and a new widget starts
with the values in napari's preferences."""

PERIODIC = "circular"
"""The padding of a seamless texture."""

STARTS: Mapping[str, tuple[str, ...]] = {
    "transfer": ("content", "style", "noise", "mix", "image"),
    "texture": ("style", "noise", "mix", "image"),
    "reconstruction": ("noise", "mix", "image"),
}
"""Job → allowed values of `init`."""

_OWN_TEXTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "texture": {
        "size": (
            "Exemplar size",
            "Longest side that the exemplar is fitted to, never enlarged; 0 takes it as it is.",
        )
    }
}
"""Job → field → label and tooltip, if its meaning differs from that in a transfer."""


def _takes(now: Mapping[str, Any], *choices: str) -> bool:
    """Whether the recipe, one of its terms or one of its phases takes one of some choices."""
    own = [now[name] for name in ("style_loss", "content_loss", "pooling", "optimizer")]
    others = now["terms"] + now["phases"]  # JSON text
    return any(choice in own or f'"{choice}"' in others for choice in choices)


_IS_USED: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "scale_ratio": lambda now: now["min_size"] > 0,
    "first_scale_share": lambda now: now["min_size"] > 0,
    "projections": lambda now: _takes(
        now, "sliced_wasserstein", "sliced_rows", "sampled_wasserstein"
    ),
    **dict.fromkeys(("patch_size", "patch_stride"), lambda now: _takes(now, "mrf")),
    **dict.fromkeys(
        ("samples", "style_samples", "style_rotations"), lambda now: _takes(now, *SAMPLED_LOSSES)
    ),
    "centred_cosine": lambda now: _takes(now, "remd", "nn"),
    "hypercolumns": lambda now: _takes(now, *HYPERCOLUMN_LOSSES),
    "nn_targets": lambda now: _takes(now, "nn"),
    **dict.fromkeys(
        ("own_sizes", "refine_share", "refine_strength"), lambda now: bool(now["phases"])
    ),
    "tv_loss": lambda now: now["tv_weight"] > 0,
    "tv_exponent": lambda now: now["tv_weight"] > 0,
    "noise": lambda now: now["init"] in ("noise", "mix"),
    "noise_spread": lambda now: (
        now["init"] in ("noise", "mix") and now["noise"] in ("normal", "uniform")
    ),
    "init_noise": lambda now: now["init"] == "mix",
    "rescale_pooling": lambda now: _takes(now, "average", "l2"),
    **dict.fromkeys(("history", "line_search"), lambda now: _takes(now, "lbfgs")),
    "beta1": lambda now: _takes(now, "adam"),
    **dict.fromkeys(("beta2", "epsilon"), lambda now: _takes(now, "adam", "rmsprop")),
}
"""Field → whether it has an effect, given the values of all fields."""


class RecipeControls:
    """The controls of a recipe's fields, for the job "transfer", "texture" or "reconstruction"."""

    def __init__(self, job: str) -> None:
        self.job = job
        names = preset_names(job)
        summaries = [f"{name}: {published(name).summary}" for name in names]
        self.preset = ComboBox(
            name="preset",
            label="Preset",
            choices=names,
            tooltip="\n".join(["A published recipe; sets all controls to its values.", *summaries]),
        )
        self.fields: dict[str, Any] = {
            name: widget_for(name, control) for name, control in CONTROLS.items()
        }
        for name, (label, tooltip) in _OWN_TEXTS.get(job, {}).items():
            self.fields[name].label, self.fields[name].tooltip = label, tooltip
        # Functions, because a drop-down asks for its choices again when it gets into a window.
        self.fields["init"].choices = lambda _: STARTS[job]
        self.fields["style_norm"].choices = lambda _: NORMS[self.fields["style_loss"].value]
        self.fields["content_norm"].choices = lambda _: CONTENT_NORMS[
            self.fields["content_loss"].value
        ]
        # Other controls are hidden and keep the preset's values. A texture has one exemplar.
        hidden = (*UNUSED[job], "style_blend") if job == "texture" else UNUSED[job]
        self.used = [name for name in CONTROLS if name not in hidden]
        for field in self.fields.values():
            field.changed.connect(self._enable_used)
        for kind in ("style", "content"):
            reset = self.fields[f"{kind}_norm"].reset_choices
            self.fields[f"{kind}_loss"].changed.connect(reset)
        self.preset.changed.connect(self._apply_preset)
        self.reset()

    @property
    def recipe(self) -> Recipe:
        """The recipe of the controls; raises `ValueError` if they contradict each other."""
        values = {name: widget.value for name, widget in self.fields.items()}
        return preset(self.preset.value, **values)

    @recipe.setter
    def recipe(self, recipe: Recipe) -> None:
        for name, widget in self.fields.items():
            show_value(widget, CONTROLS[name], getattr(recipe, name))
        self._enable_used()

    def reset(self) -> None:
        """Set all controls to the job's default preset, on the device of the preferences."""
        self.preset.value = DEFAULT_PRESETS[self.job]
        self.recipe = preset(self.preset.value, **_machine())

    def take(self, recipe: Recipe) -> None:
        """Set the controls to `fitted(recipe)`."""
        fitted = self.fitted(recipe)
        self.preset.value = fitted.name
        self.recipe = fitted

    def fitted(self, recipe: Recipe) -> Recipe:
        """Return a recipe with the controls' device, and the preset's values in unused fields."""
        if recipe.init not in STARTS[self.job]:
            raise ValueError(
                f"The recipe has `init={recipe.init!r}`, from which this widget cannot start. "
                f"Choose a recipe with one of {', '.join(STARTS[self.job])}."
            )
        name = recipe.name if recipe.name in self.preset.choices else DEFAULT_PRESETS[self.job]
        fields = {field: getattr(recipe, field) for field in self.used}
        return preset(name, **{**fields, "device": self.fields["device"].value})

    def changes(self) -> dict[str, Any]:
        """Return the preset's name and the fields that differ from it, as plain data."""
        name, now = self.preset.value, self.recipe.to_dict()
        usual = preset(name, weights=now["weights"]).to_dict()
        usual["weights"] = preset(name).weights
        left_out = [*FROM_PREFERENCES, *(["init"] if now["init"] == "image" else [])]
        if self.job == "texture" and now["padding"] == PERIODIC:
            left_out.append("padding")  # seamless: for this exemplar
        kept = [field for field in self.used if field not in left_out]
        return {"preset": name, **{f: now[f] for f in kept if now[f] != usual[f]}}

    def changed(self) -> list[str]:
        """Return the fields whose controls differ from the preset, or from the preferences."""
        usual = preset(self.preset.value, **_machine())
        return [name for name in self.used if not self._is_usual(name, getattr(usual, name))]

    def _is_usual(self, name: str, usual: Any) -> bool:
        control, value = CONTROLS[name], self.fields[name].value
        if control.kind is Changes:
            return bool(value == control.text(usual))
        try:
            return bool(control.checked(name, value) == usual)
        except (TypeError, ValueError):  # a text that is being typed
            return False

    def snapshot(self) -> dict[str, Any]:
        """Return what the controls hold, also if they contradict each other."""
        fields = {name: widget.value for name, widget in self.fields.items()}
        return {"preset": self.preset.value, **fields}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Set the controls to what `snapshot` returned."""
        self.preset.value = snapshot["preset"]
        for name, widget in self.fields.items():
            if widget.value != snapshot[name]:
                widget.value = snapshot[name]

    def recall(self, changes: Mapping[str, Any]) -> None:
        """Set the controls to what `changes` returned, except values that are no longer allowed."""
        if changes.get("preset") not in self.preset.choices:
            return
        kept = [field for field in self.used if field not in FROM_PREFERENCES]
        allowed = {f: changes[f] for f in kept if f in changes and _is_allowed(f, changes[f])}
        try:
            self.take(preset(changes["preset"], **_machine(), **allowed))
        except ValueError:  # the values contradict each other
            return

    def _apply_preset(self, name: str) -> None:
        kept = {field: self.fields[field].value for field in FROM_PREFERENCES}
        self.recipe = preset(name, **kept)

    def _enable_used(self) -> None:
        values = {name: widget.value for name, widget in self.fields.items()}
        for name, is_used in _IS_USED.items():
            self.fields[name].enabled = is_used(values)


def label_of(name: str, job: str = "") -> str:
    """Return the label of a recipe's field, in the widget of a job if that has another one."""
    if name in (own := _OWN_TEXTS.get(job, {})):
        return own[name][0]
    return LABELS.get(name, name.replace("_", " ").capitalize())


def widget_for(name: str, control: Control) -> ValueWidget[Any]:
    """Make the widget of a recipe's field."""
    common: dict[str, Any] = {"name": name, "label": label_of(name), "tooltip": control.help}
    if control.kind is bool:
        # A check box has its label on itself.
        return CheckBox(text=common.pop("label"), **common)
    if name == "weights":
        return NetworkBox(**common)
    if name == "size":
        return SizeBox(max=control.maximum, step=control.step, **common)
    if control.kind in (int, float):
        most = control.maximum if math.isfinite(control.maximum) else 1e15
        box = SpinBox if control.kind is int else NumberBox
        return box(min=control.minimum, max=most, step=control.step, **common)
    if control.kind is Changes:
        return DataText(**common)
    if control.kind is LayerWeights:
        return LongText(**common)
    choices = DEVICES if name == "device" else control.choices
    return ComboBox(choices=choices, **common) if choices else LineEdit(**common)


def show_value(widget: ValueWidget[Any], control: Control, value: Any) -> None:
    """Put a recipe's value into its widget."""
    if control.kind is Changes:
        widget.value = control.text(value)
    elif control.kind in (tuple, LayerWeights):
        widget.value = control.text(value)
        widget.native.setCursorPosition(0)  # show the beginning of a long text
    else:
        widget.value = value


def _machine() -> dict[str, Any]:
    return {name: preferred(name, getattr(Recipe, name)) for name in FROM_PREFERENCES}


def _is_allowed(name: str, value: object) -> bool:
    try:
        CONTROLS[name].checked(name, value)
    except (TypeError, ValueError):
        return False
    return True
