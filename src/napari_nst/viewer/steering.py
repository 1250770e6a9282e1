"""Changes of a widget's controls, and edits of layers, reach the run that is going on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_nst.engine.steering import Steering
from napari_nst.recipe import Recipe
from napari_nst.viewer.controls.recipe_form import RecipeControls
from napari_nst.viewer.run_panel import RunPanel

_EVENTS = (
    "data",  # assigned as a whole; a shape added, removed, or dragged
    "set_data",  # undone, redone, or refreshed after pixels were written
    "paint",  # a stroke, a fill, or `data_setitem` of labels
    "features",
    "edge_width",
    "contrast_limits",
    "projection_mode",
    "locked_data_level",
    # The layer's transform; a hidden layer emits nothing else when it is moved.
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
)

EDIT_SETTLED = 100  # milliseconds without another edit after which a stroke or a drag is over
SETTLED = 80
"""Milliseconds without another change after which the controls are read: choosing a preset changes
forty controls, and a number is typed digit by digit."""


def edits_of(layer: Layer) -> list[Any]:
    """Return the events that an Image, Labels or Shapes layer emits when its content changes."""
    emitters = layer.events.emitters
    return [emitters[name] for name in _EVENTS if name in emitters]


class Watched:
    """Calls `edited` in the main thread, once after a burst of edits of layers."""

    def __init__(self, layers: Iterable[Layer], edited: Callable[[], None]) -> None:
        self._emitters = [emitter for layer in set(layers) for emitter in edits_of(layer)]
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(EDIT_SETTLED)
        self._timer.timeout.connect(edited)
        for emitter in self._emitters:
            emitter.connect(self._on_edit)

    def stop(self) -> None:
        """Watch no longer, and forget edits that were not reported yet."""
        self._timer.stop()
        for emitter in self._emitters:
            emitter.disconnect(self._on_edit)

    def _on_edit(self, event: Any) -> None:
        self._timer.start()


ReadImages = Callable[[], dict[str, Any]]  # as `RunRequest.read`


class Followed:
    """The layers and controls that a run follows besides the recipe; none in this base class."""

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers that the run has read, and whose edits it follows."""
        return []

    @property
    def followed_controls(self) -> list[Any]:
        """The controls that the run follows."""
        return []

    def steer_images(self, recipe: Recipe, steering: Steering, *, chosen: bool) -> ReadImages:
        """Give the run its images again: of the chosen layers, or else of those that it has read.

        Returns a function that reads the images; raises `ValueError` if they do not fit the run.
        """
        raise NotImplementedError


class LiveControls:
    """Passes changes of a widget's controls and layers on to its run."""

    def __init__(
        self,
        parent: QWidget,
        recipe_controls: RecipeControls,
        read_recipe: Callable[[], Recipe],
        panel: RunPanel,
        followed: Followed,
    ) -> None:
        self._read_recipe = read_recipe
        self._panel = panel
        self._followed = followed
        self._watched: Watched | None = None
        self._has_chosen = self._has_edited = False  # what the user did since `steer`
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED)
        self._timer.timeout.connect(self.steer)
        for field in recipe_controls.fields.values():
            field.changed.connect(self._steer_soon)
        for control in followed.followed_controls:
            # A drop-down whose layer is removed changes, but nobody has chosen.
            getattr(control, "chosen", control.changed).connect(self._on_chosen)
        panel.runner.began.connect(self._begin)
        panel.runner.ended.connect(self._stop_watching)

    def steer(self) -> None:
        """Let the run follow the controls now, or show why it cannot."""
        panel = self._panel
        if panel.active is None:
            return
        try:
            recipe = self._read_recipe()
            if self._watched is not None and (self._has_chosen or self._has_edited):
                chosen, self._has_chosen, self._has_edited = self._has_chosen, False, False
                steering = panel.active.steering
                read = self._followed.steer_images(recipe, steering, chosen=chosen)
                panel.runner.replace_reader(read)
                self._watch()
            elif self._has_chosen and panel.runner.request and panel.runner.request.saved:
                self._has_chosen = False
                raise ValueError("A recovered run keeps its images; press Run to use others.")
        except (TypeError, ValueError) as error:  # such as one of two controls that change together
            panel.say_problem(str(error))
        else:
            panel.say_problem("")
            panel.steer(recipe)

    def _steer_soon(self) -> None:
        # An edit that settles while the window closes is reported after Qt has deleted the timer.
        if self._panel.active is not None and not self._panel.closed:
            self._timer.start()

    def _on_chosen(self, _: Any = None) -> None:
        self._has_chosen = True
        self._steer_soon()

    def _on_edited(self) -> None:
        self._has_edited = True
        self._steer_soon()

    def _begin(self) -> None:
        self._has_chosen = self._has_edited = False
        self._watch()

    def _watch(self) -> None:
        self._stop_watching()
        request = self._panel.runner.request
        if request is not None and request.is_single and request.saved is None:
            own = self._panel.result  # not watched: each drawing of it would steer the run again
            layers = [one for one in self._followed.followed_layers if own is None or one != own]
            self._watched = Watched(layers, self._on_edited)

    def _stop_watching(self) -> None:
        if self._watched is not None:
            self._watched.stop()
            self._watched = None
