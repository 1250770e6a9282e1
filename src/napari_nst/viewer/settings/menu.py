"""The menu that keeps a widget's settings, and takes them over from a layer or a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton

from napari_nst.io.recipe_file import load_recipe, save_recipe
from napari_nst.io.record import KINDS, record_of
from napari_nst.recipe import Recipe
from napari_nst.viewer.settings.control_values import ControlValues

if TYPE_CHECKING:
    from napari.components import ViewerModel

_WIDGETS = {
    "transfer": "Style Transfer",
    "texture": "Texture Synthesis",
    "reconstruction": "Content Reconstruction",
}
"""What recipes are for → the widget that runs them, as the plugin's manifest calls it."""

_FILTER = "Recipe (*.json)"


class SettingsMenu(QPushButton):
    """A button with a menu: from the selected layer, to and from a file, back to the defaults.

    What can be done with the selected layer is found out when the menu opens, since it may take
    reading the file that the layer was opened from.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose selected layer is meant.
    values : ControlValues
        The controls.
    read_recipe : callable
        Returns the recipe that the controls make; raises `ValueError` where they contradict.
    controls_from : callable
        Returns what the widget's own controls would say for a record's arguments.
    start : callable
        Starts a run.
    is_running : callable
        Whether one is going on.
    say, complain : callable
        Take a sentence, and an exception, for the user.

    Attributes
    ----------
    copy, run_again, save, load, reset : QAction
        What the menu offers.
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
        self.setToolTip("Take settings over from a layer or a file, keep them, or start afresh.")
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
        self.reset.setToolTip("Set all controls as in a new widget, and forget the last used.")
        menu.aboutToShow.connect(self.show_what_is_possible)
        self.setMenu(menu)

    # ── what the menu does ───────────────────────────────────────────────────────────────────

    def show_what_is_possible(self) -> None:
        """Name the selected layer, and offer only what can be done with it, or say why not."""
        layer, (record, why) = self._layer, self._record()
        name = repr(layer.name).replace("&", "&&") if layer is not None else "this layer"
        self.copy.setText(f"Copy settings from {name}")
        self.run_again.setText(f"Run again from {name}")
        self.copy.setToolTip(why or "Set the controls and the chosen layers as they made it.")
        running = "A run is going on; wait for its end, or stop it." if self._is_running() else ""
        self.run_again.setToolTip(why or running or "Copy its settings, and start.")
        self.copy.setEnabled(record is not None)
        self.run_again.setEnabled(record is not None and not running)

    def copy_from_layer(self) -> None:
        """Set the controls to those that made the selected layer, and say so, or why not."""
        gone = self._take_over()
        if gone is not None:
            said = [f"Copied the settings of {self._layer.name}."]
            self._say(" ".join([*said, *self._reservations(), *([_missing(gone)] if gone else [])]))

    def run_again_from_layer(self) -> None:
        """Do so, and start a run, unless one of its layers is gone."""
        gone = self._take_over()
        if gone:
            self._complain(ValueError(f"{_missing(gone)[:-1]}, then press Run."))
        elif gone is not None:
            self._start()

    def save_to(self, path: str | Path) -> None:
        """Write the recipe that the controls make to a file, and say so, or why not."""
        try:
            written = save_recipe(self._read_recipe(), path)
        except (OSError, TypeError, ValueError) as error:
            self._complain(error)
        else:
            self._say(f"Saved the recipe as {written.name}.")

    def load_from(self, path: str | Path) -> None:
        """Set the controls to the recipe in a file, and say so, or why not."""
        try:
            self._values.take(load_recipe(path), {})
        except (OSError, TypeError, ValueError) as error:
            self._complain(error)
        else:
            self._say(f"Loaded the recipe {Path(path).name}.")

    # ── how ──────────────────────────────────────────────────────────────────────────────────

    @property
    def _layer(self) -> Any:
        return self._viewer.layers.selection.active

    def _record(self) -> tuple[dict[str, Any] | None, str]:
        """Return how the selected layer was made, and why that is of no use here."""
        layer = self._layer
        if layer is None:
            return None, "Select one layer in the layer list."
        record = record_of(layer)
        if record is None:
            return None, f"{layer.name} does not say how it was made; select a result of a run."
        kind = KINDS.get(record.get("job", ""))
        if kind != self._values.kind:
            made_by = _WIDGETS.get(kind or "", "another version of this plugin")
            return None, f"{layer.name} was made by {made_by}."
        return record, ""

    def _take_over(self) -> list[str] | None:
        """Return the layers that are gone; None where there is nothing to take over."""
        record, why = self._record()
        try:
            if record is None:
                raise ValueError(why)
            more = self._controls_from(record.get("arguments", {}))
            return self._values.take_record(record, more)
        except (TypeError, ValueError) as error:
            self._complain(error)
            return None

    def _reservations(self) -> list[str]:
        """Return what a run with the selected layer's settings would not do as its own did."""
        record, _ = self._record()
        steered = len(record.get("steered", ())) if record else 0
        if not steered:
            return []
        times = "once" if steered == 1 else f"{steered} times"
        return [f"It was changed {times} on its way; these are its last settings."]

    def _reset(self) -> None:
        self._values.reset()
        self._say("All controls are as in a new widget.")

    def _ask_and_save(self) -> None:
        # Not the static function, which asks about another file than the one that is replaced
        # where somebody leaves out the ending.
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


def _missing(gone: list[str]) -> str:
    named = ", ".join(gone)
    if len(gone) == 1:
        return f"Layer {named} is gone; open it again, or choose another."
    return f"Layers {named} are gone; open them again, or choose others."
