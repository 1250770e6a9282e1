"""What the user changes in controls and layers goes to the run that is going on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_nst.viewer.steering.layer_edits import Watched

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_nst.engine.steering import Steering
    from napari_nst.recipe import Recipe
    from napari_nst.viewer.job_widget import JobWidget

SETTLED = 80
"""Milliseconds without another change after which the controls are read: a preset sets forty of
them, a number is typed digit by digit."""


class Followed:
    """What a run of a widget follows while it goes on, besides the recipe: nothing at first."""

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers whose edits it follows."""
        return []

    @property
    def followed_controls(self) -> list[Any]:
        """The controls that it follows."""
        return []

    def steer_images(self, recipe: Recipe, steering: Steering) -> tuple[str, ...]:
        """Hand over the images that it follows; return what all its images are called, or ().

        May raise `ValueError` where they make no run.
        """
        return ()


class LiveControls:
    """Steers a widget's run by its controls, and by the layers that it looks at.

    Parameters
    ----------
    widget : JobWidget
        Whose run, and whose controls.
    """

    def __init__(self, widget: JobWidget) -> None:
        self._widget = widget
        self._watched: Watched | None = None
        self._images_changed = False
        self._timer = QTimer(widget.native)  # goes when the widget goes
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED)
        self._timer.timeout.connect(self.steer)
        for field in widget.recipe_controls.fields.values():
            field.changed.connect(self._steer_soon)
        for control in widget.followed_controls:
            control.changed.connect(self._on_images)
        widget.panel.runner.began.connect(self._watch)
        widget.panel.runner.ended.connect(self._leave)

    def steer(self) -> None:
        """Let the run follow the controls now, or say why it cannot."""
        widget, panel = self._widget, self._widget.panel
        if panel.active is None:
            return
        try:
            recipe = widget.recipe
            if self._images_changed:
                self._images_changed = False
                panel.runner.rename(widget.steer_images(recipe, panel.active.steering))
                self._watch()
        except ValueError as error:  # two controls of a pair, of which one is changed so far
            panel.say(str(error))
        else:
            panel.steer(recipe)

    def _steer_soon(self) -> None:
        if self._widget.running:
            self._timer.start()

    def _on_images(self, _: Any = None) -> None:
        self._images_changed = self._widget.running
        self._steer_soon()

    def _watch(self) -> None:
        self._leave()
        job = self._widget.panel.runner.job
        if job is not None and job.is_single:
            self._watched = Watched(self._widget.followed_layers, self._on_images)

    def _leave(self) -> None:
        if self._watched is not None:
            self._watched.stop()
            self._watched = None
