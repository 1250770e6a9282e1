"""The buttons stay where they are, and say what is to be done first."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_nst.viewer.job_widget import FIRST_STEP

pytestmark = pytest.mark.window

BUTTONS = ("run", "pause", "stop", "save_as", "progress")


def places(widget):
    """The rectangle of each button in the window."""
    QApplication.processEvents()
    window = widget.native.window()
    parts = {name: getattr(widget, name).native for name in BUTTONS}
    return {n: (p.mapTo(window, QPoint()), p.size()) for n, p in parts.items()}


def click_at(window, point):
    """Press and release the mouse on whatever is there."""
    QTest.mouseClick(window.childAt(point), Qt.MouseButton.LeftButton)


def test_buttons_keep_their_places_over_a_run(viewer, widget, optimiser, until):
    state = optimiser(steps=100_000, seconds=0.005)
    window = widget.native.window()
    window.resize(1280, 720)
    window.show()
    until(lambda: window.isVisible() and widget.run.native.width() > 50)
    idle = places(widget)
    pause, size = idle["pause"]
    middle = pause + QPoint(size.width() // 2, size.height() // 2)
    widget.run.native.click()
    until(lambda: state.made > 3)
    assert places(widget) == idle, "running"
    click_at(window, middle)
    assert widget.panel.active.paused
    until(lambda: widget.panel.brush.native.isVisible())
    assert places(widget) == idle, "paused"
    click_at(window, middle)
    held = state.made
    until(lambda: state.made > held)
    assert not widget.panel.active.paused, "the second click has hit the same button"
    widget.stop.native.click()
    until(lambda: not widget.running)
    assert widget.panel.going_on.native.isVisible()
    assert places(widget) == idle, "finished"
    widget.style_layers.value = "relu9_1"
    widget.run.native.click()
    assert not widget.running
    assert places(widget) == idle, "error"


def test_the_first_step_follows_the_layer_list(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    assert widget.status_text == FIRST_STEP
    assert not widget.run.enabled
    viewer.add_image(np.zeros((9, 9)), name="a")
    assert widget.run.enabled
    assert widget.style.value is None, "rather than the content"
    assert "Style" in widget.status_text
    viewer.add_image(np.zeros((9, 9)), name="b")
    assert widget.style.value == viewer.layers["b"]
    assert "Style" not in widget.status_text
    viewer.layers.clear()
    assert widget.status_text == FIRST_STEP
    assert not widget.run.enabled


def test_a_widget_starts_with_the_selected_layer(viewer, dock):
    viewer.add_image(np.zeros((9, 9)), name="third")
    viewer.layers.selection.active = viewer.layers["starry"]
    assert dock("Texture Synthesis").exemplar.value == viewer.layers["starry"]
    transfer = dock("Style Transfer")
    assert transfer.content.value == viewer.layers["starry"]
    assert transfer.style.value == viewer.layers["cells"]


def test_the_newest_of_two_layers_is_the_style(viewer, dock):
    viewer.layers.selection.active = viewer.layers["starry"]  # as napari does for a new layer
    transfer = dock("Style Transfer")
    assert transfer.content.value == viewer.layers["cells"]
    assert transfer.style.value == viewer.layers["starry"]


def test_a_long_name_is_whole_in_the_tooltip(viewer, widget):
    name = "plate 7, " * 20 + "channel 2"
    viewer.layers["cells"].name = name
    assert name in widget.content.native.toolTip()


def test_widgets_share_a_place_until_the_user_moves_them(viewer, dock, until):
    titles = ("Style Transfer", "Texture Synthesis", "Content Reconstruction")
    natives = [dock(title).native for title in titles]
    window = natives[0].window()
    docks = [
        next(d for d in window.findChildren(QDockWidget) if d.isAncestorOf(n)) for n in natives
    ]
    until(lambda: len(window.tabifiedDockWidgets(docks[0])) == 2)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, docks[0])
    QApplication.processEvents()
    assert window.tabifiedDockWidgets(docks[0]) == [], "it stays where the user puts it"


def test_layers_that_come_are_no_change_of_settings(make_napari_viewer_proxy, until):
    viewer = make_napari_viewer_proxy()
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    for _ in range(2):
        viewer.add_image(np.zeros((40, 40)))
    until(lambda: not widget.changes.is_settling)
    widget.changes.settle()
    assert not widget.changes.undo.isEnabled()
    chosen = widget.content.value, widget.style.value
    assert None not in chosen
    widget.changes.defaults.click()
    assert (widget.content.value, widget.style.value) == chosen
