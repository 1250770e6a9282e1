"""Where the docks of this plugin's widgets are: in tabs at one place, not below each other."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

_NAME = "napari-nst widget"  # Qt's object name of every widget of this plugin


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
