"""The Settings menu, and the values of a widget's controls that it records and restores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from magicgui.widgets.bases import ValueWidget
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton

from napari_nst.io.record import PRESET_JOBS, load_recipe, record_of, save_recipe
from napari_nst.recipe import Recipe
from napari_nst.viewer.controls.layer_box import LayerBox, LayerList
from napari_nst.viewer.controls.recipe_form import RecipeControls, label_of
from napari_nst.viewer.settings.preferences import recalled, remember

CONTROLS = "controls"  # key in a result's metadata of the values that `ControlValues.read` returned
_CHOOSERS = {"start": "init_image"}
"""Role of a recorded input → name of the control that chooses it, if that differs."""

_OF_A_LAYER = (
    *("content_as", "channel_axis", "rgb_channels"),
    *("texture_height", "texture_width", "seamless"),
    *("style_target", "second_target", "mix", "all_slices"),
)
"""Controls that depend on a chosen layer or file; like the layer, they are not remembered."""

_OF_THE_VIEW = ("beside",)
"""Controls that do not say how an image is made: remembered, but in no result's record."""

_FOLLOWING = ("channel_axis", "seamless", "layer", "row_values", "column_values")
"""Controls that follow a layer or another control: they are no change of their own."""

_MISSING = object()  # stands for a layer that is not in the viewer

_WIDGETS = {
    "transfer": "Style Transfer",
    "texture": "Texture Synthesis",
    "reconstruction": "Content Reconstruction",
    "solid": "Solid Texture",
}
"""Kind of job → display name of its widget in the manifest."""

_FILTER = "Recipe (*.json)"


