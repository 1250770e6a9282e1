"""Steering a run from its widget, and going on from a finished one, in a real window."""

import numpy as np
import pytest

from napari_nst.recipe import preset

pytestmark = pytest.mark.window


@pytest.fixture
def running(widget, optimiser, until):
    """Start a slow run and return what it saw of its steering."""

    def start(**arguments):
        state = optimiser(**{"steps": 2000, "seconds": 0.005, **arguments})
        widget.start()
        until(lambda: state.made > 3)
        return state

    yield start
    widget.stop.changed.emit(True)
    until(lambda: not widget.running)


def test_a_weight_reaches_the_run(widget, running, until):
    state = running()
    widget.style_weight.value = 12.5
    until(lambda: state.changes)
    assert dict(state.changes[0].fields) == {"style_weight": 12.5}
    until(lambda: widget.panel.runner.losses.marks)
    step, words = widget.panel.runner.losses.marks[0]
    assert words == "style weight 12.5"
    assert 3 < step <= state.made


def test_a_preset_is_one_change(widget, running, until):
    state = running()
    widget.preset.value = "crowsonkb"
    until(lambda: state.changes)
    until(lambda: "next run" in widget.status_text)
    [change] = state.changes
    assert change.fields["style_weight"] == preset("crowsonkb").style_weight
    assert "optimizer" not in change.fields


def test_a_field_of_the_next_run_is_named(widget, running, until):
    state = running()
    widget.pause.changed.emit(True)
    until(lambda: widget.panel.active.holding)
    widget.size.value = 256
    until(lambda: "next run" in widget.status_text)
    assert widget.status_text.splitlines()[-1] == "Size applies from the next run."
    assert not state.changes


def test_contradicting_weights_are_reported_and_the_run_goes_on(widget, running, until):
    state = running()
    widget.content_weight.value = 0
    widget.style_weight.value = 0
    until(lambda: "Content weight and Style weight are both 0" in widget.status_text)
    made = state.made
    until(lambda: state.made > made + 5)
    assert not state.changes


def test_a_finished_run_goes_on_in_its_layer(viewer, widget, optimiser, finish, until):
    state = optimiser(steps=6)
    row = widget.panel.going_on
    assert row.native.isHidden()
    layer = finish(widget)
    assert not row.native.isHidden()
    row.steps.value = 10
    widget.style_weight.value = 20.0
    row.button.changed.emit(True)
    assert row.native.isHidden()
    until(lambda: not widget.running)
    assert widget.result is layer
    assert state.recipe == preset("default", steps=10, style_weight=20.0)
    assert len(widget.panel.runner.losses) == 12
    assert layer.metadata["napari-nst"]["step"] == 12
    assert widget.progress.value == 12


def test_a_finished_run_goes_on_larger(widget, optimiser, finish, until):
    state = optimiser(steps=6)
    finish(widget)
    row = widget.panel.going_on
    row.size.value = 1024
    row.button.changed.emit(True)
    until(lambda: not widget.running)
    assert (state.recipe.size, state.recipe.steps) == (1024, 50)
    assert widget.size.value == preset("default").size, "the next run is as it was set"


def test_a_run_cannot_go_on_with_another_content(viewer, widget, optimiser, finish, messages):
    optimiser(steps=3)
    finish(widget)
    widget.content.value = viewer.layers["starry"]
    widget.panel.go_on(5)
    assert not widget.running
    assert "'cells × starry'" in messages()[-1]


def test_channels_in_turn_are_not_steered(viewer, dock, optimiser, until):
    widget = dock("Style Transfer")
    state = optimiser(steps=300, seconds=0.01)
    viewer.add_image(np.random.default_rng(0).random((3, 40, 40)), name="stack")
    widget.content.value = viewer.layers["stack"]
    widget.style.value = viewer.layers["starry"]
    widget.content_as.value = "each channel in turn"
    widget.start()
    until(lambda: state.made > 3)
    widget.style_weight.value = 12.5
    made = state.made
    until(lambda: state.made > made + 20)
    assert not state.changes
    widget.panel.runner.stop()
    until(lambda: not widget.running)
    assert widget.panel.going_on.native.isHidden()


def test_a_failed_run_keeps_the_last_result(widget, optimiser, finish, messages):
    optimiser(steps=5)
    layer = finish(widget)
    optimiser(steps=5, fail_at=1, error=ValueError("size 4 is too small"))
    finish(widget)
    assert messages()[-1] == "size 4 is too small"
    assert widget.result is layer
    assert widget.save_as.enabled
    assert not widget.panel.going_on.native.isHidden()
    assert len(widget.panel.runner.losses) == 5
    assert widget.panel.history.current.history.steps[-1] == 5
    optimiser(steps=2)
    widget.panel.go_on(2)
    assert widget.running
    finish(widget)
    assert layer.metadata["napari-nst"]["step"] == 7


def test_picking_an_iteration_in_the_plot_shows_it(
    viewer, widget, optimiser, finish, messages, until
):
    widget.panel.plot.picked.emit(3)
    assert "No history was kept" in messages()[-1]
    optimiser(steps=30)
    result = finish(widget)
    widget.panel.plot.picked.emit(3)
    history = viewer.layers[f"{result.name} · history"]
    until(lambda: viewer.canvas.overlays.text.text.startswith("iteration 3 of 30"))
    assert viewer.dims.current_step[0] == 2
    assert np.asarray(history.data[2]).shape == result.data.shape
    widget.keep_history.value = "off"
    finish(widget)
    widget.panel.plot.picked.emit(3)
    assert "No history was kept" in messages()[-1]


def test_an_edit_just_before_the_window_closes_is_ignored(
    make_napari_viewer, optimiser, until, qtbot
):
    state = optimiser(steps=100_000)
    viewer = make_napari_viewer()
    for name in ("a", "b"):
        viewer.add_image(np.zeros((40, 40)), name=name)
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    widget.start()
    until(lambda: state.made > 10)
    widget.style.value.refresh()
    viewer.close()
    until(lambda: state.closed == 1)
    qtbot.wait(200)
