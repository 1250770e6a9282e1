"""What all controls of a widget say, as plain data: to keep, and to take over again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets.bases import ValueWidget
from napari.layers import Layer

from napari_nst.recipe import Recipe
from napari_nst.viewer.controls.recipe_form import RecipeControls
from napari_nst.viewer.settings.remembered import recalled, remember

if TYPE_CHECKING:
    from napari.components import ViewerModel

CONTROLS = "controls"
"""Key of a result's record: what the widget's own controls said, as `ControlValues.read` does."""

_CHOOSERS = {"start": "init_image"}
"""Role of an input in a record → the control that chooses it, where that is called otherwise."""


_OF_A_LAYER = ("content_as", "channel_axis", "rgb_channels")
"""Controls that say what to make of a chosen layer; like the layer, they are not remembered."""


class ControlValues:
    """The controls of a widget: those of its recipe, and its own.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers the controls choose from.
    kind : {"transfer", "texture", "reconstruction"}
        What the recipes are for.
    recipe_controls : RecipeControls
        The recipe's.
    own : iterable of ValueWidget
        The others: layers and plain values, each after those that it follows.
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
        """Return what the widget's own controls say, by name, as JSON can hold it.

        A layer is ``{"layer": name}``.
        """
        return {name: _as_data(control.value) for name, control in self._own.items()}

    def take(self, recipe: Recipe, own: Mapping[str, Any]) -> list[str]:
        """Set the controls to a recipe, and to what `read` returned.

        Returns
        -------
        list of str
            Names of layers that are not in the viewer; what chooses them is left as it was. So are
            controls whose value does not exist any more.

        Raises
        ------
        ValueError
            If the recipe is not for this job; then nothing has changed.
        """
        fitted = self._recipe_controls.fitted(recipe)
        gone = self._show(own)
        # Last, since some of the widget's own controls set one of the recipe's.
        self._recipe_controls.take(fitted)
        return gone

    def take_record(self, record: Mapping[str, Any], more: Mapping[str, Any]) -> list[str]:
        """Set the controls to those that a result was made with, as `take` does.

        Parameters
        ----------
        record : mapping
            As `record_of` returns it.
        more : mapping
            What the widget can tell from the record's arguments, for a result that was not made
            with such a widget, but in the terminal.

        Raises
        ------
        TypeError, ValueError
            If the recipe cannot be used.
        """
        own = record.get(CONTROLS)
        if not isinstance(own, Mapping):
            own = {**_inputs(record), **more}
        return self.take(Recipe.from_dict(record["recipe"]), own)

    def reset(self) -> None:
        """Set all but the chosen layers as in a new widget, and forget what was remembered."""
        self._show(self._defaults)
        self._recipe_controls.reset()
        remember(self.kind, {})

    def remember(self) -> None:
        """Keep what differs from the defaults for the next session, but for the layers."""
        own = {
            name: value
            for name, value in self._plain().items()
            if name not in _OF_A_LAYER and value != self._defaults.get(name)
        }
        remember(self.kind, {**self._recipe_controls.changes(), **own})

    def recall(self) -> None:
        """Set the controls to what was remembered, as far as it is still allowed."""
        values = recalled(self.kind)
        self._show({name: value for name, value in values.items() if not _names_layers(value)})
        self._recipe_controls.recall(values)

    def _plain(self) -> dict[str, Any]:
        return {name: value for name, value in self.read().items() if not _names_layers(value)}

    def _show(self, values: Mapping[str, Any]) -> list[str]:
        gone: list[str] = []
        for name, control in self._own.items():
            if name not in values:
                continue
            wanted = [(one, self._found(one)) for one in _listed(values[name])]
            gone += [one["layer"] for one, found in wanted if found is _GONE]
            here = [found for _, found in wanted if found is not _GONE]
            try:
                if isinstance(values[name], list):
                    control.value = here
                elif here:
                    control.value = here[0]
            except (TypeError, ValueError):  # of another version of the plugin
                continue
        return list(dict.fromkeys(gone))

    def _found(self, value: Any) -> Any:
        if not _names_layers(value):
            return value
        named = (layer for layer in self._viewer.layers if layer.name == value["layer"])
        return next(named, _GONE)


_GONE = object()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _as_data(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_as_data(one) for one in value]
    return {"layer": value.name} if isinstance(value, Layer) else value


def _names_layers(value: Any) -> bool:
    return any(isinstance(one, dict) and "layer" in one for one in _listed(value))


def _inputs(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return which layers the inputs were: those of their names, or opened from their files."""
    by_role: dict[str, list[dict[str, str]]] = {}
    for role, facts in record.get("inputs", {}).items():
        name = Path(facts["path"]).stem if isinstance(facts.get("path"), str) else facts.get("name")
        if isinstance(name, str):
            by_role.setdefault(role.partition(" ")[0], []).append({"layer": name})
    values: dict[str, Any] = {_CHOOSERS.get(role, role): one[0] for role, one in by_role.items()}
    return {**values, "more_styles": by_role.get("style", [])[1:]}
