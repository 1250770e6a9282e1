"""How often a run is drawn."""

from types import SimpleNamespace

import pytest
from qtpy.QtWidgets import QWidget

from napari_nst.viewer.run import throttle
from napari_nst.viewer.run.throttle import PAUSE, RedrawTimer, Throttle


@pytest.fixture
def clock(monkeypatch):
    """The throttle's time, which stands still by itself."""
    clock = SimpleNamespace(now=100.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(throttle, "time", clock)
    return clock


def test_drawing_takes_a_twentieth_of_the_time(clock):
    one = Throttle()
    assert one.due()
    with one.drawing():
        assert not one.due(at_once=True), "it is being drawn"
        clock.now += 2
    clock.now += 2 * PAUSE - 1
    assert not one.due()
    assert one.due(at_once=True)
    clock.now += 1
    assert one.due()


def test_a_drawing_that_fails_is_over_and_one_may_not_count(clock):
    one = Throttle()
    with pytest.raises(ZeroDivisionError), one.drawing():
        raise ZeroDivisionError
    assert one.due()
    one.begin()
    clock.now += 2
    one.end(counts=False)
    assert one.due()


def test_an_unchanged_state_is_drawn_again_when_patience_ends(clock):
    one = Throttle(interval=0.25, patience=5)
    with one.drawing("a"):
        pass
    assert not one.due("b")
    clock.now += 0.25
    assert one.due("b")
    assert not one.due("a", at_once=True)
    clock.now += 4.75
    assert one.due("a")
    with one.drawing("b"):
        clock.now += 2  # such as the first of a window
    clock.now += 5
    assert one.due("c"), "a slow drawing keeps a state no longer than that"


@pytest.mark.window
def test_one_part_is_redrawn_per_turn_of_the_event_loop(qtbot, monkeypatch):
    monkeypatch.setattr(throttle, "PAUSE", 0.0)  # a busy machine measures long drawings
    widget, drawn, state = QWidget(), [], {"text": 1, "image": None}
    qtbot.addWidget(widget)
    redraws = RedrawTimer(widget, lambda: state.get("text") == 9)
    for name in tuple(state):
        redraws.add(Throttle(), lambda name=name: state[name], lambda name=name: drawn.append(name))
    redraws.start(5)  # so slow that a turn is seen before the next
    qtbot.waitUntil(lambda: drawn == ["text"])
    qtbot.wait(450)
    assert drawn == ["text"], "nothing has changed"
    state["text"] = state["image"] = 2
    qtbot.waitUntil(lambda: len(drawn) == 2)
    qtbot.waitUntil(lambda: len(drawn) == 3)
    assert sorted(drawn) == ["image", "text", "text"]
    state["text"] = state["image"] = 9
    qtbot.waitUntil(lambda: len(drawn) > 3)
    assert len(drawn) == 5, "all at once"
    redraws.stop()
    state["text"] = 3
    qtbot.wait(450)
    assert len(drawn) == 5
