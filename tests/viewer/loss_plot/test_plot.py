"""The loss plot in a napari window."""

import subprocess
import sys
from statistics import median

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QFont, QHelpEvent, QImage, QPainter, QWheelEvent
from qtpy.QtWidgets import QApplication, QToolTip

from napari_nst.viewer.controls.form import scrolling_column
from napari_nst.viewer.loss_plot.curves import colours
from napari_nst.viewer.loss_plot.plot import LossPlot
from napari_nst.viewer.loss_plot.trace import LossTrace
from tests.helpers.counted_events import Counted

pytestmark = pytest.mark.window
STYLE_COLOUR = colours(["style"], "#ffffff", dark=True)["style"]


def losses_at(step, content=1.0):
    content *= 1 + step / 100
    return {
        "total": 1000 / step + 100 + content, "content": content, "style": 1000 / step, "tv": 0.0,
        "style/relu1_1": 900 / step, "style/relu2_1": 100 / step, "content/relu4_2": content,
    }  # fmt: skip


def add_steps(trace, last, **options):
    for step in range(len(trace) + 1, last + 1):
        trace.append(losses_at(step, **options))
    return trace


def a_trace(steps, **options):
    return add_steps(LossTrace(), steps, **options)


@pytest.fixture
def plot(qtbot, until):
    """A plot of 50 iterations in a plain window."""
    plot = LossPlot(ViewerModel())
    column = scrolling_column(plot)
    qtbot.addWidget(column)
    column.resize(340, 600)
    column.show()
    yield drawn(plot, until)
    column.close()


@pytest.fixture
def napari_window(make_napari_viewer_proxy):
    return make_napari_viewer_proxy(show=True)


@pytest.fixture
def docked(napari_window, until):
    """A plot of 50 iterations in a napari window."""
    plot = LossPlot(napari_window)
    napari_window.window.add_dock_widget(scrolling_column(plot), name="Loss plot", area="right")
    return drawn(plot, until)


def drawn(plot, until):
    plot.show_losses(a_trace(50))
    until(lambda: plot.curves is not None)
    plot.window().activateWindow()
    QApplication.processEvents()
    return plot


def items(plot, kind):
    import pyqtgraph as pg

    return [item for item in plot.curves.items() if isinstance(item, getattr(pg, kind))]


def axes_of(plot):
    """The rectangle of the axes on the viewport, and the iterations that it shows."""
    view = plot.curves.plotItem.getViewBox()
    box = plot.curves.mapFromScene(view.sceneBoundingRect()).boundingRect()
    return box, pytest.approx(view.viewRange()[0])


def position_of(plot, step):
    box, shown = axes_of(plot)
    low, high = shown.expected
    return QPoint(round(box.left() + (step - low) / (high - low) * box.width()), box.center().y())


def texts_of(plot):
    return [item.toPlainText() for item in items(plot, "TextItem") if item.isVisible()]


def legend_of(plot):
    (legend,) = items(plot, "LegendItem")
    return {label.text: sample for sample, label in legend.items}


def pixels_of(plot, colour):
    """How many pixels have a colour."""
    from pyqtgraph.functions import ndarray_from_qimage

    image = plot.curves.viewport().grab().toImage()
    pixels = ndarray_from_qimage(image)[..., 2::-1].astype(int)  # it comes as BGRA
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int((np.abs(pixels - wanted).max(axis=-1) < 32).sum())


