"""A run that makes way for what takes the window long."""

import threading
from contextlib import contextmanager

import pytest
from napari_nst.viewer.run.run_steering import RunSteering

from napari_nst.viewer.run import run_steering


@pytest.fixture
def steering():
    return RunSteering(lambda sentence: None, lambda tile: None, lambda: False)


def test_the_run_waits_between_two_layers_until_all_is_drawn(steering, qtbot):
    went_on = threading.Event()

    def pulse():
        assert not steering.stopped
        went_on.set()

    run = threading.Thread(target=pulse)
    with steering.making_way():
        assert not steering.stands
        run.start()
        run.join(timeout=0.2)
        assert not went_on.is_set()
        assert steering.stands
    assert not went_on.is_set()
    qtbot.waitUntil(went_on.is_set)
    run.join()
    assert not steering.stands


def test_it_goes_on_though_the_window_hangs(steering, monkeypatch):
    monkeypatch.setattr(run_steering, "LONGEST", 0.01)
    with steering.making_way():
        assert not steering.stopped


def test_it_goes_on_where_no_layer_could_be_made(steering, qtbot):
    with pytest.raises(ValueError, match="no layer"), steering.making_way():
        raise ValueError("no layer")
    qtbot.waitUntil(steering._way.is_set)


@pytest.fixture
def ways(monkeypatch):
    """Count how often runs have made way."""
    found, making_way = [], RunSteering.making_way

    @contextmanager
    def counted(steering):
        found.append(steering)
        with making_way(steering):
            yield

    monkeypatch.setattr(RunSteering, "making_way", counted)
    return found


@pytest.mark.window
def test_it_makes_way_for_each_drawing_and_for_the_history(widget, optimiser, until, ways):
    state = optimiser(steps=5000, seconds=0.002)
    widget.keep_history.value = "evenly"
    widget.start()
    until(lambda: widget.result is not None and state.made > 20 and len(ways) > 1)
    run = widget.panel.active
    run.pause(True)
    until(lambda: run.holding and widget.panel.runner.live.shown is run.newest)
    ways.clear()
    widget.panel.plot.picked.emit(10)
    assert ways == [run.steering]
    assert widget.panel.history.current.layer.exists
    widget.stop.native.click()
    until(lambda: not widget.running)


@pytest.mark.window
def test_the_history_waits_for_a_run_that_goes_on(widget, optimiser, until, ways, monkeypatch):
    monkeypatch.setattr("napari_nst.viewer.run.drawing.PATIENCE", 60)
    state = optimiser(steps=5000, seconds=0.002)
    widget.keep_history.value = "evenly"
    widget.start()
    until(lambda: state.made > 20)
    run, current = widget.panel.active, widget.panel.history.current
    until(lambda: 10 in current.history.steps)
    monkeypatch.setattr(RunSteering, "stands", False)
    widget.panel.plot.picked.emit(10)
    assert not current.layer.is_there
    run.stop()  # and so needs no processor
    until(lambda: current.layer.is_there)
    until(lambda: not widget.running)


@pytest.mark.window
@pytest.mark.parametrize("seen", [10, 20])
def test_the_slider_is_moved_in_the_turn_after_the_layers(
    widget, optimiser, finish, until, viewer, seen
):
    optimiser(steps=20)
    widget.keep_history.value = "evenly"
    finish(widget)
    if seen == 10:
        widget.panel.plot.picked.emit(10)
    else:
        widget.panel.history.show()
    assert widget.panel.history.current.layer.exists
    assert not viewer.canvas.overlays.text.text
    until(lambda: viewer.canvas.overlays.text.text.startswith(f"iteration {seen} of 20"))
    assert viewer.dims.current_step[0] == seen - 1


@pytest.mark.window
def test_a_history_is_shown_when_no_run_is_there_to_make_way(widget, optimiser, finish, ways):
    optimiser(steps=20)
    widget.keep_history.value = "evenly"
    finish(widget)
    ways.clear()
    widget.panel.history.show()
    assert widget.panel.history.current.layer.exists
    assert not ways
