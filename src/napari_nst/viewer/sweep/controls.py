"""The controls that start a sweep or the layer explorer, and apply a clicked image's settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.layer_names import EXPLORED_SIZE
from napari_nst.viewer.controls.layer_choice import chosen_layer
from napari_nst.viewer.controls.recipe_form import label_of, show_value
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.sweep.choice import SweepChoice
from napari_nst.viewer.sweep.sheet_layer import SheetLayer

if TYPE_CHECKING:
    from magicgui.widgets import ComboBox

    from napari_nst.viewer.controls.recipe_form import RecipeControls
    from napari_nst.viewer.layers.read import LayerSlice


class SweepControls:
    """The choice of a sweep, and the buttons that start it and the layer explorer.

    `explored` is the drop-down whose layer the explorer uses. `read_recipe` returns the recipe of
    the widget, `build_request` the request of one run of a recipe, `read_layer` the shown slice of
    a layer for a working size. `begin` starts the run whose request a function returns, and `say`
    shows a sentence below the buttons.
    """

    def __init__(
        self,
        recipe_controls: RecipeControls,
        explored: ComboBox,
        *,
        read_recipe: Callable[[], Recipe],
        build_request: Callable[[Recipe], RunRequest],
        read_layer: Callable[[Any, int], LayerSlice],
        begin: Callable[[Callable[[], RunRequest]], None],
        say: Callable[[str], None],
    ) -> None:
        self._fields = recipe_controls.fields
        self._explored = explored
        self._read_recipe = read_recipe
        self._build_request = build_request
        self._read_layer = read_layer
        self._say = say
        self.choice = SweepChoice(recipe_controls)
        self.run = PushButton(
            name="run_sweep",
            text="Run sweep",
            tooltip="Make a small image for every combination of values, on one contact sheet. "
            "Click an image to apply its settings.",
        )
        self.explore = PushButton(
            name="explore_layers",
            text=f"Explore layers of the {explored.label.lower()}",
            tooltip="For every layer of the network, a small image with the same features and one "
            "with the same texture: what the layer keeps. Takes minutes on a CPU.",
        )
        self.run.clicked.connect(lambda: begin(self._sweep_request))
        self.explore.clicked.connect(lambda: begin(self._explorer_request))

    @property
    def controls(self) -> list[Any]:
        """The controls of the Sweep section."""
        return [*self.choice.widgets, self.run]

    def apply(self, settings: dict[str, Any]) -> None:
        """Set the recipe's controls to the settings of an image, and say so."""
        for name, value in settings.items():
            control = CONTROLS[name]
            show_value(self._fields[name], control, control.checked(name, value))
        applied = ", ".join(
            f"{label_of(name).lower()} {CONTROLS[name].text(self._fields[name].value)}"
            for name in settings
        )
        self._say(f"Applied: {applied}.")

    def _sweep_request(self) -> RunRequest:
        recipe = self.choice.recipe(self._read_recipe())
        axes = self.choice.axes(recipe)
        single = self._build_request(recipe)
        if not single.is_single:
            raise ValueError(
                "A sweep varies runs of a single image; switch off Compare layers, and take "
                "another entry than 'each channel in turn' in Content as."
            )

        return replace(
            single,
            name=f"{single.name} · {' × '.join(label_of(name).lower() for name in axes)}",
            axes=axes,
            after_run=None,
            make_layer=self._sheet_layer,
        )

    def _explorer_request(self) -> RunRequest:
        layer = chosen_layer(self._explored, self._explored.label.lower())
        image, recipe = self._read_layer(layer, EXPLORED_SIZE), self._read_recipe()
        network = {name: getattr(recipe, name) for name in ("weights", "network_input", "device")}
        return RunRequest(
            name=f"{image.name} · layers explored",
            position=image.position,
            intensity=image.intensity,
            recipe=recipe,
            names=(image.name,),
            function="explore_layers",
            read=lambda: {"image": image.read(), **network},
            make_layer=self._sheet_layer,
        )

    def _sheet_layer(self, viewer: Any, request: RunRequest) -> SheetLayer:
        return SheetLayer(viewer, request.name, request.position, request.names, clicked=self.apply)
