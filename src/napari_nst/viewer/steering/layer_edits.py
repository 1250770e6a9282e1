"""Edits of the layers that a run reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.layers import Layer

_EVENTS = (
    "data",  # assigned as a whole; a shape added, removed, or dragged
    "set_data",  # undone, redone, or refreshed after pixels were written
    "paint",  # a stroke, a fill, or `data_setitem` of labels
    "features",
    "edge_width",
    "contrast_limits",
    # The layer's transform; a hidden layer emits nothing else when it is moved.
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
)

SETTLED = 100
"""Milliseconds without another edit after which a stroke or a drag is over."""


def edits_of(layer: Layer) -> list[Any]:
    """Return the events that an Image, Labels or Shapes layer emits when its content changes.

    `set_data` also comes without a change, for example when the viewer's slider moves. napari emits
    nothing when pixels of an array are written before `layer.refresh()`, when that is done to a
    hidden layer, and when a column of `layer.features` is changed in place.
    """
    emitters = layer.events.emitters
    return [emitters[name] for name in _EVENTS if name in emitters]


class Watched:
    """Calls `edited` in the main thread, once after a burst of edits, with the edited layers."""

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
        """Watch no longer, and forget edits that were not reported yet."""
        self._timer.stop()
        for layer, on_edit in self._connected:
            for emitter in edits_of(layer):
                emitter.disconnect(on_edit)
        self._connected = []

    def _on_edit_of(self, layer: Layer) -> Callable[[Any], None]:
        # A function, because napari holds methods weakly.
        def on_edit(event: Any = None) -> None:
            if layer not in self._waiting:
                self._waiting.append(layer)
            self._timer.start()

        return on_edit

    def _call(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._edited(waiting)
