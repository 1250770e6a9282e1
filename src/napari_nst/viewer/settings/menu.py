"""The Settings menu: copy settings from a layer, save and load them, or restore the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton

from napari_nst.io.record import PRESET_JOBS, load_recipe, record_of, save_recipe
from napari_nst.recipe import Recipe
from napari_nst.viewer.settings.control_values import ControlValues

if TYPE_CHECKING:
    from napari.components import ViewerModel

_WIDGETS = {
    "transfer": "Style Transfer",
    "texture": "Texture Synthesis",
    "reconstruction": "Content Reconstruction",
}
"""Kind of job → display name of its widget in the manifest."""

_FILTER = "Recipe (*.json)"


class SettingsMenu(QPushButton):
    """A button with a menu that reads and writes the controls of a widget.

    The menu looks at the selected layer when it opens, because that may mean reading the file from
    which the layer was opened.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    values : ControlValues
    read_recipe : callable
        Returns the recipe of the controls; raises `ValueError` if they contradict each other.
    controls_from : callable
        Returns values for the widget's own controls from recorded arguments of the engine.
    start : callable
        Starts a run.
    is_running : callable
        Returns whether a run is going on.
    say, complain : callable
        Show a sentence, and an exception, to the user.
    """

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
        self.reset = _entry(menu, "Defaults", self._reset)
        self.save.setToolTip("Write the recipe to a JSON file; the terminal reads it too.")
        self.load.setToolTip("Set the controls to the recipe in a JSON file.")
        self.reset.setToolTip("Set all controls as in a new widget, and forget the last values.")
        menu.aboutToShow.connect(self.update_actions)
        self.setMenu(menu)

    def update_actions(self) -> None:
        """Name the selected layer in the menu, and disable what is not possible with it."""
        layer, (record, why) = self._layer, self._record()
        name = repr(layer.name).replace("&", "&&") if layer is not None else "this layer"
        self.copy.setText(f"Copy settings from {name}")
        self.run_again.setText(f"Run again from {name}")
        self.copy.setToolTip(why or "Set the controls and layers to those that made it.")
        running = (
            "A run is going on; wait for its end, or press Stop." if self._is_running() else ""
        )
        self.run_again.setToolTip(why or running or "Copy its settings, and start a run.")
        self.copy.setEnabled(record is not None)
        self.run_again.setEnabled(record is not None and not running)

    def copy_from_layer(self) -> None:
        """Set the controls to those that made the selected layer."""
        missing = self._take_record()
        if missing is None:
            return
        sentences = [f"Copied the settings of {self._layer.name}."]
        record, _ = self._record()
        if record and (changes := len(record.get("steered", ()))):
            times = "once" if changes == 1 else f"{changes} times"
            sentences.append(f"They were changed {times} during its run; these are the last ones.")
        if missing:
            sentences.append(_missing_text(missing))
        self._say(" ".join(sentences))

    def run_again_from_layer(self) -> None:
        """Copy the settings and start a run, unless one of the layers is missing."""
        missing = self._take_record()
        if missing:
            self._complain(ValueError(f"{_missing_text(missing)[:-1]}, then press Run."))
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

    @property
    def _layer(self) -> Any:
        return self._viewer.layers.selection.active

    def _record(self) -> tuple[dict[str, Any] | None, str]:
        """Return the metadata of the selected layer, or None and the reason why it is of no use."""
        layer = self._layer
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

    def _reset(self) -> None:
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
    if len(names) == 1:
        return f"Layer {names[0]} is gone; open it again, or choose another."
    return f"Layers {', '.join(names)} are gone; open them again, or choose others."
