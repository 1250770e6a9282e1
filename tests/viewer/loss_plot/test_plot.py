import subprocess
import sys

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QGraphicsView, QLabel, QPushButton, QToolTip

from napari_nst.viewer.controls.form import scrolling_column
from napari_nst.viewer.loss_plot.colours import Look, colours
from napari_nst.viewer.loss_plot.plot import LossPlot
from napari_nst.viewer.loss_plot.trace import LossTrace
from tests.helpers.counted_events import Counted

LAYERS = ("style/relu1_1", "style/relu2_1", "content/relu4_2")

pytestmark = pytest.mark.window


def losses_at(step, content=1.0):
    content *= 1 + step / 100
    return {
        "total": 1000 / step + 100 + content, "content": content, "style": 1000 / step, "tv": 0.0,
        "style/relu1_1": 900 / step, "style/relu2_1": 100 / step, "content/relu4_2": content,
    }  # fmt: skip


def a_trace(steps, **kwargs):
    trace = LossTrace()
    for step in range(1, steps + 1):
        trace.append(losses_at(step, **kwargs))
    return trace


@pytest.fixture
def viewer():
    """Whose theme is followed; the window is a plain one, but for the last tests."""
    return ViewerModel()


@pytest.fixture
def column(viewer, qtbot):
    """A plot at the top of so much that it scrolls."""
    plot, below = LossPlot(viewer), QLabel("below")
    below.setMinimumHeight(3000)
    area = scrolling_column(plot, below)
    area.plot = plot
    qtbot.addWidget(area)
    area.resize(340, 600)
    area.show()
    qtbot.waitExposed(area)
    area.activateWindow()
    return area


@pytest.fixture
def plot(column):
    return column.plot


@pytest.fixture
def show(plot, until):
    """Show a trace, and wait until it is drawn."""

    def shown(trace):
        plot.show_losses(trace)
        until(lambda: canvas_of(plot) is not None)
        QApplication.processEvents()

    return shown


def canvas_of(plot):
    return plot.findChild(QGraphicsView)


def ink(plot, colour):
    """How many pixels of the curves are of a colour."""
    from pyqtgraph.functions import ndarray_from_qimage

    image = canvas_of(plot).viewport().grab().toImage()
    pixels = ndarray_from_qimage(image)[..., 2::-1].astype(int)  # it comes as BGRA
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int((np.abs(pixels - wanted).max(axis=-1) < 32).sum())


def items(plot, kind):
    import pyqtgraph as pg

    return [item for item in canvas_of(plot).items() if isinstance(item, getattr(pg, kind))]


def axes_of(plot):
    """The rectangle of the axes on the viewport, and the iterations that it shows."""
    (view,) = items(plot, "ViewBox")
    return canvas_of(plot).mapFromScene(view.sceneBoundingRect()).boundingRect(), view.viewRange()[
        0
    ]


def words_of(plot):
    return [item.toPlainText() for item in items(plot, "TextItem") if item.isVisible()]


def place_of(plot, step):
    box, (low, high) = axes_of(plot)
    share = (step - low) / (high - low)
    return QPoint(round(box.left() + share * box.width()), box.center().y())


