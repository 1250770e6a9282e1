"""Many small pictures at once: settings side by side, and what each layer of the network knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton

from napari_nst.recipe import CONTROLS
from napari_nst.recipe.layer_names import EXPLORED_SIZE
from napari_nst.viewer.controls.layer_choice import chosen_layer
from napari_nst.viewer.controls.recipe_field import label_of, show_value
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.sweep.choice import SweepChoice
from napari_nst.viewer.sweep.grid_layer import GridLayer

if TYPE_CHECKING:
    from magicgui.widgets import ComboBox

    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering
    from napari_nst.viewer.job_widget import JobWidget
    from napari_nst.viewer.run.worker import Progress


class Sweeps:
    """The controls of a widget's sweeps, and of its layer explorer.

    Parameters
    ----------
    widget : JobWidget
        Whose job is done over and over.
    explored : ComboBox
        The layer that the explorer looks at.

    Attributes
    ----------
    choice : SweepChoice
        What varies.
    run, explore : PushButton
        Start.
    """

    def __init__(self, widget: JobWidget, explored: ComboBox) -> None:
        self._widget = widget
        self._explored = explored
        self.choice = SweepChoice(widget.recipe_controls)
        self.run = PushButton(
            name="run_sweep",
            text="Run sweep",
            tooltip="Make a small picture for every combination, as a grid. Click one to take its "
            "settings over.",
        )
        self.explore = PushButton(
            name="explore_layers",
            text=f"Explore layers of the {explored.label.lower()}",
            tooltip="For every layer of the network, a small picture that has the same features, "
            "and one of the same texture: what the layer keeps. Takes minutes on a processor.",
        )
        self.run.clicked.connect(self.start_sweep)
        self.explore.clicked.connect(self.start_exploring)

    @property
    def controls(self) -> list[Any]:
        """What goes into a form."""
        return [*self.choice.widgets, self.run]

    def start_sweep(self) -> None:
        """Begin the sweep; nothing if a run is going on."""
        self._widget.panel.begin(self.sweep_job)

    def start_exploring(self) -> None:
        """Begin with the layers; nothing if a run is going on."""
        self._widget.panel.begin(self.explorer_job)

    def sweep_job(self) -> RunRequest:
        """Return the job that makes all pictures; raises `ValueError` or `TypeError` if none."""
        recipe = self.choice.recipe(self._widget.recipe)
        axes = self.choice.axes(recipe)
        one = self._widget.job_of(recipe)
        if one.call is None:
            raise ValueError(
                "A sweep is of single pictures; choose no comparison, and no channels in turn."
            )
        call = one.call

        def start(progress: Progress, steering: Steering, _: Any) -> Iterator[Iteration]:
            from napari_nst.engine import api as jobs
            from napari_nst.engine.sweep import sweep

            progress("reading the layers", 0, 0)
            job, inputs = getattr(jobs, call.function), call.read()
            watched = {"progress": progress, "steering": steering}
            return sweep(lambda recipe: job(**inputs, recipe=recipe, **watched), recipe, axes)

        return replace(
            one,
            name=f"{one.name} · {' × '.join(label_of(name).lower() for name in axes)}",
            start=start,
            call=None,
            afterwards=None,
            layer=self._grid_layer,
        )

    def explorer_job(self) -> RunRequest:
        """Return the job that goes through the layers; raises `ValueError` if nothing is chosen."""
        widget, layer = self._widget, chosen_layer(self._explored, self._explored.label.lower())
        picture, recipe = widget.picture(layer, EXPLORED_SIZE), widget.recipe
        network = {name: getattr(recipe, name) for name in ("weights", "network_input", "device")}

        def start(progress: Progress, steering: Steering, _: Any) -> Iterator[Iteration]:
            from napari_nst.engine.sweep import explore_layers

            progress("reading the layer", 0, 0)
            return explore_layers(picture.read(), progress=progress, steering=steering, **network)

        return RunRequest(
            name=f"{picture.name} · layers explored",
            place=picture.place,
            values=picture.values,
            recipe=recipe,
            names=(picture.name,),
            start=start,
            layer=self._grid_layer,
        )

    def take_over(self, settings: dict[str, Any]) -> None:
        """Set the recipe's controls to the settings of a picture, and say so."""
        fields = self._widget.recipe_controls.fields
        for name, value in settings.items():
            control = CONTROLS[name]
            show_value(fields[name], control, control.checked(name, value))
        said = ", ".join(
            f"{label_of(name).lower()} {CONTROLS[name].text(fields[name].value)}"
            for name in settings
        )
        self._widget.panel.say(f"Taken over: {said}.")

    def _grid_layer(self, viewer: Any, job: RunRequest) -> GridLayer:
        return GridLayer(viewer, job.name, job.place, job.names, clicked=self.take_over)
