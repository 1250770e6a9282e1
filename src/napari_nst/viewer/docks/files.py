"""The Stylize Files widget: many image files painted into a folder, without opening them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari.viewer
from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit, PushButton
from napari.layers import Image
from qtpy.QtWidgets import QVBoxLayout

from napari_nst.engine.steering import Steering
from napari_nst.io.record import record_of
from napari_nst.recipe import CONTROLS, Recipe, preset, preset_names
from napari_nst.viewer.controls.form import SizeBox, form, say, scrolling_column
from napari_nst.viewer.controls.layer_box import LayerBox
from napari_nst.viewer.controls.recipe_form import label_of
from napari_nst.viewer.run.dock import ComputingDock
from napari_nst.viewer.run.worker import IsClosing
from napari_nst.viewer.settings.preferences import preferred

if TYPE_CHECKING:
    from napari_nst.batch.run import FilesRun

_JOB = "transfer"
_SOME = "Choose files. Of all images of a folder, write the name of the folder."


class StylizeFiles(ComputingDock):
    """Controls, and the run of the last batch."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer, "Choose contents, a style and a folder, and press Run.")
        self.batch: FilesRun | None = None
        self._steering = Steering()
        self._make_controls()
        self.reset_choices()
        self.enable()

    def _make_controls(self) -> None:
        self.contents = FileEdit(
            name="contents", label="Contents", mode=FileDialogMode.EXISTING_FILES, nullable=True,
            tooltip=f"The images to paint, each by itself. {_SOME}",
        )  # fmt: skip
        self.style_files = FileEdit(
            name="style", label="Style", mode=FileDialogMode.EXISTING_FILES, nullable=True,
            tooltip=f"The image whose style they get, or several. {_SOME}",
        )  # fmt: skip
        self.each_style = CheckBox(
            name="each_style", text="A picture in each style",
            tooltip="Paint each content in each of several styles, instead of blending the styles.",
        )  # fmt: skip
        self.out = FileEdit(
            name="out", label="Result folder", nullable=True,
            mode=FileDialogMode.EXISTING_DIRECTORY,
            tooltip="The folder for the pictures, with the names of their contents, and for "
            "summary.csv. A picture that is there already is not made again.",
        )  # fmt: skip
        self.preset = ComboBox(
            name="preset", label="Preset", choices=preset_names(_JOB), value="default",
            tooltip="The settings of all runs.",
        )  # fmt: skip
        self.settings_of = LayerBox(
            self.viewer, "settings_of",
            "A result of Style Transfer whose settings are taken instead of the preset.",
            optional=True,
        )  # fmt: skip
        self.longest_side = SizeBox(
            name="size", label=label_of("size", _JOB), value=preset("default").size, max=65536,
            step=64, tooltip=CONTROLS["size"].help,
        )  # fmt: skip
        self.run_button = PushButton(name="run", text="Run", tooltip="Paint the files.")
        self.stop_button = PushButton(
            name="stop", text="Stop", tooltip="End the run; finished pictures remain."
        )
        self.open_button = PushButton(
            name="open", text="Open results", tooltip="Add the pictures of the last run as layers."
        )
        for box in (self.contents, self.style_files, self.out):
            box.choose_btn.text = "Choose…"
        self.preset.changed.connect(self._take_size)
        self.settings_of.changed.connect(self._take_size)
        self.run_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.open_button.clicked.connect(self.open_results)
        self.layer_boxes = [self.settings_of]
        chosen = [
            self.contents, self.style_files, self.each_style, self.preset, self.settings_of,
            self.longest_side, self.out,
        ]  # fmt: skip
        buttons = [self.run_button, self.stop_button, self.open_button]
        QVBoxLayout(self).addWidget(scrolling_column(form([*chosen, *buttons]), self.status))

    def recipe(self) -> Recipe:
        """Return the settings of the runs; ValueError if a layer has none."""
        where = {name: preferred(name, "auto") for name in ("device", "precision")}
        return self._settings().replace(size=self.longest_side.value, **where)

    def _settings(self) -> Recipe:
        layer = self.settings_of.value
        return preset(str(self.preset.value)) if layer is None else _recipe_of(layer)

    def start(self) -> None:
        """Paint the files in a thread."""
        if self.busy:
            return
        try:
            given = [self._paths(box) for box in (self.contents, self.style_files, self.out)]
            recipe = self.recipe()
        except (TypeError, ValueError) as error:
            self.complain(error)
            return
        self.batch, self._steering = None, Steering(tell=self.tell)
        contents, styles, (out,) = given
        self.compute(
            partial(self._compute, contents, styles, out, recipe, self.each_style.value),
            "Reading the files …",
            self._report,
        )

    def stop(self) -> None:
        """End the run during its next step."""
        self._steering.stop()

    def open_results(self) -> None:
        """Add the pictures of the last run to the viewer."""
        if self.batch is not None:
            found = [row["output"] for row in self.batch.rows if row["output"]]
            self.viewer.open(found, stack=False)

    def enable(self, *_: Any) -> None:
        """Enable the controls that can be used now."""
        self.run_button.enabled = not self.busy
        self.stop_button.enabled = self.busy
        has_results = self.batch is not None and any(row["output"] for row in self.batch.rows)
        self.open_button.enabled = has_results and not self.busy
        self.preset.enabled = self.settings_of.value is None

    def _compute(
        self, contents: list[Path], styles: list[Path], out: Path, recipe: Recipe, each_style: bool,
        is_closing: IsClosing,
    ) -> FilesRun:  # fmt: skip
        """Run in the worker's thread, and keep what to show."""
        from napari_nst import stylize_files

        run = stylize_files(
            contents, styles, out, recipe, each_style=each_style,
            steering=self._steering, progress=self.take_progress,
        )  # fmt: skip
        self.batch = run
        for step in run:
            one = step.iteration
            number = min(step.done + len(run.failed) + (not step.finished), step.files)
            self.told = f"{step.label}, {number} of {step.files}: step {one.step} of {one.steps}"
            if is_closing() or self.closed:
                run.close()
        return run

    def _report(self, run: FilesRun) -> None:
        made = sum(row["status"] == "written" for row in run.rows)
        there = run.done - made
        ended = f"{made} of {run.count} pictures were made"
        ended += f", {there} were there already." if there else "."
        self.told = " ".join(filter(None, (ended, run.failures())))
        say(self.status, self.told)

    def _take_size(self, *_: Any) -> None:
        """Show the size of the chosen settings."""
        try:
            self.longest_side.value = self._settings().size
        except ValueError as error:
            self.complain(error)
        self.enable()

    def _paths(self, box: FileEdit) -> list[Path]:
        """Return the paths of a control; ValueError if it is empty."""
        value = box.value
        paths = [value] if isinstance(value, Path) else [*(value or ())]
        paths = [path for path in paths if str(path) not in ("", ".")]
        if not paths:
            raise ValueError(f"{box.label} is empty. {str(box.tooltip).partition('. ')[0]}.")
        return paths


def _recipe_of(layer: Image) -> Recipe:
    """Return the settings in the record of a result; ValueError if there are none."""
    record = record_of(layer)
    if record is None or record.get("job") != "stylize":
        raise ValueError(
            f"Layer {layer.name!r} is no result of Style Transfer. Choose one, or none."
        )
    return Recipe.from_dict(record["recipe"])