def press(plot, qtbot, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(plot.curves, getattr(Qt.Key, f"Key_{key}"), modifier)


def test_importing_it_imports_neither_pyqtgraph_nor_torch():
    code = (
        "import sys, napari_nst.viewer.loss_plot.plot\n"
        "print({'torch', 'pyqtgraph'} & set(sys.modules) or 'neither')"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "neither"


def test_curves_of_losses_above_zero_are_drawn_and_listed(plot):
    assert list(legend_of(plot)) == ["Total", "Content", "Style"]  # TV is 0
    assert pixels_of(plot, STYLE_COLOUR) > 50
    plot.each_layer.setChecked(True)
    assert list(legend_of(plot))[3:] == [
        "Content relu4_2", "Style relu1_1", "Style relu2_1",
    ]  # fmt: skip
    assert plot.minimumSizeHint().width() <= 320
    plot.each_layer.setChecked(False)
    assert len(legend_of(plot)) == 3


@pytest.mark.parametrize("way", ["legend", "key"])
def test_a_curve_is_hidden_from_the_legend_and_stays_hidden(plot, qtbot, way):
    def switch():
        if way == "key":
            press(plot, qtbot, "3")
            return
        sample = legend_of(plot)["Style"]
        center = plot.curves.mapFromScene(sample.sceneBoundingRect().center())
        qtbot.mouseClick(plot.curves.viewport(), Qt.MouseButton.LeftButton, pos=center)

    switch()
    assert pixels_of(plot, STYLE_COLOUR) == 0
    plot.show_losses(a_trace(60))
    assert pixels_of(plot, STYLE_COLOUR) == 0
    qtbot.wait(QApplication.doubleClickInterval() + 100)
    switch()
    assert pixels_of(plot, STYLE_COLOUR) > 50


def test_it_draws_what_came_while_it_was_hidden(plot):
    plot.hide()
    plot.show_losses(a_trace(100))
    assert axes_of(plot)[1] == [1, 50]
    plot.show()
    assert axes_of(plot)[1] == [1, 100]


def test_more_losses_are_painted_once(plot, settle):
    trace = a_trace(50)
    trace.marks = [(20, "128 px")]
    plot.each_layer.setChecked(True)
    plot.show_losses(trace)
    painted = Counted(plot.curves.viewport(), QEvent.Type.Paint)
    settle(painted)
    counts = []
    for last in (60, 70, 80):
        painted.count = 0
        plot.show_losses(add_steps(trace, last))
        settle(painted)
        counts.append(painted.count)
    assert median(counts) == 1  # a busy machine may expose the window once between two updates


def test_a_new_trace_forgets_the_pointer_the_marks_and_the_zoom(plot, qtbot):
    trace = a_trace(60)
    trace.marks.append((20, "128 px"))
    plot.show_losses(trace)
    plot.point_at(40)
    assert sorted(texts_of(plot)) == ["128 px", "40"]
    press(plot, qtbot, "Plus")
    plot.show_losses(a_trace(10, content=0.0))
    assert axes_of(plot)[1] == [1, 10]
    assert texts_of(plot) == []
    assert list(legend_of(plot)) == ["Total", "Style"]


def test_it_follows_the_theme(docked, napari_window):
    plot = docked
    for theme in ("light", "dark"):
        napari_window.theme = theme
        QApplication.processEvents()
        shown = get_theme(theme)
        background, text = (one.as_hex(format="long") for one in (shown.background, shown.text))
        assert pixels_of(plot, background) > 10_000
        assert pixels_of(plot, colours(["style"], text, dark=theme == "dark")["style"]) > 50
        assert pixels_of(plot, text) > 50  # the total, and the numbers


def test_a_click_picks_the_nearest_iteration(plot, qtbot):
    picked = []
    plot.picked.connect(picked.append)
    for step in (20, 49, 2):
        position = position_of(plot, step)
        qtbot.mouseClick(plot.curves.viewport(), Qt.MouseButton.LeftButton, pos=position)
        assert texts_of(plot) == [str(step)]
    below = QPoint(position_of(plot, 20).x(), plot.curves.height() - 2)
    qtbot.mouseClick(plot.curves.viewport(), Qt.MouseButton.LeftButton, pos=below)
    assert picked == [20, 49, 2]


def activated(window):
    """Whether a window has the focus, which a window of another worker's test can take."""
    if not window.isActiveWindow():
        window.activateWindow()
    return window.isActiveWindow()


def test_keys_pick_iterations_and_napari_does_not_see_them(docked, napari_window, qtbot, until):
    plot = docked
    napari_window.add_image(np.zeros((5, 8, 8)))
    before = napari_window.dims.current_step
    picked = []
    plot.picked.connect(picked.append)
    until(lambda: activated(plot.window()))
    plot.setFocus()
    until(lambda: QApplication.focusWidget() is plot.curves)
    window, shift = plot.window().windowHandle(), Qt.KeyboardModifier.ShiftModifier
    for key in ("Left", "Right", "Home"):
        qtbot.keyClick(window, getattr(Qt.Key, f"Key_{key}"))
    press(plot, qtbot, "Right", shift)
    press(plot, qtbot, "End")
    press(plot, qtbot, "Right")
    assert picked == [49, 50, 1, 11, 50, 50]
    assert napari_window.dims.current_step == before


def test_keys_go_on_where_the_history_has_not_every_iteration(plot, qtbot):
    plot.picked.connect(lambda step: plot.point_at(step // 10 * 10))
    plot.point_at(20)
    for _ in range(10):
        press(plot, qtbot, "Right")
    assert texts_of(plot) == ["30"]


def test_the_wheel_zooms_only_in_a_plot_with_the_focus(plot, until):
    def turn():
        viewport, place = plot.curves.viewport(), QPointF(position_of(plot, 20))
        event = QWheelEvent(
            place, QPointF(viewport.mapToGlobal(place.toPoint())), QPoint(), QPoint(0, 360),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(viewport, event)
        low, high = axes_of(plot)[1].expected
        return round(high - low)

    plot.curves.clearFocus()
    assert turn() == 49
    until(lambda: activated(plot.window()))
    plot.setFocus()
    until(lambda: QApplication.focusWidget() is plot.curves)
    assert turn() < 49


@pytest.mark.parametrize("way", ["double click", "keys"])
def test_the_zoom_stays_until_the_user_asks_for_all(plot, qtbot, way):
    trace = a_trace(50)
    plot.show_losses(trace)
    press(plot, qtbot, "Plus")
    shown = axes_of(plot)[1].expected
    assert shown[1] - shown[0] < 30
    plot.show_losses(add_steps(trace, 100))
    assert axes_of(plot)[1] == shown
    if way == "double click":
        viewport, place = plot.curves.viewport(), axes_of(plot)[0].center()
        for act in (qtbot.mouseClick, qtbot.mouseDClick, qtbot.mouseRelease):
            act(viewport, Qt.MouseButton.LeftButton, pos=place)
    else:
        for _ in range(5):
            press(plot, qtbot, "Minus")
    plot.show_losses(add_steps(trace, 120))
    assert axes_of(plot)[1] == [1, 120]


def test_texts_of_marks_do_not_overlap(plot, until):
    trace = a_trace(100)
    trace.marks = [(34, "128 px"), (67, "256 px"), (100, "style weight 12")]
    plot.show_losses(trace)
    assert sorted(texts_of(plot)) == ["128 px", "256 px", "style weight 12"]
    trace = a_trace(100)
    trace.marks = [(step, f"style weight {step}") for step in range(1, 100)]
    plot.show_losses(trace)
    assert "style weight 99" in texts_of(plot)
    visible = [item for item in items(plot, "TextItem") if item.isVisible()]
    assert 2 <= len(visible) <= 8
    boxes = [item.mapRectToScene(item.boundingRect()).adjusted(2, 0, -2, 0) for item in visible]
    for place, box in enumerate(boxes):
        assert not any(box.intersects(other) for other in boxes[place + 1 :])
    plot.window().resize(1000, 600)
    until(lambda: len(texts_of(plot)) > len(visible))


def test_the_tool_tip_shows_the_losses_under_the_mouse(plot, monkeypatch):
    said = []
    monkeypatch.setattr(QToolTip, "showText", lambda place, text, widget: said.append(text))
    viewport = plot.curves.viewport()
    for place in (position_of(plot, 20), QPoint(1, 1)):
        help_wanted = QHelpEvent(QEvent.Type.ToolTip, place, viewport.mapToGlobal(place))
        QApplication.sendEvent(viewport, help_wanted)
    assert said[0].splitlines()[:3] == ["Iteration 20", "total 151", "content 1.2"]
    assert said[1] == plot.curves.accessibleDescription()


@pytest.mark.parametrize("steps", [3, 50, 12345])
@pytest.mark.parametrize("points", [7, 16])
def test_numbers_of_an_axis_never_overlap(plot, steps, points):
    plot.show_losses(a_trace(steps))
    plot.curves.resize(240, plot.curves.height())
    for side, ranges in (("bottom", [(1, steps)]), ("left", [(-3, 3), (0.1, 0.3), (-12, 9)])):
        axis = plot.curves.getAxis(side)
        font = QFont()
        font.setPointSize(points)
        axis.setTickFont(font)
        for low, high in ranges:
            axis.setRange(low, high)
            page = QImage(400, 400, QImage.Format.Format_RGB32)
            painter = QPainter(page)
            painter.setFont(font)
            _, _, texts = axis.generateDrawSpecs(painter)
            painter.end()
            boxes = [box for box, _, text in texts if text]
            for index, box in enumerate(boxes):
                assert not any(box.intersects(other) for other in boxes[:index]), (side, low, high)
            assert boxes or high - low < 1
