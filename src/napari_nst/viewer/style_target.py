"""Controls for style targets: files in place of style layers, and files made of layers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, Container, FloatSlider, LineEdit, PushButton
from magicgui.widgets.bases import ValueWidget
from napari.components import Dims, ViewerModel
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QAbstractSpinBox, QFileDialog

from napari_nst.engine.job.style_target import SUFFIX, StyleTarget
from napari_nst.errors import Cancelled
from napari_nst.recipe import Recipe
from napari_nst.viewer.controls.file_dialog import ask_for_path
from napari_nst.viewer.layers.position import move_slider, shown_axes
from napari_nst.viewer.layers.read import LayerSlice
from napari_nst.viewer.run.worker import IsClosing, run_in_background
from napari_nst.viewer.run_panel import RunPanel

TITLE = "Style target"
"""The title of the section."""

_FILTER = "Style target (*.safetensors)"


class TargetChoice:
    """Says which style targets a run has in place of style layers, and makes new ones."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._loaded: dict[tuple[str, int], StyleTarget] = {}
        self._told = ""
        self.busy = False
        self.first = LineEdit(
            name="style_target",
            label="Style target",
            tooltip="A file with the style of many images, which is used instead of the style "
            "layers. Empty: the layers are used.",
        )
        self.second = LineEdit(
            name="second_target", label="Second target", tooltip="Another one, to mix with it."
        )
        self.mix = FloatSlider(
            name="mix",
            label="Mix",
            value=0.5,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="The share of the second style target: 0 is the first alone. It can be moved "
            "while a run goes on.",
        )
        for box in self.mix.native.findChildren(QAbstractSpinBox):
            box.setAccessibleName(self.mix.label)
            box.setToolTip(self.mix.tooltip)
        self.all_slices = CheckBox(
            name="all_slices",
            text="All slices of the style layers",
            tooltip="Save the style of all slices of stacks, not only of those that are shown.",
        )
        self.save = PushButton(
            name="save_style_target",
            text="Save style target…",
            tooltip="Measure the style layers, each slice counting alike, for the settings of this "
            "widget, and write a file.",
        )
        self.controls: list[Any] = [
            self.first, _buttons(self.first), self.second, _buttons(self.second), self.mix,
            self.all_slices, self.save,
        ]  # fmt: skip
        self.chosen: list[ValueWidget[Any]] = [self.first, self.second, self.mix]
        self.timer = QTimer(self.first.native)
        self.timer.setInterval(200)
        for one in (self.first, self.second):
            one.changed.connect(self.update)
        self.update()

    @property
    def is_chosen(self) -> bool:
        """Whether a run has style targets instead of layers."""
        return bool(self.first.value.strip())

    def targets(self) -> list[StyleTarget]:
        """Return the chosen targets, two at most; ValueError for wrong files."""
        if not self.is_chosen:
            return []
        names = [self.first.value.strip(), self.second.value.strip()]
        return [self._load(name) for name in names if name]

    def applied(self, recipe: Recipe) -> Recipe:
        """Return a recipe with the shares of the chosen targets."""
        if not self.is_chosen:
            return recipe
        share = self.mix.value
        is_mixed = bool(self.second.value.strip())
        return recipe.replace(style_blend=(round(1 - share, 6), share) if is_mixed else ())

    def update(self, *_: Any) -> None:
        """Enable the controls that have a meaning."""
        self.second.enabled = self.is_chosen
        self.mix.enabled = self.is_chosen and bool(self.second.value.strip())

    def make(
        self,
        layers: Sequence[Image],
        recipe: Recipe,
        path: Path,
        slice_of: Callable[[Image, Dims], LayerSlice],
        panel: RunPanel,
    ) -> None:
        """Measure layers in a thread, and write a file, which is then the chosen one."""
        if self.busy:
            return
        slices = [slice_of(layer, dims) for layer in layers for dims in self._positions_in(layer)]
        recipe = recipe.replace(style_blend=())

        def measure(is_closing: IsClosing) -> Path:
            def follow(message: str, done: int, total: int) -> None:
                if is_closing() or panel.closed:
                    raise Cancelled("The window was closed.")
                self._told = f"{message} ({done} of {total}) …"

            return StyleTarget.from_images(_Slices(slices), recipe, progress=follow).save(path)

        def show() -> None:
            if not panel.closed:
                panel.say(self._told)

        def returned(written: Path) -> None:
            self.first.value = str(written)
            self._told = f"Saved {written.name}, the style of {len(slices)} images."
            show()

        def finished() -> None:
            self.busy = False
            self.timer.stop()
            self.timer.timeout.disconnect(show)

        def failed(error: Exception) -> None:
            self._told = ""
            panel.complain(error)

        self.busy, self._told = True, "Loading torch …"
        self.timer.timeout.connect(show)
        self.timer.start()
        run_in_background(
            measure,
            viewer=self._viewer,
            returned=returned,
            failed=failed,
            finished=finished,
        )

    def _positions_in(self, layer: Image) -> list[Dims]:
        """Return the positions of the viewer's sliders at each slice of a layer that is used."""
        dims = self._viewer.dims.model_copy(deep=True)
        if not self.all_slices.value:
            return [dims]
        shown, lengths = shown_axes(layer, dims), layer.level_shapes[0]
        hidden = [axis for axis in range(layer.ndim) if axis not in shown]
        found = []
        for index in itertools.product(*(range(lengths[axis]) for axis in hidden)):
            at = dims.model_copy(deep=True)
            for axis, number in zip(hidden, index, strict=True):
                move_slider(layer, at, axis, number)
            found.append(at)
        return found

    def _load(self, name: str) -> StyleTarget:
        path = Path(name).expanduser()
        key = (str(path), path.stat().st_mtime_ns if path.exists() else 0)
        if key not in self._loaded:
            try:
                found = StyleTarget.load(path)
            except OSError as error:
                raise ValueError(str(error)) from error
            self._loaded = {**dict(list(self._loaded.items())[-1:]), key: found}
        return self._loaded[key]


def ask_for_target_path(parent: Any, name: str) -> Path | None:
    """Ask where to write a style target; None if the dialog was cancelled."""
    return ask_for_path(parent, "Save style target", name, {_FILTER: SUFFIX}, (SUFFIX,))


class _Slices(Sequence[Any]):
    """The images of slices of layers, which are read when they are asked for."""

    def __init__(self, slices: Sequence[LayerSlice]) -> None:
        self._slices = slices

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, index: Any) -> Any:
        return self._slices[index].read()


def _buttons(line: LineEdit) -> Container[Any]:
    """Return buttons that choose the file of a line, and empty it."""
    choose = PushButton(text="Choose…", tooltip=f"Choose the file of the {line.label.lower()}.")
    clear = PushButton(text="Clear", tooltip=f"Use no {line.label.lower()}.")

    def ask() -> None:
        path, _ = QFileDialog.getOpenFileName(line.native, line.label, "", _FILTER)
        if path:
            line.value = path

    def empty() -> None:
        line.value = ""

    choose.clicked.connect(ask)
    clear.clicked.connect(empty)
    row: Container[Any] = Container(
        widgets=[choose, clear], layout="horizontal", labels=False, name=f"{line.name}_buttons"
    )
    row.margins = (0, 0, 0, 0)
    row.label = ""
    return row
