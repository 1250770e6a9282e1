"""Drawing in two turns of the event loop, and composing the window once."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QApplication, QLabel, QMainWindow, QWidget

from napari_nst.viewer.run import drawing, ration
from napari_nst.viewer.run.drawing import Drawing
from tests.helpers.counted_events import Counted


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
    ours = Drawing(window.beside)
    ours.draw(lambda: told.append("layers"), lambda: told.append("rest"), noted(told))
    assert told == ["began", "layers"]
    until(lambda: ours.is_due(at_once=True))
    assert told == ["began", "layers", "rest", "ended"]


def test_between_the_turns_others_have_theirs(window, until):
    told = []
    timer = QTimer()
    timer.timeout.connect(lambda: told.append("another"))
    timer.start(0)
    ours = Drawing(window)
    ours.draw(lambda: told.append("layers"), lambda: told.append("rest"), noted(told))
    until(lambda: ours.is_due(at_once=True))
    timer.stop()
    assert "another" in told[told.index("layers") : told.index("rest")]


def test_while_something_is_drawn_nothing_else_is_due(window, until):
    ours = Drawing(window)
    ours.draw(lambda: None, lambda: None, noted([]), counts=False)
    assert not ours.is_due()
    assert not ours.is_due(at_once=True)
    until(ours.is_due)


def test_it_begins_when_the_way_is_free(window, until, qtbot, monkeypatch):
    monkeypatch.setattr(drawing, "PATIENCE", 60)
    told, free = [], []
    ours = Drawing(window)
    ours.draw(lambda: told.append("layers"), lambda: None, noted(told), lambda: bool(free))
    qtbot.wait(50)
    assert told == ["began"]
    assert window.centralWidget().updatesEnabled()
    free.append(True)
    until(lambda: ours.is_due(at_once=True))
    assert told == ["began", "layers", "ended"]


def test_or_when_it_has_waited_for_long_enough(window, until):
    told = []
    ours = Drawing(window)
    ours.draw(lambda: told.append("layers"), lambda: None, noted(told), lambda: False)
    assert told == ["began"]
    until(lambda: ours.is_due(at_once=True))
    assert told == ["began", "layers", "ended"]


def test_it_may_be_given_up_while_it_waits(qtbot, until):
    widget, told = QWidget(), []
    ours = Drawing(widget)
    ours.draw(lambda: told.append("layers"), lambda: None, noted(told), lambda: False)
    widget.deleteLater()
    until(lambda: not isalive(widget))
    ours.give_up()
    assert told == ["began", "ended"]
    until(lambda: ours.is_due(at_once=True))
    ours.give_up()
    assert told == ["began", "ended"]


def test_it_may_be_given_up_between_its_turns(window, until):
    told = []
    ours = Drawing(window)
    ours.draw(lambda: told.append("layers"), lambda: told.append("rest"), noted(told))
    ours.give_up()
    assert told == ["began", "layers", "ended"]
    assert window.centralWidget().updatesEnabled()
    until(lambda: ours.is_due(at_once=True))


def test_who_waits_need_not_wait_for_the_share(window, until):
    ours = Drawing(window)
    ours.draw(lambda: None, lambda: QApplication.instance().thread().msleep(100), noted([]))
    until(lambda: ours.is_due(at_once=True))
    assert not ours.is_due()


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


def test_composing_counts_as_well(window, qtbot, until, monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(ration, "time", SimpleNamespace(perf_counter=lambda: clock.now))

    class Slow(QWidget):
        def paintEvent(self, event):
            clock.now += 2

    window.setCentralWidget(Slow())
    qtbot.wait(200)
    before = clock.now
    ours = Drawing(window)
    ours.draw(lambda: None, lambda: None, noted([]))
    until(lambda: ours.is_due(at_once=True))
    assert clock.now == before + 2
    clock.now += 2 / ration.SHARE - 0.1
    assert not ours.is_due()


@pytest.mark.parametrize("part", ["layers", "rest"])
def test_what_cannot_be_drawn_leaves_no_window_that_stands_still(window, qtbot, until, part):
    def fails():
        raise ValueError(part)

    def succeeds():
        pass

    told = []
    ours = Drawing(window)
    parts = {"layers": succeeds, "rest": succeeds, part: fails}
    with qtbot.captureExceptions() as raised:
        try:
            ours.draw(**parts, way=noted_always(told))
        except ValueError as error:
            raised.append((ValueError, error, None))
        until(lambda: ours.is_due(at_once=True))
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
    ours = Drawing(window)
    ours.draw(lambda: None, lambda: None, noted([]))
    window.centralWidget().deleteLater()
    window.setCentralWidget(QLabel("another"))
    window.close()
    until(lambda: ours.is_due(at_once=True))


def test_a_widget_that_no_window_has_is_drawn_all_the_same(qtbot, until):
    widget, told = QWidget(), []
    qtbot.addWidget(widget)
    ours = Drawing(widget)
    ours.draw(lambda: told.append("layers"), lambda: told.append("rest"), noted([]))
    until(lambda: ours.is_due(at_once=True))
    assert told == ["layers", "rest"]
