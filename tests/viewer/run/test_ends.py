"""Whoever ends a run, it ends once, and the controls follow."""

import numpy as np
import pytest

from tests.helpers.connections import connections, running_timers

pytestmark = pytest.mark.window


@pytest.fixture
def ends():
    """Count how often a widget says that its run has ended."""

    def count(widget):
        seen = []
        widget.panel.ended.connect(lambda: seen.append(1))
        return seen

    return count


def open_pair(viewer):
    for name, level in (("a", 90), ("b", 200)):
        viewer.add_image(np.full((40, 40, 3), level, np.uint8), name=name, rgb=True)
    return viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")


@pytest.mark.parametrize("paused", [False, True], ids=["going on", "paused"])
def test_a_closed_panel_ends_its_run_and_lets_go_of_the_viewer(
    viewer, optimiser, until, ends, paused
):
    events = [viewer.layers.events, viewer.dims.events, *(x.events for x in viewer.layers)]
    dock, widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")
    state, seen = optimiser(steps=100_000), ends(widget)
    widget.start()
    until(lambda: widget.result is not None)
    if paused:
        widget.pause.native.click()
        until(lambda: widget.panel.active.holding)
    result = widget.result
    assert connections(*events)
    dock.destroyOnClose()
    until(lambda: not widget.running)
    assert connections(*events, result.events) == []
    until(lambda: running_timers(widget) == [])
    assert (state.closed, seen) == (1, [1])
    assert result in viewer.layers
    assert result.metadata["napari-nst"]["step"] == state.made
    viewer.window.add_dock_widget(widget, name="again")
    viewer.layers.remove("starry")
    assert widget.style.lost == "starry"


def test_a_panel_that_qt_deletes_ends_its_run(viewer, widget, optimiser, until, ends):
    layers = [layer.events for layer in viewer.layers]
    state, seen = optimiser(steps=100_000), ends(widget)
    widget.start()
    until(lambda: state.made > 3)
    widget.native.deleteLater()
    until(lambda: not widget.running)
    assert (state.closed, seen) == (1, [1])
    assert connections(*layers) == []
    viewer.layers[0].name = "other"  # reaches no deleted control


def test_each_of_two_viewers_has_a_run_of_its_own(make_napari_viewer, optimiser, until, ends):
    first, second = make_napari_viewer(), make_napari_viewer()
    (_, one), (_, other) = open_pair(first), open_pair(second)
    state, seen = optimiser(steps=100_000, seconds=0.005), (ends(one), ends(other))
    one.start()  # while the window of the other was used last
    other.start()
    until(lambda: one.result is not None and other.result is not None)
    assert one.result in first.layers
    assert other.result in second.layers
    del first.layers["b"]
    assert other.style.value == second.layers["b"]
    second.close()
    until(lambda: state.closed == 1)
    made = one.panel.active.newest.step
    until(lambda: one.panel.active.newest.step > made + 20)
    assert seen[0] == []
    one.panel.runner.stop()
    until(lambda: not one.running)
    until(lambda: not other.running)
    assert seen == ([1], [1])


def offered(widget):
    panel = widget.panel
    return {
        "save": widget.save_as.enabled,
        "go on": not panel.going_on.native.isHidden(),
        "paint": not panel.brush.native.isHidden(),
        "history": widget.show_history.enabled,
        "losses": len(panel.plot.trace) > 0,
    }


def test_the_controls_of_a_result_are_there_while_it_is(
    viewer, widget, optimiser, finish, until, messages
):
    optimiser(steps=6)
    result, layers = finish(widget), list(viewer.layers)
    assert all(offered(widget).values())
    viewer.layers.clear()
    assert not any(offered(widget).values()), offered(widget)
    assert widget.result is None
    widget.save("never.png")
    assert "no result to save" in messages()[-1]
    widget.show_features.native.click()
    assert "There is no result" in messages()[-1]
    for layer in layers:
        viewer.layers.append(layer)
    assert all(offered(widget).values()), offered(widget)
    assert widget.result == result
    widget.panel.go_on(3)
    until(lambda: not widget.running)
    assert result.metadata["napari-nst"]["step"] == 12


def test_a_sweep_shows_no_curve_of_the_run_before(viewer, widget, optimiser, finish, until):
    optimiser(steps=6)
    finish(widget)
    assert offered(widget)["losses"]
    optimiser(steps=300, seconds=0.005)
    widget.run_sweep.native.click()
    assert not offered(widget)["losses"]
    until(lambda: widget.panel.active.newest is not None)
    widget.panel.runner.stop()
    until(lambda: not widget.running)
    assert not offered(widget)["losses"]
