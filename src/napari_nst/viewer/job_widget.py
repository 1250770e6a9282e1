"""What the widgets of all three jobs share: controls, sections, and how they become a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, Container, Label, PushButton
from magicgui.widgets.bases import ValueWidget
from napari.components import Dims, ViewerModel
from napari.layers import Image, Layer

from napari_nst.engine.checkpoint.saved_runs import SavedRun
from napari_nst.recipe import Recipe
from napari_nst.viewer import commands
from napari_nst.viewer.controls.docks import share_place
from napari_nst.viewer.controls.form import Section, form, scrolling_column
from napari_nst.viewer.controls.layer_box import LayerBox, LayerList, chosen_layer, image_layers
from napari_nst.viewer.controls.notes import Notes
from napari_nst.viewer.controls.recipe_form import PURPOSES, RecipeControls
from napari_nst.viewer.inspect import InspectControls
from napari_nst.viewer.layers.read import LayerSlice, shown_slice
from napari_nst.viewer.recovery import RecoveryRow
from napari_nst.viewer.run.recovered import recovered_request
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.run_panel import RunPanel
from napari_nst.viewer.settings.changes import ChangesRow
from napari_nst.viewer.settings.menu import ControlValues, SettingsMenu
from napari_nst.viewer.steering import Followed, LiveControls
from napari_nst.viewer.sweep.controls import SweepControls

Controls = Sequence[str | ValueWidget[Any]]

FIRST_STEP = "Open an image, or File ▸ Open Sample ▸ Neural Style Transfer."


class JobWidget(Followed, Container[Any]):
    """Controls, buttons and progress of a job; every control is an attribute by its name."""

    def __init__(
        self,
        viewer: ViewerModel,
        kind: str,  # "transfer", "texture" or "reconstruction"
        choosers: Sequence[LayerBox],  # of layers, the content's first
        up_front: Controls,  # fields and controls outside the sections
        extras: Mapping[str, Controls] = MappingProxyType({}),  # sections besides the recipe's
    ) -> None:
        self.viewer = self._viewer = viewer
        self.recipe_controls = RecipeControls(kind)
        self.init_image = LayerBox(
            viewer,
            "init_image",
            "The layer to start from, if the run starts from an image.",
            optional=True,
        )
        self.init_image.label = "Start image"
        self.keep_dtype = CheckBox(
            name="keep_dtype",
            text="Keep data type",
            tooltip="Give the result the data type of the layer, such as 16 bit.",
        )
        self.beside = CheckBox(
            name="beside",
            text=f"Result beside the {choosers[0].label.lower()}",
            tooltip="Place the result to the right of the layer that it is made from, not over it. "
            "Applies from the next run.",
        )
        self.panel = RunPanel(viewer, self._read_and_remember, kind)
        self.notes = Notes(
            viewer,
            self.recipe_controls,
            self.init_image,
            where_in=self.where_in,
            is_closed=lambda: self.panel.closed,
        )
        self.source, self.where = self.notes.source, self.notes.where
        self.inspection = InspectControls(
            viewer, self.panel.runner, self.panel.say, self.panel.complain
        )
        self.sweep = SweepControls(
            self.recipe_controls,
            choosers[0],
            read_recipe=lambda: self.recipe,
            build_request=self.build_request,
            read_layer=self.slice_of,
            begin=self.panel.begin,
            say=self.panel.say,
        )
        super().__init__(widgets=[self.panel], labels=False)
        up_front = [*up_front, self.keep_dtype, self.beside]
        extras = {**extras, "Start": [self.init_image]}
        tools = {
            "Sweep": self.sweep.controls,
            "Look into it": [*self.inspection.controls, self.sweep.explore],
            "History": self.panel.history.controls,
        }
        self.sections = self._sections(up_front, extras, tools)
        extras |= tools
        others = (one for several in extras.values() for one in several)
        self._choosers = [*choosers, *(one for one in others if not isinstance(one, str))]
        self._name_controls([*self._choosers, *up_front])
        self._lay_out(choosers, up_front)
        self.notes.follow(self._choosers)
        self.panel.ended.connect(self.notes.show_preset)
        self.native_parent_changed.connect(self._on_parent_changed)
        self.native.destroyed.connect(self._leave_viewer)
        self.live_controls = LiveControls(
            self.native, self.recipe_controls, lambda: self.recipe, self.panel, followed=self
        )
        own = [
            one
            for one in (*self._choosers, *up_front)
            if not isinstance(one, (str, Label, PushButton, Container))
        ]
        self.control_values = ControlValues(
            viewer, kind, self.recipe_controls, [*own, self.notes.convert]
        )
        self.settings_menu = SettingsMenu(
            viewer,
            self.control_values,
            read_recipe=lambda: self.recipe,
            controls_from=self.controls_from,
            start=self.start,
            is_running=lambda: self.running,
            say=self.panel.say,
            complain=self.panel.complain,
        )
        self.recovery = RecoveryRow(kind, self.panel, self.recover)
        self.control_values.recall()
        self.changes = ChangesRow(
            self.settings_menu,
            self.control_values,
            self.sections,
            is_closed=lambda: self.panel.closed,
        )
        for row in (self.changes, self.recovery, self.panel.below):
            self.native.layout().addWidget(row)
        self._required = [one for one in choosers if not one.optional]
        for chooser in self._choosers:
            if isinstance(chooser, LayerBox):
                chooser.changed.connect(self._follow_choice)
        self._follow_choice()

    def request(self, **changes: Any) -> RunRequest:
        """Read the controls, with some fields replaced; may raise `ValueError` or `TypeError`."""
        return self.build_request(self.recipe.replace(**changes))

    def build_request(self, recipe: Recipe) -> RunRequest:
        """Return the request of the chosen layers and a recipe; may raise as `request`."""
        raise NotImplementedError

    def controls_from(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of this widget's own controls for recorded arguments."""
        return {}

    def _on_parent_changed(self, parent: Any) -> None:
        # The dock's ✕ takes the widget out of the window; hiding, floating or tabbing do not.
        if parent is not None:
            self.notes.follow_viewer(True)
            share_place(self.native)
            commands.offer(self, self._viewer)
            return
        self.panel.runner.stop()
        self.panel.brush.withdraw()
        self.panel.before_after.remove()
        self._leave_viewer()

    def _leave_viewer(self) -> None:
        """Disconnect from the viewer and its layers; Qt may have deleted the widget."""
        self.notes.follow_viewer(False)
        self.panel.brush.brush.detach()
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.disconnect(self.reset_choices)  # napari connects it when it docks a widget

    def _read_and_remember(self, **changes: Any) -> RunRequest:
        """Read the controls for a run, and remember them for the next session."""
        former = self.panel.runner.request
        if changes and former is not None and former.saved is not None:
            # A recovered run goes on with its own images: their layers may be gone.
            request = replace(former, recipe=self.recipe.replace(**changes))
        else:
            request = replace(self.request(**changes), controls=self.control_values.read())
            if self.beside.value:
                request = request.beside_source()
        self.control_values.remember()
        return request

    def recover(self, saved: SavedRun) -> None:
        """Go on with an interrupted run, in a new layer and with its recipe in the controls."""

        def read_request() -> RunRequest:
            request = recovered_request(saved)
            self.control_values.take(request.recipe, request.controls)
            return replace(request, recipe=self.recipe)

        self.panel.begin(read_request)

    def start(self) -> None:
        """Start a run, as the Run button does; does nothing while a run goes on."""
        self.panel.start()

    def save(self, path: str) -> None:
        """Write the last result to a PNG or TIFF file, with its record."""
        self.panel.save(path)

    @property
    def running(self) -> bool:
        """Whether a run goes on or is paused."""
        return self.panel.active is not None

    @property
    def result(self) -> Any:
        """The layer of the last run, or None."""
        return self.panel.result

    @property
    def status_text(self) -> str:
        """The text below the buttons and the progress bar."""
        return self.panel.status.text()

    def reset_choices(self, *args: Any) -> None:
        """Update the drop-downs of layers; napari calls this."""
        for chooser in self._choosers:
            if hasattr(chooser, "reset_choices"):
                chooser.reset_choices(*args)
        self.panel.follow_layers()
        self._follow_choice()

    def _follow_choice(self) -> None:
        """Show which layer a run lacks, or what to open; offer a data type where it matters."""
        layers = [one.value for one in self._choosers if isinstance(one, LayerBox)]
        images = [layer for layer in layers if isinstance(layer, Image)]
        if not self.panel.closed:
            self.keep_dtype.native.setVisible(any(one.dtype != np.uint8 for one in images))
        empty = [one.label for one in self._required if one.enabled and one.value is None]
        if not image_layers(self._viewer):
            self.panel.show_lacking(FIRST_STEP, can_run=False)
        elif empty:
            self.panel.show_lacking(f"Choose a layer in {' and '.join(empty)}.", can_run=True)
        else:
            self.panel.show_lacking("", can_run=True)

    @property
    def recipe(self) -> Recipe:
        """The recipe of the controls; raises `ValueError` if they contradict each other."""
        return self.notes.applied(self.recipe_controls.recipe)

    def slice_of(
        self, layer: Image, size: int | None = None, dims: Dims | None = None
    ) -> LayerSlice:
        """Return what a layer shows, in the resolution that a run of this size needs."""
        # A style in physical units may need its full resolution, depending on the content.
        is_physical = self.recipe_controls.fields["style_sizing"].value == "physical"
        wanted = self.size.value if size is None else size
        return shown_slice(layer, dims or self._viewer.dims, 0 if is_physical else wanted)

    def dims_with(self, dims: Dims, layers: Iterable[Layer]) -> Dims:
        """Return sliders of the start of a run, or those of now if a layer has more axes."""
        if all(layer.ndim <= dims.ndim for layer in layers):
            return dims
        return self._viewer.dims.model_copy(deep=True)

    def start_slice(self, recipe: Recipe) -> LayerSlice | None:
        """Return the start image, if the recipe starts from one."""
        if recipe.init != "image":
            return None
        layer = chosen_layer(self.init_image)
        if layer is None:
            raise ValueError(
                "`init='image'` is set, but no start image is chosen. Choose a layer in "
                "`init_image`."
            )
        return self.slice_of(layer, recipe.size)

    def where_in(self, chooser: Any) -> str:
        """Return which slice of a layer is read, that it was removed, or ""; or `ValueError`."""
        if isinstance(chooser, LayerBox | LayerList) and chooser.lost and chooser.enabled:
            return f"{chooser.lost} was removed; choose another layer."
        if not isinstance(chooser.value, Image) or not chooser.enabled:
            return ""
        return self.slice_of(chooser.value).where

    def _name_controls(self, own: Iterable[Any]) -> None:
        """Make every control an attribute."""
        for control in (self.recipe_controls.preset, *self.recipe_controls.fields.values(), *own):
            if not isinstance(control, str):
                setattr(self, control.name, control)
        self.progress = self.panel.progress
        for button in ("run", "pause", "stop", "save_as"):
            setattr(self, button, getattr(self.panel.buttons, button))

    def _sections(
        self, up_front: Sequence[Any], extras: Mapping[str, Any], tools: Mapping[str, Any]
    ) -> dict[str, Section]:
        """Return the foldable sections: by what a user wants, with the tools; Expert is last."""
        fields = self.recipe_controls.fields
        elsewhere = [*up_front, *(one for several in extras.values() for one in several)]
        contents: dict[str, list[Any]] = {
            title: [
                fields[n] for n in names if n in self.recipe_controls.used and n not in elsewhere
            ]
            for title, names in PURPOSES.items()
        }
        for title, several in extras.items():
            contents.setdefault(title, []).extend(
                fields[one] if isinstance(one, str) else one for one in several
            )
        last = {title: contents.pop(title) for title in ("Refine", "Speed and memory", "Expert")}
        contents |= {"Refine": last.pop("Refine"), **tools, **last}
        return {title: Section(title, several) for title, several in contents.items() if several}

    def _lay_out(self, choosers: Sequence[LayerBox], up_front: Controls) -> None:
        fields = self.recipe_controls.fields
        upper = [
            *choosers,
            self.where,
            self.recipe_controls.preset,
            self.source,
            self.notes.missing_network,
            self.notes.convert,
            *(fields[one] if isinstance(one, str) else one for one in up_front),
        ]
        sections = [section.native for section in self.sections.values()]
        # Without a stretch, it shares a lack of room with the loss plot.
        self.native.layout().addWidget(scrolling_column(form(upper), *sections))
