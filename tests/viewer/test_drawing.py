"""Drawing in two turns of the event loop, and composing the window once."""

from contextlib import contextmanager

import pytest
from counted_events import Counted
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QApplication, QLabel, QMainWindow, QWidget

from napari_nst.viewer.drawing import Drawing


@pytest.fixture
def window(qtbot):
    """A window whose middle shows a text, beside another of the test's own."""
    window = QMainWindow()
    window.setCentralWidget(QLabel("before"))
    window.beside = QLabel("before", window)
    window.beside.setGeometry(0, 0, 50, 20)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    return window


@contextmanager
def noted(told):
    told.append("began")
    yield
    told.append("ended")


def test_layers_come_first_and_the_rest_in_another_turn(window, until):
    told = []
    drawing = Drawing(window.beside)
    drawing.draw(lambda: told.append("layers"), lambda: told.append("rest"), noted(told))
    assert told == ["began", "layers"]
    until(lambda: drawing.is_due(at_once=True))
    assert told == ["began", "layers", "rest", "ended"]


def test_between_the_turns_others_have_theirs(window, until):
    told = []
    timer = QTimer()
    timer.timeout.connect(lambda: told.append("another"))
    timer.start(0)
    drawing = Drawing(window)
    drawing.draw(lambda: told.append("layers"), lambda: told.append("rest"), noted(told))
    until(lambda: drawing.is_due(at_once=True))
    timer.stop()
    assert "another" in told[told.index("layers") : told.index("rest")]


def test_while_something_is_drawn_nothing_else_is_due(window, until):
    drawing = Drawing(window)
    drawing.draw(lambda: None, lambda: None, noted([]), counts=False)
    assert not drawing.is_due()
    assert not drawing.is_due(at_once=True)
    until(drawing.is_due)


def test_who_waits_need_not_wait_for_the_share(window, until):
    drawing = Drawing(window)
    drawing.draw(lambda: None, lambda: QApplication.instance().thread().msleep(100), noted([]))
    until(lambda: drawing.is_due(at_once=True))
    assert not drawing.is_due()


def test_the_middle_is_painted_when_all_is_drawn(window, settle):
    middle = window.centralWidget()
    painted = Counted(middle, QEvent.Type.Paint)
    composed = Counted(window, QEvent.Type.UpdateRequest)
    settle(painted)
    before, requests = painted.count, composed.count

    def layers():
        middle.setText("after")
        QApplication.processEvents()
        assert painted.count == before

    Drawing(window.beside).draw(layers, lambda: window.beside.setText("after"), noted([]))
    settle(painted)
    assert painted.count > before
    assert composed.count == requests + 1


@pytest.mark.parametrize("part", ["layers", "rest"])
def test_what_cannot_be_drawn_leaves_no_window_that_stands_still(window, qtbot, until, part):
    def fails():
        raise ValueError(part)

    def succeeds():
        pass

    told = []
    drawing = Drawing(window)
    parts = {"layers": succeeds, "rest": succeeds, part: fails}
    with qtbot.captureExceptions() as raised:
        try:
            drawing.draw(**parts, way=noted_always(told))
        except ValueError as error:
            raised.append((ValueError, error, None))
        until(lambda: drawing.is_due(at_once=True))
    assert [str(error) for _, error, _ in raised] == [part]
    assert told == ["ended"]
    assert window.centralWidget().updatesEnabled()


@contextmanager
def noted_always(told):
    try:
        yield
    finally:
        told.append("ended")


def test_a_window_may_close_meanwhile(qtbot, until):
    window = QMainWindow()
    window.setCentralWidget(QLabel("middle"))
    window.show()
    qtbot.waitExposed(window)
    drawing = Drawing(window)
    drawing.draw(lambda: None, lambda: None, noted([]))
    window.centralWidget().deleteLater()
    window.setCentralWidget(QLabel("another"))
    window.close()
    until(lambda: drawing.is_due(at_once=True))


def test_a_widget_that_no_window_has_is_drawn_all_the_same(qtbot, until):
    widget, told = QWidget(), []
    qtbot.addWidget(widget)
    drawing = Drawing(widget)
    drawing.draw(lambda: told.append("layers"), lambda: told.append("rest"), noted([]))
    until(lambda: drawing.is_due(at_once=True))
    assert told == ["layers", "rest"]
