"""The values of a widget's controls as plain data, to record, remember and restore them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets.bases import ValueWidget
from napari.layers import Layer

from napari_nst.recipe import Recipe
from napari_nst.viewer.controls.recipe_form import RecipeControls
from napari_nst.viewer.settings.preferences import recalled, remember

if TYPE_CHECKING:
    from napari.components import ViewerModel

CONTROLS = "controls"
"""Key in a result's metadata of the values that `ControlValues.read` returned."""

_CHOOSERS = {"start": "init_image"}
"""Role of a recorded input → name of the control that chooses it, if that differs."""

_OF_A_LAYER = ("content_as", "channel_axis", "rgb_channels")
"""Controls that depend on a chosen layer; like the layer, they are not remembered."""

_MISSING = object()
"""Stands for a layer that is not in the viewer."""


class ControlValues:
    """Reads and sets the controls of a widget: those of its recipe, and its own.

    `kind` is "transfer", "texture" or "reconstruction". Of its `own` controls, each comes after
    those on which its choices depend.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        kind: str,
        recipe_controls: RecipeControls,
        own: Iterable[ValueWidget[Any]],
    ) -> None:
        self.kind = kind
        self._viewer = viewer
        self._recipe_controls = recipe_controls
        self._own = {control.name: control for control in own}
        self._defaults = self._plain()

    def read(self) -> dict[str, Any]:
        """Return the values of the widget's own controls; a layer is ``{"layer": name}``."""
        return {name: _as_data(control.value) for name, control in self._own.items()}

    def take(self, recipe: Recipe, own: Mapping[str, Any]) -> list[str]:
        """Set the controls to a recipe and to values from `read`.

        Return the names of layers that are not in the viewer; their controls do not change, nor do
        controls whose value does not exist any more. Raise `ValueError`, before any change, if the
        recipe is not for this job.
        """
        fitted = self._recipe_controls.fitted(recipe)
        missing = self._show(own)
        # After its own controls, because some of them set a field of the recipe.
        self._recipe_controls.take(fitted)
        return missing

    def take_record(self, record: Mapping[str, Any], more: Mapping[str, Any]) -> list[str]:
        """Set the controls from a result's metadata; return missing layers, as `take` does.

        `more` are values that the widget derives from the recorded arguments of a result that was
        made in the terminal. Raise `TypeError` or `ValueError` if the recipe cannot be used.
        """
        own = record.get(CONTROLS)
        if not isinstance(own, Mapping):
            own = {**_inputs(record), **more}
        return self.take(Recipe.from_dict(record["recipe"]), own)

    def reset(self) -> None:
        """Set all controls but the chosen layers to their defaults, and forget the last values."""
        self._show(self._defaults)
        self._recipe_controls.reset()
        remember(self.kind, {})

    def remember(self) -> None:
        """Remember the values that differ from the defaults, except layers."""
        own = {
            name: value
            for name, value in self._plain().items()
            if name not in _OF_A_LAYER and value != self._defaults.get(name)
        }
        remember(self.kind, {**self._recipe_controls.changes(), **own})

    def recall(self) -> None:
        """Set the controls to the remembered values that are still allowed."""
        values = recalled(self.kind)
        self._show({name: value for name, value in values.items() if not _names_layers(value)})
        self._recipe_controls.recall(values)

    def _plain(self) -> dict[str, Any]:
        return {name: value for name, value in self.read().items() if not _names_layers(value)}

    def _show(self, values: Mapping[str, Any]) -> list[str]:
        """Set the widget's own controls; return the names of missing layers."""
        missing: list[str] = []
        for name, control in self._own.items():
            if name not in values:
                continue
            is_list = isinstance(values[name], list)
            wanted = values[name] if is_list else [values[name]]
            found = [self._found(value) for value in wanted]
            missing += [v["layer"] for v, f in zip(wanted, found, strict=True) if f is _MISSING]
            found = [value for value in found if value is not _MISSING]
            try:
                if is_list:
                    control.value = found
                elif found:
                    control.value = found[0]
            except (TypeError, ValueError):  # a value of another version of the plugin
                continue
        return list(dict.fromkeys(missing))

    def _found(self, value: Any) -> Any:
        """Return the layer that a value names, `_MISSING` if it is not there, or the value."""
        if not _names_layers(value):
            return value
        named = (layer for layer in self._viewer.layers if layer.name == value["layer"])
        return next(named, _MISSING)


def _as_data(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_as_data(one) for one in value]
    return {"layer": value.name} if isinstance(value, Layer) else value


def _names_layers(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(isinstance(one, dict) and "layer" in one for one in values)


def _inputs(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layers of recorded inputs: with the input's name, or opened from its file."""
    by_role: dict[str, list[dict[str, str]]] = {}
    for role, entry in record.get("inputs", {}).items():
        path, name = entry.get("path"), entry.get("name")
        layer = Path(path).stem if isinstance(path, str) else name
        if isinstance(layer, str):
            by_role.setdefault(role.partition(" ")[0], []).append({"layer": layer})
    values: dict[str, Any] = {_CHOOSERS.get(role, role): one[0] for role, one in by_role.items()}
    return {**values, "more_styles": by_role.get("style", [])[1:]}
