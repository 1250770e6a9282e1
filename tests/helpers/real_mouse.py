"""The mouse on the canvas, as Qt tells of it."""

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

NO_KEY = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


def drag(viewer, positions):
    """Press the left button, move, and release it, along positions (y, x) of the shown world."""
    canvas, points = _canvas(viewer), [_on_canvas(viewer, *position) for position in positions]
    QTest.mousePress(canvas, LEFT, NO_KEY, points[0])
    for point in points[1:]:
        QTest.qWait(20)  # vispy drops moves that follow each other within 10 ms, napari delays them
        at = QPointF(point)
        event = QMouseEvent(
            QEvent.Type.MouseMove, at, canvas.mapToGlobal(at), Qt.MouseButton.NoButton, LEFT, NO_KEY
        )
        QApplication.sendEvent(canvas, event)
    QTest.qWait(20)
    QTest.mouseRelease(canvas, LEFT, NO_KEY, points[-1])


def press_key(viewer, key, modifier=NO_KEY):
    """Press a key while the canvas has the focus."""
    QTest.keyClick(_canvas(viewer), key, modifier)


def _canvas(viewer):
    viewer = getattr(viewer, "__wrapped__", viewer)  # a plugin's viewer shows public names alone
    canvas = viewer.window._qt_viewer.canvas.native
    if not canvas.isVisible():  # its positions are unknown before it is shown
        viewer.window.show()
        QTest.qWaitForWindowExposed(canvas.window())
        QTest.qWait(100)
    return canvas


def _on_canvas(viewer, y, x):
    """Return where the canvas shows a position; the view is centred, and not turned."""
    canvas, camera = _canvas(viewer), viewer.scene.camera
    centre = camera.center[-2:]
    return QPoint(
        round(canvas.width() / 2 + (x - centre[1]) * camera.zoom),
        round(canvas.height() / 2 + (y - centre[0]) * camera.zoom),
    )