class ControlValues:
    """Reads and sets the controls of a widget: those of its recipe, and its own."""

    def __init__(
        self,
        viewer: ViewerModel,
        kind: str,
        recipe_controls: RecipeControls,
        own: Iterable[ValueWidget[Any]],  # each after those on which its choices depend
    ) -> None:
        self.kind = kind
        self._viewer = viewer
        self._recipe_controls = recipe_controls
        self._own = {control.name: control for control in own}
        self._defaults = self._plain()

    def read(self) -> dict[str, Any]:
        """Return the values that a result's record holds; a layer is ``{"layer": name}``."""
        return {name: one for name, one in self._all().items() if name not in _OF_THE_VIEW}

    def take(self, recipe: Recipe, own: Mapping[str, Any]) -> list[str]:
        """Set the controls to a recipe and to values from `read`; return missing layers."""
        fitted = self._recipe_controls.fitted(recipe)  # may raise, before any change
        missing = self._show(own)
        # After its own controls, because some of them set a field of the recipe.
        self._recipe_controls.take(fitted)
        return missing

    def take_record(self, record: Mapping[str, Any], more: Mapping[str, Any]) -> list[str]:
        """Set the controls from a result's metadata, and `more` if the terminal made the result."""
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

    def changed(self) -> dict[str, str]:
        """Return name → label of the controls that differ from the preset or the defaults."""
        now = self._plain()
        own = [
            n for n, value in now.items() if n not in _FOLLOWING and value != self._defaults.get(n)
        ]
        fields = {name: label_of(name, self.kind) for name in self._recipe_controls.changed()}
        return fields | {name: _label(self._own[name]) for name in own}

    def snapshot(self) -> dict[str, Any]:
        """Return what the controls hold, but for the chosen layers, for `restore`."""
        own = {name: one for name, one in self._plain().items() if name not in _FOLLOWING}
        return {"own": own, "recipe": self._recipe_controls.snapshot()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Set the controls to what `snapshot` returned."""
        # Own controls first, because some of them set a field of the recipe.
        self._show(snapshot["own"])
        self._recipe_controls.restore(snapshot["recipe"])

    def watch(self, changed: Callable[[], None]) -> None:
        """Call a function whenever a control changes."""
        for control in (*self._recipe_controls.fields.values(), *self._own.values()):
            control.changed.connect(lambda: changed())
        self._recipe_controls.preset.changed.connect(lambda: changed())

    def recall(self) -> None:
        """Set the controls to the remembered values that are still allowed."""
        values = recalled(self.kind)
        self._show({name: value for name, value in values.items() if not _names_layers(value)})
        self._recipe_controls.recall(values)

    def _all(self) -> dict[str, Any]:
        return {name: _as_data(control.value) for name, control in self._own.items()}

    def _plain(self) -> dict[str, Any]:
        """Return the values of the widget's own controls that choose no layers."""
        choosers = [n for n, one in self._own.items() if isinstance(one, LayerBox | LayerList)]
        return {name: value for name, value in self._all().items() if name not in choosers}

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


class SettingsMenu(QPushButton):
    """A button with a menu that reads and writes the controls of a widget."""

    def __init__(
        self,
        viewer: ViewerModel,
        values: ControlValues,
        *,
        read_recipe: Callable[[], Recipe],
        controls_from: Callable[[Mapping[str, Any]], dict[str, Any]],
        start: Callable[[], None],
        is_running: Callable[[], bool],
        say: Callable[[str], None],
        complain: Callable[[Exception], None],
    ) -> None:
        super().__init__("Settings")
        self.setToolTip("Copy settings from a layer or a file, save them, or restore the defaults.")
        self.setAccessibleName("Settings")
        self._viewer = viewer
        self._values = values
        self._read_recipe = read_recipe
        self._controls_from = controls_from
        self._start = start
        self._is_running = is_running
        self._say = say
        self._complain = complain
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.copy = _entry(menu, "Copy settings from this layer", self.copy_from_layer)
        self.run_again = _entry(menu, "Run again from this layer", self.run_again_from_layer)
        menu.addSeparator()
        self.save = _entry(menu, "Save recipe…", self._ask_and_save)
        self.load = _entry(menu, "Load recipe…", self._ask_and_load)
        menu.addSeparator()
        self.reset = _entry(menu, "Defaults", self.reset_all)
        self.save.setToolTip("Write the recipe to a JSON file; the terminal reads it too.")
        self.load.setToolTip("Set the controls to the recipe in a JSON file.")
        self.reset.setToolTip("Set all controls as in a new widget, and forget the last values.")
        menu.aboutToShow.connect(self.update_actions)
        self.setMenu(menu)

    def update_actions(self) -> None:
        """Name the selected layer in the menu, and disable what is not possible with it."""
        layer, (record, why) = self._viewer.layers.selection.active, self._record()
        name = repr(layer.name).replace("&", "&&") if layer is not None else "this layer"
        self.copy.setText(f"Copy settings from {name}")
        self.run_again.setText(f"Run again from {name}")
        self.copy.setToolTip(why or "Set the controls and layers to those that made it.")
        if self._is_running():
            why = why or "A run is going on; wait for its end, or press Stop."
        self.run_again.setToolTip(why or "Copy its settings, and start a run.")
        self.copy.setEnabled(record is not None)
        self.run_again.setEnabled(not why)

    def copy_from_layer(self) -> None:
        """Set the controls to those that made the selected layer."""
        missing = self._take_record()
        if missing is not None:
            layer: Any = self._viewer.layers.selection.active
            self._say(f"Copied the last settings of {layer.name}. {_missing_text(missing)}".strip())

    def run_again_from_layer(self) -> None:
        """Copy the settings and start a run, unless one of the layers is missing."""
        missing = self._take_record()
        if missing:
            self._complain(ValueError(f"{_missing_text(missing)} Then press Run."))
        elif missing is not None:
            self._start()

    def save_to(self, path: str | Path) -> None:
        """Write the recipe of the controls to a JSON file."""
        try:
            written = save_recipe(self._read_recipe(), path)
        except (OSError, TypeError, ValueError) as error:
            self._complain(error)
        else:
            self._say(f"Saved the recipe as {written.name}.")

    def load_from(self, path: str | Path) -> None:
        """Set the controls to the recipe in a JSON file."""
        try:
            self._values.take(load_recipe(path), {})
        except (OSError, TypeError, ValueError) as error:
            self._complain(error)
        else:
            self._say(f"Loaded the recipe {Path(path).name}.")

    def _record(self) -> tuple[dict[str, Any] | None, str]:
        """Return the metadata of the selected layer, or None and the reason why it is of no use."""
        layer = self._viewer.layers.selection.active
        if layer is None:
            return None, "Select one layer in the layer list."
        record = record_of(layer)
        if record is None:
            return None, f"{layer.name} does not say how it was made; select a result of a run."
        kind = PRESET_JOBS.get(record.get("job", ""))
        if kind != self._values.kind:
            made_by = _WIDGETS.get(kind or "", "another version of this plugin")
            return None, f"{layer.name} was made by {made_by}."
        return record, ""

    def _take_record(self) -> list[str] | None:
        """Set the controls from the selected layer; return missing layers, None after an error."""
        record, why = self._record()
        try:
            if record is None:
                raise ValueError(why)
            more = self._controls_from(record.get("arguments", {}))
            return self._values.take_record(record, more)
        except (TypeError, ValueError) as error:
            self._complain(error)
            return None

    def reset_all(self) -> None:
        """Set all controls but the chosen layers to their defaults."""
        self._values.reset()
        self._say("All controls are as in a new widget.")

    def _ask_and_save(self) -> None:
        # Qt's static function asks before it adds the ending whether to replace a file.
        dialog = QFileDialog(self, "Save the recipe", "", _FILTER)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("json")
        dialog.selectFile("recipe.json")
        if dialog.exec():
            self.save_to(dialog.selectedFiles()[0])

    def _ask_and_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load a recipe", "", _FILTER)
        if path:
            self.load_from(path)


def _entry(menu: QMenu, text: str, do: Callable[[], None]) -> Any:
    action: Any = menu.addAction(text)
    action.triggered.connect(lambda: do())
    return action


def _missing_text(names: list[str]) -> str:
    if not names:
        return ""
    return f"Missing layers: {', '.join(names)}; open them again, or choose others."


def _label(control: ValueWidget[Any]) -> str:
    """Return the text that a user sees: a check box has it on itself."""
    return str(getattr(control, "text", "") or control.label)


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