def test_importing_it_imports_neither_pyqtgraph_nor_torch():
    code = (
        "import sys, napari_nst.viewer.loss_plot.plot\n"
        "print({'torch', 'pyqtgraph'} & set(sys.modules) or 'neither')"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "neither"


def test_each_kind_that_there_is_has_a_curve_and_a_box_in_its_colour(plot, show):
    show(a_trace(50))
    of = colours(["content", "style"], Look.of("dark"))
    assert [name for name, box in plot.legend.boxes.items() if box.isVisible()] == [
        "total", "content", "style",
    ]  # fmt: skip
    for kind in ("content", "style"):
        assert ink(plot, of[kind]) > 50
        assert of[kind] in plot.legend.boxes[kind].styleSheet()
    plot.legend.boxes["style"].setChecked(False)
    assert ink(plot, of["style"]) == 0
    assert ink(plot, of["content"]) > 50


def test_what_is_zero_throughout_is_not_offered(plot, show):
    show(a_trace(5, content=0.0))
    assert not plot.legend.boxes["content"].isVisible()
    assert plot.legend.boxes["style"].isVisible()


def test_layers_are_drawn_and_named_on_demand(plot, show):
    show(a_trace(50))
    assert not plot.legend.names.isVisible()
    plot.legend.each_layer.setChecked(True)
    of = colours(["total", "content", "style", "content/relu4_2", *LAYERS[:2]], Look.of("dark"))
    for layer in LAYERS:
        assert of[layer] in plot.legend.names.text()
        assert layer.replace("/", "&nbsp;") in plot.legend.names.text()
    assert ink(plot, of["style/relu2_1"]) > 20
    plot.legend.boxes["style"].setChecked(False)
    assert "relu2_1" not in plot.legend.names.text()
    assert "relu4_2" in plot.legend.names.text()


def test_it_shows_what_came_while_it_was_hidden(plot, show):
    trace = a_trace(10)
    show(trace)
    plot.hide()
    for step in range(11, 101):
        trace.append(losses_at(step))
    plot.show_losses(trace)
    assert axes_of(plot)[1] == [1, 10]
    plot.show()
    assert axes_of(plot)[1] == [1, 100]


def test_another_trace_starts_from_nothing(plot, show):
    show(a_trace(100))
    plot.point_at(50)
    assert words_of(plot) == ["50"]
    show(a_trace(10, content=0.0))
    assert axes_of(plot)[1] == [1, 10]
    assert not words_of(plot)
    assert not plot.legend.boxes["content"].isVisible()
    plot.clear()
    assert not any(curve.isVisible() for curve in items(plot, "PlotCurveItem") if len(curve.xData))


def test_it_follows_the_theme(plot, show, viewer):
    show(a_trace(50))
    for theme in ("light", "dark"):
        viewer.theme = theme
        look = Look.of(theme)
        assert ink(plot, look.background) > 10_000
        assert ink(plot, colours(["style"], look)["style"]) > 50
        assert ink(plot, look.text) > 50  # the total, and the numbers


@pytest.mark.parametrize("layers", [False, True])
def test_more_losses_are_painted_once(plot, show, settle, layers):
    trace = a_trace(50)
    trace.marks = [(20, "128 px")]
    plot.legend.each_layer.setChecked(layers)
    show(trace)
    painted = Counted(canvas_of(plot).viewport(), QEvent.Type.Paint)
    settle(painted)
    for last in (60, 70, 80):
        for step in range(len(trace) + 1, last + 1):
            trace.append(losses_at(step))
        painted.count = 0
        plot.show_losses(trace)
        assert painted.count == 0
        settle(painted)
        assert painted.count == 1


def test_the_boxes_take_on_colours_once_for_each_theme(plot, show, viewer):
    trace = a_trace(50)
    show(trace)
    styled = Counted(plot.legend.boxes["style"], QEvent.Type.StyleChange)
    for step in range(51, 54):
        trace.append(losses_at(step))
        plot.show_losses(trace)
    assert styled.count == 0
    viewer.theme = "light"
    assert styled.count == 1


def test_nothing_is_left_of_it_when_it_is_gone(column, plot, show, viewer, until):
    emitter = viewer.events.theme
    show(a_trace(50))
    gone = []
    plot.destroyed.connect(lambda: gone.append(True))
    followers = len(emitter.callbacks)
    plot.deleteLater()
    until(lambda: gone)
    viewer.theme = "light"
    assert len(emitter.callbacks) == followers - 1


def test_a_click_picks_the_nearest_iteration(plot, show, qtbot):
    picked = []
    plot.picked.connect(picked.append)
    show(a_trace(41))
    for step in (20, 41, 1):
        place = place_of(plot, step) + QPoint(1 if step == 1 else -1, 0)
        qtbot.mouseClick(canvas_of(plot).viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert words_of(plot) == [str(step)]
    assert picked == [20, 41, 1]
    below = QPoint(place_of(plot, 20).x(), canvas_of(plot).height() - 2)
    qtbot.mouseClick(canvas_of(plot).viewport(), Qt.MouseButton.LeftButton, pos=below)
    assert len(picked) == 3


def test_keys_pick_iterations(plot, show, qtbot):
    picked = []
    plot.picked.connect(picked.append)
    show(a_trace(50))
    plot.setFocus()
    shift = Qt.KeyboardModifier.ShiftModifier
    none = Qt.KeyboardModifier.NoModifier
    for key, modifier in [
        ("Left", none), ("Left", shift), ("Right", none), ("Home", none), ("Left", none),
        ("Right", shift), ("End", none), ("Right", shift),
    ]:  # fmt: skip
        qtbot.keyClick(canvas_of(plot), getattr(Qt.Key, f"Key_{key}"), modifier)
    assert picked == [49, 39, 40, 1, 1, 11, 50, 50]
    plot.point_at(30)
    qtbot.keyClick(canvas_of(plot), Qt.Key.Key_Right)
    assert picked[-1] == 31


def test_keys_go_on_where_not_every_iteration_is_kept(plot, show, qtbot):
    show(a_trace(50))
    plot.picked.connect(lambda step: plot.point_at(step // 10 * 10))
    plot.point_at(20)
    for _ in range(10):
        qtbot.keyClick(canvas_of(plot), Qt.Key.Key_Right)
    assert words_of(plot) == ["30"]


def until_focused(plot, qtbot):
    qtbot.waitUntil(lambda: QApplication.focusWidget() is canvas_of(plot))


def turn_wheel(plot):
    """Turn the wheel over the plot; return whether it took the turn."""
    place = QPointF(place_of(plot, 20))
    viewport = canvas_of(plot).viewport()
    event = QWheelEvent(
        place, QPointF(viewport.mapToGlobal(place.toPoint())), QPoint(), QPoint(0, 360),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(viewport, event)
    return event.isAccepted()


def test_the_wheel_scrolls_the_column_unless_the_plot_has_the_focus(plot, show, qtbot):
    show(a_trace(50))
    canvas_of(plot).clearFocus()  # a window that comes up may give it to the first that takes it
    assert not turn_wheel(plot)
    assert axes_of(plot)[1] == [1, 50]
    plot.setFocus()
    until_focused(plot, qtbot)
    assert turn_wheel(plot)
    low, high = axes_of(plot)[1]
    assert high - low < 49


@pytest.mark.parametrize("way", ["button", "double click", "keys"])
def test_who_has_zoomed_stays_there_until_asking_for_all(plot, show, qtbot, way):
    trace = a_trace(50)
    show(trace)
    plot.setFocus()
    assert not plot.legend.all.isVisible()
    qtbot.keyClick(canvas_of(plot), Qt.Key.Key_Plus)
    seen = axes_of(plot)[1]
    assert seen[1] - seen[0] < 30
    for step in range(51, 101):
        trace.append(losses_at(step))
    plot.show_losses(trace)
    assert axes_of(plot)[1] == seen
    assert plot.legend.all.isVisible()
    if way == "button":
        qtbot.mouseClick(plot.legend.all, Qt.MouseButton.LeftButton)
    elif way == "double click":
        viewport, place = canvas_of(plot).viewport(), axes_of(plot)[0].center()
        for act in (qtbot.mouseClick, qtbot.mouseDClick, qtbot.mouseRelease):
            act(viewport, Qt.MouseButton.LeftButton, pos=place)
    else:
        for _ in range(5):
            qtbot.keyClick(canvas_of(plot), Qt.Key.Key_Minus)
    assert axes_of(plot)[1] == [1, 100]
    assert not plot.legend.all.isVisible()


def test_marks_say_what_happened_where_there_is_room(plot, show):
    trace = a_trace(100)
    trace.marks = [(34, "128 px"), (67, "256 px"), (100, "style weight 12")]
    show(trace)
    assert sorted(words_of(plot)) == ["128 px", "256 px", "style weight 12"]
    trace.marks = [(step, f"style weight {step}") for step in range(1, 100)]
    plot.show_losses(trace)
    QApplication.processEvents()
    words = [item for item in items(plot, "TextItem") if item.isVisible()]
    assert "style weight 99" in words_of(plot)
    assert 2 <= len(words) <= 8
    (view,) = items(plot, "ViewBox")
    boxes = [item.mapRectToScene(item.boundingRect()) for item in words]
    for place, box in enumerate(boxes):
        assert view.sceneBoundingRect().adjusted(-1, -1, 1, 1).contains(box)
        assert not any(box.adjusted(0, 2, 0, -2).intersects(other) for other in boxes[place + 1 :])


def test_the_tool_tip_says_the_losses_under_the_mouse(plot, show, monkeypatch):
    from qtpy.QtGui import QHelpEvent

    said = []
    monkeypatch.setattr(QToolTip, "showText", lambda place, text, widget: said.append(text))
    show(a_trace(41))
    viewport = canvas_of(plot).viewport()
    for place in (place_of(plot, 20), QPoint(1, 1)):
        help_wanted = QHelpEvent(QEvent.Type.ToolTip, place, viewport.mapToGlobal(place))
        QApplication.sendEvent(viewport, help_wanted)
    assert said[0].splitlines()[:3] == ["Iteration 20", "total 151", "content 1.2"]
    assert "Left and Right" in said[1]


def test_everything_is_named_and_reached_by_the_keyboard(plot, show):
    show(a_trace(50))
    controls = [*plot.findChildren(QCheckBox), *plot.findChildren(QPushButton), canvas_of(plot)]
    assert len(controls) == 7
    for control in controls:
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert control.accessibleName() or control.text()
        assert control.toolTip() or control.accessibleDescription()


@pytest.fixture
def napari_window(make_napari_viewer_proxy):
    return make_napari_viewer_proxy(show=True)


def test_it_follows_the_theme_and_takes_the_keys_in_a_napari_window(napari_window, qtbot, until):
    napari_window.add_image(np.zeros((5, 8, 8)))
    plot = LossPlot(napari_window)  # gets a proxy, as a plugin's widget does
    picked = []
    plot.picked.connect(picked.append)
    napari_window.window.add_dock_widget(scrolling_column(plot), name="Losses", area="right")
    plot.show_losses(a_trace(50))
    until(lambda: canvas_of(plot) is not None)
    napari_window.theme = "light"
    look = Look.of("light")
    assert ink(plot, look.background) > 10_000
    assert ink(plot, colours(["style"], look)["style"]) > 50
    before = napari_window.dims.current_step
    plot.window().activateWindow()
    until(plot.window().isActiveWindow)
    plot.setFocus()
    until_focused(plot, qtbot)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home):
        qtbot.keyClick(plot.window().windowHandle(), key)
    assert picked == [49, 50, 1]
    assert napari_window.dims.current_step == before
    plot.legend.each_layer.setChecked(True)
    assert plot.minimumSizeHint().width() <= 320
    assert canvas_of(plot).height() >= 120
