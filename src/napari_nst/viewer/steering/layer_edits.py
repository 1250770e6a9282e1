"""When layers are edited that a run looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.layers import Layer

_EDITS = (
    "data",  # assigned as a whole; a shape added, removed, or dragged to its place
    "set_data",  # undone, redone, or refreshed after pixels were written
    "paint",  # a stroke, a fill, or `data_setitem` of labels
    "features",
    "edge_width",
    "contrast_limits",
    # Where the layer lies; of one that is hidden, napari says nothing else.
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
)

SETTLED = 100
"""Milliseconds without an edit after which a burst of them is over: a stroke, a drag."""


def edits_of(layer: Layer) -> list[Any]:
    """Return the events that say that what a layer shows may have changed.

    For Image, Labels and Shapes layers. None is missed of what a user does with the mouse or the
    keyboard, and `set_data` comes, too, where nothing has changed, as when the viewer's slider
    moves: compare what the layer shows with what it showed.

    napari says nothing when pixels of an array are written, before `layer.refresh()`; when that is
    done to a hidden layer; and when a column of a layer's features is changed in place, rather than
    the features assigned.
    """
    emitters = layer.events.emitters
    return [emitters[name] for name in _EDITS if name in emitters]


class Watched:
    """Calls back when layers were edited: once, in the main thread, when a burst of edits is over.

    Parameters
    ----------
    layers : iterable of napari.layers.Layer
        Image, Labels or Shapes layers to look after.
    edited : callable
        Called with the list of those that were edited since the last call, in order. It is held,
        and called, until `stop`.
    """

    def __init__(self, layers: Iterable[Layer], edited: Callable[[list[Layer]], None]) -> None:
        self._edited = edited
        self._connected = [(layer, self._on_edit_of(layer)) for layer in layers]
        self._waiting: list[Layer] = []
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED)
        self._timer.timeout.connect(self._call)
        for layer, on_edit in self._connected:
            for emitter in edits_of(layer):
                emitter.connect(on_edit)

    def stop(self) -> None:
        """Watch no more; edits that were not called back for are forgotten."""
        self._timer.stop()
        for layer, on_edit in self._connected:
            for emitter in edits_of(layer):
                emitter.disconnect(on_edit)
        self._connected = []

    def _on_edit_of(self, layer: Layer) -> Callable[[Any], None]:
        # napari holds methods weakly, and functions not.
        def on_edit(event: Any = None) -> None:
            if layer not in self._waiting:
                self._waiting.append(layer)
            self._timer.start()

        return on_edit

    def _call(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._edited(waiting)
