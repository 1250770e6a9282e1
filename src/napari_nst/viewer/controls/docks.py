"""What docks of this plugin share: their place in the window, and how they leave the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_nst.viewer.controls.layer_box import LayerBox, LayerList

_NAME = "napari-nst widget"  # Qt's object name of every widget of this plugin


class DockWidget(QWidget):
    """A widget with choices of layers, in tabs with the plugin's others.

    `closed` becomes true when the dock is closed, after which threads and timers may not use the
    widget: Qt deletes it.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.closed = False
        self.layer_boxes: Sequence[LayerBox | LayerList] = ()  # subclasses set them
        self.destroyed.connect(partial(setattr, self, "closed", True))

    def reset_choices(self, *_: Any) -> None:
        """Offer the viewer's layers; napari calls this when they change."""
        for box in self.layer_boxes:
            box.reset_choices()

    def event(self, event: Any) -> bool:
        """Share the place of the plugin's other docks; leave the viewer with the dock's ✕."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                share_place(self)
            else:
                self.leave_viewer()
        return bool(super().event(event))

    def leave_viewer(self) -> None:
        """Disconnect from the viewer; subclasses also stop what they compute."""
        self.closed = True
        events = self.viewer.layers.events
        for one in (events.inserted, events.removed, events.reordered, events.renamed):
            one.disconnect(self.reset_choices)  # napari connects it when it docks a widget


def share_place(widget: QWidget) -> None:
    """Put a widget's dock beside the others of this plugin, when it gets into a window first."""
    if widget.objectName() == _NAME:  # the user may have moved its dock since
        return
    widget.setObjectName(_NAME)
    dock: QWidget | None = widget
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    if isinstance(dock, QDockWidget):
        dock.dockLocationChanged.connect(partial(_tabify, dock))


def _tabify(dock: QDockWidget, *_: object) -> None:
    window = dock.parentWidget()
    if dock.property(_NAME) or not isinstance(window, QMainWindow):
        return
    dock.setProperty(_NAME, True)
    for other in window.findChildren(QDockWidget):
        is_ours = other is not dock and other.findChild(QWidget, _NAME) is not None
        is_there = window.dockWidgetArea(other) == window.dockWidgetArea(dock)
        # One that was opened a moment ago is not shown yet.
        if is_ours and is_there and not other.isFloating():
            # Below each other, three of them would have a third of a laptop's screen each.
            window.tabifyDockWidget(other, dock)
            timer = QTimer(dock)  # napari shows the dock later
            timer.setSingleShot(True)
            timer.timeout.connect(dock.raise_)
            timer.start(0)
            return
